"""Losses as metrics: their mean over an epoch, apart from what training makes small."""

from __future__ import annotations

from typing import Any

from gputrain import losses, ops
from gputrain.losses.functions import counted_labels
from gputrain.metrics.base import registry
from gputrain.metrics.means import FunctionMetric


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    return ops.negative(losses.cosine_similarity(y_true, y_pred, axis))


@registry.add("mse", "MSE")
class MeanSquaredError(FunctionMetric, function=losses.mean_squared_error):
    """Mean of (y_true - y_pred)**2.

    Example:
        >>> float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]))
        5.0
    """


@registry.add("rmse", "RMSE")
class RootMeanSquaredError(
    FunctionMetric, function=losses.mean_squared_error, name="root_mean_squared_error"
):
    """Square root of the mean of (y_true - y_pred)**2 over the epoch.

    Example:
        >>> float(RootMeanSquaredError()([[0.0], [0.0]], [[2.0], [2.0]]))
        2.0
    """

    def result(self) -> Any:
        """The root, a scalar."""
        return ops.sqrt(super().result())


@registry.add("mae", "MAE")
class MeanAbsoluteError(FunctionMetric, function=losses.mean_absolute_error):
    """Mean of |y_true - y_pred|.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]]))
        2.0
    """


@registry.add("mape", "MAPE")
class MeanAbsolutePercentageError(FunctionMetric, function=losses.mean_absolute_percentage_error):
    """100 * mean of |(y_true - y_pred) / y_true|.

    Example:
        >>> float(MeanAbsolutePercentageError()([[2.0], [4.0]], [[1.0], [5.0]]))
        37.5
    """


@registry.add("msle", "MSLE")
class MeanSquaredLogarithmicError(FunctionMetric, function=losses.mean_squared_logarithmic_error):
    """Mean of (log(1 + y_true) - log(1 + y_pred))**2.

    Example:
        >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
        0.4805
    """


@registry.add()
class LogCoshError(FunctionMetric, function=losses.log_cosh, name="logcosh"):
    """Mean of log(cosh(y_pred - y_true)).

    Example:
        >>> round(float(LogCoshError()([[0.0]], [[2.0]])), 4)
        1.325
    """


@registry.add()
class Poisson(FunctionMetric, function=losses.poisson):
    """Mean of y_pred - y_true * log(y_pred).

    Example:
        >>> round(float(Poisson()([[3.0]], [[1.0]])), 4)
        1.0
    """


@registry.add()
class KLDivergence(FunctionMetric, function=losses.kl_divergence):
    """Mean of the sums of y_true * log(y_true / y_pred).

    Example:
        >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
        0.1438
    """


@registry.add()
class CosineSimilarity(
    FunctionMetric, function=_cosine, name="cosine_similarity", order=("name", "dtype", "axis")
):
    """Mean cosine of the angle between target and output: 1 where they agree (the loss is the negative).

    Args:
        name, dtype: see `Metric`.
        axis: the axis of the vectors.

    Example:
        >>> round(float(CosineSimilarity()([[0.0, 2.0]], [[3.0, 4.0]])), 4)
        0.8
    """

    _direction = "up"


@registry.add()
class Hinge(FunctionMetric, function=losses.hinge):
    """Mean of max(1 - y_true * y_pred, 0).

    Example:
        >>> float(Hinge()([[1.0, 0.0]], [[0.5, -3.0]]))
        0.25
    """


@registry.add()
class SquaredHinge(FunctionMetric, function=losses.squared_hinge):
    """Mean of max(1 - y_true * y_pred, 0)**2.

    Example:
        >>> float(SquaredHinge()([[1.0, 0.0]], [[0.5, -3.0]]))
        0.125
    """


@registry.add()
class CategoricalHinge(FunctionMetric, function=losses.categorical_hinge):
    """Mean of max(1 + the largest wrong score - the right one, 0).

    Example:
        >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
        0.75
    """


@registry.add("bce", "BCE")
class BinaryCrossentropy(
    FunctionMetric,
    function=losses.binary_crossentropy,
    order=("name", "dtype", "from_logits", "label_smoothing"),
):
    """Mean of `losses.binary_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing: see the loss.

    Example:
        >>> round(float(BinaryCrossentropy()([[1.0]], [[0.5]])), 4)
        0.6931
    """


@registry.add()
class CategoricalCrossentropy(
    FunctionMetric,
    function=losses.categorical_crossentropy,
    order=("name", "dtype", "from_logits", "label_smoothing", "axis"),
):
    """Mean of `losses.categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing, axis: see the loss.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """


@registry.add()
class SparseCategoricalCrossentropy(
    FunctionMetric,
    function=losses.sparse_categorical_crossentropy,
    order=("name", "dtype", "from_logits", "ignore_class", "axis"),
):
    """Mean of `losses.sparse_categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, ignore_class, axis: see the loss; ignored positions do not count.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    ignore_class: int | None
    axis: int

    def target_mask(self, y_true: Any, y_pred: Any) -> Any:
        """True where a label is not `ignore_class`."""
        return counted_labels(y_true, y_pred, self.ignore_class, self.axis)
