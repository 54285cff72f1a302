"""The activation functions themselves, each a few operations."""

from __future__ import annotations

from typing import Any

from gputrain import ops

# Chosen so that activations of mean 0 and variance 1 keep both (Klambauer et al. 2017, Self-Normalizing
# Neural Networks, equation 14).
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


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
        y = ops.relu(x)
        return y if max_value is None else ops.minimum(y, max_value)
    x = ops.convert(x)
    above = x if max_value is None else ops.minimum(x, max_value)
    below = ops.multiply(ops.subtract(x, threshold), negative_slope) if negative_slope else 0.0
    return ops.where(ops.less_equal(x, threshold), below, above)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """`x` where positive, negative_slope * x elsewhere (Maas et al. 2013)."""
    return relu(x, negative_slope=negative_slope)


def relu6(x: Any) -> Any:
    """`x` limited to 0..6 (Krizhevsky 2010)."""
    return relu(x, max_value=6.0)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """(x + 3) / 6, limited to 0..1."""
    return ops.multiply(relu6(ops.add(x, 3.0)), 1.0 / 6.0)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along `axis`.

    Example:
        >>> softmax([[0.0, 0.0]])
        array([[0.5, 0.5]], dtype=float32)
    """
    return ops.softmax(x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """log(softmax(x)) along `axis`, without forming small probabilities."""
    return ops.log_softmax(x, axis=axis)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015)."""
    return ops.elu(x, alpha=alpha)


def selu(x: Any) -> Any:
    """Scaled `elu` that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return ops.multiply(ops.elu(x, alpha=_SELU_ALPHA), _SELU_SCALE)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x * Phi(x), Phi being the normal distribution function (Hendrycks & Gimpel 2016).

    Args:
        x: floats of any shape.
        approximate: by tanh instead of erf.
    """
    return ops.gelu(x, approximate=approximate)


def silu(x: Any) -> Any:
    """x * sigmoid(x), also known as swish (Elfwing et al. 2017)."""
    return ops.silu(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return ops.divide(x, ops.add(ops.absolute(x), 1.0))


def exponential(x: Any) -> Any:
    """exp(x)."""
    return ops.exp(x)


def linear(x: Any) -> Any:
    """`x` itself."""
    return x
