"""Figures of merit of a classifier on test data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gputrain.errors import DataError
from gputrain.metrics.counting import Counts, Floats, confusion_matrix, roc_auc, shares

WORST = 24
"""How many of the worst samples an assessment names."""

_ROUNDING = 1e-3  # float16 probabilities go this far past 1


@dataclass(frozen=True)
class Mistake:
    """One wrong decision.

    Attributes:
        index: the sample's place in the test data.
        true: index of its class.
        predicted: index of the class that was decided.
        probability: what the model gave to that class.
    """

    index: int
    true: int
    predicted: int
    probability: float


@dataclass(frozen=True)
class ClassifierAssessment:
    """How good the decisions of a classifier are; `assess_classifier` makes it.

    Attributes:
        classes: names of the classes.
        confusion: (C, C) int64, numbers of samples by [true class, predicted class].
        accuracy: share of right decisions.
        balanced_accuracy: mean recall of the classes that occur.
        macro_f1: mean F1 of the classes that occur or are predicted.
        per_class: for each class its name, precision, recall, f1 and support. A ratio of 0 to 0 is 0.
        mistakes: the most confident wrong decisions, worst first, at most 24.
        cost: mean cost of a decision; None without a cost matrix.
        roc_auc: area under the ROC curve, for two classes; NaN when one of them does not occur.
    """

    classes: tuple[str, ...]
    confusion: Counts
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: list[dict[str, Any]]
    mistakes: tuple[Mistake, ...]
    cost: float | None = None
    roc_auc: float | None = None

    @property
    def worst(self) -> Counts:
        """Indices of `mistakes`, to pick the samples: `x_test[assessment.worst]`."""
        return np.array([mistake.index for mistake in self.mistakes], np.int64)

    def metrics(self) -> dict[str, float]:
        """Return the figures for metrics.json.

        These are accuracy, balanced_accuracy and macro_f1; for two classes also roc_auc, and precision and
        recall of the second; and expected_cost where there is a cost matrix.
        """
        figures = {name: getattr(self, name) for name in ("accuracy", "balanced_accuracy", "macro_f1")}
        if self.roc_auc is not None:
            second = {name: self.per_class[1][name] for name in ("precision", "recall")}
            figures |= {"roc_auc": self.roc_auc, **second}
        if self.cost is not None:
            figures["expected_cost"] = self.cost
        return figures

    def worst_rows(self) -> list[dict[str, Any]]:
        """Return `mistakes` in words: sample, true, predicted, probability."""
        return [
            {
                "sample": mistake.index,
                "true": self.classes[mistake.true],
                "predicted": self.classes[mistake.predicted],
                "probability": mistake.probability,
            }
            for mistake in self.mistakes
        ]


def assess_classifier(
    probabilities: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    decided: ArrayLike | None = None,
    cost_matrix: ArrayLike | None = None,
) -> ClassifierAssessment:
    """Compare what a classifier says of test data with the truth.

    Args:
        probabilities: floats (n, C). NaN counts as less than anything.
        labels: the true classes, integers (n,) in 0..C-1.
        classes: the names of the C classes.
        decided: the classes decided for, integers (n,); None decides for the most probable.
        cost_matrix: floats (C, C), the cost of a decision by [true class, decided class].

    Returns:
        The figures. Names and zero divisions are scikit-learn's (precision_recall_fscore_support with
        zero_division=0); the area under the ROC curve is Mann and Whitney's U (1947), ties by halves.

    Raises:
        DataError: shapes, dtypes or values that do not belong together.

    Example:
        >>> assessment = assess_classifier([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1], ["no", "yes"])
        >>> assessment.confusion.tolist(), assessment.balanced_accuracy
        ([[1, 0], [1, 1]], 0.75)
    """
    given = _probabilities(probabilities, classes)
    samples, count = given.shape
    known = np.where(np.isnan(given), -np.inf, given)
    truth = _class_indices(labels, "labels", samples, count)
    chosen = known.argmax(1) if decided is None else _class_indices(decided, "decided", samples, count)
    confusion = confusion_matrix(truth, chosen, count)
    support, of_class = confusion.sum(1), shares(confusion)
    seen = support + confusion.sum(0) > 0
    return ClassifierAssessment(
        classes=tuple(str(name) for name in classes),
        confusion=confusion,
        accuracy=float(np.trace(confusion) / samples),
        balanced_accuracy=float(of_class.recall[support > 0].mean()),
        macro_f1=float(of_class.f1[seen].mean()),
        per_class=[_figures(*row) for row in zip(classes, *of_class, support, strict=True)],
        mistakes=_mistakes(known, truth, chosen),
        cost=None if cost_matrix is None else _mean_cost(confusion, cost_matrix),
        roc_auc=roc_auc(given[:, 1], truth == 1) if count == 2 else None,
    )


def _probabilities(values: ArrayLike, classes: Sequence[str]) -> Floats:
    given = np.asarray(values)
    if given.ndim != 2 or given.shape[1] != len(classes) or not given.size or given.dtype.kind not in "fiu":
        raise DataError(
            "A classifier is assessed by the probability of each class for each sample.",
            expected=f"numbers (n, {len(classes)}) with n of at least 1",
            received=f"{given.dtype} {given.shape}",
            fix="For one sigmoid output p pass np.column_stack([1 - p, p]).",
        )
    given = given.astype(np.float64)
    if np.any((given < -_ROUNDING) | (given > 1 + _ROUNDING)):
        raise DataError(
            "Probabilities lie in 0..1.",
            received=f"values from {np.nanmin(given):.4g} to {np.nanmax(given):.4g}",
            fix="Pass logits through softmax first.",
        )
    return given


def _class_indices(values: ArrayLike, name: str, samples: int, count: int) -> Counts:
    given = np.asarray(values)
    if given.shape != (samples,) or given.dtype.kind not in "biu":
        rule = f"{name} must hold one class index for each sample."
        raise DataError(rule, expected=f"integers ({samples},)", received=f"{given.dtype} {given.shape}")
    outside = given[(given < 0) | (given >= count)] if given.dtype.kind != "b" else given[:0]
    if outside.size:
        rule = f"{name} must be indices of the {count} classes."
        raise DataError(rule, expected=f"0..{count - 1}", received=outside[0])
    return given.astype(np.int64)


def _figures(name: object, precision: float, recall: float, f1: float, support: int) -> dict[str, Any]:
    ratios = {"precision": float(precision), "recall": float(recall), "f1": float(f1)}
    return {"name": str(name), **ratios, "support": int(support)}


def _mistakes(known: Floats, truth: Counts, chosen: Counts) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero(truth != chosen)
    confidence = known[wrong, chosen[wrong]]
    worst = wrong[np.argsort(-confidence, kind="stable")[:WORST]]
    return tuple(Mistake(int(i), int(truth[i]), int(chosen[i]), float(known[i, chosen[i]])) for i in worst)


def _mean_cost(confusion: Counts, cost_matrix: ArrayLike) -> float:
    costs = np.asarray(cost_matrix, np.float64)
    if costs.shape != confusion.shape or not np.isfinite(costs).all():
        raise DataError(
            "cost_matrix gives the cost of each decision, by [true class, decided class].",
            expected=f"finite numbers {confusion.shape}",
            received=f"shape {costs.shape}" if costs.shape != confusion.shape else "NaN or infinity",
        )
    return float(np.sum(confusion * costs) / confusion.sum())
