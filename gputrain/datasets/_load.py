"""Finding, fetching and checking one of the 28x28 data sets: what mnist.py and fashion_mnist.py share."""

from __future__ import annotations

import os
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io.errors import CorruptFileError, DatasetUnavailableError, DownloadError
from gputrain.data.io.idx import read_idx
from gputrain.data.io.npz import read_npz
from gputrain.datasets._catalog import DEFAULT_URL, DatasetInfo, RemoteFile
from gputrain.datasets._locate import DATA_VARIABLE, Found, cache_folder, find, idx_file

URL_VARIABLE = "GPUTRAIN_DATASETS_URL"
_MEMBERS = ("x_train", "y_train", "x_test", "y_test")
_SIZE = (28, 28)
_CLASSES = 10

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Split = tuple[Images, Labels]


def load(
    info: DatasetInfo, archive: str | PathLike[str] | None = None, base_url: str | None = None
) -> tuple[Split, Split]:
    """Load a set from this machine, or download it to the cache folder first.

    Files that are already here are checked for format, dtype, shape and label range, not for their sums: a
    smaller selection in the same form is welcome.

    Args:
        info: the set.
        archive: name of its npz file in the folders, or an absolute path; None means the published name.
        base_url: address to download from; None means GPUTRAIN_DATASETS_URL, or else the publisher.

    Returns:
        ((x_train, y_train), (x_test, y_test)): uint8 (N, 28, 28) and uint8 (N,).

    Raises:
        DatasetUnavailableError: not here, and not to be had.
        CorruptFileError: a file here is damaged or is no such set.
        ValueError: `archive` leads out of the folder.
    """
    name = None if archive is None else _archive_name(archive)
    found, notes = find(info, name)
    if found is None:
        found = _download(info, name, base_url, notes)
    return _read(info, found)


def _archive_name(archive: str | PathLike[str]) -> str:
    name = fspath(archive)
    if not name or ".." in Path(name).parts:
        raise ValueError(
            "path names the npz file inside the data folders, or is an absolute path. "
            f"Expected: a name like 'mnist.npz'. Received: {archive!r}."
        )
    return name


def _download(info: DatasetInfo, name: str | None, base_url: str | None, notes: list[str]) -> Found:
    from gputrain.data.io.download import fetch

    base = (base_url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/")
    folder = cache_folder(info)
    paths = []
    for file in info.downloads:
        target = folder / (name or file.name)
        present = idx_file(folder, file.name) if info.archive is None else None
        if present is None:
            try:
                fetch(f"{base}/{file.name}", target, file.sums)
            except DownloadError as error:
                raise DatasetUnavailableError(_advice(info, error, notes)) from error
        paths.append(present or target)
    return Found(paths[0]) if info.archive is not None else Found(None, tuple(paths))


def _advice(info: DatasetInfo, error: DownloadError, notes: list[str]) -> str:
    """What to do without a download: which files, with which sums, into which folders."""
    lines = [f"{info.title} is not on this machine and could not be downloaded: {error}", "Looked in:"]
    lines += [f"  {note}" for note in notes]
    lines.append("Fetch by other means" + (" this file:" if info.archive else " these files:"))
    if info.archive is not None:
        lines += [*_with_sums((info.archive,)), "or these files:"]
    lines += _with_sums(info.idx)
    lines.append(f"and put them in {cache_folder(info)},")
    lines.append(
        f"or in any folder named {info.folders[0]}, and set {DATA_VARIABLE} to the folder above that."
    )
    return "\n".join(lines)


def _with_sums(files: tuple[RemoteFile, ...]) -> list[str]:
    return [f"  {file.name}  SHA-256 {' or '.join(file.sums)}" for file in files]


def _read(info: DatasetInfo, found: Found) -> tuple[Split, Split]:
    if found.archive is not None:
        arrays = read_npz(found.archive, _MEMBERS)
        x_train, y_train, x_test, y_test = (arrays[name] for name in _MEMBERS)
        sources = [(found.archive, f", {name}") for name in _MEMBERS]
    else:
        x_train, y_train, x_test, y_test = (read_idx(path) for path in found.idx)
        sources = [(path, "") for path in found.idx]
    _check_pair(info, sources[:2], x_train, y_train)
    _check_pair(info, sources[2:], x_test, y_test)
    return (x_train, y_train), (x_test, y_test)


def _check_pair(
    info: DatasetInfo, sources: list[tuple[Path, str]], images: NDArray[Any], labels: NDArray[Any]
) -> None:
    (image_path, image_part), (label_path, label_part) = sources
    if images.dtype != np.uint8 or images.shape[1:] != _SIZE or len(images) == 0:
        received = f"{images.dtype} {images.shape}"
        rule = f"{info.title}{image_part} holds images"
        raise CorruptFileError(image_path, rule, "uint8 (N, 28, 28)", received)
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        expected, received = f"uint8 ({len(images)},)", f"{labels.dtype} {labels.shape}"
        rule = f"{info.title}{label_part} holds one label per image"
        raise CorruptFileError(label_path, rule, expected, received)
    if labels.max() >= _CLASSES:
        rule = f"{info.title}{label_part} has {_CLASSES} classes"
        raise CorruptFileError(label_path, rule, f"labels 0 to {_CLASSES - 1}", labels.max())
