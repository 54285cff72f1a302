"""How far numbers are from their targets, as functions: one loss for each sample."""

from __future__ import annotations

from typing import Any

from gputrain import config, ops
from gputrain.losses.base import registry
from gputrain.losses.shapes import averaging, numeric_pair


@registry.add("mape", "MAPE")
@averaging
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 * mean of |(y_true - y_pred) / y_true| over the last axis; |y_true| counts as epsilon at least.

    Args:
        y_true: (N, ..., D).
        y_pred: (N, ..., D); a last axis of size 1 may be missing in one.

    Returns:
        (N, ...).

    Raises:
        ShapeError: any other difference of shapes.

    Example:
        >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 5.0]])
        array([37.5], dtype=float32)
    """
    y_true, y_pred = numeric_pair("mean_absolute_percentage_error", y_true, y_pred)
    size = ops.maximum(ops.absolute(y_true), config.epsilon())
    parts = ops.absolute(ops.divide(ops.subtract(y_true, y_pred), size))
    return ops.multiply(ops.mean(parts, axis=-1), 100.0)


@registry.add("msle", "MSLE")
@averaging
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (log(1 + y_true) - log(1 + y_pred))**2 over the last axis; both count as epsilon at least.

    Args, Returns and Raises as in `mean_absolute_percentage_error`.

    Args:
        y_true: targets, (N, ..., D).
        y_pred: outputs, (N, ..., D).

    Example:
        >>> mean_squared_logarithmic_error([[0.0]], [[1.0]]).round(4)
        array([0.4805], dtype=float32)
    """
    y_true, y_pred = numeric_pair("mean_squared_logarithmic_error", y_true, y_pred)
    first, second = (ops.log1p(ops.maximum(y, config.epsilon())) for y in (y_true, y_pred))
    return ops.mean(ops.square(ops.subtract(first, second)), axis=-1)


@registry.add()
@averaging
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Mean over the last axis of e**2 / 2 where |e| <= delta and delta * (|e| - delta / 2) elsewhere.

    Args:
        y_true: (N, ..., D).
        y_pred: (N, ..., D), e being y_pred - y_true; a last axis of size 1 may be missing in one.
        delta: where the square goes over into a straight line.

    Returns:
        (N, ...).

    Raises:
        ShapeError: any other difference of shapes.

    Source:
        Huber 1964, Robust Estimation of a Location Parameter.

    Example:
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]])
        array([1.5], dtype=float32)
    """
    y_true, y_pred = numeric_pair("huber", y_true, y_pred)
    size = ops.absolute(ops.subtract(y_pred, y_true))
    near = ops.minimum(size, float(delta))
    # near**2 / 2 + delta * (size - near) is both branches, and neither overflows where the other counts.
    beyond = ops.multiply(ops.subtract(size, near), float(delta))
    return ops.mean(ops.add(ops.multiply(ops.square(near), 0.5), beyond), axis=-1)


@registry.add()
@averaging
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of log(cosh(y_pred - y_true)) over the last axis, as |e| + log((1 + exp(-2 * |e|)) / 2).

    Args, Returns and Raises as in `mean_absolute_percentage_error`.

    Args:
        y_true: targets, (N, ..., D).
        y_pred: outputs, (N, ..., D).

    Example:
        >>> log_cosh([[0.0]], [[2.0]]).round(4)
        array([1.325], dtype=float32)
    """
    y_true, y_pred = numeric_pair("log_cosh", y_true, y_pred)
    size = ops.absolute(ops.subtract(y_pred, y_true))
    half = ops.multiply(ops.expm1(ops.multiply(size, -2.0)), 0.5)
    return ops.mean(ops.add(size, ops.log1p(half)), axis=-1)


@registry.add()
@averaging
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean of y_pred - y_true * log(y_pred + epsilon) over the last axis.

    Args:
        y_true: counts, (N, ..., D).
        y_pred: expected counts, above 0, (N, ..., D); a last axis of size 1 may be missing in one.

    Returns:
        (N, ...).

    Raises:
        ShapeError: any other difference of shapes.

    Example:
        >>> poisson([[3.0]], [[1.0]]).round(4)
        array([1.], dtype=float32)
    """
    y_true, y_pred = numeric_pair("poisson", y_true, y_pred)
    log = ops.log(ops.add(y_pred, config.epsilon()))
    return ops.mean(ops.subtract(y_pred, ops.multiply(y_true, log)), axis=-1)


@registry.add("kld", "KLD")
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Sum of y_true * log(y_true / y_pred) over the last axis, both limited to epsilon..1.

    Args:
        y_true: distributions, (N, ..., C).
        y_pred: distributions, (N, ..., C).

    Returns:
        (N, ...).

    Raises:
        ShapeError: the shapes differ by more than a last axis of size 1.

    Source:
        Kullback & Leibler 1951, On Information and Sufficiency.

    Example:
        >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4)
        array([0.1438], dtype=float32)
    """
    y_true, y_pred = numeric_pair("kl_divergence", y_true, y_pred)
    y_true, y_pred = (ops.clip(y, config.epsilon(), 1.0) for y in (y_true, y_pred))
    return ops.sum(ops.multiply(y_true, ops.log(ops.divide(y_true, y_pred))), axis=-1)


@registry.add()
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between target and output along `axis`, negative: -1 where they agree.

    Args:
        y_true: (N, ..., D).
        y_pred: (N, ..., D).
        axis: the axis of the vectors.

    Returns:
        (N, ...), -1..1; 0 where a vector is zero.

    Raises:
        ShapeError: the shapes differ by more than a last axis of size 1.

    Example:
        >>> cosine_similarity([[0.0, 2.0]], [[3.0, 4.0]]).round(4)
        array([-0.8], dtype=float32)
    """
    y_true, y_pred = numeric_pair("cosine_similarity", y_true, y_pred)
    product = ops.multiply(ops.normalize(y_true, axis), ops.normalize(y_pred, axis))
    return ops.negative(ops.sum(product, axis=axis))
