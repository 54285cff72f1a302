"""The npy format (NumPy Enhancement Proposal 1), read with distrust: a header and one array."""

from __future__ import annotations

import tokenize
import warnings
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io import files
from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.data.io.files import Header

MAGIC = b"\x93NUMPY"
# Enough for 32 dimensions of 20 digits; a longer text is no plain array's header.
_MAX_HEADER = 1024
# Magic, version and length stand before the header's text: 12 bytes at most.
MAX_PREFIX = _MAX_HEADER + 12
_MAX_DIMS = 32
_ITEM_BYTES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "c": (8, 16)}

# What NumPy's header parser is known to raise on text that is no header.
_HEADER_DAMAGE = (
    LookupError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError, tokenize.TokenError,
)  # fmt: skip


def parse_header(path: FilePath, what: str, prefix: bytes) -> Header:
    """Parse the npy header at the start of `prefix`, up to MAX_PREFIX bytes of an array named `what`.

    Raises:
        CorruptFileError: there is none, or it declares something else than plain numbers of a possible shape.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    head = BytesIO(prefix)
    try:
        read_header = readers[np.lib.format.read_magic(head)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = read_header(head, max_header_size=_MAX_HEADER)
    except _HEADER_DAMAGE as error:
        received = f"{type(error).__name__}: {error}"
        rule = f"{what} starts with an npy header of version 1.0 or 2.0"
        raise CorruptFileError(path, rule, "one", received) from error
    _check_dtype(path, what, dtype)
    _check_shape(path, what, shape)
    header = Header(dtype, shape, head.tell(), fortran)
    files.require_addressable(path, what, header.shape, header.dtype.itemsize)
    return header


def as_array(path: FilePath, what: str, raw: NDArray[np.uint8], header: Header) -> NDArray[Any]:
    """View the bytes, uint8 (data_bytes,), as the declared array in native byte order."""
    check_truths(path, what, raw, header)
    return header.array(raw)


def check_truths(path: FilePath, what: str, raw: NDArray[np.uint8], header: Header) -> None:
    """Raise CorruptFileError if `raw`, bytes of booleans, holds others than 0 and 1."""
    if header.dtype.kind == "b" and raw.size and raw.max() > 1:
        raise CorruptFileError(path, f"{what} holds booleans", "bytes 0 and 1", f"byte {raw.max()}")


def _check_dtype(path: FilePath, what: str, dtype: np.dtype[Any]) -> None:
    if dtype.itemsize not in _ITEM_BYTES.get(dtype.kind, ()):
        rule = f"{what} holds plain numbers or booleans"
        raise CorruptFileError(path, rule, "bool, int, uint, float or complex", dtype)


def _check_shape(path: FilePath, what: str, shape: tuple[int, ...]) -> None:
    if len(shape) > _MAX_DIMS:
        raise CorruptFileError(path, f"{what} has few dimensions", f"at most {_MAX_DIMS}", len(shape))
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise CorruptFileError(path, f"{what} has a shape of counts", "integers >= 0", shape)
