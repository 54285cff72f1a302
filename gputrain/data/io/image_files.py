"""Which images a folder holds, and of which classes. Nothing is opened here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io.errors import FilePath
from gputrain.data.io.sniff import describe, kind_of
from gputrain.errors import DataError, explain
from gputrain.utils.notes import note

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MAX_FILES = 2_000_000

_LISTED = 5
# Folders that are named so hold the parts of a data set, not its classes.
_PARTS = {"test", "testing", "train", "training", "val", "valid", "validation"}
_SYSTEM_FOLDERS = {"__MACOSX"}


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The images of a folder with a folder for each class.

    Attributes:
        files: the n image files, class after class, in sorted order.
        labels: int64, shape (n,), the number of each file's class.
        classes: names of the classes; label 0 is the first.
    """

    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def scan(folder: FilePath, *, max_files: int = MAX_FILES) -> ImageFolder:
    """Find the images of a folder whose own folders are the classes.

    Classes are the folders one level down, sorted by name; their images may lie deeper. Files are told by
    their suffix and not opened. What is hidden, is no image, lies outside the class folders or is a link to a
    folder or out of this one is left out, and a note counts and names it.

    Args:
        folder: the folder.
        max_files: int, most files to accept, whatever they are.

    Returns:
        The files, labels and names of the classes.

    Raises:
        FileNotFoundError: there is no such folder.
        NotADirectoryError: `folder` is a file.
        DataError: no class folders, only one, one without images, folders that are parts (train, test) and
            not classes, or more than `max_files` files.

    >>> scan("flowers").classes  # doctest: +SKIP
    ('daisy', 'rose')
    """
    walk = _Walk(_checked_folder(folder), max_files)
    files = walk.images()
    by_class: dict[str, list[Path]] = {name: [] for name in sorted(walk.classes)}
    for file in files:
        by_class[file.relative_to(walk.root).parts[0]].append(file)
    _check_classes(folder, walk, by_class)
    ordered = [file for members in by_class.values() for file in members]
    labels = np.repeat(np.arange(len(by_class)), [len(members) for members in by_class.values()])
    return ImageFolder(tuple(ordered), labels.astype(np.int64), tuple(by_class))


def files_in(folder: FilePath, *, max_files: int = MAX_FILES) -> tuple[Path, ...]:
    """Find all images in a folder and below it, without classes: what to predict on.

    Args:
        folder: the folder.
        max_files: int, most files to accept, whatever they are.

    Returns:
        The files in sorted order, chosen as `scan` does.

    Raises:
        FileNotFoundError: there is no such folder.
        NotADirectoryError: `folder` is a file.
        DataError: it has no images, or more than `max_files` files.

    >>> len(files_in("holiday"))  # doctest: +SKIP
    312
    """
    walk = _Walk(_checked_folder(folder), max_files, classes_only=False)
    files = walk.images()
    if not files:
        raise DataError(f"{folder} has no images.", expected=f"files named {_suffixes()}")
    return tuple(files)


class _Walk:
    """One way through a folder: the images in it, and what was left out for which reason."""

    def __init__(self, root: Path, max_files: int, classes_only: bool = True) -> None:
        self.root = root
        self.classes: list[str] = []
        self.left_out: dict[str, list[Path]] = {}
        self.outside: list[Path] = []
        self._real_root = root.resolve()
        self._max_files = max_files
        self._count = 0
        self._classes_only = classes_only

    def images(self) -> list[Path]:
        """The images in sorted order; a note says what was left out."""
        found: list[Path] = []
        folders = [self.root]
        while folders:
            folder = folders.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._visit(entry, folder, found, folders)
        self._tell_left_out()
        return sorted(found, key=lambda file: file.relative_to(self.root).parts)

    def _visit(self, entry: os.DirEntry[str], folder: Path, found: list[Path], folders: list[Path]) -> None:
        self._count += 1
        if self._count > self._max_files:
            raise DataError(f"{self.root} has too many files.", expected=f"at most {self._max_files}")
        path = folder / entry.name
        at_top = folder == self.root
        reason = self._reason(entry, path)
        if reason is not None:
            self.left_out.setdefault(reason, []).append(path)
        elif entry.is_dir():
            folders.append(path)
            if at_top:
                self.classes.append(entry.name)
        elif at_top and self._classes_only:
            self.outside.append(path)
        else:
            found.append(path)

    def _reason(self, entry: os.DirEntry[str], path: Path) -> str | None:
        """Why an entry is left out; None when it is not."""
        if entry.name.startswith(".") or entry.name in _SYSTEM_FOLDERS:
            return "hidden"
        if entry.is_symlink() and not self._link_stays(path):
            return "links to folders or out of the folder"
        if entry.is_dir() or (entry.is_file() and path.suffix.lower() in SUFFIXES):
            return None
        return "not images"

    def _link_stays(self, path: Path) -> bool:
        return path.is_file() and path.resolve().is_relative_to(self._real_root)

    def _tell_left_out(self) -> None:
        """Say once what was ignored and why."""
        reasons = self.left_out | ({"outside the class folders": self.outside} if self.outside else {})
        if reasons:
            parts = [
                f"{len(paths)} {reason} ({self._named(paths)})" for reason, paths in sorted(reasons.items())
            ]
            note(f"{self.root}: ignored {'; '.join(parts)}.")

    def _named(self, paths: list[Path]) -> str:
        return _quoted([path.relative_to(self.root).as_posix() for path in sorted(paths)])


def _checked_folder(folder: FilePath) -> Path:
    path = Path(folder)
    if not path.exists():
        raise FileNotFoundError(explain(f"There is no folder {path}.", fix="Check the path."))
    if not path.is_dir():
        rule = f"{path} must be a folder of images."
        raise NotADirectoryError(explain(rule, received=describe(kind_of(path))))
    return path


def _check_classes(folder: FilePath, walk: _Walk, by_class: dict[str, list[Path]]) -> None:
    if not by_class:
        directly = f"{len(walk.outside)} images directly in it" if walk.outside else "no images"
        fix = f"Make a folder for each class, as {Path(folder) / 'cat' / '1.png'}, and put its images there."
        raise DataError(f"{folder} has no class folders.", expected="one a class", received=directly, fix=fix)
    empty = [name for name, files in by_class.items() if not files]
    if empty:
        rule = f"Each class folder of {folder} must have images."
        expected = f"files named {_suffixes()}"
        received = f"none in {_quoted(empty)}"
        raise DataError(rule, expected=expected, received=received, fix="Add images or remove the folder.")
    _check_meant(folder, by_class)


def _check_meant(folder: FilePath, by_class: dict[str, list[Path]]) -> None:
    """Refuse folders that are hardly meant as classes: training and test data, or a single one."""
    if {name.lower() for name in by_class} <= _PARTS:
        one = Path(folder) / next(iter(by_class))
        rule = f"The folders of {folder} are parts of a data set, not classes."
        raise DataError(rule, received=_quoted(list(by_class)), fix=f"Name one of them, as {one}.")
    if len(by_class) == 1:
        (name,) = by_class
        fix = f"If its own folders are the classes, give {Path(folder) / name}."
        raise DataError(f"{folder} must have at least two classes.", received=f"one, {name!r}", fix=fix)


def _quoted(names: list[str]) -> str:
    """The first few names, quoted: a file name may hold anything."""
    return ", ".join(map(repr, names[:_LISTED])) + (", ..." if len(names) > _LISTED else "")


def _suffixes() -> str:
    return ", ".join(f"*{suffix}" for suffix in SUFFIXES)
