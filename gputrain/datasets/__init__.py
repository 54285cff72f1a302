"""Data sets with Keras's `load_data()`.

    digits         1,797 images, 8x8, shipped with gputrain
    mnist          70,000 images, 28x28, found on this machine or downloaded
    fashion_mnist  the same, of clothing
    breast_cancer  569 tumours, 30 measurements, two classes, from scikit-learn
    wine           178 wines, 13 measurements, three classes, from scikit-learn
    diabetes       442 patients, 10 measurements, a number to predict, from scikit-learn

`locate(name)` says where a set is, `search_folders(name)` where it is looked for;
the readers of their file formats are in `gputrain.data.io`.
"""

from typing import TYPE_CHECKING

from gputrain.data.io.errors import CorruptFileError, DatasetUnavailableError, DownloadError
from gputrain.datasets import breast_cancer, diabetes, digits, fashion_mnist, mnist, wine
from gputrain.datasets._locate import locate, search_folders
from gputrain.names import public

__all__ = [
    "CorruptFileError",
    "DatasetUnavailableError",
    "DownloadError",
    "breast_cancer",
    "diabetes",
    "digits",
    "fashion_mnist",
    "locate",
    "mnist",
    "search_folders",
    "wine",
]

# The readers of files under the names that users know; imported when they are asked for.
_READERS = tuple(f"gputrain.data.io.{name}" for name in ("idx", "images", "npy", "npz", "sniff"))

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("data set", __name__, __all__, rooms=_READERS)
