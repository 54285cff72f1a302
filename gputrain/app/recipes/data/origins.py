"""Reads raw samples and targets from where a data section says: a known data set, a file, a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain import config
from gputrain.app.recipes.data.inputs import Raw, take
from gputrain.app.recipes.known_data import DATASETS, ImageSet
from gputrain.data.io import images, sniff
from gputrain.data.io.idx import read_idx
from gputrain.data.io.npy import read_npy
from gputrain.data.io.npz import names_and_shapes, read_npz
from gputrain.data.tabular import Table, read_csv
from gputrain.datasets import CorruptFileError
from gputrain.errors import DataError
from gputrain.names import did_you_mean, listed
from gputrain.utils.notes import note

Array = NDArray[Any]

# What an npz file calls its arrays, by the part they belong to; the first pair that is there is taken.
_PAIRS = (("x_train", "y_train"), ("x", "y"), ("X", "y"), ("inputs", "targets"), ("images", "labels"))
_TEST_PAIR = ("x_test", "y_test")
RATIO = 64  # the data of files may take so many times their bytes, or the setting file_memory
_TABLE_NAMES = (".csv", ".tsv", ".tab", ".txt", ".data", ".test")
_KINDS = {"text": "csv", "npz": "npz", "npy": "npy", "idx": "idx", "idx.gz": "idx"}


@dataclass(frozen=True)
class Samples:
    """Raw samples and their targets, as they stand in the data.

    Attributes:
        x: arrays (n, ...) or a table of n rows.
        y: (n,) labels or numbers, (n, k) for several targets.
    """

    x: Raw
    y: Array

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.y)

    def take(self, rows: Sequence[int] | Array) -> Samples:
        """Return these samples."""
        return Samples(take(self.x, rows), self.y[rows])


@dataclass(frozen=True)
class Origin:
    """What a data section names.

    Attributes:
        samples: all samples, or those to train on where the data brings a test part.
        test: that part, or None.
        names: what the labels 0, 1 ... are called, where the data says so.
        white: the largest value that an input can have, where the data says so.
    """

    samples: Samples
    test: Samples | None = None
    names: tuple[str, ...] | None = None
    white: float | None = None


def read(section: Mapping[str, Any]) -> Origin:
    """Read what a resolved data section names.

    Raises:
        OSError: it is not there, or cannot be read.
        CorruptFileError, DataError: it is not what it should be; the message names the file.
        ImportError: an extra is needed that is not installed.
    """
    if "dataset" in section:
        return _known(section)
    if "folder" in section:
        return _folder(section)
    path = _named_as_data(section["file"])
    samples, test = read_file(path, section, section.get("target_file"))
    if "test_file" in section:
        test_path = _named_as_data(section["test_file"])
        test, _ = read_file(test_path, section, section.get("test_target_file"))
        if isinstance(test.x, Table) != isinstance(samples.x, Table):
            raise DataError(f"{test_path}: the test file must be of the form of {path}.")
    is_bytes = not isinstance(samples.x, Table) and samples.x.dtype == np.uint8
    return Origin(samples, test, white=255.0 if is_bytes else None)


def _named_as_data(name: str) -> Path:
    """A file that a recipe names, if it is to be read as a table, must be called one.

    Errors quote names of columns and cells, and a recipe of a stranger may name a file of secrets.
    """
    path = Path(name)
    if file_kind(path) == "csv" and (real := path.resolve()).suffix.lower() not in _TABLE_NAMES:
        rule = f"{path}: a recipe reads text as a table only from a file that is named so."
        expected = f"a name that ends in {', '.join(_TABLE_NAMES)}"
        raise DataError(rule, expected=expected, received=real.name, fix="Rename it, if it is a table.")
    return path


def _most(files: Sequence[Path]) -> int:
    """How many bytes the inputs out of some files may take with their copies."""
    return max(config.file_memory(), RATIO * sum(file.stat().st_size for file in files))


def _with_copies(dtype: np.dtype[Any]) -> int:
    """How many bytes a run takes for a number: as it is read, once more in its part, and as float32."""
    return 2 * dtype.itemsize + 4


def _require_memory(arrays: Sequence[Array], *files: Path) -> None:
    """Refuse inputs for whose copies there is no memory: a file can unpack to a thousand times its bytes.

    Raises:
        DataError: there is not.
    """
    needed, most = sum(array.size * _with_copies(array.dtype) for array in arrays), _most(files)
    if needed > most:
        rule = f"{files[0]}: the inputs must fit the memory allowed, with the copies that a run makes."
        fix = f"If you trust it, allow more: config.set_file_memory({needed}), or GPUTRAIN_FILE_MEMORY."
        raise DataError(rule, expected=f"at most {most} bytes", received=f"{needed} bytes", fix=fix)


def _pictures(found: images.ImageFolder, size: tuple[int, int] | None, channels: int | None) -> Array:
    most = min(_most(found.files) // _with_copies(np.dtype(np.uint8)), images.MAX_LOAD_BYTES)
    return images.load(found, size=size, channels=channels, max_bytes=most)


def target_names(section: Mapping[str, Any]) -> list[str]:
    """Return the names of the target columns of a table."""
    target = section.get("target", "target")
    return [target] if isinstance(target, str) else list(target)


def read_file(
    path: Path, section: Mapping[str, Any], target_file: str | None = None
) -> tuple[Samples, Samples | None]:
    """Read the samples of one file, and its test part if it brings one.

    Args:
        path: CSV, npz, npy or IDX.
        section: a resolved data section, which names target and arrays.
        target_file: the targets of an npy or IDX file.

    Raises:
        as `read`.
    """
    kind = file_kind(path)
    if target_file is not None and kind in ("csv", "npz"):
        rule = f"{path}: the file holds its targets, so there is no other file of them."
        raise DataError(rule, received=target_file, fix="Leave it out.")
    if kind == "csv":
        return from_table(read_csv(path), section, str(path)), None
    if kind == "npz":
        return _npz(path, section)
    if target_file is None:
        rule = f"{path}: the file holds one array, the inputs; the targets are in another."
        raise DataError(rule, fix='Name it: data.target_file = "labels.npy", or --targets.')
    x = read_array(path)
    _require_memory([x], path)
    return paired(x, read_array(Path(target_file)), str(path), target_file), None


def file_kind(path: Path) -> str:
    """Return "csv", "npz", "npy" or "idx", whichever the file at `path` is by its content.

    Raises:
        OSError: it cannot be read.
        CorruptFileError: it is something else, or not what its name says.
        DataError: it is a folder.
    """
    if path.is_dir():
        fix = "A folder of images with class folders is named with data.folder."
        raise DataError(f"{path}: a file is needed here.", received="a folder", fix=fix)
    found = sniff.kind_of(path)
    kind = _KINDS.get(found)
    named = path.suffix.lower().lstrip(".")
    if kind is None or (named in ("csv", "npz", "npy") and named != kind):
        expected = f"{named.upper()} as its name says" if named in _KINDS.values() else "CSV, npz, npy or IDX"
        rule = "The file must be of a kind that can be read"
        raise CorruptFileError(path, rule, expected, sniff.describe(found))
    return kind


def read_array(path: Path) -> Array:
    """Return the one array in an npy or IDX file.

    Raises:
        as `read`.
    """
    kind = file_kind(path)
    if kind not in ("npy", "idx"):
        raise CorruptFileError(path, "The file must hold one array", "npy or IDX", kind)
    return read_npy(path) if kind == "npy" else read_idx(path)


def from_table(table: Table, section: Mapping[str, Any], place: str) -> Samples:
    """Divide a table into inputs and target columns.

    Raises:
        DataError: a target column is not there, or no other is left.
    """
    names = target_names(section)
    for name in names:
        if name not in table.names:
            rule = f"{place}: there is no column {name!r} to predict."
            fix = f'{did_you_mean(name, table.names)} Say which it is: data.target = "...".'
            raise DataError(rule, received=f"the columns {listed(table.names)}", fix=fix)
    if len(names) == len(table.names):
        raise DataError(f"{place}: a table needs a column beside its target.")
    table = _with_targets(table, names, section, place)
    columns = [table[name] for name in names]
    y = columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
    return Samples(table.without(names), y)


def _with_targets(table: Table, names: Sequence[str], section: Mapping[str, Any], place: str) -> Table:
    """Leave out rows whose target is missing, and say how many they are."""
    codes = set(section["table"]["missing_values"])
    there = np.ones(table.rows, bool)
    for name in names:
        cells = table[name]
        if cells.dtype == object:
            there &= np.array([cell.strip() not in codes for cell in cells], dtype=bool)
        else:
            there &= ~np.isnan(cells)
    missing = table.rows - int(there.sum())
    if missing == table.rows:
        raise DataError(f"{place}: no row has a target.", received=f"{missing} row(s) without one")
    if missing:
        note(f"{place}: {missing} of {table.rows} rows have no target and are left out.")
        return table.take(np.flatnonzero(there))
    return table


def _known(section: Mapping[str, Any]) -> Origin:
    known = DATASETS[section["dataset"]]
    if isinstance(known, ImageSet):
        (x, y), (x_test, y_test) = known.load()
        return Origin(Samples(x, y), Samples(x_test, y_test), known.classes, known.scale)
    return Origin(from_table(known.load(), section, section["dataset"]))


def _folder(section: Mapping[str, Any]) -> Origin:
    found = images.scan(Path(section["folder"]))
    size = tuple(section["image_size"]) if "image_size" in section else None
    pixels = _pictures(found, size, section.get("image_channels"))
    samples = Samples(pixels, found.labels)
    if "test_folder" not in section:
        return Origin(samples, None, found.classes, 255.0)
    held = images.scan(Path(section["test_folder"]))
    if held.classes != found.classes:
        rule = f"{section['test_folder']}: the test folder must have the classes of the other one."
        raise DataError(rule, expected=", ".join(found.classes), received=", ".join(held.classes))
    height, width, channels = pixels.shape[1:]
    test = Samples(_pictures(held, (height, width), channels), held.labels)
    return Origin(samples, test, found.classes, 255.0)


def _npz(path: Path, section: Mapping[str, Any]) -> tuple[Samples, Samples | None]:
    there = list(names_and_shapes(path))
    pairs = [_npz_names(path, section, there)]
    if pairs[0][0] == "x_train" and set(_TEST_PAIR) <= set(there):
        pairs.append(_TEST_PAIR)
    arrays = read_npz(path, chain(*pairs))
    _require_memory([arrays[x] for x, _ in pairs], path)
    samples, *test = [paired(arrays[x], arrays[y], f"{path}: {x}", y) for x, y in pairs]
    return samples, test[0] if test else None


def _npz_names(path: Path, section: Mapping[str, Any], there: Sequence[str]) -> tuple[str, str]:
    given = section.get("inputs"), section.get("target")
    if isinstance(given[1], list):
        rule = "data.target names one array of an npz file; several targets are its columns."
        raise DataError(rule, received=given[1])
    for pair in _PAIRS:
        x_name, y_name = given[0] or pair[0], given[1] or pair[1]
        if x_name in there and y_name in there:
            return x_name, y_name
    rule = f"{path}: inputs and targets are two arrays of the file."
    usual = "x_train and y_train, or x and y"
    expected = " and ".join(name or "?" for name in given) if any(given) else usual
    received = f"the arrays {', '.join(there)}" if there else "no array"
    fix = 'Say which they are: data.inputs = "..." and data.target = "...".'
    raise DataError(rule, expected=expected, received=received, fix=fix)


def paired(x: Array, y: Array, x_name: str, y_name: str) -> Samples:
    """Inputs and targets that belong together.

    Raises:
        DataError: they are not as many, or none.
    """
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y) or len(x) == 0:
        rule = f"{x_name}: inputs and targets must be as many, and at least one."
        raise DataError(rule, received=f"inputs of shape {x.shape}, targets {y_name} of shape {y.shape}")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    return Samples(x if x.ndim > 1 else x[:, None], y)
