"""What is known about each downloadable data set: names, addresses, sums and where it may already be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

DEFAULT_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"


class RemoteFile(NamedTuple):
    """A published file: its name, and the SHA-256 sums (hex) of the copies around, the original first."""

    name: str
    sums: tuple[str, ...]


class DatasetInfo(NamedTuple):
    """One data set of 28x28 images.

    Attributes:
        name: str, as in `gputrain.datasets`.
        title: str, for people.
        folders: names that its own folder may have; the first is the one that gputrain makes.
        archive: the npz file with all four arrays, or None.
        idx: the IDX files: training images, training labels, test images, test labels.
        system: folders where a system package puts the IDX files.
        first_labels: the first ten training labels, which tell two sets with the same file names apart.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    archive: RemoteFile | None
    idx: tuple[RemoteFile, ...]
    system: tuple[Path, ...]
    first_labels: tuple[int, ...]

    @property
    def downloads(self) -> tuple[RemoteFile, ...]:
        """The files to fetch when none is at hand."""
        return self.idx if self.archive is None else (self.archive,)


_IDX_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _idx(*copies: str) -> tuple[RemoteFile, ...]:
    """The IDX files, with the sums of each copy: those of the four files, one below the other."""
    return tuple(map(RemoteFile, _IDX_NAMES, zip(*map(str.split, copies), strict=True)))


MNIST = DatasetInfo(
    name="mnist",
    title="MNIST",
    folders=("mnist", "MNIST"),
    archive=RemoteFile("mnist.npz", ("731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",)),
    idx=_idx(
        """
        440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
        3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
        8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
        f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
        """
    ),
    system=(),
    first_labels=(5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
)

# The second copy is Debian's: the same compressed data behind a gzip header without the file name.
FASHION_MNIST = DatasetInfo(
    name="fashion_mnist",
    title="Fashion-MNIST",
    folders=("fashion_mnist", "fashion-mnist", "FashionMNIST"),
    archive=None,
    idx=_idx(
        """
        3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84
        a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845
        346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073
        67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5
        """,
        """
        b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7
        0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056
        cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa
        8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05
        """,
    ),
    system=(Path("/usr/share/datasets/fashion-mnist"),),
    first_labels=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
)

CATALOG = {info.name: info for info in (MNIST, FASHION_MNIST)}
