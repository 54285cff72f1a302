"""The losses as classes, with Keras's names and arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain.losses import distances, focal, functions, margins
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


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """100 * mean of |(y_true - y_pred) / y_true|; see `losses.mean_absolute_percentage_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(MeanAbsolutePercentageError()([[2.0], [4.0]], [[1.0], [5.0]]))
        37.5
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(distances.mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """Mean of (log(1 + y_true) - log(1 + y_pred))**2; see `losses.mean_squared_logarithmic_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
        0.4805
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(distances.mean_squared_logarithmic_error, reduction, name, dtype)


class Huber(LossFunctionWrapper):
    """Square near 0, a straight line beyond delta; see `losses.huber`.

    Args:
        delta: where the square goes over into the line.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(Huber()([[0.0], [0.0]], [[1.0], [3.0]]))
        1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = _MEAN,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(distances.huber, reduction, name, dtype, delta=delta)
        self.delta = delta


class LogCosh(LossFunctionWrapper):
    """Mean of log(cosh(y_pred - y_true)); see `losses.log_cosh`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(LogCosh()([[0.0]], [[2.0]])), 4)
        1.325
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "log_cosh", dtype: Any = None
    ) -> None:
        super().__init__(distances.log_cosh, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """Mean of y_pred - y_true * log(y_pred); see `losses.poisson`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(Poisson()([[3.0]], [[1.0]])), 4)
        1.0
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "poisson", dtype: Any = None
    ) -> None:
        super().__init__(distances.poisson, reduction, name, dtype)


class KLDivergence(LossFunctionWrapper):
    """Sum of y_true * log(y_true / y_pred); see `losses.kl_divergence`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
        0.1438
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "kl_divergence", dtype: Any = None
    ) -> None:
        super().__init__(distances.kl_divergence, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """Cosine of the angle between target and output, negative; see `losses.cosine_similarity`.

    Args:
        axis: the axis of the vectors.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(CosineSimilarity()([[0.0, 2.0]], [[3.0, 4.0]])), 4)
        -0.8
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(distances.cosine_similarity, reduction, name, dtype, axis=axis)
        self.axis = axis


class Hinge(LossFunctionWrapper):
    """Mean of max(1 - y_true * y_pred, 0); see `losses.hinge`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(Hinge()([[1.0, 0.0]], [[0.5, -3.0]]))
        0.25
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "hinge", dtype: Any = None
    ) -> None:
        super().__init__(margins.hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """Mean of max(1 - y_true * y_pred, 0)**2; see `losses.squared_hinge`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(SquaredHinge()([[1.0, 0.0]], [[0.5, -3.0]]))
        0.125
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "squared_hinge", dtype: Any = None
    ) -> None:
        super().__init__(margins.squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """max(1 + the largest wrong score - the right one, 0); see `losses.categorical_hinge`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
        0.75
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "categorical_hinge", dtype: Any = None
    ) -> None:
        super().__init__(margins.categorical_hinge, reduction, name, dtype)


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


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary crossentropy that attends to what is still wrong; see `losses.binary_focal_crossentropy`.

    Args:
        apply_class_balancing: whether ones weigh alpha and zeros 1 - alpha.
        alpha: weight of the ones, 0..1.
        gamma: how much less counts what is nearly right.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 0.5.
        axis: the axis of the mean.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
        0.1733
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        settings = {
            "apply_class_balancing": apply_class_balancing,
            "alpha": alpha,
            "gamma": gamma,
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
        }
        super().__init__(focal.binary_focal_crossentropy, reduction, name, dtype, **settings)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Crossentropy that attends to what is still wrong; see `losses.categorical_focal_crossentropy`.

    Args:
        alpha: weight, one number or one for each class.
        gamma: how much less counts what is nearly right.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 1 / C.
        axis: the axis of the classes.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.0433
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        settings = {
            "alpha": alpha,
            "gamma": gamma,
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
        }
        super().__init__(focal.categorical_focal_crossentropy, reduction, name, dtype, **settings)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis
        self.alpha, self.gamma = alpha, gamma
