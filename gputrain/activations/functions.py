"""The activation functions themselves, each a few operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import normalize_axis
from gputrain.ops.calls import kept
from gputrain.ops.elementwise import Clip
from gputrain.ops.pointwise import as_float
from gputrain.utils.registry import Registry

registry: Registry[Any] = Registry("activation")

# Chosen so that activations of mean 0 and variance 1 keep both (Klambauer et al. 2017, Self-Normalizing
# Neural Networks, equation 14).
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@registry.add()
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """`x` above the threshold, at most `max_value`; negative_slope * (x - threshold) elsewhere.

    Args:
        x: numbers of any shape.
        negative_slope: slope below the threshold.
        max_value: the largest output; None means no limit.
        threshold: where the slope changes.

    Returns:
        The shape and dtype of `x`. NaN stays NaN.

    Example:
        >>> relu([-2.0, 0.5, 7.0], max_value=6.0)
        array([0. , 0.5, 6. ], dtype=float32)
    """
    if negative_slope == 0.0 and threshold == 0.0:
        return ops.relu(x) if max_value is None else ops.apply(Clip(0.0, float(max_value), True), as_float(x))
    x = ops.convert(x)
    above = x if max_value is None else ops.minimum(x, max_value)
    if threshold == 0.0:
        return ops.where(ops.less_equal(x, 0.0), ops.multiply(x, negative_slope), above)
    above = ops.where(ops.less_equal(x, threshold), 0.0, above)
    if negative_slope == 0.0:
        return above
    return ops.subtract(above, ops.multiply(ops.relu(ops.subtract(threshold, x)), negative_slope))


@registry.add()
@kept
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """`x` where positive, negative_slope * x elsewhere (Maas et al. 2013).

    Args:
        x: numbers of any shape.
        negative_slope: slope below 0.
    """
    return relu(x, negative_slope=negative_slope)


@registry.add()
@kept
def relu6(x: Any) -> Any:
    """`x` limited to 0..6 (Krizhevsky 2010).

    Args:
        x: numbers of any shape.
    """
    return relu(x, max_value=6.0)


@registry.add()
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)).

    Args:
        x: numbers of any shape.
    """
    return ops.sigmoid(x)


@registry.add()
@kept
def hard_sigmoid(x: Any) -> Any:
    """(x + 3) / 6, limited to 0..1.

    Args:
        x: numbers of any shape.
    """
    return ops.multiply(relu6(ops.add(x, 3.0)), 1.0 / 6.0)


@registry.add("hard_swish")
@kept
def hard_silu(x: Any) -> Any:
    """x * hard_sigmoid(x), also known as hard_swish (Howard et al. 2019, MobileNetV3).

    Args:
        x: numbers of any shape.
    """
    x = as_float(x)
    return ops.multiply(x, hard_sigmoid(x))


@registry.add()
@kept
def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2, limited to 0..1.

    Args:
        x: numbers of any shape.
    """
    return ops.multiply(ops.clip(ops.add(as_float(x), 1.0), 0.0, 2.0), 0.5)


@registry.add()
def tanh(x: Any) -> Any:
    """Hyperbolic tangent.

    Args:
        x: numbers of any shape.
    """
    return ops.tanh(x)


@registry.add()
@kept
def hard_tanh(x: Any) -> Any:
    """`x` limited to -1..1.

    Args:
        x: numbers of any shape.
    """
    return ops.clip(as_float(x), -1.0, 1.0)


@registry.add()
@kept
def tanh_shrink(x: Any) -> Any:
    """x - tanh(x).

    Args:
        x: numbers of any shape.
    """
    x = as_float(x)
    return ops.subtract(x, ops.tanh(x))


@registry.add()
@kept
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` where |x| exceeds the threshold, 0 elsewhere.

    Args:
        x: numbers of any shape.
        threshold: size up to which a number becomes 0.
    """
    x = as_float(x)
    return ops.where(ops.greater(ops.absolute(x), threshold), x, 0.0)


@registry.add()
@kept
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` moved toward 0 by the threshold, and 0 where it would pass it.

    Args:
        x: numbers of any shape.
        threshold: what each number is brought nearer to 0 by.
    """
    x = as_float(x)
    return ops.subtract(x, ops.clip(x, -threshold, threshold))


@registry.add()
@kept
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where it exceeds the threshold, `default_value` elsewhere.

    Args:
        x: numbers of any shape.
        threshold: numbers above it are kept.
        default_value: stands in place of all others.

    Example:
        >>> threshold([0.5, 2.0], threshold=1.0, default_value=-1.0)
        array([-1.,  2.], dtype=float32)
    """
    x = as_float(x)
    return ops.where(ops.greater(x, threshold), x, default_value)


@registry.add()
def softmax(x: Any, axis: int | Sequence[int] | None = -1) -> Any:
    """exp(x) / sum(exp(x)) along `axis`.

    Args:
        x: numbers of any shape.
        axis: the axis of the classes.

    Example:
        >>> softmax([[0.0, 0.0]])
        array([[0.5, 0.5]], dtype=float32)
    """
    return ops.softmax(x, axis=axis)


@registry.add()
def log_softmax(x: Any, axis: int = -1) -> Any:
    """log(softmax(x)) along `axis`, without forming small probabilities.

    Args:
        x: numbers of any shape.
        axis: the axis of the classes.
    """
    return ops.log_softmax(x, axis=axis)


@registry.add()
@kept
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The distribution along `axis` that is nearest to `x`; most of it may be exactly 0.

    p = max(x - tau, 0), tau such that p adds up to 1. Element i takes part where the sum over j of
    max(x_j - x_i, 0) is below 1, which needs C * C numbers for each row of C.

    Args:
        x: numbers of any shape.
        axis: the axis of the classes.

    Source:
        Martins & Astudillo 2016, From Softmax to Sparsemax.

    Example:
        >>> sparsemax([[0.0, 2.0, 1.5]])
        array([[0.  , 0.75, 0.25]], dtype=float32)
    """
    x = ops.moveaxis(as_float(x), axis, -1)
    x = ops.subtract(x, ops.stop_gradient(ops.max(x, axis=-1, keepdims=True)))
    above = ops.relu(ops.subtract(ops.expand_dims(x, -2), ops.expand_dims(x, -1)))  # (..., i, j)
    taken = ops.less(ops.sum(above, axis=-1), 1.0)
    total = ops.sum(ops.where(taken, x, 0.0), axis=-1, keepdims=True)
    count = ops.sum(ops.cast(taken, x.dtype), axis=-1, keepdims=True)
    tau = ops.divide(ops.subtract(total, 1.0), count)
    return ops.moveaxis(ops.relu(ops.subtract(x, tau)), -1, axis)


@registry.add()
def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015).

    Args:
        x: numbers of any shape.
        alpha: what large negative numbers tend to, with a minus sign.
    """
    return ops.elu(x, alpha=alpha)


@registry.add()
@kept
def selu(x: Any) -> Any:
    """Scaled `elu` that keeps mean 0 and variance 1 (Klambauer et al. 2017).

    Args:
        x: numbers of any shape.
    """
    return ops.multiply(ops.elu(x, alpha=_SELU_ALPHA), _SELU_SCALE)


@registry.add()
def gelu(x: Any, approximate: bool = False) -> Any:
    """x * Phi(x), Phi being the normal distribution function (Hendrycks & Gimpel 2016).

    Args:
        x: floats of any shape.
        approximate: by tanh instead of erf.
    """
    return ops.gelu(x, approximate=approximate)


@registry.add("swish")
def silu(x: Any) -> Any:
    """x * sigmoid(x), also known as swish (Elfwing et al. 2017).

    Args:
        x: numbers of any shape.
    """
    return ops.silu(x)


@registry.add()
@kept
def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1), smooth for every alpha (Barron 2017).

    Args:
        x: floats of any shape.
        alpha: where the function levels off, as -alpha; not 0.

    Raises:
        ValueError: alpha is 0.
    """
    if alpha == 0:
        raise ValueError(explain("celu divides by alpha.", expected="a number other than 0", received=alpha))
    x = as_float(x)
    below = ops.expm1(ops.multiply(ops.clip(x, -math.inf, 0.0), 1.0 / alpha))
    return ops.add(ops.relu(x), ops.multiply(below, alpha))


@registry.add()
@kept
def glu(x: Any, axis: int = -1) -> Any:
    """a * sigmoid(b), a and b being the two halves of `x` along `axis` (Dauphin et al. 2017).

    Args:
        x: floats (..., 2 * D, ...).
        axis: the axis to halve.

    Returns:
        (..., D, ...).

    Raises:
        ShapeError: the axis has an odd or unknown size.

    Example:
        >>> glu([[3.0, 0.0]])
        array([[1.5]], dtype=float32)
    """
    x = as_float(x)
    size = x.shape[normalize_axis(axis, x.ndim, "glu")]
    if size is None or size % 2:
        rule = "glu halves an axis, so its size must be even."
        raise ShapeError(explain(rule, received=f"axis {axis} of shape {tuple(x.shape)}"))
    values, gates = ops.split(x, 2, axis)
    return ops.multiply(values, ops.sigmoid(gates))


@registry.add()
def mish(x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra 2019).

    Args:
        x: numbers of any shape.
    """
    x = as_float(x)
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


@registry.add()
def softplus(x: Any) -> Any:
    """log(1 + exp(x)).

    Args:
        x: numbers of any shape.
    """
    return ops.softplus(x)


@registry.add()
@kept
def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), computed as -softplus(-x), which cannot reach log(0).

    Args:
        x: numbers of any shape.
    """
    return ops.negative(ops.softplus(ops.negative(x)))


@registry.add()
@kept
def softsign(x: Any) -> Any:
    """x / (1 + |x|).

    Args:
        x: numbers of any shape.
    """
    return ops.divide(x, ops.add(ops.absolute(x), 1.0))


@registry.add()
@kept
def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x * x + b)) / 2, close to softplus without exp and log (Barron 2021).

    Args:
        x: numbers of any shape.
        b: how round the corner at 0 is.
    """
    x = as_float(x)
    return ops.multiply(ops.add(x, ops.sqrt(ops.add(ops.square(x), float(b)))), 0.5)


@registry.add()
@kept
def sparse_plus(x: Any) -> Any:
    """0 below -1, `x` above 1, and (x + 1)**2 / 4 between.

    Args:
        x: numbers of any shape.
    """
    x = as_float(x)
    between = ops.multiply(ops.square(ops.add(ops.clip(x, -1.0, 1.0), 1.0)), 0.25)
    return ops.add(between, ops.relu(ops.subtract(x, 1.0)))


@registry.add()
def exponential(x: Any) -> Any:
    """exp(x).

    Args:
        x: numbers of any shape.
    """
    return ops.exp(x)


@registry.add()
def linear(x: Any) -> Any:
    """`x` itself.

    Args:
        x: anything.
    """
    return x
