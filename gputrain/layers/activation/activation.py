"""Activation functions as layers; `PReLU`, which learns its own, has a module of its own."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from gputrain import activations, ops
from gputrain.errors import ShapeError, explain
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.utils.dtypes import is_number


def _not_negative(value: Any, where: str) -> float:
    if not is_number(value) or not value >= 0:
        raise ValueError(explain(f"{where} must be a number, 0 or more.", received=repr(value)))
    return float(value)


@registry.add()
class Activation(Layer):
    """An activation function as a layer.

    Args:
        activation: name, function or None.

    Example:
        >>> Activation("relu")(numpy.array([-1.0, 2.0], "float32"))
        array([0., 2.], dtype=float32)
    """

    supports_masking = True
    activation: Any = declared.activation(declared.REQUIRED)

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return self.activation(inputs)


@registry.add()
class ReLU(Layer):
    """`x` above the threshold, at most max_value; negative_slope * (x - threshold) elsewhere.

    Args:
        max_value: the largest output, 0 or more; None means no limit.
        negative_slope: slope below the threshold, 0 or more.
        threshold: where the slope changes, 0 or more.

    Raises:
        ValueError: an argument below 0.

    Example:
        >>> ReLU(max_value=6)(numpy.array([-1.0, 7.0], "float32"))
        array([0., 6.], dtype=float32)
    """

    supports_masking = True
    max_value: float | None = declared.argument(
        lambda value, where: None if value is None else _not_negative(value, where), None
    )
    negative_slope: float = declared.argument(_not_negative, 0.0)
    threshold: float = declared.argument(_not_negative, 0.0)

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


@registry.add()
class LeakyReLU(Layer):
    """`x` where positive, negative_slope * x elsewhere (Maas et al. 2013).

    Args:
        negative_slope: slope below 0, 0 or more. Its old name, alpha, is taken with a warning.

    Raises:
        ValueError: a negative slope below 0.

    Example:
        >>> LeakyReLU(0.5)(numpy.array([-1.0, 2.0], "float32"))
        array([-0.5,  2. ], dtype=float32)
    """

    supports_masking = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            warnings.warn("LeakyReLU: alpha is called negative_slope in Keras 3.", stacklevel=2)
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        self.negative_slope = _not_negative(negative_slope, "LeakyReLU: negative_slope")

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return activations.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


@registry.add()
class ELU(Layer):
    """`x` where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015).

    Args:
        alpha: where the function levels off, as -alpha.

    Example:
        >>> ELU()(numpy.array([-100.0, 2.0], "float32"))
        array([-1.,  2.], dtype=float32)
    """

    supports_masking = True
    alpha: float = declared.argument(arguments.number, 1.0)

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return activations.elu(inputs, self.alpha)


@registry.add()
class Softmax(Layer):
    """exp(x) / sum(exp(x)) along one axis or over several.

    Args:
        axis: an int, or several for a distribution over all their positions.

    Shapes:
        any shape of at least one dimension, kept. Positions where a boolean `mask`, which broadcasts to the
        inputs, is False get 0; where it is False everywhere, all get 0. A mask that the inputs carry counts
        where it has as many dimensions: one of time steps says nothing about the features of a step.

    Raises:
        ShapeError: a mask that does not broadcast to the inputs.

    Example:
        >>> Softmax()(numpy.zeros((1, 2), "float32"))
        array([[0.5, 0.5]], dtype=float32)
    """

    supports_masking = True
    axis: int | Sequence[int] = declared.argument(arguments.axis_or_axes, -1)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The distribution along the axis."""
        of_steps = mask is not None and mask is inputs.mask and mask.ndim < inputs.ndim
        if mask is None or of_steps:
            return activations.softmax(inputs, self.axis)
        sizes = zip(reversed(mask.shape), reversed(inputs.shape), strict=False)
        if mask.ndim > inputs.ndim or any(size not in (1, None, whole) for size, whole in sizes if whole):
            rule = "mask must broadcast to the inputs."
            raise ShapeError(explain(rule, expected=inputs.shape, received=mask.shape))
        lowest = -1e9 if inputs.dtype != "float16" else -3e4
        scores = ops.where(mask, inputs, lowest)
        return ops.multiply(activations.softmax(scores, self.axis), ops.cast(mask, inputs.dtype))
