"""The IDX format of the MNIST family: a big-endian header and one array, raw or inside gzip.

Header: two zero bytes, a code for the element type, the number of dimensions, then one uint32 per dimension.
The format is described by Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits"
(1998).
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io import files
from gputrain.data.io.errors import CorruptFileError, FilePath

DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
MAX_DIMS = 32


def read_idx(path: FilePath, *, max_bytes: int | None = None) -> NDArray[Any]:
    """Read one IDX file, raw or gzipped (told apart by content, not by name).

    The size that the header declares is compared with the file's own size, or with what a gzip file of that
    size can hold at most, before any memory is taken.

    Args:
        path: the file.
        max_bytes: int, largest array to accept, in bytes; None: the setting `file_memory`.

    Returns:
        A new array in native byte order: uint8, int8, int16, int32, float32 or float64, of the file's shape.

    Raises:
        CorruptFileError: the file breaks the format, is truncated, has bytes to spare or exceeds `max_bytes`.
        OSError: the file cannot be opened.

    >>> read_idx("train-labels-idx1-ubyte.gz").shape  # doctest: +SKIP
    (60000,)
    """
    with files.open_regular(path) as file:
        read = _read_gzip if file.read(2) == _GZIP_MAGIC else _read_raw
        file.seek(0)
        return read(path, file, max_bytes)


def _read_raw(path: FilePath, file: BinaryIO, max_bytes: int | None) -> NDArray[Any]:
    header = _read_header(path, file)
    files.require_budget(path, header, max_bytes)
    declared, actual = header.size + header.data_bytes, os.fstat(file.fileno()).st_size
    files.require_bytes(path, f"the header declares the shape {header.shape}", declared, actual)
    return _read_data(path, file, header)


def _read_gzip(path: FilePath, file: BinaryIO, max_bytes: int | None) -> NDArray[Any]:
    import gzip

    compressed = os.fstat(file.fileno()).st_size
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            header = _read_header(path, stream)
            files.require_budget(path, header, max_bytes)
            rule = f"the shape {header.shape} must fit what {compressed} compressed bytes can hold"
            files.require_at_most(path, rule, compressed * files.MAX_DEFLATE_RATIO, header.data_bytes)
            array = _read_data(path, stream, header)
            if stream.read(1):
                data = f"{header.data_bytes} bytes of data"
                raise CorruptFileError(path, "nothing may follow the data", data, "more")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorruptFileError(path, "the gzip stream must be whole", "a valid stream", error) from error
    return array


def _read_header(path: FilePath, stream: files.Readable) -> files.Header:
    magic = files.read_exactly(path, stream, 4, "the header starts with a magic number").tobytes()
    if magic[:2] != b"\0\0":
        raise CorruptFileError(path, "an IDX file starts with two zero bytes", "00 00", magic[:2].hex(" "))
    code, ndim = magic[2], magic[3]
    if code not in DTYPES:
        known = ", ".join(f"{key:02x}" for key in DTYPES)
        raise CorruptFileError(path, "the third byte is a type code", f"one of {known}", f"{code:02x}")
    if not 1 <= ndim <= MAX_DIMS:
        raise CorruptFileError(path, "the fourth byte counts dimensions", f"1 to {MAX_DIMS}", ndim)
    sizes = files.read_exactly(path, stream, 4 * ndim, f"the header holds {ndim} dimensions")
    return files.Header(DTYPES[code], struct.unpack(f">{ndim}I", sizes.tobytes()), 4 + 4 * ndim)


def _read_data(path: FilePath, stream: files.Readable, header: files.Header) -> NDArray[Any]:
    rule = f"the data must fill the shape {header.shape}"
    return header.array(files.read_exactly(path, stream, header.data_bytes, rule))
