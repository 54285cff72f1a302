"""What all readers do: open a file that may be anything, compare sizes, fill a buffer of known size."""

from __future__ import annotations

import math
import os
import stat
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gputrain import config
from gputrain.data.io.errors import CorruptFileError, FilePath

# Deflate cannot expand a byte into more than 1032 (a match of 258 bytes costs at least 2 bits).
MAX_DEFLATE_RATIO = 1032
_MAX_BYTES = 2**63 - 1  # of an array
_CHUNK = 1 << 20


class Readable(Protocol):
    """What a raw file, a gzip stream and a zip member have in common."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


class Header(NamedTuple):
    """What the header of an array declares.

    Attributes:
        dtype: of numbers or booleans, in the file's byte order.
        shape: sizes >= 0.
        size: how many bytes the header takes itself.
        fortran: whether the first index runs fastest.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int
    fortran: bool = False

    @property
    def data_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def order(self) -> Literal["C", "F"]:
        return "F" if self.fortran else "C"

    def array(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        """View the bytes, uint8 (data_bytes,), as the declared array, in native byte order."""
        array = raw.view(self.dtype).reshape(self.shape, order=self.order)
        return array.astype(self.dtype.newbyteorder("="), copy=False)


def open_regular(path: FilePath) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device, which could block for ever, is refused.

    Raises:
        OSError: as from `open`.
        CorruptFileError: `path` is not a regular file.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise CorruptFileError(path, "only regular files are read", "a file", stat.filemode(mode))
    return open(path, "rb")


def fill(stream: Readable, size: int) -> tuple[NDArray[np.uint8], int]:
    """Read `size` bytes into a new array; returns it, uint8 (size,), and how many bytes really came.

    The array is touched only as far as the stream reaches, so that memory follows the bytes that exist rather
    than the size that a header claims.
    """
    raw = np.empty(size, np.uint8)
    filled = 0
    while filled < size:
        chunk = stream.read(min(size - filled, _CHUNK))
        if not chunk:
            break
        raw[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    return raw, filled


def read_exactly(path: FilePath, stream: Readable, size: int, rule: str) -> NDArray[np.uint8]:
    """Return the next `size` bytes, uint8 (size,).

    Raises:
        CorruptFileError: there are fewer; `rule` says what that breaks.
    """
    raw, filled = fill(stream, size)
    require_bytes(path, rule, size, filled)
    return raw


def require_bytes(path: FilePath, rule: str, expected: int, received: int) -> None:
    """Raise CorruptFileError, for `rule`, unless there are just as many bytes as expected."""
    if received != expected:
        raise CorruptFileError(path, rule, f"{expected} bytes", f"{received} bytes")


def require_at_most(path: FilePath, rule: str, limit: int, received: int) -> None:
    """Raise CorruptFileError, for `rule`, if there are more bytes than `limit`."""
    if received > limit:
        raise CorruptFileError(path, rule, f"at most {limit} bytes", f"{received} bytes")


def require_budget(path: FilePath, header: Header, max_bytes: int | None) -> None:
    """Raise CorruptFileError if the array that a header declares takes more than `require_memory` allows."""
    rule = f"the shape {header.shape} must fit the memory allowed for one file"
    require_memory(path, rule, max_bytes, header.data_bytes)
    require_addressable(path, "the file", header.shape, header.dtype.itemsize)


def require_addressable(path: FilePath, what: str, shape: tuple[int, ...], itemsize: int) -> None:
    """Raise CorruptFileError for a shape that NumPy cannot hold, even if a size of 0 leaves it no data."""
    if math.prod(size for size in shape if size) * itemsize > _MAX_BYTES:
        rule = f"{what} has a shape that memory can address"
        raise CorruptFileError(path, rule, f"at most {_MAX_BYTES} bytes", shape)


def require_memory(path: FilePath, rule: str, max_bytes: int | None, needed: int) -> None:
    """Raise CorruptFileError, for `rule`, if `needed` is over `max_bytes`; for None, over the setting."""
    most = config.file_memory() if max_bytes is None else max_bytes
    if needed > most:
        way = f"config.set_file_memory({needed})" if max_bytes is None else f"max_bytes={needed}"
        fix = f"If it is damaged, replace it with a good copy; a file that you trust may take more: {way}."
        raise CorruptFileError(path, rule, f"at most {most} bytes", f"{needed} bytes", fix)
