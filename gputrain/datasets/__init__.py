"""Data sets with Keras's `load_data()`, and the safe readers of their file formats.

    digits         1,797 images, 8x8, shipped with gputrain
    mnist          70,000 images, 28x28, found on this machine or downloaded
    fashion_mnist  the same, of clothing

`locate(name)` says where a set is, `search_folders(name)` where it is looked for;
`gputrain.datasets.idx.read_idx` and `gputrain.datasets.npz.read_npz` read files from strangers.
"""

from gputrain.datasets import digits, fashion_mnist, mnist
from gputrain.datasets._locate import locate, search_folders
from gputrain.datasets.errors import CorruptFileError, DatasetUnavailableError, DownloadError

__all__ = [
    "CorruptFileError",
    "DatasetUnavailableError",
    "DownloadError",
    "digits",
    "fashion_mnist",
    "locate",
    "mnist",
    "search_folders",
]
