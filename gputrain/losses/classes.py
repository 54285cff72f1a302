"""The losses as classes, with Keras's names and arguments."""

from __future__ import annotations

from typing import Any

from gputrain.losses import functions
from gputrain.losses.base import LossFunctionWrapper

_MEAN = "sum_over_batch_size"


class MeanSquaredError(LossFunctionWrapper):
    """Mean of (y_true - y_pred)**2; see `losses.mean_squared_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]))
        5.0
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(functions.mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """Mean of |y_true - y_pred|; see `losses.mean_absolute_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]]))
        2.0
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(functions.mean_absolute_error, reduction, name, dtype)


class BinaryCrossentropy(LossFunctionWrapper):
    """Crossentropy of targets of 0 and 1; see `losses.binary_crossentropy`.

    Args:
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 0.5.
        axis: the axis of the mean.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(BinaryCrossentropy()([[1.0]], [[0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(functions.binary_crossentropy, reduction, name, dtype, **settings)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class CategoricalCrossentropy(LossFunctionWrapper):
    """Crossentropy of one-hot rows or distributions; see `losses.categorical_crossentropy`.

    Args:
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 1 / C.
        axis: the axis of the classes.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(functions.categorical_crossentropy, reduction, name, dtype, **settings)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Crossentropy of class indices; see `losses.sparse_categorical_crossentropy`.

    Args:
        from_logits: whether the outputs are logits instead of probabilities.
        ignore_class: a class index whose positions do not count.
        axis: the axis of the classes.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    integer_targets = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _MEAN,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        settings = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(functions.sparse_categorical_crossentropy, reduction, name, dtype, **settings)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def target_mask(self, y_true: Any, y_pred: Any) -> Any:
        """True where a label is not `ignore_class`."""
        return functions.counted_labels(y_true, y_pred, self.ignore_class, self.axis)
