"""Sums and means over an epoch, which most metrics are.

Totals and counts are float64, so that the value of an epoch does not depend on how it was cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from gputrain import ops
from gputrain.errors import explain
from gputrain.losses.reduction import both, match_mask, match_weights, safe_divide
from gputrain.losses.shapes import AVERAGING, mask_of, note_own, operand, per_sample
from gputrain.metrics.base import Metric, registry
from gputrain.metrics.functions import direction_of_function
from gputrain.metrics.functions import registry as functions
from gputrain.ops.pointwise import as_float
from gputrain.utils.signatures import init_of

_EXACT = "float64"


def _each(values: Any) -> Any:
    """Mean over all axes but the first, in float64: one number for each sample, or a scalar for a scalar."""
    rows = ops.mean(values, axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values
    return ops.cast(rows, _EXACT)


def _samplewise(values: Any, weights: Any) -> tuple[Any, Any]:
    """Weighted values and weights, (N,) each, the other axes averaged.

    Args:
        values: floats (N, ...).
        weights: as `match_weights` gives them; None means 1. One number is the weight of the whole batch.
    """
    if weights is None:
        rows = _each(values)
        return rows, ops.ones_like(rows)
    if weights.ndim == 0 and values.ndim:
        weight = ops.cast(weights, _EXACT)
        return ops.multiply(ops.mean(_each(values)), weight), weight
    if weights.shape[:1] != values.shape[:1]:
        weights = ops.broadcast_to(weights, values.shape)
    return _each(ops.multiply(values, weights)), _each(weights)


def _is_ours(function: Any) -> bool:
    """Whether a function brings targets and outputs together itself, as those of this package do."""
    inner = getattr(function, "func", function)  # of functools.partial
    return (getattr(inner, "__module__", None) or "").startswith("gputrain.")


@registry.add()
class Sum(Metric):
    """Weighted sum of all that came.

    Example:
        >>> metric = Sum()
        >>> metric.update_state([1, 3, 5, 7])
        >>> float(metric.result())
        16.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", _EXACT, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add the values, (N, ...), each times its weight: a number, (N,), (N, 1) or (N, ...)."""
        values = as_float(values)
        weights = None
        if sample_weight is not None:
            weights, values = match_weights(sample_weight, values)
        weighted = values if weights is None else ops.multiply(values, weights)
        self.total.assign_add(ops.sum(ops.cast(weighted, _EXACT)))

    def result(self) -> Any:
        """The sum, a scalar."""
        return operand(self.total.value, self.dtype)


@registry.add()
class Mean(Metric):
    """Weighted mean of what came: sum(weight * value) / sum(weight); 0 before anything came.

    Example:
        >>> metric = Mean()
        >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        >>> float(metric.result())
        2.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", _EXACT, name="total")
        self.count = self.add_variable((), "zeros", _EXACT, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take in values, (N, ...), with weights, (N,), (N, 1) or (N, ...); a number weighs the batch."""
        values = as_float(values)
        weights = None
        if sample_weight is not None:
            weights, values = match_weights(sample_weight, values)
        self._gather(values, weights)

    def _gather(self, values: Any, weights: Any) -> None:
        rows, weights = _samplewise(values, weights)
        self.total.assign_add(ops.sum(rows))
        self.count.assign_add(ops.sum(weights))

    def result(self) -> Any:
        """The mean, a scalar."""
        self.tell_doubt()
        return operand(safe_divide(self.total.value, self.count.value), self.dtype)


@registry.add()
class MeanMetricWrapper(Mean):
    """Mean of a function of targets and outputs.

    Args:
        fn: function (y_true, y_pred) -> values (N, ...), or a loss.
        name: default "mean_metric_wrapper".
        dtype: see `Metric`.
        kwargs: passed to `fn` at each call.

    Example:
        >>> metric = MeanMetricWrapper(losses.mean_squared_error)
        >>> float(metric([[0.0], [0.0]], [[1.0], [3.0]]))
        5.0
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        if not callable(fn):
            raise TypeError(
                explain("A metric function is a callable (y_true, y_pred) -> values.", received=repr(fn))
            )
        super().__init__(name, dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        self._direction = self._direction or direction_of_function(fn)

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Take in a batch.

        Args:
            y_true: targets, (N, ...).
            y_pred: outputs, (N, ...); a mask they carry leaves positions out.
            sample_weight: one number, (N,), (N, 1) or what broadcasts to the values of the function.

        Raises:
            ShapeError: shapes that do not belong together.
        """
        mask = mask_of(y_pred)
        y_true, y_pred = operand(y_true), operand(y_pred)
        if self._fn in AVERAGING:
            y_true, y_pred = per_sample(y_true, y_pred)
        elif not _is_ours(self._fn):
            note_own(self.name, y_true, y_pred)
        values = as_float(self._fn(y_true, y_pred, **self._fn_kwargs))
        weights = None
        if sample_weight is not None:
            weights, values = match_weights(sample_weight, values)
        if mask is not None:
            weights = both(weights, match_mask(mask, values))
        counted = self.target_mask(y_true, y_pred)
        if counted is not None:
            weights = both(weights, match_mask(counted, values))
        self._gather(values, weights)

    def _doubt_of_result(self) -> str | None:
        return None if self.count.numpy() else "nothing was counted, so its value 0 means nothing."

    def target_mask(self, y_true: Any, y_pred: Any) -> Any:
        """True where a target counts, of the values' shape; None where all do."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data, `fn` by its name."""
        own = type(self) is MeanMetricWrapper
        return {
            **super().get_config(),
            **({"fn": functions.serialize(self._fn)} if own else {}),
            **self._fn_kwargs,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return a new metric whose `get_config` gave `config`."""
        return cls(**{key: functions.get(value) if key == "fn" else value for key, value in config.items()})


class FunctionMetric(MeanMetricWrapper):
    """Base of the metrics that are the mean of one function."""

    def __init_subclass__(
        cls, function: Callable[..., Any] | None = None, name: str = "", order: Sequence[str] = ()
    ) -> None:
        """Make the constructor: its arguments are those of the function, then those of a metric.

        Args:
            function: f(y_true, y_pred, **settings) -> values; None in a class that adds to another one.
            name: default name of the metric; default the function's.
            order: names of the arguments that it takes, in order.
        """
        if function is not None:
            cls._direction = vars(cls).get("_direction") or direction_of_function(function)
            cls.__init__ = init_of(cls, MeanMetricWrapper, function, name, order)  # type: ignore[method-assign]

    if TYPE_CHECKING:  # which cannot see what is made

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
