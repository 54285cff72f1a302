"""MNIST: 70,000 handwritten digits, 28x28 grey (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

from os import PathLike

from gputrain.datasets._catalog import MNIST
from gputrain.datasets._load import Split, load


def load_data(path: str | PathLike[str] = "mnist.npz") -> tuple[Split, Split]:
    """Load MNIST from this machine, or else over the network (11 MB, kept in the cache folder).

    Looked for, in this order: `$GPUTRAIN_DATA/mnist/`, `$GPUTRAIN_DATA/`, and `gputrain/datasets/mnist/` in
    `$XDG_CACHE_HOME` or `~/.cache`; as `path`, or as the four IDX files
    `{train,t10k}-{images-idx3,labels-idx1}-ubyte` with or without `.gz`. IDX files in `$GPUTRAIN_DATA` itself
    count only when the labels are MNIST's, because Fashion-MNIST uses the same names. `GPUTRAIN_DATASETS_URL`
    names another address to download from.

    Args:
        path: name of the npz file in these folders, or an absolute path to have it elsewhere.

    Returns:
        ((x_train, y_train), (x_test, y_test)): uint8 images (60000, 28, 28) and (10000, 28, 28), 0 (paper) to
        255 (ink); uint8 labels (60000,) and (10000,), the digits 0 to 9.

    Raises:
        DatasetUnavailableError: not on this machine and not to be downloaded; says what to put where.
        CorruptFileError: a file on this machine is damaged or holds something else.
        ValueError: `path` is empty or has `..` in it.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, y_test.shape  # doctest: +SKIP
    ((60000, 28, 28), (10000,))
    """
    return load(MNIST, path)
