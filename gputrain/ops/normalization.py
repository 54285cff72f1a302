"""Normalization of batches, layers and vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import explain
from gputrain.ir import normalize_axes, normalize_axis
from gputrain.ir.spec import Shape
from gputrain.ops.base import apply, cast, convert, spec_of
from gputrain.ops.batch_norm import BatchNorm, BatchNormGrad, BatchNormWeightGrad
from gputrain.ops.creation import ones, zeros
from gputrain.ops.elementwise import (
    absolute,
    add,
    divide,
    maximum,
    multiply,
    power,
    rsqrt,
    square,
    subtract,
)
from gputrain.ops.layer_norm import LayerNorm, LayerNormGrad
from gputrain.ops.movement import reshape, transpose
from gputrain.ops.pointwise import as_float
from gputrain.ops.precision import wide_dtype
from gputrain.ops.reduction import sum

__all__ = [
    "BatchNorm",
    "BatchNormGrad",
    "BatchNormWeightGrad",
    "LayerNorm",
    "LayerNormGrad",
    "batch_normalization",
    "layer_normalization",
    "normalize",
]


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, channel by channel, with given statistics.

    Args:
        x: array or Value of floats.
        mean, variance: (channels,).
        axis: the axis of the channels.
        offset, scale: (channels,), or None for 0 and 1.
        epsilon: added to the variance.

    Returns:
        the shape and dtype of x; float16 is computed in float32.

    Example:
        >>> batch_normalization(np.ones((2, 1)), np.zeros(1), np.ones(1), -1, epsilon=0.0)
        array([[1.],
               [1.]])
    """
    x = as_float(x)
    dtype = wide_dtype(spec_of(x).dtype)
    place = normalize_axis(axis, x.ndim, "batch_normalization")

    def row(weight: Any) -> Any:
        weight = cast(convert(weight), dtype)
        return reshape(weight, tuple(-1 if i == place else 1 for i in range(x.ndim)))

    factor = rsqrt(add(row(variance), epsilon))
    if scale is not None:
        factor = multiply(factor, row(scale))
    y = multiply(subtract(cast(x, dtype), row(mean)), factor)
    if offset is not None:
        y = add(y, row(offset))
    return cast(y, spec_of(x).dtype)


def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and the variance over `axis`.

    Args:
        x: array or Value of floats.
        gamma, beta: of the sizes of `axis`, or None for 1 and 0.
        axis: one axis or several.
        epsilon: added to the variance, `config.epsilon()` unless given.

    Returns:
        the shape and dtype of x; float16 is computed in float32.

    Example:
        >>> layer_normalization(np.array([[1.0, 3.0]]), epsilon=0.0)
        array([[-1.,  1.]])
    """
    x = as_float(x)
    axes = normalize_axes(axis, x.ndim, "layer_normalization")
    order = (*(i for i in range(x.ndim) if i not in axes), *axes)
    moved = x if order == tuple(range(x.ndim)) else transpose(x, order)
    shape = spec_of(moved).shape
    size = math.prod(spec_of(moved).with_shape(shape[x.ndim - len(axes) :]).dims)
    flat = moved if len(axes) == 1 else _reshaped(moved, (*shape[: x.ndim - len(axes)], size))
    dtype = wide_dtype(spec_of(x).dtype)

    def weight(given: Any, otherwise: Callable[..., Any]) -> Any:
        return otherwise((size,), dtype) if given is None else reshape(cast(convert(given), dtype), (size,))

    op = LayerNorm(config.epsilon() if epsilon is None else float(epsilon))
    y = apply(op, flat, weight(gamma, ones), weight(beta, zeros))[0]
    if len(axes) > 1:
        y = _reshaped(y, shape)
    return y if moved is x else transpose(y, tuple(int(i) for i in np.argsort(order)))


def normalize(x: Any, axis: int | Sequence[int] = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x divided by its length along `axis`.

    Args:
        x: array or Value of floats.
        axis: one axis or several.
        order: which norm is the length: 2 the Euclidean one, 1 the sum of magnitudes, and so on.
        epsilon: shorter lengths count as this one, `config.epsilon()` unless given.

    Returns:
        the shape and dtype of x; float16 is computed in float32. Zeros stay zeros.

    Raises:
        ValueError: an order that is no positive int.

    Example:
        >>> normalize(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]])
    """
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 1:
        raise ValueError(explain("normalize: order must be a positive int.", received=repr(order)))
    x = as_float(x)
    exact = cast(x, wide_dtype(spec_of(x).dtype))
    axes = normalize_axes(axis, x.ndim, "normalize")
    shortest = config.epsilon() if epsilon is None else float(epsilon)
    if order != 2:
        total = sum(power(absolute(exact), float(order)), axes, keepdims=True)
        return cast(divide(exact, maximum(power(total, 1.0 / order), shortest)), spec_of(x).dtype)
    total = maximum(sum(square(exact), axes, keepdims=True), shortest * shortest)
    return cast(multiply(exact, rsqrt(total)), spec_of(x).dtype)


def _reshaped(x: Any, shape: Shape) -> Any:
    """x with this shape, one of whose sizes may be unknown."""
    return reshape(x, tuple(-1 if n is None else n for n in shape))
