"""Readers of npy files from strangers: an array of numbers in memory or mapped, or one documented error.

Nothing is unpickled. What the header declares about the size is compared with the file's own size before
memory is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io import files
from gputrain.data.io.errors import FilePath
from gputrain.data.io.npy_format import MAX_PREFIX, as_array, check_truths, parse_header
from gputrain.errors import explain

_WHAT = "the file"


def read_npy(path: FilePath, *, max_bytes: int | None = None) -> NDArray[Any]:
    """Read an npy file of numbers or booleans into memory.

    Refused: pickled objects, records, strings and dates; shapes that do not fit the file; bytes left over.

    Args:
        path: the file, as written by `numpy.save`.
        max_bytes: int, largest array to accept, in bytes; None: the setting `file_memory`.

    Returns:
        A new array of the file's shape, native byte order.

    Raises:
        CorruptFileError: the file breaks a rule above or exceeds `max_bytes`.
        OSError: the file cannot be opened.

    >>> read_npy("x_test.npy").shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    with files.open_regular(path) as file:
        header = _read_header(path, file)
        files.require_budget(path, header, max_bytes)
        file.seek(header.size)
        raw = files.read_exactly(path, file, header.data_bytes, "the file must stay whole")
    return as_array(path, _WHAT, raw, header)


def open_npy(path: FilePath) -> NDArray[Any]:
    """Map an npy file into memory for reading, so that only the rows that are looked at are loaded.

    The rules are those of `read_npy`, without a budget. The file must not be shortened while the array is in
    use: the system ends a process that reads a mapped page whose file is gone.

    Args:
        path: the file, as written by `numpy.save`.

    Returns:
        A read-only array of the file's shape, in the file's byte order; `portions` turns that into this
        machine's.

    Raises:
        CorruptFileError: the file breaks a rule.
        OSError: the file cannot be opened or mapped.

    >>> for x in portions(open_npy("x_test.npy"), rows=1000):  # doctest: +SKIP
    ...     model.predict(x)
    """
    with files.open_regular(path) as file:
        header = _read_header(path, file)
        if not header.data_bytes:  # nothing to map
            empty = np.empty(header.shape, header.dtype)
            empty.flags.writeable = False
            return empty
        raw = np.memmap(file, np.uint8, "r", header.size, (header.data_bytes,))
    check_truths(path, _WHAT, raw, header)
    return raw.view(np.ndarray).view(header.dtype).reshape(header.shape, order=header.order)


def portions(array: NDArray[Any], rows: int = 256) -> Iterator[NDArray[Any]]:
    """Go through an array, mapped or in memory, in portions that are copies.

    Args:
        array: shape (n, ...), rows of at least one number.
        rows: int >= 1, samples per portion; the last one may be smaller.

    Yields:
        A new array, native byte order, C order, shape (at most `rows`, ...). Without rows there are none.

    Raises:
        ValueError: `rows` is not an integer >= 1, or the array has no rows or rows without numbers.

    Example:
        >>> [portion.tolist() for portion in portions(np.arange(5), rows=2)]
        [[0, 1], [2, 3], [4]]
    """
    size = check_rows(rows)
    if not array.shape or 0 in array.shape[1:]:
        rule = "Only an array with rows of numbers is read in portions."
        raise ValueError(explain(rule, expected="a shape (rows, ...)", received=array.shape))
    native = array.dtype.newbyteorder("=")
    for start in range(0, len(array), size):
        yield np.array(array[start : start + size], native, order="C")


def check_rows(rows: int) -> int:
    """Return `rows` if it can be the number of rows in a portion.

    Raises:
        ValueError: it is not an integer >= 1.
    """
    if isinstance(rows, bool) or not isinstance(rows, int | np.integer) or rows < 1:
        rule = "rows counts the samples of a portion."
        raise ValueError(explain(rule, expected="an integer >= 1", received=repr(rows)))
    return int(rows)


def _read_header(path: FilePath, file: BinaryIO) -> files.Header:
    header = parse_header(path, _WHAT, file.read(MAX_PREFIX))
    declared, actual = header.size + header.data_bytes, os.fstat(file.fileno()).st_size
    files.require_bytes(path, f"the header declares {header.dtype} of shape {header.shape}", declared, actual)
    return header
