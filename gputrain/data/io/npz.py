"""A reader of npz files from strangers: arrays of numbers, or one documented error. Nothing is unpickled.

An npz file is a zip file of npy files (NumPy Enhancement Proposal 1). Everything that a member declares about
its size is compared with what the file holds, and with a budget, before memory is taken.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from numpy.typing import NDArray

from gputrain.data.io import files
from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.data.io.npy import check_rows, portions
from gputrain.data.io.npy_format import MAX_PREFIX, as_array, parse_header

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_MAX_MEMBERS = 65_536
# zipfile reads the whole table of contents before anybody can count the members. 128 bytes hold an entry of
# 46 and its name.
_MAX_CONTENTS = _MAX_MEMBERS * 128
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x1
# A member's name may hold folders, but no way out of them, no drive and no control characters.
_UNSAFE_NAME = re.compile(r"^/|\\|^[A-Za-z]:|(^|/)\.\.?(/|$)|[\x00-\x1f]")


def read_npz(
    path: FilePath, names: Iterable[str] | None = None, *, max_bytes: int = files.DEFAULT_BUDGET
) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers or booleans from an npz file.

    Refused: pickled objects, records and strings; duplicate, absolute or `..` member names; encryption;
    compression other than deflate; declared shapes that do not fit the bytes that exist; bytes left over.

    Args:
        path: the file, as written by `numpy.savez` or `numpy.savez_compressed`.
        names: names wanted, without `.npy`; None means all. Only these are read; all members are checked.
        max_bytes: int, most bytes to accept for all wanted arrays together.

    Returns:
        dict of name to a new array, native byte order, in the order of `names` or else of the file.

    Raises:
        CorruptFileError: the file breaks a rule above, or lacks one of `names`.
        OSError: the file cannot be opened.

    >>> sorted(read_npz("mnist.npz", ["x_test", "y_test"]))  # doctest: +SKIP
    ['x_test', 'y_test']
    """
    with _opened(path) as archive:
        wanted = list(archive.members) if names is None else list(names)
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
    with _opened(path) as archive:
        return {name: archive.header(name).shape for name in archive.members}


def iter_member(
    path: FilePath, name: str, rows: int = 256, *, max_bytes: int = files.DEFAULT_BUDGET
) -> Iterator[NDArray[Any]]:
    """Read one array of an npz file in portions, so that memory holds one portion and not the array.

    The rules are those of `read_npz`. The check sum is known only at the end: of a damaged file the error may
    come after the first portions. An array in Fortran order, whose rows lie scattered, is read whole.

    Args:
        path: the file.
        name: which array, without `.npy`.
        rows: int >= 1, samples per portion; the last one may be smaller.
        max_bytes: int, largest portion to accept, in bytes; in Fortran order the largest array.

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
    with _opened(path) as archive:
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
def _opened(path: FilePath) -> Iterator[_Archive]:
    """Open the archive and check its table of contents; damage found meanwhile is the documented error."""
    from zipfile import ZipFile

    with files.open_regular(path) as file:
        try:
            with ZipFile(_ShortReads(file)) as archive:
                yield _Archive(path, archive, os.fstat(file.fileno()).st_size)
        except CorruptFileError:
            raise
        except _damage() as error:
            received = f"{type(error).__name__}: {error}"
            rule = "the zip file must be whole"
            raise CorruptFileError(path, rule, "a valid zip file", received) from error


class _ShortReads:
    """A file of which nobody takes more than a table of contents may have at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_CONTENTS:
            raise ValueError(f"a table of contents of {size} bytes, more than {_MAX_CONTENTS}")
        return self._file.read(size)


def _damage() -> tuple[type[Exception], ...]:
    """What broken input makes zipfile raise. The file is open by then, so OSError means a bad offset."""
    from zipfile import BadZipFile

    return (BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError, RuntimeError)


def _said(name: str) -> str:
    return f"member {f'{name}.npy'!r}"


class _Archive:
    """An open npz file; its members, by name without `.npy`, are checked as far as the contents show them."""

    def __init__(self, path: FilePath, archive: ZipFile, file_bytes: int) -> None:
        self._path = path
        self._archive = archive
        self.members: dict[str, ZipInfo] = {}
        infos = archive.infolist()
        if len(infos) > _MAX_MEMBERS:
            rule = "the number of members is limited"
            raise CorruptFileError(path, rule, f"at most {_MAX_MEMBERS}", len(infos))
        for info in infos:
            _check_member(path, info, file_bytes)
            name = info.filename.removesuffix(".npy")
            if name in self.members:
                rule = "member names must be unique"
                raise CorruptFileError(path, rule, "each name once", f"{name!r} twice")
            self.members[name] = info

    def require(self, wanted: list[str]) -> None:
        """Raise CorruptFileError unless all arrays wanted are members."""
        missing = [name for name in wanted if name not in self.members]
        if missing:
            rule, there = f"the arrays {wanted} must be there", f"{list(self.members)[:20]}"
            raise CorruptFileError(self._path, rule, f"{missing} too", there)

    def require_budget(self, names: list[str], max_bytes: int) -> None:
        """Raise CorruptFileError if these members take more memory than allowed."""
        total = sum(self.members[name].file_size for name in names)
        files.require_at_most(self._path, "the arrays must fit the memory allowed", max_bytes, total)

    def header(self, name: str) -> files.Header:
        """What the member declares, compared with its size."""
        with self._archive.open(self.members[name]) as stream:
            header = parse_header(self._path, _said(name), stream.read(MAX_PREFIX))
        rule = f"{_said(name)} declares {header.dtype} of shape {header.shape}"
        declared = header.size + header.data_bytes
        files.require_bytes(self._path, rule, declared, self.members[name].file_size)
        return header

    def read(self, name: str) -> NDArray[Any]:
        """The whole array."""
        header = self.header(name)
        with self._archive.open(self.members[name]) as stream:
            stream.read(header.size)
            raw, filled = files.fill(stream, header.data_bytes)
            rest = len(stream.read(1))
        self._require_filled(name, header, filled + rest)
        return as_array(self._path, _said(name), raw, header)

    def stream(self, name: str, rows: int, max_bytes: int) -> Iterator[NDArray[Any]]:
        """The array, `rows` rows at a time."""
        header = self.header(name)
        count, *row = header.shape
        rows = min(rows, max(count, 1))
        rule = f"{rows} rows of {_said(name)} must fit the memory allowed"
        files.require_at_most(self._path, rule, max_bytes, header._replace(shape=(rows, *row)).data_bytes)
        done = 0
        with self._archive.open(self.members[name]) as stream:
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


def _check_member(path: FilePath, info: ZipInfo, file_bytes: int) -> None:
    name, said = info.filename, f"member {info.filename!r}"
    if _UNSAFE_NAME.search(info.orig_filename) or not name.endswith(".npy"):
        rule = "members are npy files with plain relative names"
        raise CorruptFileError(path, rule, "name.npy", repr(info.orig_filename))
    if info.flag_bits & _ENCRYPTED:
        raise CorruptFileError(path, f"{said} must not be encrypted", "plain data", "encrypted data")
    if info.compress_type not in (_STORED, _DEFLATED):
        method = f"method {info.compress_type}"
        raise CorruptFileError(path, f"{said} is stored or deflated", "method 0 or 8", method)
    files.require_at_most(path, f"{said} must lie inside the file", file_bytes, info.compress_size)
    ratio = 1 if info.compress_type == _STORED else files.MAX_DEFLATE_RATIO
    rule = f"{said} must fit its {info.compress_size} bytes in the file"
    files.require_at_most(path, rule, info.compress_size * ratio, info.file_size)
