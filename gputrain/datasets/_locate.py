"""Where a data set may be, and where it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gputrain.data.io.idx import read_idx
from gputrain.datasets._catalog import CATALOG, DatasetInfo
from gputrain.names import did_you_mean

DATA_VARIABLE = "GPUTRAIN_DATA"
DIGITS_FILE = Path(__file__).parent / "files" / "digits.npz"


class Found(NamedTuple):
    """A data set on this machine: one npz file, or else the four IDX files in the catalog's order."""

    archive: Path | None
    idx: tuple[Path, ...] = ()

    @property
    def place(self) -> Path:
        """The npz file, or the folder of the IDX files."""
        return self.idx[0].parent if self.archive is None else self.archive


class Place(NamedTuple):
    """A folder to look in; a shared one may hold another set's files under the same names."""

    folder: Path
    shared: bool = False


def locate(dataset: str) -> Path | None:
    """Say where a data set is, without downloading or reading its images.

    Args:
        dataset: "digits", "mnist" or "fashion_mnist".

    Returns:
        The npz file, or the folder that holds the four IDX files; None when `load_data` would have to
        download it.

    Raises:
        ValueError: an unknown name.
        CorruptFileError: label files that lie in `GPUTRAIN_DATA` itself cannot be read.

    >>> locate("digits").name
    'digits.npz'
    """
    if dataset == "digits":
        return DIGITS_FILE
    found, _ = find(_info(dataset))
    return None if found is None else found.place


def search_folders(dataset: str) -> list[Path]:
    """List the folders where `load_data` looks for a data set, in order; none of them need exist.

    Args:
        dataset: "digits", "mnist" or "fashion_mnist".

    Raises:
        ValueError: an unknown name.

    >>> search_folders("fashion_mnist")[-1].as_posix()
    '/usr/share/datasets/fashion-mnist'
    """
    if dataset == "digits":
        return [DIGITS_FILE.parent]
    return [place.folder for place in _places(_info(dataset))]


def cache_folder(info: DatasetInfo) -> Path:
    """The folder that downloads of this set go to. A relative XDG_CACHE_HOME does not count, as XDG rules."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    return base / "gputrain" / "datasets" / info.folders[0]


def find(info: DatasetInfo, archive: str | None = None) -> tuple[Found | None, list[str]]:
    """Look for a set in every folder, in order.

    Args:
        info: the set.
        archive: name of its npz file where that is not the published one; an absolute path counts everywhere.

    Returns:
        The first complete copy or None, and for each folder passed over a line that says why.
    """
    if archive is None and info.archive is not None:
        archive = info.archive.name
    notes: list[str] = []
    for place in _places(info):
        if archive is not None and (place.folder / archive).is_file():
            return Found(place.folder / archive), notes
        idx, note = _find_idx(info, place)
        if idx:
            return Found(None, idx), notes
        notes.append(f"{place.folder}: {note}")
    return None, notes


def idx_file(folder: Path, name: str) -> Path | None:
    """The file `name` in `folder`, as published (.gz) or unpacked, or None."""
    candidates = (folder / name, folder / name.removesuffix(".gz"))
    return next(filter(Path.is_file, candidates), None)


def _info(dataset: str) -> DatasetInfo:
    if dataset not in CATALOG:
        known = did_you_mean(str(dataset), ["digits", *CATALOG])
        raise ValueError(f"A data set is named. Received: {dataset!r}. {known}")
    return CATALOG[dataset]


def _places(info: DatasetInfo) -> Iterator[Place]:
    data = os.environ.get(DATA_VARIABLE)
    if data:
        root = Path(data).expanduser()
        for name in info.folders:
            yield Place(root / name)
        yield Place(root, shared=True)
    yield Place(cache_folder(info))
    for folder in info.system:
        yield Place(folder)


def _find_idx(info: DatasetInfo, place: Place) -> tuple[tuple[Path, ...], str]:
    """The four IDX files in a folder, or nothing and the reason."""
    if not place.folder.is_dir():
        return (), "no such folder"
    found = [idx_file(place.folder, file.name) for file in info.idx]
    paths = tuple(path for path in found if path is not None)
    if not paths:
        return (), "none of the files"
    if len(paths) < len(found):
        missing = [file.name for file, path in zip(info.idx, found, strict=True) if path is None]
        return (), f"incomplete, without {', '.join(missing)}"
    if place.shared and not _first_labels_match(info, paths[1]):
        own = place.folder / info.folders[0]
        return (), f"IDX files with the labels of another set; if they are {info.title}, move them to {own}"
    return paths, ""


def _first_labels_match(info: DatasetInfo, labels: Path) -> bool:
    first = read_idx(labels).ravel()[: len(info.first_labels)]
    return tuple(first.tolist()) == info.first_labels
