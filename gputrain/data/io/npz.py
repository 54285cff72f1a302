"""A reader of npz files from strangers: arrays of numbers, or one documented error. Nothing is unpickled.

An npz file is a zip file of npy files (NumPy Enhancement Proposal 1). Everything that a member declares about
its size is compared with what the file holds, and with a budget, before memory is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from gputrain.data.io import files, zips
from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.data.io.npy import check_rows, portions
from gputrain.data.io.npy_format import MAX_PREFIX, as_array, parse_header

_NPY = ".npy"


def read_npz(
    path: FilePath, names: Iterable[str] | None = None, *, max_bytes: int | None = None
) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers or booleans from an npz file.

    Refused: pickled objects, records and strings; duplicate, absolute or `..` member names; encryption;
    compression other than deflate; declared shapes that do not fit the bytes that exist; bytes left over.

    Args:
        path: the file, as written by `numpy.savez` or `numpy.savez_compressed`.
        names: names wanted, without `.npy`; None means all. Only these are read; all members are checked.
        max_bytes: int, most bytes to accept for all wanted arrays together; None: the setting
            `file_memory`.

    Returns:
        dict of name to a new array, native byte order, in the order of `names` or else of the file.

    Raises:
        CorruptFileError: the file breaks a rule above, or lacks one of `names`.
        OSError: the file cannot be opened.

    >>> sorted(read_npz("mnist.npz", ["x_test", "y_test"]))  # doctest: +SKIP
    ['x_test', 'y_test']
    """
    with opened_npz(path) as archive:
        wanted = archive.names if names is None else list(names)
        archive.require(wanted)
        archive.require_budget(wanted, max_bytes)
        return {name: archive.read(name) for name in wanted}


def names_and_shapes(path: FilePath) -> dict[str, tuple[int, ...]]:
    """Tell what an npz file holds without reading the arrays: only their headers are read.

    Args:
        path: the file, as for `read_npz`.

    Returns:
        dict of name to shape, in the order of the file.

    Raises:
        CorruptFileError: the file breaks one of the rules of `read_npz` so far as headers show it.
        OSError: the file cannot be opened.

    >>> names_and_shapes("mnist.npz")["x_test"]  # doctest: +SKIP
    (10000, 28, 28)
    """
    with opened_npz(path) as archive:
        return {name: archive.header(name).shape for name in archive.names}


def iter_member(
    path: FilePath, name: str, rows: int = 256, *, max_bytes: int | None = None
) -> Iterator[NDArray[Any]]:
    """Read one array of an npz file in portions, so that memory holds one portion and not the array.

    The rules are those of `read_npz`. The check sum is known only at the end: of a damaged file the error may
    come after the first portions. An array in Fortran order, whose rows lie scattered, is read whole.

    Args:
        path: the file.
        name: which array, without `.npy`.
        rows: int >= 1, samples per portion; the last one may be smaller.
        max_bytes: int, largest portion to accept, in bytes; in Fortran order the largest array. None: the
            setting `file_memory`.

    Yields:
        A new array, native byte order, shape (at most `rows`, ...).

    Raises:
        CorruptFileError: the file breaks a rule, lacks `name`, or that has no rows or rows without numbers.
        ValueError: `rows` is not an integer >= 1.
        OSError: the file cannot be opened.

    >>> next(iter_member("mnist.npz", "x_test", rows=32)).shape  # doctest: +SKIP
    (32, 28, 28)
    """
    rows = check_rows(rows)
    with opened_npz(path) as archive:
        archive.require([name])
        header = archive.header(name)
        if not header.shape or 0 in header.shape[1:]:
            rule = f"{_said(name)} has rows of numbers"
            raise CorruptFileError(path, rule, "a shape (rows, ...)", header.shape)
        if header.fortran:
            archive.require_budget([name], max_bytes)
            yield from portions(archive.read(name), rows)
        else:
            yield from archive.stream(name, rows, max_bytes)


@contextmanager
def opened_npz(path: FilePath) -> Iterator[NpzFile]:
    """Open an npz file to read arrays one after the other, under the rules of `read_npz`.

    Raises:
        CorruptFileError: the file breaks a rule.
        OSError: it cannot be opened.
    """
    with zips.opened(path, _NPY) as archive:
        yield NpzFile(archive)


def _said(name: str) -> str:
    return f"member {f'{name}.npy'!r}"


class NpzFile:
    """An open npz file. Its arrays are called by the names of its members, without `.npy`.

    Args:
        archive: of npy files.
    """

    def __init__(self, archive: zips.Archive) -> None:
        self._path, self._archive = archive.path, archive
        self.names = [name.removesuffix(_NPY) for name in archive.members]

    def require(self, wanted: list[str]) -> None:
        """Raise CorruptFileError unless all arrays wanted are members."""
        missing = [name for name in wanted if name not in self.names]
        if missing:
            rule, there = f"the arrays {wanted} must be there", f"{self.names[:20]}"
            raise CorruptFileError(self._path, rule, f"{missing} too", there)

    def require_budget(self, names: list[str], max_bytes: int | None) -> None:
        """Raise CorruptFileError if these members take more memory than allowed."""
        total = sum(self._size(name) for name in names)
        files.require_memory(self._path, "the arrays must fit the memory allowed", max_bytes, total)

    def _size(self, name: str) -> int:
        return self._archive.members[name + _NPY].file_size

    def header(self, name: str) -> files.Header:
        """What the member declares, compared with its size."""
        with zips.reading(self._path), self._archive.open(name + _NPY) as stream:
            header = parse_header(self._path, _said(name), stream.read(MAX_PREFIX))
        rule = f"{_said(name)} declares {header.dtype} of shape {header.shape}"
        files.require_bytes(self._path, rule, header.size + header.data_bytes, self._size(name))
        return header

    def read(self, name: str) -> NDArray[Any]:
        """The whole array."""
        header = self.header(name)
        with zips.reading(self._path), self._archive.open(name + _NPY) as stream:
            stream.read(header.size)
            raw, filled = files.fill(stream, header.data_bytes)
            rest = len(stream.read(1))
        self._require_filled(name, header, filled + rest)
        return as_array(self._path, _said(name), raw, header)

    def stream(self, name: str, rows: int, max_bytes: int | None) -> Iterator[NDArray[Any]]:
        """The array, `rows` rows at a time."""
        header = self.header(name)
        count, *row = header.shape
        rows = min(rows, max(count, 1))
        rule = f"{rows} rows of {_said(name)} must fit the memory allowed"
        files.require_memory(self._path, rule, max_bytes, header._replace(shape=(rows, *row)).data_bytes)
        done = 0
        with zips.reading(self._path), self._archive.open(name + _NPY) as stream:
            stream.read(header.size)
            for start in range(0, count, rows):
                portion = header._replace(shape=(min(rows, count - start), *row))
                raw, filled = files.fill(stream, portion.data_bytes)
                done += filled
                if filled != portion.data_bytes:
                    break
                yield as_array(self._path, _said(name), raw, portion)
        self._require_filled(name, header, done)

    def _require_filled(self, name: str, header: files.Header, filled: int) -> None:
        rule = f"{_said(name)} must fill the shape {header.shape}"
        files.require_bytes(self._path, rule, header.data_bytes, filled)
