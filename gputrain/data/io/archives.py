"""Unpacking tar and zip files from strangers into a folder that nothing can leave."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.files import Readable, open_regular

FORMATS = ("tar", "zip")
MAX_BYTES = 64 << 30  # of all files unpacked from one archive
MAX_RATIO = 200  # how many times the archive's own size they may have, beyond the first GiB
MAX_FILES = 5_000_000
_LONGEST_PART, _LONGEST = 255, 1024  # bytes of names
_FREE_BYTES = 1 << 30
_MAX_HEADER = 1 << 20
_MAX_XZ_MEMORY = 256 << 20  # its strongest usual setting takes 65 MiB
_CHUNK = 1 << 16
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile),
    *(ValueError, RecursionError, NotImplementedError, RuntimeError, OverflowError, KeyError),
)


def format_of(path: Path) -> str | None:
    """Return "tar" or "zip", or None for a file that is neither.

    Args:
        path: the file; a tar file may be compressed by gzip, bzip2 or xz.

    Raises:
        OSError: it cannot be read.
        CorruptFileError: no regular file.
    """
    with open_regular(path) as stream:
        if zipfile.is_zipfile(stream):
            return "zip"
    try:
        with _tar(path, _Budget(path, _FREE_BYTES)):
            return "tar"
    except (*_BROKEN, OSError):
        return None


def extract(path: Path, folder: Path, kind: str, *, max_bytes: int = MAX_BYTES) -> None:
    """Unpack an archive into a new folder, which is there whole or not at all; an older one is replaced.

    Only files and folders are unpacked. An archive with anything else, or with a name that leads out of the
    folder, is refused as a whole.

    Args:
        path: the archive.
        folder: the folder to make; its parent must exist.
        kind: "tar" or "zip".
        max_bytes: most bytes of all unpacked files; they may not be more than 200 times the archive's,
            either, where that is over 1 GiB.

    Raises:
        CorruptFileError: damaged, or refused; the folder is as it was.
        OSError: the disk is full, or the folder cannot be written to; likewise.
    """
    allowed = min(max_bytes, max(_FREE_BYTES, MAX_RATIO * path.stat().st_size))
    made = folder.with_name(f".{folder.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    budget = _Budget(path, allowed)
    made.mkdir()
    try:
        with _members(path, kind, budget) as members:
            for member in members:
                _unpack(path, member, made, budget)
        _take_place(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


class _Member(NamedTuple):
    """One entry of an archive.

    Attributes:
        name: as it stands there.
        what: "file", "folder", or the word for what is refused.
        stream: opens a file's contents.
    """

    name: str
    what: str
    stream: Any


class _Budget:
    """What may still be unpacked."""

    def __init__(self, path: Path, most: int) -> None:
        self.path, self.most, self.taken, self.files = path, most, 0, 0
        self.names: set[str] = set()

    def take(self, count: int) -> None:
        """Count bytes.

        Raises:
            CorruptFileError: too many.
        """
        self.taken += count
        if self.taken > self.most:
            raise _refused(self.path, "the size is limited", f"at most {self.most} bytes unpacked", "more")

    def enter(self, name: str) -> None:
        """Count a member.

        Raises:
            CorruptFileError: too many, or the name was there before.
        """
        self.files += 1
        if self.files > MAX_FILES:
            raise _refused(self.path, "the number of files is limited", f"at most {MAX_FILES}", "more")
        if name in self.names:
            raise _refused(self.path, "each name stands once in an archive", "different names", repr(name))
        self.names.add(name)


def _refused(path: Path, rule: str, expected: object, received: object) -> CorruptFileError:
    fix = "Nothing was unpacked. Unpack it with other tools only if you trust where it comes from."
    return CorruptFileError(path, rule, expected, received, fix)


def _unpack(path: Path, member: _Member, folder: Path, budget: _Budget) -> None:
    parts = _parts(path, member.name)
    if member.what not in ("file", "folder"):
        rule = "an archive holds plain files and folders alone"
        raise _refused(path, rule, "no links or devices", f"{member.what} {_short(member.name)}")
    if member.what == "folder":
        folder.joinpath(*parts).mkdir(parents=True, exist_ok=True)
        return
    budget.enter("/".join(parts))
    target = folder.joinpath(*parts)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.stream() as source, target.open("xb") as file:
            _copy(source, file, budget)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        rule = "no file of an archive stands in the place of another, or of a folder"
        raise _refused(path, rule, "different places", _short(member.name)) from error


def _copy(source: Readable, file: BinaryIO, budget: _Budget) -> None:
    while chunk := source.read(_CHUNK):
        budget.take(len(chunk))
        file.write(chunk)


def _parts(path: Path, name: str) -> list[str]:
    """The parts of a name, none of which leads out of the folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    leads_out = name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or ":" in name[:2]
    if leads_out or (not parts and name.strip("./")):
        rule = "names in an archive stay in its folder"
        raise _refused(path, rule, "relative names without ..", _short(name))
    if not _can_be_a_path(parts):
        rule = "names in an archive are those of files"
        expected = f"text, {_LONGEST_PART} bytes at most between slashes and {_LONGEST} in all"
        raise _refused(path, rule, expected, _short(name))
    return parts


def _can_be_a_path(parts: list[str]) -> bool:
    try:
        sizes = [len(os.fsencode(part)) for part in parts]
    except UnicodeEncodeError:
        return False
    return max(sizes, default=0) <= _LONGEST_PART and sum(sizes) + len(sizes) <= _LONGEST


def _short(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:80]}...")


def _take_place(made: Path, folder: Path) -> None:
    """Give the new folder its name; one that had it is moved away first and removed."""
    old = made.with_name(f"{made.name}.old")
    try:
        os.replace(folder, old)
    except FileNotFoundError:
        os.replace(made, folder)
        return
    try:
        os.replace(made, folder)
    except BaseException:
        os.replace(old, folder)
        raise
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink()


# --------------------------------------------------------------------------------------------------- formats


@contextmanager
def _members(path: Path, kind: str, budget: _Budget) -> Iterator[Iterator[_Member]]:
    """The members of an archive; whatever breaks while they are read means a damaged file."""
    try:
        with _tar(path, budget) if kind == "tar" else _zip(path) as members:
            yield members
    except CorruptFileError:
        raise
    except _BROKEN as error:
        received = f"{type(error).__name__}: {error}"
        raise CorruptFileError(path, f"it must be a whole {kind} file", f"a {kind} file", received) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the disk's, not a decompressor's nor a bad offset
            raise
        raise CorruptFileError(path, f"it must be a whole {kind} file", f"a {kind} file", error) from error


@contextmanager
def _zip(path: Path) -> Iterator[Iterator[_Member]]:
    with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
        yield (_zip_member(archive, info) for info in archive.infolist())


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    mode = info.external_attr >> 16
    usual = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
    what = ("folder" if info.filename.endswith("/") else "file") if usual else "link or device"
    if info.flag_bits & 1:
        what = "encrypted file"
    elif info.compress_type == zipfile.ZIP_LZMA:  # a file says itself how much memory that takes
        what = "file compressed by LZMA"
    return _Member(info.orig_filename, what, lambda: archive.open(info))


@contextmanager
def _tar(path: Path, budget: _Budget) -> Iterator[Iterator[_Member]]:
    with ExitStack() as open_files:
        stream: Any = open_files.enter_context(open_regular(path))
        magic = stream.read(6)
        stream.seek(0)
        opener = next((opener for start, opener in _OPENERS if magic.startswith(start)), None)
        if opener is not None:
            stream = open_files.enter_context(opener(stream))
        guarded: Any = _Guarded(stream)
        archive: Any = tarfile.TarFile(fileobj=guarded)
        open_files.callback(archive.close)
        yield _tar_members(path, archive, guarded, budget)


class _Guarded:
    """A stream for `tarfile`, which believes the sizes in headers: no read is large, and none goes back."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._place = stream, 0
        self.name = ""

    def tell(self) -> int:
        return self._place

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        data = self._stream.read(size)
        self._place += len(data)
        return data

    def seek(self, position: int) -> int:
        if position < self._place:
            raise tarfile.ReadError("a place further back")
        while self._place < position and self.read(min(_CHUNK, position - self._place)):
            pass
        return self._place


class _Xz(io.RawIOBase):
    """What an xz file holds; the memory that it asks for is limited."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._part = self._new()

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, _MAX_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            data = b""
            if self._part.eof:
                data = self._part.unused_data or self._stream.read(_CHUNK)
                if not data.strip(b"\0"):
                    return 0
                self._part = self._new()
            elif self._part.needs_input:
                data = self._stream.read(_CHUNK)
                if not data:
                    raise EOFError("the compressed data ends too soon")
            made = self._part.decompress(data, len(buffer))
            if made:
                buffer[: len(made)] = made
                return len(made)


_OPENERS: tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lambda stream: io.BufferedReader(_Xz(stream))),
)


def _tar_members(path: Path, archive: Any, stream: Readable, budget: _Budget) -> Iterator[_Member]:
    """The members in order, up to the end; each stands behind the one before it, `tarfile` remembers none."""
    last = -1
    while (info := archive.next()) is not None:
        archive.members = []
        if info.offset <= last or info.size < 0:
            raise tarfile.ReadError("members in a circle")
        last = info.offset
        if info.size > budget.most - budget.taken:
            rule = "the size is limited"
            raise _refused(path, rule, f"at most {budget.most} bytes unpacked", f"{info.size} in one file")
        yield _Member(info.name, _tar_kind(info), lambda info=info: archive.extractfile(info))
    while rest := stream.read(_CHUNK):  # its sums stand at the end of a compressed file
        budget.take(len(rest))


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "link"
    if info.issparse():
        return "sparse file"
    return "file" if info.isreg() else "folder" if info.isdir() else "device"
