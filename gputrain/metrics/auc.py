"""The area under a curve over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import config, ops
from gputrain.errors import explain
from gputrain.losses.reduction import safe_divide
from gputrain.losses.shapes import operand
from gputrain.metrics.base import registry
from gputrain.metrics.confusion import ConfusionMetric
from gputrain.metrics.functions import check_one_of

CURVES = ("ROC", "PR")
SUMMATIONS = ("interpolation", "minoring", "majoring")


@registry.add()
class AUC(ConfusionMetric):
    """Area under the ROC curve, or under that of precision over recall, by sums over fixed thresholds.

    Args:
        num_thresholds: how many thresholds, at least 2, evenly spaced; more are more exact.
        curve: "ROC" (share of right yeses over that of false alarms) or "PR" (precision over recall).
        summation_method: "interpolation" (trapezoids; for "PR" Davis & Goadrich 2006), "minoring" (the
            lower side of each step) or "majoring" (the upper).
        name, dtype: see `Metric`.
        thresholds: numbers in 0..1, instead of evenly spaced ones; 0 and 1 are added.
        multi_label, num_labels, label_weights: False and None; an area for each label is not offered.
        from_logits: whether the outputs are logits.

    Raises:
        ValueError: an argument that is not as above.

    Example:
        >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
        0.75
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
        if multi_label or num_labels is not None or label_weights is not None:
            rule = "AUC: an area for each label is not offered."
            raise ValueError(explain(rule, fix="Give each label an output and an AUC of its own."))
        self.curve = check_one_of("AUC: unknown curve.", curve, CURVES)
        self.summation_method = check_one_of("AUC: unknown summation_method.", summation_method, SUMMATIONS)
        inner = _evenly(num_thresholds) if thresholds is None else sorted(thresholds)
        super().__init__([0.0, *inner, 1.0], name, dtype)
        self.thresholds = None if thresholds is None else list(thresholds)
        self.num_thresholds, self.from_logits = len(self._limits), bool(from_logits)
        # A little more than 0..1, so that the curve reaches both its ends.
        self._limits = [-config.epsilon(), *self._limits[1:-1], 1.0 + config.epsilon()]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch of targets 0 or 1, (N, ...), outputs of their shape, and weights."""
        super().update_state(y_true, ops.sigmoid(y_pred) if self.from_logits else y_pred, sample_weight)

    def result(self) -> Any:
        """The area, a scalar."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return operand(self._interpolated(), self.dtype)
        recall = safe_divide(self.true_positives.value, self._ones())
        if self.curve == "ROC":
            zeros = ops.add(self.false_positives, self.true_negatives)
            return operand(self._area(safe_divide(self.false_positives.value, zeros), recall), self.dtype)
        precision = safe_divide(self.true_positives.value, self._taken())
        return operand(self._area(recall, precision), self.dtype)

    def _ones(self) -> Any:
        return ops.add(self.true_positives, self.false_negatives)

    def _taken(self) -> Any:
        return ops.add(self.true_positives, self.false_positives)

    def _area(self, x: Any, y: Any) -> Any:
        """Under y over x, both falling with the threshold."""
        left, right = y[:-1], y[1:]
        heights = {
            "interpolation": ops.multiply(ops.add(left, right), 0.5),
            "minoring": ops.minimum(left, right),
            "majoring": ops.maximum(left, right),
        }[self.summation_method]
        return ops.sum(ops.multiply(ops.subtract(x[:-1], x[1:]), heights))

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
        return ops.sum(safe_divide(gain, ones[1:]))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": False,
            "num_labels": None,
            "label_weights": None,
            "from_logits": self.from_logits,
        }


def _evenly(count: Any) -> list[float]:
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise ValueError(explain("AUC: num_thresholds must be an int of at least 2.", received=repr(count)))
    return [i / (count - 1) for i in range(1, count - 1)]
