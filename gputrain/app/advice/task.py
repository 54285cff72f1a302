"""What is learned: classes or numbers, and how good a constant prediction would be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gputrain import losses

MOST_CLASSES = 100_000
LEAST_BASELINE = 1e-12  # a target that is the same everywhere gives nothing to compare with
_CROSSENTROPIES = (
    losses.BinaryCrossentropy, losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy,
)  # fmt: skip
_MEANS = ("sum_over_batch_size", "mean")  # what the loss of an epoch is the mean of; a sum goes by the batch


@dataclass(frozen=True)
class Task:
    """Facts about the target.

    Attributes:
        labels: class of each sample, (N,); None unless there is one class per sample.
        counts: samples of each class, (classes,).
        baseline: the least loss of a prediction that is the same for all samples; None if not known.
        threshold: outputs of one number above it mean class 1.
        spread: root mean square of numbers to predict; None for classes.
        class_names: what the classes are called.
    """

    labels: np.ndarray | None = None
    counts: np.ndarray | None = None
    baseline: float | None = None
    threshold: float = 0.5
    spread: float | None = None
    class_names: tuple[str, ...] = ()

    @property
    def largest_share(self) -> float | None:
        """Share of the most frequent class: the accuracy of predicting it always."""
        return None if self.counts is None else float(self.counts.max() / self.counts.sum())

    def names_of(self, classes: Iterable[int]) -> list[str]:
        """What classes are called in sentences."""
        return [repr(self.class_names[c]) if c < len(self.class_names) else str(c) for c in classes]


def task_of(loss: Any, y: np.ndarray | None, class_names: Sequence[str] | None = None) -> Task:
    """Read the task from a resolved loss and the targets of a model with one output.

    Args:
        loss: a `losses.Loss`, or anything else, of which nothing is known.
        y: targets, (N,), (N, 1) or (N, outputs); None if not known.
        class_names: what the classes are called.

    Returns:
        the task; without baseline where the loss is none of those below.

    Source:
        The best constant prediction: class shares, with their entropy as crossentropy; the mean, with the
        variance as squared error; the median, with the mean absolute deviation from it as absolute error.

    Example:
        >>> task_of(losses.MeanSquaredError(), numpy.array([0.0, 2.0])).baseline
        1.0
    """
    if y is None or y.size == 0:
        return Task()
    task = _task_of(loss, y.reshape(len(y), -1), class_names)
    compares = getattr(loss, "reduction", None) in _MEANS and (task.baseline or 0.0) > LEAST_BASELINE
    return task if compares else replace(task, baseline=None)


def _task_of(loss: Any, y: np.ndarray, class_names: Sequence[str] | None) -> Task:
    if isinstance(loss, losses.MeanSquaredError | losses.MeanAbsoluteError):
        absolute, y = isinstance(loss, losses.MeanAbsoluteError), y.astype(np.float64)
        error = np.abs(y - np.median(y, axis=0)).mean() if absolute else y.var(axis=0).mean()
        return Task(baseline=float(error), spread=float(np.sqrt(np.mean(y**2))))
    if isinstance(loss, losses.BinaryCrossentropy) and y.shape[1] > 1:
        entropies = [_entropy(np.array([ones, 1.0 - ones])) for ones in (y > 0.5).mean(0)]
        return Task(baseline=float(np.mean(entropies)))
    labels = _labels(loss, y)
    if labels is None:
        return Task()
    counts = np.bincount(labels)
    threshold = 0.0 if getattr(loss, "from_logits", False) else 0.5
    baseline = _entropy(counts / counts.sum())
    return Task(labels, counts, baseline, threshold, class_names=tuple(map(str, class_names or ())))


def _labels(loss: Any, y: np.ndarray) -> np.ndarray | None:
    """Class of each sample, given by a number or by a one-hot row."""
    if not isinstance(loss, _CROSSENTROPIES):
        return None
    if y.shape[1] > 1:
        return np.asarray(y.argmax(1)) if loss.target_kind == "one-hot" else None
    flat = y[:, 0]
    ignores = getattr(loss, "ignore_class", None) is not None
    if ignores or (flat != np.floor(flat)).any() or flat.min() < 0 or flat.max() >= MOST_CLASSES:
        return None
    return flat.astype(np.int64)


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
