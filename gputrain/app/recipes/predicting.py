"""Predictions of a stored run for files of any size, portion by portion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.app.recipes.data import Preparation
from gputrain.app.recipes.data.inputs import ArrayInputs, Raw, take
from gputrain.app.recipes.data.origins import file_kind
from gputrain.app.recipes.data.targets import ClassTargets
from gputrain.app.recipes.stored_run import StoredRun
from gputrain.data.arrays import to_array
from gputrain.data.io import images, npy, npz, sniff
from gputrain.data.io.idx import read_idx
from gputrain.data.tabular import as_table, iter_csv
from gputrain.errors import DataError
from gputrain.utils.notes import note

ROWS = 4096  # of a portion
BATCH = 256  # of a step; portions are of whole batches, so that their size does not show in the results
PORTION_BYTES = 64 << 20
_IMAGES = ("png", "jpeg", "bmp", "gif", "webp", "tiff")
_INPUT_ARRAYS = ("x", "X", "x_test", "inputs", "images")


@dataclass(frozen=True)
class Portion:
    """Some predictions, in order.

    Attributes:
        names: what each sample is called: its number from 0, or its file.
        answers: the class's name or the number(s) predicted for each; None for a row that cannot be used.
        values: float64 (n, k): class probabilities, or the numbers again.
    """

    names: Sequence[str]
    answers: Sequence[Any]
    values: NDArray[np.float64]


def predict(run: StoredRun, data: Any, array: str | None = None) -> Iterator[Portion]:
    """Predict for all samples of a file or of a folder of images; only a portion is held in memory.

    Args:
        run: as `open_run` returns it.
        data: CSV with the columns the run was trained on (its target may be missing), npy, npz, IDX, an image
            file, or a folder of images. Or the samples themselves: for a table a DataFrame, a dict of columns
            or a list of dicts, else an array, (n, ...).
        array: which array of an npz file; None finds it by the usual names, or takes the only one.

    Yields:
        Portions of up to 4096 samples, fewer where those are large.

    Raises:
        OSError, DataError, CorruptFileError: the data is not there, or does not fit the model.
    """
    if isinstance(data, str | PathLike):
        raws = portions(run.preparation, Path(data), array)
    else:
        raws = _given(run.preparation, data)
    model = None
    for names, raw in raws:
        if model is None:
            model = run.model()
        yield _portion(model, run.preparation, names, raw)


def _given(preparation: Preparation, data: Any) -> Iterator[tuple[list[str], Raw]]:
    """Samples that are in memory, some at a time."""
    inputs = preparation.inputs
    if isinstance(inputs, ArrayInputs):
        return _numbered(npy.portions(to_array(data, "predict(data)"), _rows(inputs)))
    table = as_table(data)
    starts = range(0, table.rows, ROWS)
    return _numbered(table.take(np.arange(start, min(start + ROWS, table.rows))) for start in starts)


def portions(
    preparation: Preparation, path: Path, array: str | None = None
) -> Iterator[tuple[list[str], Raw]]:
    """Return (names, raw samples) of a file or folder, some at a time.

    Raises:
        as `predict`.
    """
    inputs = preparation.inputs
    if array is not None and (path.is_dir() or sniff.kind_of(path) != "npz"):
        rule = f"{path}: only an npz file has arrays to choose from."
        raise DataError(rule, fix="Leave --array out.")
    if not isinstance(inputs, ArrayInputs):
        _require(path, ("text",), "tables", "a CSV file")
        return _numbered(iter_csv(path, rows=ROWS))
    if path.is_dir() or sniff.kind_of(path) in _IMAGES:
        return _pictures(inputs, path)
    what = "images" if inputs.is_image else "arrays"
    _require(path, ("npz", "npy", "idx", "idx.gz"), what, "npy, npz, IDX or image files")
    return _numbered(_arrays(path, array, _rows(inputs)))


def _require(path: Path, kinds: Sequence[str], trained_on: str, expected: str) -> None:
    """Refuse a file that holds something else than what the model takes, or than its own name says."""
    if path.suffix.lower() in (".csv", ".npz", ".npy"):
        file_kind(path)
    found = sniff.kind_of(path) if not path.is_dir() else ""
    if found not in kinds:
        received = sniff.describe(found) if found else "a folder"
        rule = f"{path}: the model was trained on {trained_on}."
        raise DataError(rule, expected=expected, received=received)


def _rows(inputs: ArrayInputs) -> int:
    """How many samples a portion has: whole batches as far as memory allows, at least one."""
    most = PORTION_BYTES // (4 * math.prod(inputs.sample))
    return max(1, min(ROWS, most // BATCH * BATCH if most >= BATCH else most))


def _arrays(path: Path, array: str | None, rows: int) -> Iterator[Raw]:
    kind = file_kind(path)
    if kind == "npz":
        return npz.iter_member(path, _array_name(path, array), rows=rows)
    return npy.portions(npy.open_npy(path) if kind == "npy" else read_idx(path), rows)


def _array_name(path: Path, given: str | None) -> str:
    there = list(npz.names_and_shapes(path))
    if given is not None and given not in there:
        raise DataError(f"{path}: there is no array {given!r}.", received=", ".join(there))
    usual = [name for name in _INPUT_ARRAYS if name in there]
    name = given or (there[0] if len(there) == 1 else next(iter(usual), None))
    if name is None:
        rule = f"{path}: which array holds the inputs?"
        raise DataError(rule, received=", ".join(there), fix="Name it with --array.")
    return name


def _numbered(raws: Iterator[Raw]) -> Iterator[tuple[list[str], Raw]]:
    start = 0
    for raw in raws:
        yield [str(number) for number in range(start, start + len(raw))], raw
        start += len(raw)


def _pictures(inputs: ArrayInputs, path: Path) -> Iterator[tuple[list[str], Raw]]:
    if not inputs.is_image:
        raise DataError(f"{path}: the model was not trained on images.")
    files = images.files_in(path) if path.is_dir() else [path]
    rows = _rows(inputs)
    for start in range(0, len(files), rows):
        some = files[start : start + rows]
        yield [str(file) for file in some], inputs.read_pictures(some)


def _portion(model: Any, preparation: Preparation, names: list[str], raw: Raw) -> Portion:
    kept = preparation.inputs.kept(raw)
    rows = np.flatnonzero(kept)
    if len(rows) < len(kept):
        note("Rows with missing cells get no prediction, as data.table.missing = 'drop' says.")
        raw = take(raw, rows)
    targets = preparation.targets
    values = np.full((len(kept), targets.outputs), np.nan)
    answers: list[Any] = [None] * len(kept)
    if len(rows):
        inputs = preparation.inputs(raw)
        outputs = model.predict(inputs, batch_size=BATCH, verbose=0)
        if isinstance(targets, ClassTargets):
            values[rows] = preparation.probabilities(outputs)
            found = [targets.names[number] for number in preparation.decided(values[rows])]
        else:
            values[rows] = targets.decode(outputs)
            found = values[rows].tolist()
        for row, answer in zip(rows.tolist(), found, strict=True):
            answers[row] = answer
    return Portion(names, answers, values)
