"""The area under a curve over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import config, ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import suspended
from gputrain.losses.reduction import safe_divide
from gputrain.losses.shapes import operand
from gputrain.metrics.base import registry
from gputrain.metrics.confusion import ConfusionMetric
from gputrain.metrics.functions import check_one_of
from gputrain.ops.pointwise import as_float, dtype_of
from gputrain.utils import budget
from gputrain.utils.signatures import check_settings

CURVES = ("ROC", "PR", "PRGAIN")
SUMMATIONS = ("interpolation", "minoring", "majoring")


@registry.add()
class AUC(ConfusionMetric):
    """Area under the ROC curve, or under that of precision over recall, by sums over fixed thresholds.

    Where all targets are of one kind there is no curve; a note says so, as the area means nothing.

    Args:
        num_thresholds: how many thresholds, at least 2, evenly spaced; more are more exact.
        curve: "ROC" (share of right yeses over that of false alarms), "PR" (precision over recall) or
            "PRGAIN" (what both gain over taking all for ones; Flach & Kull 2015).
        summation_method: "interpolation" (trapezoids; for "PR" Davis & Goadrich 2006), "minoring" (the
            lower side of each step) or "majoring" (the upper).
        name, dtype: see `Metric`.
        thresholds: numbers in 0..1, instead of evenly spaced ones; 0 and 1 are added.
        multi_label: whether each column of (N, L) has an area of its own, of which the mean is taken.
        num_labels: L, with multi_label; default that of the first batch.
        label_weights: L numbers, 0 or more: of the areas in the mean with multi_label, else of columns.
        from_logits: whether the outputs are logits.

    Raises:
        ValueError: an argument that is not as above.

    Example:
        >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
        0.75
        >>> float(AUC(multi_label=True)([[0, 1], [1, 0]], [[0.2, 0.3], [0.8, 0.6]]))
        0.5
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        self.curve = check_one_of("AUC: unknown curve.", str(curve).upper(), CURVES)
        method = str(summation_method).lower()
        self.summation_method = check_one_of("AUC: unknown summation_method.", method, SUMMATIONS)
        check_settings("AUC", {"multi_label": multi_label, "from_logits": from_logits})
        self.multi_label, self.from_logits = bool(multi_label), bool(from_logits)
        self.num_labels = _label_count(num_labels, self.multi_label)
        self.label_weights = None if label_weights is None else _label_weights(label_weights, num_labels)
        inner = _evenly(num_thresholds) if thresholds is None else sorted(thresholds)
        super().__init__([0.0, *inner, 1.0], name, dtype)
        self.init_thresholds = None if thresholds is None else list(thresholds)
        self.num_thresholds = len(self.thresholds)
        # A little more than 0..1, so that the curve reaches both its ends.
        self.thresholds = [-config.epsilon(), *self.thresholds[1:-1], 1.0 + config.epsilon()]
        if self.num_labels is not None:
            self._make_counts(self.num_labels)

    def _make_counts(self, *labels: int) -> None:
        """Counts (thresholds,), or (thresholds, L) once the number of labels is known."""
        if labels or not self.multi_label:
            super()._make_counts(*labels)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch of targets 0 or 1, (N, ...), outputs of their shape, and weights.

        With evenly spaced thresholds, outputs below 0 count as 0 and those above 1 as 1.

        Raises:
            ShapeError: shapes that do not belong together; other than (N, L) where labels count.
        """
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        if self.init_thresholds is None:
            y_pred = ops.clip(as_float(y_pred), 0.0, 1.0)
        super().update_state(y_true, y_pred, sample_weight)

    def _own_weights(self, y_pred: Any) -> Any:
        """Ones, or the weights of the labels where these count as columns."""
        ones = super()._own_weights(y_pred)
        if not self.multi_label and self.label_weights is None:
            return ones
        labels = self.num_labels if self.label_weights is None else len(self.label_weights)
        if y_pred.ndim != 2 or labels not in (None, y_pred.shape[1]):
            rule = "AUC: outputs must have a column for each label."
            expected = f"(N, {'L' if labels is None else labels})"
            raise ShapeError(explain(rule, expected=expected, received=tuple(y_pred.shape)))
        if not self.multi_label:
            return ops.multiply(ones, np.asarray(self.label_weights, dtype_of(ones)))
        if not self._variables:
            with suspended():
                self._make_counts(y_pred.shape[1])
        return ones

    def _row(self, x: Any) -> Any:
        """The numbers that count: one row (1, M), or one for each sample, (1, N, L)."""
        return ops.expand_dims(x, 0) if self.multi_label else super()._row(x)

    def result(self) -> Any:
        """The area, a scalar."""
        self.tell_doubt()
        if not self._variables:
            return operand(0.0, self.dtype)
        areas = self._interpolated() if self._is_interpolated_pr() else self._area(*self._curve())
        return operand(self._joined(areas), self.dtype)

    def _is_interpolated_pr(self) -> bool:
        return self.curve == "PR" and self.summation_method == "interpolation"

    def _joined(self, areas: Any) -> Any:
        """One area from those of the labels, (L,), or from one that is a scalar already."""
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = np.asarray(self.label_weights, dtype_of(areas))
        return safe_divide(ops.sum(ops.multiply(areas, weights)), ops.sum(weights))

    def _ones(self) -> Any:
        return ops.add(self.true_positives, self.false_negatives)

    def _zeros(self) -> Any:
        return ops.add(self.false_positives, self.true_negatives)

    def _taken(self) -> Any:
        return ops.add(self.true_positives, self.false_positives)

    def _curve(self) -> tuple[Any, Any]:
        """x and y of each threshold, (thresholds,) or (thresholds, L); x falls with the threshold."""
        hits = self.true_positives.value
        recall = safe_divide(hits, self._ones())
        if self.curve == "ROC":
            return safe_divide(self.false_positives.value, self._zeros()), recall
        if self.curve == "PR":
            return recall, safe_divide(hits, self._taken())
        odds, none = safe_divide(self._ones(), self._zeros()), ops.equal(hits, 0.0)
        gains = (
            ops.subtract(1.0, ops.multiply(odds, safe_divide(wrong.value, hits)))
            for wrong in (self.false_negatives, self.false_positives)
        )
        recall_gain, precision_gain = (
            ops.where(none, alone, gain) for alone, gain in zip((0.0, 1.0), gains, strict=True)
        )
        return ops.maximum(recall_gain, 0.0), precision_gain

    def _area(self, x: Any, y: Any) -> Any:
        """Under y over x, a scalar or (L,)."""
        left, right = y[:-1], y[1:]
        heights = {
            "interpolation": ops.multiply(ops.add(left, right), 0.5),
            "minoring": ops.minimum(left, right),
            "majoring": ops.maximum(left, right),
        }[self.summation_method]
        return ops.sum(ops.multiply(ops.subtract(x[:-1], x[1:]), heights), axis=0)

    def _interpolated(self) -> Any:
        """Precision over recall, the true positives between two thresholds a straight line in all positives.

        Source:
            Davis & Goadrich 2006, The Relationship Between Precision-Recall and ROC Curves.
        """
        hits, taken, ones = self.true_positives.value, self._taken(), self._ones()
        steps = ops.subtract(hits[:-1], hits[1:])
        slope = safe_divide(steps, ops.subtract(taken[:-1], taken[1:]))
        start = ops.subtract(hits[1:], ops.multiply(slope, taken[1:]))
        both = ops.logical_and(ops.greater(taken[:-1], 0.0), ops.greater(taken[1:], 0.0))
        ratio = ops.where(both, safe_divide(taken[:-1], taken[1:]), 1.0)
        gain = ops.multiply(slope, ops.add(steps, ops.multiply(start, ops.log(ratio))))
        return ops.sum(safe_divide(gain, ones[1:]), axis=0)

    def _doubt_of_result(self) -> str | None:
        if not self._variables:
            return "nothing was counted, so its area 0 means nothing."
        lacking = {
            f"are {kind}": np.atleast_1d((right.numpy() + wrong.numpy())[0] == 0)
            for kind, right, wrong in (
                (1, self.true_positives, self.false_negatives),
                (0, self.false_positives, self.true_negatives),
            )
        }
        if self.curve == "PR":
            del lacking["are 0"]
        found = [
            f"no targets{_of_labels(where) if self.multi_label else ''} {what}"
            for what, where in lacking.items()
            if where.any()
        ]
        if not found:
            return None
        return (
            f"{' and '.join(found)}, so there is no {self.curve} curve and the area, counted as 0.0, means "
            "nothing. Evaluate more data at once, and shuffle it, or stratify the split."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }


def _of_labels(where: np.ndarray) -> str:
    places = np.flatnonzero(where)
    return f" of label {places[0]}" if len(places) == 1 else f" of labels {places[:10].tolist()}"


def _evenly(count: Any) -> list[float]:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 2:
        raise ValueError(explain("AUC: num_thresholds must be an int of at least 2.", received=repr(count)))
    budget.pass_by("AUC: num_thresholds", (int(count),), "float64")
    return [i / (int(count) - 1) for i in range(1, int(count) - 1)]


def _label_count(count: Any, multi_label: bool) -> int | None:
    if count is None:
        return None
    if not multi_label:
        rule = "AUC: num_labels goes with multi_label=True."
        raise ValueError(explain(rule, received=f"num_labels={count!r}"))
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(explain("AUC: num_labels must be a positive int.", received=repr(count)))
    return int(count)


def _label_weights(given: Any, count: int | None) -> list[float]:
    weights = np.asarray(given, "float64")
    known = weights.size if count is None else count
    if weights.shape != (known,) or not np.isfinite(weights).all() or (weights < 0).any():
        rule = "AUC: label_weights must hold a number for each label, none of them negative."
        raise ValueError(explain(rule, expected=f"{known} numbers", received=repr(given)))
    return [float(w) for w in weights]
