"""Zip files from strangers: their table of contents is checked before any member is opened."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from gputrain.data.io import files
from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.data.io.sniff import describe, kind_of

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_MAX_MEMBERS = 65_536
# zipfile reads the whole table of contents before anybody can count the members. 128 bytes hold an entry of
# 46 and its name.
_MAX_CONTENTS = _MAX_MEMBERS * 128
_STORED, _DEFLATED = 0, 8
_ZIPS = ("zip", "npz", "keras", "torch", "binary")  # kinds that a damaged zip file may look like
_ENCRYPTED = 0x1
# A member's name may hold folders, but no way out of them: no empty part, also where a beginning is cut off.
_UNSAFE_NAME = re.compile(r"^$|\\|(^|/)(/|\.\.?(/|$)|[A-Za-z]:)|[\x00-\x1f]")
_LOCAL_HEADER = struct.Struct("<26xHH")


@contextmanager
def opened(path: FilePath, suffix: str = "") -> Iterator[Archive]:
    """Open a zip file and check its table of contents.

    Args:
        path: the file.
        suffix: what all names of members end with.

    Raises:
        CorruptFileError: the file breaks a rule: names that lead elsewhere or stand twice, encryption,
            another compression than deflate, sizes that the file cannot hold, a wrong check sum.
        OSError: the file cannot be opened.
    """
    from zipfile import ZipFile

    with files.open_regular(path) as file:
        with reading(path):
            archive = ZipFile(_ShortReads(file))
        with archive:
            yield Archive(path, archive, file, suffix)


@contextmanager
def reading(path: FilePath) -> Iterator[None]:
    """Turn what zipfile raises about a damaged file into the documented error."""
    try:
        yield
    except CorruptFileError:
        raise
    except _damage() as error:
        kind = kind_of(path)
        told = "a file that is cut off or damaged" if kind in _ZIPS else describe(kind)
        received = f"{told} ({type(error).__name__}: {error})"
        rule, fix = "the zip file must be whole", "Copy, download or save it once more."
        raise CorruptFileError(path, rule, "all of its bytes", received, fix) from error


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


class Archive:
    """An open zip file whose members are checked as far as the table of contents shows them.

    Attributes:
        path: of the file.
        members: by name.
    """

    def __init__(self, path: FilePath, archive: ZipFile, file: BinaryIO, suffix: str) -> None:
        self.path, self._archive, self._file = path, archive, file
        self.members: dict[str, ZipInfo] = {}
        infos, size = archive.infolist(), os.fstat(file.fileno()).st_size
        if len(infos) > _MAX_MEMBERS:
            rule = "the number of members is limited"
            raise CorruptFileError(path, rule, f"at most {_MAX_MEMBERS}", len(infos))
        for info in infos:
            _check_member(path, info, size, suffix)
            if info.filename in self.members:
                rule = "member names must be unique"
                name = info.filename.removesuffix(suffix)
                raise CorruptFileError(path, rule, "each name once", f"{name!r} twice")
            self.members[info.filename] = info

    def open(self, name: str) -> IO[bytes]:
        """A member as a stream, to be read within `reading`; its end is where a wrong check sum is found."""
        return self._archive.open(self.members[name])

    def read(self, name: str, most: int) -> bytes:
        """A member, which takes `most` bytes or fewer."""
        rule = f"member {name!r} must fit the memory allowed"
        files.require_at_most(self.path, rule, most, self.members[name].file_size)
        with reading(self.path), self.open(name) as stream:
            return stream.read()

    def is_stored(self, name: str) -> bool:
        """Whether the bytes of a member stand in the file as they are."""
        return self.members[name].compress_type == _STORED

    def offset(self, name: str) -> int:
        """Where the bytes of a member begin in the file."""
        start = self.members[name].header_offset
        self._file.seek(start)
        with reading(self.path):
            name_length, extra_length = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        return start + _LOCAL_HEADER.size + name_length + extra_length


def _check_member(path: FilePath, info: ZipInfo, file_bytes: int, suffix: str) -> None:
    name, said = info.filename, f"member {info.filename!r}"
    if _UNSAFE_NAME.search(info.orig_filename) or not name.endswith(suffix):
        rule = f"members are {suffix[1:]} files with plain relative names" if suffix else "names are relative"
        raise CorruptFileError(path, rule, f"name{suffix}", repr(info.orig_filename))
    if info.flag_bits & _ENCRYPTED:
        raise CorruptFileError(path, f"{said} must not be encrypted", "plain data", "encrypted data")
    if info.compress_type not in (_STORED, _DEFLATED):
        method = f"method {info.compress_type}"
        raise CorruptFileError(path, f"{said} is stored or deflated", "method 0 or 8", method)
    files.require_at_most(path, f"{said} must lie inside the file", file_bytes, info.compress_size)
    ratio = 1 if info.compress_type == _STORED else files.MAX_DEFLATE_RATIO
    rule = f"{said} must fit its {info.compress_size} bytes in the file"
    files.require_at_most(path, rule, info.compress_size * ratio, info.file_size)
