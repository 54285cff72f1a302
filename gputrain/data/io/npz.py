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
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

from numpy.typing import NDArray

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.files import DEFAULT_BUDGET, MAX_DEFLATE_RATIO, fill, open_regular
from gputrain.data.io.npy import check_rows, portions
from gputrain.data.io.npy_format import MAX_PREFIX, Header, as_array, parse_header

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
    path: str | PathLike[str], names: Iterable[str] | None = None, *, max_bytes: int = DEFAULT_BUDGET
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
    with _opened(path) as (archive, members):
        wanted = list(members) if names is None else list(names)
        _check_wanted(path, members, wanted)
        _check_budget(path, [members[name] for name in wanted], max_bytes)
        return {name: _read_member(path, archive, members[name]) for name in wanted}


def names_and_shapes(path: str | PathLike[str]) -> dict[str, tuple[int, ...]]:
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
    with _opened(path) as (archive, members):
        return {name: _member_header(path, archive, info).shape for name, info in members.items()}


def iter_member(
    path: str | PathLike[str], name: str, rows: int = 256, *, max_bytes: int = DEFAULT_BUDGET
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
    with _opened(path) as (archive, members):
        _check_wanted(path, members, [name])
        info = members[name]
        header = _member_header(path, archive, info)
        _check_has_rows(path, info.filename, header)
        if header.fortran:
            _check_budget(path, [info], max_bytes)
            yield from portions(_read_member(path, archive, info), rows)
        else:
            yield from _stream_member(path, archive, info, header, rows, max_bytes)


@contextmanager
def _opened(path: str | PathLike[str]) -> Iterator[tuple[ZipFile, dict[str, ZipInfo]]]:
    """Open the archive and check its table of contents; damage found meanwhile is the documented error."""
    from zipfile import ZipFile

    with open_regular(path) as file:
        try:
            with ZipFile(_ShortReads(file)) as archive:
                yield archive, _check_members(path, archive.infolist(), _size(file))
        except CorruptFileError:
            raise
        except _damage() as error:
            received = f"{type(error).__name__}: {error}"
            raise CorruptFileError(
                path, "the zip file must be whole", "a valid zip file", received
            ) from error


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


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _damage() -> tuple[type[Exception], ...]:
    """What broken input makes zipfile raise. The file is open by then, so OSError means a bad offset."""
    from zipfile import BadZipFile

    return (
        BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
    )


def _check_members(path: str | PathLike[str], infos: list[ZipInfo], file_bytes: int) -> dict[str, ZipInfo]:
    if len(infos) > _MAX_MEMBERS:
        raise CorruptFileError(
            path, "the number of members is limited", f"at most {_MAX_MEMBERS}", len(infos)
        )
    members: dict[str, ZipInfo] = {}
    for info in infos:
        _check_member(path, info, file_bytes)
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise CorruptFileError(path, "member names must be unique", "each name once", f"{name!r} twice")
        members[name] = info
    return members


def _check_member(path: str | PathLike[str], info: ZipInfo, file_bytes: int) -> None:
    name = info.filename
    if _UNSAFE_NAME.search(info.orig_filename) or not name.endswith(".npy"):
        raise CorruptFileError(
            path, "members are npy files with plain relative names", "name.npy", repr(info.orig_filename)
        )
    if info.flag_bits & _ENCRYPTED:
        raise CorruptFileError(path, f"member {name!r} must not be encrypted", "plain data", "encrypted data")
    if info.compress_type not in (_STORED, _DEFLATED):
        method = f"method {info.compress_type}"
        raise CorruptFileError(path, f"member {name!r} is stored or deflated", "method 0 or 8", method)
    if info.compress_size > file_bytes:
        raise CorruptFileError(
            path,
            f"member {name!r} must lie inside the file",
            f"at most {file_bytes} bytes",
            f"{info.compress_size} bytes",
        )
    ratio = 1 if info.compress_type == _STORED else MAX_DEFLATE_RATIO
    if info.file_size > info.compress_size * ratio:
        raise CorruptFileError(
            path,
            f"member {name!r} must fit its {info.compress_size} bytes in the file",
            f"at most {info.compress_size * ratio} bytes",
            f"{info.file_size} bytes",
        )


def _check_wanted(path: str | PathLike[str], members: dict[str, ZipInfo], wanted: list[str]) -> None:
    missing = [name for name in wanted if name not in members]
    if missing:
        raise CorruptFileError(
            path, f"the arrays {wanted} must be there", f"{missing} too", f"{list(members)[:20]}"
        )


def _check_budget(path: str | PathLike[str], infos: list[ZipInfo], max_bytes: int) -> None:
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise CorruptFileError(
            path, "the arrays must fit the memory allowed", f"at most {max_bytes} bytes", f"{total} bytes"
        )


def _check_has_rows(path: str | PathLike[str], name: str, header: Header) -> None:
    if not header.shape or 0 in header.shape[1:]:
        raise CorruptFileError(
            path, f"member {name!r} has rows of numbers", "a shape (rows, ...)", header.shape
        )


def _member_header(path: str | PathLike[str], archive: ZipFile, info: ZipInfo) -> Header:
    with archive.open(info) as stream:
        header = parse_header(path, f"member {info.filename!r}", stream.read(MAX_PREFIX))
    declared = header.size + header.data_bytes
    if declared != info.file_size:
        raise CorruptFileError(
            path,
            f"member {info.filename!r} declares {header.dtype} of shape {header.shape}",
            f"{declared} bytes",
            f"{info.file_size} bytes",
        )
    return header


def _read_member(path: str | PathLike[str], archive: ZipFile, info: ZipInfo) -> NDArray[Any]:
    header = _member_header(path, archive, info)
    with archive.open(info) as stream:
        stream.read(header.size)
        raw, filled = fill(stream, header.data_bytes)
        rest = len(stream.read(1))
    _check_filled(path, info.filename, header, filled + rest)
    return as_array(path, f"member {info.filename!r}", raw, header)


def _stream_member(
    path: str | PathLike[str], archive: ZipFile, info: ZipInfo, header: Header, rows: int, max_bytes: int
) -> Iterator[NDArray[Any]]:
    count, *row = header.shape
    rows = min(rows, max(count, 1))
    portion = header._replace(shape=(rows, *row))
    if portion.data_bytes > max_bytes:
        raise CorruptFileError(
            path,
            f"{rows} rows of member {info.filename!r} must fit the memory allowed",
            f"at most {max_bytes} bytes",
            f"{portion.data_bytes} bytes",
        )
    done = 0
    with archive.open(info) as stream:
        stream.read(header.size)
        for start in range(0, count, rows):
            portion = header._replace(shape=(min(rows, count - start), *row))
            raw, filled = fill(stream, portion.data_bytes)
            done += filled
            if filled != portion.data_bytes:
                break
            yield as_array(path, f"member {info.filename!r}", raw, portion)
    _check_filled(path, info.filename, header, done)


def _check_filled(path: str | PathLike[str], name: str, header: Header, filled: int) -> None:
    if filled != header.data_bytes:
        raise CorruptFileError(
            path,
            f"member {name!r} must fill the shape {header.shape}",
            f"{header.data_bytes} bytes",
            f"{filled} bytes",
        )
