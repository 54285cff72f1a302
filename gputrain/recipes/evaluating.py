"""Tests the model of a stored run anew, on its own test part or on other data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gputrain.datasets import images
from gputrain.errors import DataError, explain
from gputrain.recipes.data import Part, Preparation, dataset, origins, prepared
from gputrain.recipes.data.inputs import ArrayInputs
from gputrain.recipes.data.origins import Samples
from gputrain.recipes.data.targets import ClassTargets
from gputrain.recipes.stored_run import StoredRun
from gputrain.recipes.testing import Tested, test


def evaluate(run: StoredRun, data: str | Path | None = None, target_file: str | None = None) -> Tested:
    """Test the model of a stored run.

    Args:
        run: as `open_run` returns it.
        data: a file of the form that it was trained on, or a folder of images with class folders; None takes
            the test part of the run's own data.
        target_file: the targets of an npy or IDX file.

    Raises:
        OSError, DataError, CorruptFileError: the data is not there, or does not fit the model.
    """
    model = run.model()
    part = (
        _own_part(run) if data is None else prepared(_samples(run, Path(data), target_file), run.preparation)
    )
    return test(model, part, run.preparation, int(run.recipe.settings["training"]["batch_size"]))


def _own_part(run: StoredRun) -> Part:
    samples = dataset.test_samples(run.recipe.settings["data"])
    if samples is None:
        rule = f"{run.folder}: the run kept no part of its data to test on."
        raise DataError(explain(rule, fix="Name a file or folder to test on."))
    return prepared(samples, run.preparation)


def _samples(run: StoredRun, path: Path, target_file: str | None) -> Samples:
    section: dict[str, Any] = dict(run.recipe.settings["data"])
    if not path.is_dir():
        return origins.read_file(path, section, target_file)[0]
    inputs = run.preparation.inputs
    if not isinstance(inputs, ArrayInputs) or not inputs.is_image:
        rule = f"{path}: the model of {run.folder} takes no images."
        raise DataError(explain(rule, fix="Name a file of the form that it was trained on."))
    found = images.scan(path)
    pictures = inputs.read_pictures(found.files)
    return Samples(pictures, _labels(found, run.preparation))


def _labels(found: images.ImageFolder, preparation: Preparation) -> Any:
    """The labels of the run for the class folders' names."""
    targets = preparation.targets
    assert isinstance(targets, ClassTargets)
    unknown = sorted(set(found.classes) - set(targets.names))
    if unknown:
        raise DataError(
            explain(
                "Class folders must be named as the classes of the run.",
                expected=", ".join(targets.names),
                received=", ".join(unknown),
            )
        )
    of_run = np.array(
        [targets.labels.classes[targets.names.index(name)] for name in found.classes], dtype=object
    )
    return of_run[found.labels]
