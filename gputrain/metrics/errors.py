"""Losses as metrics: their mean over an epoch, apart from what training makes small."""

from __future__ import annotations

from typing import Any

from gputrain import losses, ops
from gputrain.losses.functions import counted_labels
from gputrain.metrics.means import MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """Mean of (y_true - y_pred)**2.

    Example:
        >>> float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]))
        5.0
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class RootMeanSquaredError(MeanMetricWrapper):
    """Square root of the mean of (y_true - y_pred)**2 over the epoch.

    Example:
        >>> float(RootMeanSquaredError()([[0.0], [0.0]], [[2.0], [2.0]]))
        2.0
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)

    def result(self) -> Any:
        """The root, a scalar."""
        return ops.sqrt(super().result())


class MeanAbsoluteError(MeanMetricWrapper):
    """Mean of |y_true - y_pred|.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]]))
        2.0
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """Mean of `losses.binary_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing: see the loss.

    Example:
        >>> round(float(BinaryCrossentropy()([[1.0]], [[0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **settings)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


class CategoricalCrossentropy(MeanMetricWrapper):
    """Mean of `losses.categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing, axis: see the loss.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **settings)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Mean of `losses.sparse_categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, ignore_class, axis: see the loss; ignored positions do not count.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        settings = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **settings)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def target_mask(self, y_true: Any, y_pred: Any) -> Any:
        """True where a label is not `ignore_class`."""
        return counted_labels(y_true, y_pred, self.ignore_class, self.axis)
