"""Opening a file that may be anything, and filling a buffer of known size from it."""

from __future__ import annotations

import os
import stat
from os import PathLike
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io.errors import CorruptFileError

# Deflate cannot expand a byte into more than 1032 (a match of 258 bytes costs at least 2 bits).
MAX_DEFLATE_RATIO = 1032
# What a reader takes from one file unless it is told otherwise, in bytes.
DEFAULT_BUDGET = 1 << 30


_CHUNK = 1 << 20


class Readable(Protocol):
    """What a raw file, a gzip stream and a zip member have in common."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


def open_regular(path: str | PathLike[str]) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device, which could block for ever, is refused.

    Raises:
        FileNotFoundError: and its kin, as from `open`.
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
