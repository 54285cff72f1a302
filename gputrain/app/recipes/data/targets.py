"""What is to be predicted: classes or numbers, and how they are told to the loss and to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.tabular import Labels
from gputrain.errors import DataError
from gputrain.utils.plain import Described

Array = NDArray[Any]


@dataclass(frozen=True)
class ClassTargets(Described):
    """Classes, numbered from 0.

    Attributes:
        labels: the classes as they stand in the data.
        names: what each is called, for people.
        one_hot: whether the loss gets rows of zeros and a one.
    """

    kind = "classes"
    labels: Labels
    names: tuple[str, ...]
    one_hot: bool = False

    @property
    def outputs(self) -> int:
        """How many outputs a model of these targets has: the number of classes."""
        return len(self.names)

    def encode(self, raw: Array) -> Array:
        """Return class numbers, int64 (n,), of the labels as they stand in the data.

        Raises:
            DataError: a label that is no class.
        """
        return self.labels.encode(as_texts(raw))

    def for_loss(self, numbers: Array) -> Array:
        """Return what `fit` gets for class numbers: themselves, or one-hot rows, float32 (n, classes)."""
        return np.eye(self.outputs, dtype=np.float32)[numbers] if self.one_hot else numbers


@dataclass(frozen=True)
class NumberTargets(Described):
    """Numbers, scaled to mean 0 and deviation 1 for the loss unless mean is 0 and deviation 1.

    Attributes:
        names: what each is called.
        mean, deviation: float64 (k,), of the training samples.
    """

    kind = "numbers"
    names: tuple[str, ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @property
    def outputs(self) -> int:
        """How many outputs a model of these targets has."""
        return len(self.names)

    def encode(self, raw: Array) -> NDArray[np.float64]:
        """Return the numbers as they stand in the data, float64 (n, k).

        Raises:
            DataError: a target that is no finite number.
        """
        return as_numbers(raw, self.names)

    def for_loss(self, numbers: Array) -> NDArray[np.float32]:
        """Return what `fit` gets: scaled numbers, float32 (n, k)."""
        return ((numbers - self.mean) / self.deviation).astype(np.float32)

    def decode(self, outputs: Array) -> NDArray[np.float64]:
        """Return a model's outputs in the units of the data, float64 (n, k)."""
        return outputs.reshape(len(outputs), -1).astype(np.float64) * self.deviation + self.mean


Targets = ClassTargets | NumberTargets


def class_targets(raw: Array, one_hot: bool, names: Sequence[str] | None = None) -> ClassTargets:
    """Return the classes that stand in `raw`, labels of all samples.

    Args:
        raw: labels: text or whole numbers, shape (n,).
        one_hot: as in ClassTargets.
        names: what the labels 0, 1 ... are called; None takes them as they are.

    Raises:
        DataError: there are not two classes.
    """
    labels = Labels.fit(as_texts(raw) if names is None else as_texts(np.arange(len(names))))
    if len(labels.classes) < 2:
        received = f"the class {labels.classes[0]!r} alone" if labels.classes else "no sample"
        fix = 'Is data.target the right one? For numbers to predict take loss = "mse".'
        raise DataError("A classifier needs at least two classes.", received=received, fix=fix)
    return ClassTargets(labels, tuple(names or labels.classes), one_hot)


def number_targets(raw: Array, names: Sequence[str], scaled: bool) -> NumberTargets:
    """Return the targets that the training samples `raw`, (n,) or (n, k), give.

    Raises:
        DataError: a target that is no finite number.
    """
    numbers = as_numbers(raw, names)
    if not scaled:
        return NumberTargets(tuple(names), np.zeros(len(names)), np.ones(len(names)))
    deviation = numbers.std(axis=0)
    return NumberTargets(tuple(names), numbers.mean(axis=0), np.where(deviation > 0, deviation, 1.0))


def as_texts(raw: Array) -> NDArray[np.object_]:
    """Return labels as text, whole numbers without a decimal point.

    Raises:
        DataError: numbers that are not whole, or more than one label a sample.
    """
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim != 1:
        rule = "A classifier has one label for each sample."
        raise DataError(rule, expected="shape (n,)", received=f"shape {raw.shape}")
    if raw.dtype.kind == "f":
        whole = np.isfinite(raw) & (np.floor(raw) == raw)
        if not whole.all():
            bad = int(np.flatnonzero(~whole)[0])
            received = f"{raw[bad]} as target {bad}"
            fix = 'For numbers to predict take a loss for them, as loss = "mse".'
            raise DataError("Classes are text or whole numbers.", received=received, fix=fix)
        raw = raw.astype(np.int64)
    return np.array([str(label) for label in raw.tolist()], dtype=object)


def as_numbers(raw: Array, names: Sequence[str]) -> NDArray[np.float64]:
    """Return targets as float64 (n, k).

    Raises:
        DataError: one is no finite number; the message says which.
    """
    table = raw.reshape(len(raw), -1)
    try:
        numbers = table.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.array([[_number(cell) for cell in row] for row in table.tolist()])
    numbers = numbers.reshape(len(raw), -1)
    if not np.isfinite(numbers).all():
        row, column = np.argwhere(~np.isfinite(numbers))[0]
        raise DataError(
            "A target to predict must be a finite number.",
            received=f"{table[row, column]!r} in {names[column]!r}, sample {row} (counted from 0)",
            fix="Correct or remove the sample; for classes take a loss for them, as "
            '"sparse_categorical_crossentropy".',
        )
    return numbers


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def targets_from_config(config: Mapping[str, Any]) -> Targets:
    """Return what `to_config` described.

    Raises:
        ValueError, TypeError, KeyError: it is no such description.
    """
    if config["kind"] == "classes":
        labels = Labels.from_config(config["labels"])
        names = tuple(str(name) for name in config["names"])
        if len(names) != len(labels.classes) or len(names) < 2:
            raise ValueError("as many names as classes, at least two")
        return ClassTargets(labels, names, bool(config["one_hot"]))
    if config["kind"] != "numbers":
        raise ValueError("kind must be 'classes' or 'numbers'")
    names = tuple(str(name) for name in config["names"])
    mean, deviation = (np.asarray(config[key], dtype=np.float64) for key in ("mean", "deviation"))
    if not (mean.shape == deviation.shape == (len(names),)) or not np.isfinite(mean).all():
        raise ValueError("a finite mean and deviation for each name")
    if not (np.isfinite(deviation) & (deviation > 0)).all():
        raise ValueError("deviations above 0")
    return NumberTargets(names, mean, deviation)
