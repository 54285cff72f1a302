"""The data of a run: divided, prepared, and with what is needed to prepare other data the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.app.recipes import schema
from gputrain.app.recipes.data import origins
from gputrain.app.recipes.data.inputs import ArrayInputs, Inputs, TableInputs
from gputrain.app.recipes.data.origins import Origin, Samples
from gputrain.app.recipes.data.preparation import Preparation
from gputrain.app.recipes.data.splitting import some, split
from gputrain.app.recipes.data.targets import ClassTargets, Targets, as_texts, class_targets, number_targets
from gputrain.data import tabular
from gputrain.errors import DataError
from gputrain.utils.notes import note

Array = NDArray[Any]
DEFAULT_TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Part:
    """Samples as `fit`, `evaluate` and `predict` take them, and as people read them.

    Attributes:
        x: inputs, float32 (n, ...).
        y: what the loss compares with: int64 (n,) class numbers, float32 (n, classes) one-hot rows, or
            float32 (n, k) scaled numbers.
        truth: class numbers, int64 (n,), or numbers in the units of the data, float64 (n, k).
        raw: the samples as they stand in the data.
    """

    x: NDArray[np.float32]
    y: Array
    truth: Array
    raw: Samples

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.x)

    def take(self, rows: Array) -> Part:
        """Return these samples."""
        return Part(self.x[rows], self.y[rows], self.truth[rows], self.raw.take(rows))


@dataclass(frozen=True)
class Dataset:
    """All parts of a run's data.

    Attributes:
        train, validation, test: the parts; validation may be None, and test if test_fraction is 0.
        preparation: makes the same of other data.
        settings: the data section with what was found in the data filled in.
    """

    train: Part
    validation: Part | None
    test: Part | None
    preparation: Preparation
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """How many outputs a model of this data has: the classes, or the targets."""
        return self.preparation.targets.outputs


def load(section: Mapping[str, Any], logits: bool = False) -> Dataset:
    """Read, divide and prepare what a resolved data section names.

    Args:
        section: as `resolve` returns it.
        logits: whether the model's outputs are scores rather than probabilities.

    Raises:
        OSError: the data is not there, or cannot be read.
        DataError, CorruptFileError: it cannot be used as it is; the message says where and why.
    """
    origin = origins.read(section)
    settings = dict(section)
    labels = _labels(origin, section)
    train, validation, test = _divided(origin, section, labels)
    targets = labels or _numbers(section, train)
    inputs = _inputs(origin, settings, train)
    cost = section.get("cost_matrix")
    matrix = None if cost is None else tabular.check_cost_matrix(cost, targets.outputs)
    preparation = Preparation(inputs, targets, logits, matrix)
    first, method = prepared(train, preparation), section.get("balance", "none")
    held = [None if part is None else prepared(part, preparation) for part in (validation, test)]
    if method != "none":
        first = first.take(tabular.resample(first.truth, method, section["split_seed"]))
    ordered = {key: settings[key] for key in schema.DATA if key in settings}
    return Dataset(first, held[0], held[1], preparation, ordered)


def test_samples(section: Mapping[str, Any]) -> Samples | None:
    """Return the test part of what a resolved data section names, as it stands in the data.

    Raises:
        as `load`.
    """
    origin = origins.read(section)
    return _divided(origin, section, _labels(origin, section))[2]


def prepared(samples: Samples, preparation: Preparation) -> Part:
    """Return samples as inputs and targets; rows that cannot be used are left out.

    Raises:
        DataError: a sample or target is not what it should be, or none is left.
    """
    kept = preparation.inputs.kept(samples.x)
    if not kept.all():
        dropped = len(kept) - int(kept.sum())
        note(f"{dropped} of {len(kept)} rows have a missing cell and are left out, as missing = 'drop' says.")
        samples = samples.take(np.flatnonzero(kept))
    if not len(samples):
        rule = "No sample is left once rows with missing cells are dropped."
        raise DataError(rule, fix='Fill them instead: data.table.missing = "median".')
    truth = preparation.targets.encode(samples.y)
    x = preparation.inputs(samples.x)
    return Part(x, preparation.targets.for_loss(truth), truth, samples)


def _labels(origin: Origin, section: Mapping[str, Any]) -> ClassTargets | None:
    """The classes, of all samples: which there are is no secret of the test part."""
    if section["task"] != "classification":
        return None
    parts = [origin.samples.y] if origin.test is None else [origin.samples.y, origin.test.y]
    return class_targets(np.concatenate([as_texts(y) for y in parts]), section["one_hot"], origin.names)


def _divided(
    origin: Origin, section: Mapping[str, Any], labels: ClassTargets | None
) -> tuple[Samples, Samples | None, Samples | None]:
    train, test, seed = origin.samples, origin.test, section["split_seed"]
    names = labels.names if labels else ()

    def halves(samples: Samples, share: float, what: str) -> tuple[Samples, Samples]:
        classes = labels.encode(samples.y) if labels and section["stratify"] else None
        first, second = split(classes, len(samples), share, seed, what, names)
        return samples.take(first), samples.take(second)

    if test is None:
        share = section.get("test_fraction", DEFAULT_TEST_FRACTION)
        train, test = halves(train, share, "test") if share else (train, None)
    elif section.get("test_fraction"):
        raise DataError("The data brings a test part.", fix="Leave out data.test_fraction.")
    validation = None
    if section["validation_fraction"]:
        train, validation = halves(train, section["validation_fraction"], "validation")
    if "train_samples" in section:
        classes = labels.encode(train.y) if labels and section["stratify"] else None
        train = train.take(some(classes, len(train), section["train_samples"], seed))
    return train, validation, test


def _numbers(section: Mapping[str, Any], train: Samples) -> Targets:
    width = 1 if train.y.ndim == 1 else train.y.shape[1]
    names = origins.target_names(section)
    names = names if len(names) == width else [f"target {number}" for number in range(width)]
    return number_targets(train.y, names, section["scale_targets"])


def _inputs(origin: Origin, settings: dict[str, Any], train: Samples) -> Inputs:
    """Fit the preparation of inputs to the training samples, and note in `settings` what was found."""
    if isinstance(train.x, tabular.Table):
        return TableInputs(tabular.TablePreparation.fit(train.x, _table_settings(settings["table"])))
    sample = tuple(int(size) for size in train.x.shape[1:])
    white = origin.white or 1.0
    settings["scale"] = float(settings.get("scale", white))
    shape = tuple(settings.setdefault("reshape", list(sample)))
    if math.prod(shape) != math.prod(sample):
        rule = "data.reshape must hold as many numbers as a sample."
        expected = f"sizes whose product is {math.prod(sample)}, as those of {list(sample)}"
        raise DataError(rule, expected=expected, received=f"{list(shape)}, product {math.prod(shape)}")
    return ArrayInputs(sample, shape, settings["scale"], white)


def _table_settings(section: Mapping[str, Any]) -> tabular.TableSettings:
    """The checked section data.table as the tabular room takes it."""
    plain = dict(section)
    plain["scale"] = plain.pop("scaling")
    return tabular.TableSettings.from_config(plain)
