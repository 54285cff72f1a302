"""Files that are written whole or not at all; errors name the file that was to be written."""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from gputrain.errors import explain


def require_folder(path: Path, where: str) -> None:
    """Check that the folder of a file that is to be written is there.

    Args:
        path: the file.
        where: who writes it, for the error.

    Raises:
        FileNotFoundError: it is not.
    """
    folder = path.parent
    if not folder.is_dir():
        rule = f"{where}: {str(path)!r} needs a folder that is there."
        raise FileNotFoundError(explain(rule, received=f"no folder {str(folder)!r}", fix="Make it first."))


def write_atomically(path: Path, write: Callable[[BinaryIO], object], previous: Path | None = None) -> None:
    """Make the file at `path` hold what `write` puts into the stream it is given.

    The bytes go to a temporary file beside it, are flushed to the disk, and take the name in one step.
    Whatever goes wrong before that (a full disk, Ctrl-C) leaves an older file at `path` as it was and no
    temporary file behind.

    Args:
        path: the file; its folder must exist.
        write: called once with a binary stream, which may be sought and read, too.
        previous: the name that an older file at `path` gets, in the same folder, once the new one is whole on
            the disk; default it is replaced.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.

    Example:
        >>> write_atomically(Path("notes.txt"), lambda stream: stream.write(b"done"))
    """
    _write(path, write, _temporary(path), "x+b", previous)


class Reserved:
    """Space on the disk for a file that comes later, of about the size of what `write` puts into a stream.

    Args:
        path: the file; its folder must exist.
        write: called once with a binary stream.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.

    Example:
        >>> space = Reserved(Path("notes.txt"), lambda stream: stream.write(b"----"))
        >>> space.write(lambda stream: stream.write(b"done"))
    """

    def __init__(self, path: Path, write: Callable[[BinaryIO], object]) -> None:
        self.path, self._temporary = path, _temporary(path)
        with _clearing(path, self._temporary):
            _fill(self._temporary, write, "x+b")

    def write(self, write: Callable[[BinaryIO], object]) -> None:
        """Make the file hold what `write` puts into the stream it is given, whole or not at all.

        Raises:
            OSError: the space is gone, as somebody removed its file, and there is no other.
        """
        _write(self.path, write, self._temporary, "r+b" if self._temporary.exists() else "x+b")

    def release(self) -> None:
        """Give the space back."""
        self._temporary.unlink(missing_ok=True)


def _write(
    path: Path, write: Callable[[BinaryIO], object], temporary: Path, mode: str, previous: Path | None = None
) -> None:
    with _clearing(path, temporary):
        _fill(temporary, write, mode)
        if previous is not None and path.exists():
            os.replace(path, previous)
        os.replace(temporary, path)
    with naming(path):
        _flush_folder(path.parent)


def _fill(temporary: Path, write: Callable[[BinaryIO], object], mode: str) -> None:
    with temporary.open(mode) as stream:
        write(cast(BinaryIO, stream))
        if mode == "r+b":
            stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _clearing(path: Path, temporary: Path) -> Iterator[None]:
    """Remove the temporary file where something goes wrong; errors name `path`."""
    with naming(path, temporary):
        try:
            yield
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files that a killed process left in a folder. No other process may write there.

    Args:
        folder: the folder.
        name: of the file that they were for; default any.
    """
    pattern = re.compile(rf"\.{'.+' if name is None else re.escape(name)}\.[0-9a-f]{{8}}\.part")
    for file in [file for file in folder.iterdir() if pattern.fullmatch(file.name)]:
        file.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, which ends with the process if not before. Some systems have none.

    Raises:
        BlockingIOError: another process, or another block of this one, holds it.
    """
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Make the file at `path` hold `text` in UTF-8, whole or not at all.

    Raises:
        OSError: as `write_atomically`.
    """
    write_atomically(path, lambda stream: stream.write(text.encode("utf-8")))


def write_text_in_parts(path: Path, write: Callable[[TextIO], object]) -> None:
    """Make the file at `path` hold the text that `write` puts into the stream it is given, in UTF-8.

    Args:
        path: the file; its folder must exist.
        write: called once with a text stream.

    Raises:
        OSError: as `write_atomically`.
    """

    def write_bytes(stream: BinaryIO) -> None:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        write(text)
        text.flush()
        text.detach()

    write_atomically(path, write_bytes)


def append(path: Path, data: bytes) -> None:
    """Add `data` to the end of the file at `path`, all of it or nothing; a file that is not there is made.

    Raises:
        OSError: it cannot be written to, or the disk is full.
    """
    with naming(path), open(path, "ab", buffering=0) as stream:
        before = os.path.getsize(path)
        try:
            rest = data
            while rest:
                rest = rest[stream.write(rest) :]
        except BaseException:
            stream.truncate(before)
            raise


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Give an OSError raised inside that names no file, or only `temporary`, the name of `path`.

    Example:
        >>> with naming(Path("a.txt")):
        ...     raise OSError(errno.ENOSPC, "No space left on device")
        Traceback (most recent call last):
        OSError: [Errno 28] No space left on device: 'a.txt'
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
