"""Counts of right and wrong yes-or-no outputs, and the shares made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import normalize_axis
from gputrain.losses.reduction import match_mask, match_weights, safe_divide
from gputrain.losses.shapes import aligned, mask_of, operand
from gputrain.metrics.base import Metric, registry
from gputrain.metrics.functions import check_k
from gputrain.ops.pointwise import as_float
from gputrain.utils.signatures import check_settings

_EXACT = "float64"
Thresholds = float | Sequence[float] | None


class ConfusionMetric(Metric):
    """Base of the metrics that count outputs above thresholds.

    Args:
        thresholds: outputs above it mean yes; one number, or several for a result each. 0..1.
        name, dtype: see `Metric`.
        top_k: outputs that are not among the k largest of their row mean no.
        class_id: only this class counts, a position along the last axis.

    Attributes:
        thresholds: those that count, as a list.
        init_thresholds: those that were given.

    Raises:
        ValueError: a threshold outside 0..1, or a top_k that is not a positive int.
    """

    _direction = "up"

    def __init__(
        self,
        thresholds: Thresholds = None,
        name: str | None = None,
        dtype: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(dtype, name)
        self.init_thresholds = thresholds
        self.top_k = None if top_k is None else check_k(top_k)
        check_settings(type(self).__name__, {"class_id": class_id})
        self.class_id = class_id
        lowest = 0.5 if top_k is None else -np.inf
        self.thresholds = _limits(type(self).__name__, lowest if thresholds is None else thresholds)
        self._make_counts()

    def _make_counts(self, *axes: int) -> None:
        """The counts of each threshold, (thresholds, *axes)."""
        shape = (len(self.thresholds), *axes)
        self.true_positives = self.add_variable(shape, "zeros", _EXACT, name="true_positives")
        self.true_negatives = self.add_variable(shape, "zeros", _EXACT, name="true_negatives")
        self.false_positives = self.add_variable(shape, "zeros", _EXACT, name="false_positives")
        self.false_negatives = self.add_variable(shape, "zeros", _EXACT, name="false_negatives")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch.

        Args:
            y_true: 0 or 1, (N, ...).
            y_pred: probabilities, (N, ...); a mask they carry leaves positions out.
            sample_weight: one number, (N,), (N, 1) or what broadcasts to the outputs.

        Raises:
            ShapeError: shapes that do not belong together.
        """
        mask = mask_of(y_pred)
        y_true, y_pred = aligned(type(self).__name__, operand(y_true), as_float(operand(y_pred)))
        weights = self._own_weights(y_pred)
        if sample_weight is not None:
            weights = ops.multiply(weights, match_weights(sample_weight, y_pred)[0])
        if mask is not None:
            weights = ops.multiply(weights, match_mask(mask, y_pred))
        scores = y_pred if self.top_k is None else _largest(y_pred, self.top_k)
        self._count(*(self._row(x) for x in (y_true, scores, weights)))

    def _own_weights(self, y_pred: Any) -> Any:
        """The weight of each output before those of the samples, in the shape of the outputs."""
        return ops.ones_like(y_pred)

    def _row(self, x: Any) -> Any:
        """The numbers that count, as one row (1, M)."""
        if self.class_id is not None:
            place = normalize_axis(self.class_id, x.shape[-1], f"{type(self).__name__}: class_id")
            x = x[..., place]
        return ops.reshape(x, (1, -1))

    def _count(self, y_true: Any, scores: Any, weights: Any) -> None:
        """Add a batch of rows (1, M) to the counts of all thresholds; of (1, N, L) each label's apart."""
        limits = np.asarray(self.thresholds, scores.dtype).reshape(-1, *[1] * (scores.ndim - 1))
        weights = ops.cast(weights, _EXACT)
        true = ops.multiply(ops.cast(ops.cast(y_true, "bool"), _EXACT), weights)
        false = ops.subtract(weights, true)
        yes = ops.cast(ops.greater(scores, limits), _EXACT)  # (thresholds, M)
        hits, alarms = (ops.sum(ops.multiply(yes, part), axis=1) for part in (true, false))
        self.true_positives.assign_add(hits)
        self.false_positives.assign_add(alarms)
        self.false_negatives.assign_add(ops.subtract(ops.sum(true, axis=1), hits))
        self.true_negatives.assign_add(ops.subtract(ops.sum(false, axis=1), alarms))

    def _result(self, values: Any) -> Any:
        """One number for one threshold, else one for each."""
        return operand(values[0] if len(self.thresholds) == 1 else values, self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


def _limits(what: str, thresholds: Any) -> list[float]:
    """The thresholds as a list."""
    several = isinstance(thresholds, list | tuple | np.ndarray)
    limits = [float(t) for t in thresholds] if several else [float(thresholds)]
    if not limits or not all(0 <= t <= 1 or t == -np.inf for t in limits):
        rule = f"{what}: a threshold of probabilities lies in 0..1."
        raise ValueError(explain(rule, received=repr(thresholds)))
    return limits


def _largest(scores: Any, k: int) -> Any:
    """Scores (..., C), minus infinity where they are not among the k largest; of equal ones the first are."""
    mine, others = ops.expand_dims(scores, -1), ops.expand_dims(scores, -2)
    earlier = np.tri(scores.shape[-1], k=-1, dtype=bool)  # of i and j, whether j comes first
    ahead = ops.logical_or(ops.greater(others, mine), ops.logical_and(ops.equal(others, mine), earlier))
    rank = ops.sum(ops.cast(ahead, "int32"), axis=-1)
    return ops.where(ops.less(rank, k), scores, -np.inf)


class _Count(ConfusionMetric):
    """One of the four counts."""

    def __init__(self, thresholds: Thresholds = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, name, dtype)


@registry.add()
class TruePositives(_Count):
    """How many ones are taken for ones.

    Args:
        thresholds: outputs above it mean 1; one number, or several for a result each; None means 0.5.
        name, dtype: see `Metric`.

    Example:
        >>> float(TruePositives()([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7]))
        2.0
    """

    def result(self) -> Any:
        """The count, a scalar, or one for each threshold."""
        return self._result(self.true_positives.value)


@registry.add()
class TrueNegatives(_Count):
    """How many zeros are taken for zeros; arguments as in `TruePositives`.

    Example:
        >>> float(TrueNegatives()([0, 0, 1, 1], [0.9, 0.2, 0.8, 0.7]))
        1.0
    """

    def result(self) -> Any:
        """The count, a scalar, or one for each threshold."""
        return self._result(self.true_negatives.value)


@registry.add()
class FalsePositives(_Count):
    """How many zeros are taken for ones; arguments as in `TruePositives`.

    Example:
        >>> float(FalsePositives()([0, 0, 1, 1], [0.9, 0.2, 0.8, 0.7]))
        1.0
    """

    _direction = "down"

    def result(self) -> Any:
        """The count, a scalar, or one for each threshold."""
        return self._result(self.false_positives.value)


@registry.add()
class FalseNegatives(_Count):
    """How many ones are taken for zeros; arguments as in `TruePositives`.

    Example:
        >>> float(FalseNegatives()([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7]))
        1.0
    """

    _direction = "down"

    def result(self) -> Any:
        """The count, a scalar, or one for each threshold."""
        return self._result(self.false_negatives.value)


class _Share(ConfusionMetric):
    """A share of right answers."""

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k, class_id)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "top_k": self.top_k, "class_id": self.class_id}


@registry.add()
class Precision(_Share):
    """How many of the outputs taken for 1 are 1; 0 where none is.

    Args:
        thresholds: outputs above it mean 1; one number, or several for a result each; None means 0.5.
        top_k: outputs that are not among the k largest of their row mean 0; then None means no threshold.
        class_id: only this class counts, a position along the last axis.
        name, dtype: see `Metric`.

    Example:
        >>> round(float(Precision()([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7])), 4)
        0.6667
    """

    def result(self) -> Any:
        """The share, a scalar, or one for each threshold."""
        self.tell_doubt()
        taken = ops.add(self.true_positives, self.false_positives)
        return self._result(safe_divide(self.true_positives.value, taken))

    def _doubt_of_result(self) -> str | None:
        taken = self.true_positives.numpy() + self.false_positives.numpy()
        return None if taken.all() else "no outputs lie above a threshold; its value 0 means nothing there."


@registry.add()
class Recall(_Share):
    """How many of the ones are taken for 1; 0 where there are none. Arguments as in `Precision`.

    Example:
        >>> float(Recall()([0, 1, 1, 1, 1], [0.9, 0.2, 0.8, 0.7, 0.6]))
        0.75
    """

    def result(self) -> Any:
        """The share, a scalar, or one for each threshold."""
        self.tell_doubt()
        ones = ops.add(self.true_positives, self.false_negatives)
        return self._result(safe_divide(self.true_positives.value, ones))

    def _doubt_of_result(self) -> str | None:
        ones = self.true_positives.numpy() + self.false_negatives.numpy()
        return None if ones[0] else "no targets are 1, so its value 0 means nothing."
