"""The losses as classes, with Keras's names: a function, its kind of targets, the outputs that it reads."""

from __future__ import annotations

from typing import Any

from gputrain.losses import distances, focal, functions, margins
from gputrain.losses.base import FunctionLoss, registry


@registry.add()
class MeanSquaredError(FunctionLoss, function=functions.mean_squared_error):
    """Mean of (y_true - y_pred)**2; see `losses.mean_squared_error`.

    Example:
        >>> float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]))
        5.0
    """

    target_kind = "numbers"


@registry.add()
class MeanAbsoluteError(FunctionLoss, function=functions.mean_absolute_error):
    """Mean of |y_true - y_pred|; see `losses.mean_absolute_error`.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]]))
        2.0
    """

    target_kind = "numbers"


@registry.add()
class MeanAbsolutePercentageError(FunctionLoss, function=distances.mean_absolute_percentage_error):
    """100 * mean of |(y_true - y_pred) / y_true|; see `losses.mean_absolute_percentage_error`.

    Example:
        >>> float(MeanAbsolutePercentageError()([[2.0], [4.0]], [[1.0], [5.0]]))
        37.5
    """

    target_kind = "numbers"


@registry.add()
class MeanSquaredLogarithmicError(FunctionLoss, function=distances.mean_squared_logarithmic_error):
    """Mean of (log(1 + y_true) - log(1 + y_pred))**2; see `losses.mean_squared_logarithmic_error`.

    Example:
        >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
        0.4805
    """

    target_kind = "numbers"


@registry.add()
class Huber(FunctionLoss, function=distances.huber, name="huber_loss"):
    """Square near 0, a straight line beyond delta; see `losses.huber`.

    Args:
        delta: where the square goes over into the line.

    Example:
        >>> float(Huber()([[0.0], [0.0]], [[1.0], [3.0]]))
        1.5
    """

    target_kind = "numbers"


@registry.add()
class LogCosh(FunctionLoss, function=distances.log_cosh):
    """Mean of log(cosh(y_pred - y_true)); see `losses.log_cosh`.

    Example:
        >>> round(float(LogCosh()([[0.0]], [[2.0]])), 4)
        1.325
    """

    target_kind = "numbers"


@registry.add()
class Poisson(FunctionLoss, function=distances.poisson):
    """Mean of y_pred - y_true * log(y_pred); see `losses.poisson`.

    Example:
        >>> round(float(Poisson()([[3.0]], [[1.0]])), 4)
        1.0
    """

    target_kind = "numbers"


@registry.add()
class KLDivergence(FunctionLoss, function=distances.kl_divergence):
    """Sum of y_true * log(y_true / y_pred); see `losses.kl_divergence`.

    Example:
        >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
        0.1438
    """

    target_kind = "distributions"


@registry.add()
class CosineSimilarity(FunctionLoss, function=distances.cosine_similarity):
    """Cosine of the angle between target and output, negative; see `losses.cosine_similarity`.

    Args:
        axis: the axis of the vectors.

    Example:
        >>> round(float(CosineSimilarity()([[0.0, 2.0]], [[3.0, 4.0]])), 4)
        -0.8
    """

    target_kind = "numbers"


@registry.add()
class Hinge(FunctionLoss, function=margins.hinge):
    """Mean of max(1 - y_true * y_pred, 0); see `losses.hinge`.

    Example:
        >>> float(Hinge()([[1.0, 0.0]], [[0.5, -3.0]]))
        0.25
    """

    target_kind = "signs"


@registry.add()
class SquaredHinge(FunctionLoss, function=margins.squared_hinge):
    """Mean of max(1 - y_true * y_pred, 0)**2; see `losses.squared_hinge`.

    Example:
        >>> float(SquaredHinge()([[1.0, 0.0]], [[0.5, -3.0]]))
        0.125
    """

    target_kind = "signs"


@registry.add()
class CategoricalHinge(FunctionLoss, function=margins.categorical_hinge):
    """max(1 + the largest wrong score - the right one, 0); see `losses.categorical_hinge`.

    Example:
        >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
        0.75
    """

    target_kind = "one-hot"


@registry.add()
class BinaryCrossentropy(FunctionLoss, function=functions.binary_crossentropy):
    """Crossentropy of targets of 0 and 1; see `losses.binary_crossentropy`.

    Args:
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 0.5.
        axis: the axis of the mean.

    Example:
        >>> round(float(BinaryCrossentropy()([[1.0]], [[0.5]])), 4)
        0.6931
    """

    target_kind = "binary"
    activation = "sigmoid"


@registry.add()
class CategoricalCrossentropy(FunctionLoss, function=functions.categorical_crossentropy):
    """Crossentropy of one-hot rows or distributions; see `losses.categorical_crossentropy`.

    Args:
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 1 / C.
        axis: the axis of the classes.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    target_kind = "one-hot"
    activation = "softmax"


# The order of Keras's arguments, which is that of its other losses but for one.
_SPARSE_ORDER = ("from_logits", "ignore_class", "reduction", "axis", "name", "dtype")


@registry.add()
class SparseCategoricalCrossentropy(
    FunctionLoss, function=functions.sparse_categorical_crossentropy, order=_SPARSE_ORDER
):
    """Crossentropy of class indices; see `losses.sparse_categorical_crossentropy`.

    Args:
        from_logits: whether the outputs are logits instead of probabilities.
        ignore_class: a class index whose positions do not count.
        axis: the axis of the classes.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    target_kind = "indices"
    activation = "softmax"
    integer_targets = True
    ignore_class: int | None
    axis: int

    def target_mask(self, y_true: Any, y_pred: Any) -> Any:
        """True where a label is not `ignore_class`."""
        return functions.counted_labels(y_true, y_pred, self.ignore_class, self.axis)


@registry.add()
class BinaryFocalCrossentropy(FunctionLoss, function=focal.binary_focal_crossentropy):
    """Binary crossentropy that attends to what is still wrong; see `losses.binary_focal_crossentropy`.

    Args:
        apply_class_balancing: whether ones weigh alpha and zeros 1 - alpha.
        alpha: weight of the ones, 0..1.
        gamma: how much less counts what is nearly right.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 0.5.
        axis: the axis of the mean.

    Example:
        >>> round(float(BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
        0.1733
    """

    target_kind = "binary"
    activation = "sigmoid"


@registry.add()
class CategoricalFocalCrossentropy(FunctionLoss, function=focal.categorical_focal_crossentropy):
    """Crossentropy that attends to what is still wrong; see `losses.categorical_focal_crossentropy`.

    Args:
        alpha: weight, one number or one for each class.
        gamma: how much less counts what is nearly right.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: 0..1; targets move this far toward 1 / C.
        axis: the axis of the classes.

    Example:
        >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.0433
    """

    target_kind = "one-hot"
    activation = "softmax"
