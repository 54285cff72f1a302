"""Tests the model of a stored run anew, on its own test part or on other data."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gputrain.app.recipes.data import Preparation, dataset, origins, prepared
from gputrain.app.recipes.data.inputs import ArrayInputs, TableInputs
from gputrain.app.recipes.data.origins import Samples
from gputrain.app.recipes.data.targets import ClassTargets
from gputrain.app.recipes.stored_run import StoredRun
from gputrain.app.recipes.testing import Tested, test
from gputrain.data.arrays import to_array
from gputrain.data.io import images
from gputrain.data.tabular import as_table
from gputrain.errors import DataError


def evaluate(run: StoredRun, data: Any = None, target_file: str | None = None) -> Tested:
    """Test the model of a stored run.

    Args:
        run: as `open_run` returns it.
        data: a file of the form that it was trained on (of an npz file that has one, the test part), or a
            folder of images with class folders; None takes the test part of the run's own data. Or the
            samples themselves: of a table a DataFrame, a dict of columns or a list of dicts, with the target;
            else a pair of arrays, (inputs, targets).
        target_file: the targets of an npy or IDX file.

    Raises:
        OSError, DataError, CorruptFileError: the data is not there, or does not fit the model.
    """
    if data is None and target_file is not None:
        raise DataError("Targets belong to inputs.", fix="Name the file of inputs as well.")
    model = run.model()
    if data is None:
        samples = _own_part(run)
    elif isinstance(data, str | PathLike):
        samples = _samples(run, Path(data), target_file)
    else:
        samples = _given(run, data)
    part = prepared(samples, run.preparation)
    return test(model, part, run.preparation, int(run.recipe.settings["training"]["batch_size"]))


def _own_part(run: StoredRun) -> Samples:
    samples = dataset.test_samples(run.recipe.settings["data"])
    if samples is None:
        rule = f"{run.folder}: the run kept no part of its data to test on."
        raise DataError(rule, fix="Name a file or folder to test on.")
    return samples


def _given(run: StoredRun, data: Any) -> Samples:
    """Samples that are in memory."""
    if isinstance(run.preparation.inputs, TableInputs):
        return origins.from_table(as_table(data), run.recipe.settings["data"], "evaluate(data)")
    if not isinstance(data, list | tuple) or len(data) != 2:
        rule = f"{run.folder}: the run was trained on arrays; others are given as (inputs, targets)."
        raise DataError(rule, received=type(data).__name__)
    return origins.paired(to_array(data[0], "evaluate(data[0])"), np.asarray(data[1]), "data[0]", "data[1]")


def _samples(run: StoredRun, path: Path, target_file: str | None) -> Samples:
    if path.is_dir():
        return _pictures(run, path)
    is_csv, takes_csv = origins.file_kind(path) == "csv", isinstance(run.preparation.inputs, TableInputs)
    if is_csv != takes_csv:
        rule = f"{path}: the model of {run.folder} was trained on {'tables' if takes_csv else 'arrays'}."
        raise DataError(rule, expected="a CSV file" if takes_csv else "npz, npy or IDX")
    samples, test_part = origins.read_file(path, run.recipe.settings["data"], target_file)
    return samples if test_part is None else test_part


def _pictures(run: StoredRun, path: Path) -> Samples:
    inputs = run.preparation.inputs
    if not (isinstance(inputs, ArrayInputs) and inputs.is_image and run.preparation.class_names):
        rule = f"{path}: the model of {run.folder} was not trained on images of classes."
        raise DataError(rule, fix="Name a file of the form that it was trained on.")
    found = images.scan(path)
    return Samples(inputs.read_pictures(found.files), _labels(found, run.preparation))


def _labels(found: images.ImageFolder, preparation: Preparation) -> Any:
    """The labels of the run for the class folders' names."""
    targets = preparation.targets
    assert isinstance(targets, ClassTargets)
    unknown = sorted(set(found.classes) - set(targets.names))
    if unknown:
        rule = "Class folders must be named as the classes of the run."
        raise DataError(rule, expected=", ".join(targets.names), received=", ".join(unknown))
    of_run = np.array(
        [targets.labels.classes[targets.names.index(name)] for name in found.classes], dtype=object
    )
    return of_run[found.labels]
