"""Scores of several outputs, each by sums over the whole epoch: R2, F1 and F-beta."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import suspended
from gputrain.losses.reduction import match_mask, match_weights, safe_divide
from gputrain.losses.shapes import aligned, mask_of, operand, per_sample
from gputrain.metrics.base import Metric, registry
from gputrain.metrics.functions import check_one_of
from gputrain.ops.pointwise import as_float
from gputrain.runtime import Variable

_EXACT = "float64"
_NOTHING = 1e-9  # as in Keras: an output up to this size is no yes, though it be the largest of its row


class _Score(Metric):
    """Base of the scores, whose variables have a number for each output, known with the first batch."""

    _direction = "up"
    totals: tuple[str, ...] = ()

    def __init__(self, name: str | None, dtype: Any) -> None:
        super().__init__(dtype, name)
        self._totals: dict[str, Variable] = {}

    def _rows(self, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Targets, outputs and weights, float64 (N, D); makes the variables where there are none yet.

        Raises:
            ShapeError: outputs that are not (N, D), or targets or weights that do not belong to them.
        """
        what, mask = type(self).__name__, mask_of(y_pred)
        y_true, y_pred = per_sample(*aligned(what, operand(y_true), as_float(operand(y_pred))))
        if y_pred.ndim != 2 or y_pred.shape[1] is None:
            raise ShapeError(explain(f"{what} takes rows.", expected="(N, D)", received=tuple(y_pred.shape)))
        weights = ops.ones_like(y_pred)
        if sample_weight is not None:
            weights = ops.multiply(weights, match_weights(sample_weight, y_pred)[0])
        if mask is not None:
            weights = ops.multiply(weights, match_mask(mask, y_pred))
        self._make_totals(y_pred.shape[1])
        y_true, y_pred, weights = (ops.cast(x, _EXACT) for x in (y_true, y_pred, weights))
        return y_true, y_pred, weights

    def _make_totals(self, size: int) -> None:
        if self._totals:
            return
        with suspended():
            self._totals = {n: self.add_variable((size,), "zeros", _EXACT, name=n) for n in self.totals}

    def _total(self, name: str) -> Any:
        """The value of a total, (D,); before the first batch a single 0."""
        return self._totals[name].value if self._totals else ops.zeros((1,), _EXACT)


@registry.add()
class R2Score(_Score):
    """1 - sum of squared errors / sum of squares around the mean: 1 is perfect, 0 as good as the mean.

    The sums are kept over the whole epoch, so that the batch size does not matter.

    Args:
        class_aggregation: what becomes of several outputs' scores: "uniform_average" (their mean), "sum",
            "variance_weighted_average", or None for a score each.
        num_regressors: how many inputs the outputs depend on, for the adjusted score
            1 - (1 - R2) * (N - 1) / (N - num_regressors - 1); 0 for the plain one. While N, the number of
            samples, does not exceed num_regressors + 1, the score stays plain.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument that is not as above.

    Example:
        >>> round(float(R2Score()([[1], [4], [3]], [[2], [4], [4]])), 4)
        0.5714
    """

    totals = ("count", "mean", "variation", "error")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        ways = (None, "uniform_average", "sum", "variance_weighted_average")
        self.class_aggregation = check_one_of("R2Score: unknown class_aggregation.", class_aggregation, ways)
        if isinstance(num_regressors, bool) or not isinstance(num_regressors, int) or num_regressors < 0:
            rule = "R2Score: num_regressors is a number of inputs."
            raise ValueError(explain(rule, expected="an int, 0 or more", received=repr(num_regressors)))
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), "zeros", _EXACT, name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch.

        Args:
            y_true: (N, D).
            y_pred: (N, D); a mask they carry leaves positions out.
            sample_weight: one number, (N,), (N, 1) or (N, D).

        Raises:
            ShapeError: shapes that do not belong together.

        Source:
            Chan et al. 1979 for the mean and variation of two parts, which large means do not spoil.
        """
        y_true, y_pred, weights = self._rows(y_true, y_pred, sample_weight)
        known, mean = self._totals["count"], self._totals["mean"]
        count = ops.sum(weights, axis=0)
        own_mean = safe_divide(ops.sum(ops.multiply(y_true, weights), axis=0), count)
        variation = ops.sum(ops.multiply(ops.square(ops.subtract(y_true, own_mean)), weights), axis=0)
        share = safe_divide(count, ops.add(known, count))
        step = ops.subtract(own_mean, mean)
        between = ops.multiply(ops.multiply(ops.square(step), known), share)
        error = ops.sum(ops.multiply(ops.square(ops.subtract(y_true, y_pred)), weights), axis=0)
        self._totals["variation"].assign_add(ops.add(variation, between))
        self._totals["error"].assign_add(error)
        mean.assign_add(ops.multiply(step, share))
        known.assign_add(count)
        self.num_samples.assign_add(ops.sum(ops.ones_like(y_true[:, 0])))

    def result(self) -> Any:
        """The score, a scalar; with class_aggregation None one for each output.

        Of constant targets it is 1 where all outputs are right and 0 otherwise, as in scikit-learn.
        """
        self.tell_doubt()
        variation, error, count = (self._total(n) for n in ("variation", "error", "count"))
        varies = ops.greater(variation, 0.0)
        right = ops.logical_and(ops.equal(error, 0.0), ops.greater(count, 0.0))
        plain = ops.subtract(1.0, safe_divide(error, variation))
        scores = ops.where(varies, plain, ops.cast(right, _EXACT))
        return operand(self._adjusted(self._joined(scores, variation)), self.dtype)

    def _doubt_of_result(self) -> str | None:
        if not self._totals:
            return None
        constant = np.flatnonzero(self._totals["variation"].numpy() == 0)
        return (
            f"the targets of outputs {constant[:10].tolist()} are constant, so their score means nothing."
            if len(constant)
            else None
        )

    def _joined(self, scores: Any, variation: Any) -> Any:
        if self.class_aggregation is None:
            return scores
        if self.class_aggregation == "sum":
            return ops.sum(scores)
        if self.class_aggregation == "uniform_average":
            return ops.mean(scores)
        return safe_divide(ops.sum(ops.multiply(scores, variation)), ops.sum(variation))

    def _adjusted(self, score: Any) -> Any:
        if not self.num_regressors:
            return score
        others = ops.subtract(self.num_samples, 1.0)
        left = ops.subtract(others, float(self.num_regressors))
        adjusted = ops.subtract(1.0, safe_divide(ops.multiply(ops.subtract(1.0, score), others), left))
        return ops.where(ops.greater(left, 0.0), adjusted, score)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}


@registry.add()
class FBetaScore(_Score):
    """(1 + beta**2) * precision * recall / (beta**2 * precision + recall), for each class.

    Args:
        average: "micro" (of all classes' counts together), "macro" (mean of the classes' scores),
            "weighted" (mean weighted by how often a class occurs), or None for a score each.
        beta: how much more recall counts than precision, above 0.
        threshold: outputs above it mean yes, 0 < threshold <= 1; None means the largest of each row.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument that is not as above.

    Example:
        >>> score = FBetaScore(average="macro", beta=2.0)
        >>> round(float(score([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])), 4)
        0.6944
    """

    totals = ("true_positives", "false_positives", "false_negatives")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        what = type(self).__name__
        ways = (None, "micro", "macro", "weighted")
        self.average = check_one_of(f"{what}: unknown average.", average, ways)
        self.beta = _positive(f"{what}: beta", beta, float("inf"))
        self.threshold = None if threshold is None else _positive(f"{what}: threshold", threshold, 1.0)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch.

        Args:
            y_true: 0 or 1, (N, C).
            y_pred: probabilities, (N, C); a mask they carry leaves positions out.
            sample_weight: one number, (N,), (N, 1) or (N, C).

        Raises:
            ShapeError: shapes that do not belong together.
        """
        y_true, y_pred, weights = self._rows(y_true, y_pred, sample_weight)
        if self.threshold is None:
            largest = ops.greater_equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
            yes = ops.logical_and(largest, ops.greater(ops.absolute(y_pred), _NOTHING))
        else:
            yes = ops.greater(y_pred, self.threshold)
        ones, taken = ops.multiply(y_true, weights), ops.multiply(ops.cast(yes, _EXACT), weights)
        hits = ops.sum(ops.multiply(taken, y_true), axis=0)
        self._totals["true_positives"].assign_add(hits)
        self._totals["false_positives"].assign_add(ops.subtract(ops.sum(taken, axis=0), hits))
        self._totals["false_negatives"].assign_add(ops.subtract(ops.sum(ones, axis=0), hits))

    def result(self) -> Any:
        """The score, a scalar; with average None one for each class."""
        self.tell_doubt()
        hits, alarms, missed = (self._total(name) for name in self.totals)
        if self.average == "micro":
            hits, alarms, missed = (ops.sum(x) for x in (hits, alarms, missed))
        square = self.beta * self.beta
        wrong = ops.add(alarms, ops.multiply(missed, square))
        weighted_hits = ops.multiply(hits, 1.0 + square)
        scores = safe_divide(weighted_hits, ops.add(weighted_hits, wrong))
        if self.average == "macro":
            scores = ops.mean(scores)
        elif self.average == "weighted":
            ones = ops.add(hits, missed)
            scores = safe_divide(ops.sum(ops.multiply(scores, ones)), ops.sum(ones))
        return operand(scores, self.dtype)

    def _doubt_of_result(self) -> str | None:
        absent = np.flatnonzero(sum(total.numpy() for total in self._totals.values()) == 0)
        if not self._totals or not len(absent):
            return None
        return f"classes {absent[:10].tolist()} are never targets nor outputs; their score 0 means nothing."

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


@registry.add()
class F1Score(FBetaScore):
    """2 * precision * recall / (precision + recall), for each class.

    Args:
        average: "micro", "macro", "weighted" or None; see `FBetaScore`.
        threshold: outputs above it mean yes, 0 < threshold <= 1; None means the largest of each row.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument that is not as above.

    Example:
        >>> score = F1Score(average="micro", threshold=0.5)
        >>> round(float(score([[1], [1], [1], [0]], [[0.9], [0.8], [0.3], [0.6]])), 4)
        0.6667
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        config = super().get_config()
        del config["beta"]
        return config


def _positive(what: str, value: Any, limit: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= limit:
        raise ValueError(explain(f"{what} must be a number, 0 < number <= {limit}.", received=repr(value)))
    return float(value)
