"""What the formats share: what a file says that it holds, and a file that is open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np

from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.data.io.files import require_memory

BFLOAT16 = "bfloat16"  # read as float32: there is no such dtype here


class Stored(NamedTuple):
    """What a file says of one array.

    Attributes:
        shape: its sizes.
        dtype: the name of its dtype.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def itemsize(self) -> int:
        """How much memory a number takes."""
        return 4 if self.dtype == BFLOAT16 else np.dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return math.prod(self.shape) * self.itemsize


class ArrayFile(Protocol):
    """An open file of named arrays.

    Attributes:
        specs: what it holds, known before anything is read.
        names: what layers are called, by their paths, as far as the file says.
    """

    @property
    def specs(self) -> Mapping[str, Stored]:
        """What the file holds."""

    @property
    def names(self) -> Mapping[str, str]:
        """What layers are called."""

    def arrays(
        self, names: Iterable[str], places: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """The arrays of these names, one after the other, so that memory holds one at a time.

        Args:
            names: of what is read.
            places: arrays of the same shape and dtype that some of them may be read into, and are then.

        Raises:
            CorruptFileError: the file does not hold what it says.
        """


Opened = AbstractContextManager[ArrayFile]


def read_all(
    file: Opened, path: FilePath, wanted: Mapping[str, Any] | None, max_bytes: int | None
) -> dict[str, Any]:
    """All arrays of a file, or those wanted.

    Args:
        file: to be opened.
        path: its place, for errors.
        wanted: names, and what has the shape and the dtype of each; None for all.
        max_bytes: most bytes for all of them together; None: the setting `file_memory`.

    Raises:
        CorruptFileError: an array is missing or has another shape or dtype; they are too large together.
    """
    with file as opened:
        names = list(opened.specs if wanted is None else wanted)
        for name in names if wanted is not None else ():
            require_as_wanted(path, name, opened.specs.get(name), wanted[name])  # type: ignore[index]
        total = sum(opened.specs[name].nbytes for name in names)
        require_memory(path, "the arrays must fit the memory allowed", max_bytes, total)
        return dict(opened.arrays(names))


def require_as_wanted(path: FilePath, name: str, found: Stored | None, wanted: Any) -> None:
    """Refuse an array that is not there, or has another shape or dtype than is wanted."""
    rule, expected = f"the file holds {name!r} as it is wanted", f"{wanted.dtype} of shape {wanted.shape}"
    if found is None:
        raise CorruptFileError(path, rule, expected, "no array of this name")
    if found != (tuple(wanted.shape), wanted.dtype):
        raise CorruptFileError(path, rule, expected, f"{found.dtype} of shape {found.shape}")


def on_host(value: Any) -> np.ndarray:
    """What is to be written, as a NumPy array in the machine's order of bytes: a variable or an array."""
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    return np.ascontiguousarray(array).reshape(array.shape)


def from_bfloat16(raw: np.ndarray) -> np.ndarray:
    """float32 numbers of bfloat16 ones, which come as uint16."""
    return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
