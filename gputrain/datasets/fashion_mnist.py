"""Fashion-MNIST: 70,000 articles of clothing, 28x28 grey (Xiao, Rasul and Vollgraf, 2017; MIT licence)."""

from __future__ import annotations

from gputrain.datasets._catalog import FASHION_MNIST
from gputrain.datasets._load import Split, load


def load_data() -> tuple[Split, Split]:
    """Load Fashion-MNIST from this machine, or else over the network (31 MB, kept in the cache folder).

    Looked for, in this order: `$GPUTRAIN_DATA/fashion_mnist/` (or `fashion-mnist`), `$GPUTRAIN_DATA/`,
    `gputrain/datasets/fashion_mnist/` in `$XDG_CACHE_HOME` or `~/.cache`, and
    `/usr/share/datasets/fashion-mnist` (Debian's package dataset-fashion-mnist); as the four IDX files
    `{train,t10k}-{images-idx3,labels-idx1}-ubyte` with or without `.gz`. Files in `$GPUTRAIN_DATA` itself
    count only when the labels are Fashion-MNIST's, because MNIST uses the same names. `GPUTRAIN_DATASETS_URL`
    names another address to download from.

    Returns:
        ((x_train, y_train), (x_test, y_test)): uint8 images (60000, 28, 28) and (10000, 28, 28), 0 to 255;
        uint8 labels (60000,) and (10000,): 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6
        shirt, 7 sneaker, 8 bag, 9 ankle boot.

    Raises:
        DatasetUnavailableError: not on this machine and not to be downloaded; says what to put where.
        CorruptFileError: a file on this machine is damaged or holds something else.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, y_test.shape  # doctest: +SKIP
    ((60000, 28, 28), (10000,))
    """
    return load(FASHION_MNIST)
