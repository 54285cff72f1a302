"""Normalization of each sample by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import constraints, initializers, ops, regularizers
from gputrain.errors import explain
from gputrain.ir import Shape, normalize_axes
from gputrain.layers.base import arguments
from gputrain.layers.base.layer import Layer
from gputrain.runtime import Variable


class LayerNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with each sample's own mean and variance.

    Args:
        axis: the axis of the features, or several.
        epsilon: added to the variance, above 0.
        center: whether beta is added.
        scale: whether gamma is multiplied.
        beta_initializer, gamma_initializer: first values of the weights.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: what the weights keep to after each update.

    Shapes:
        any shape, kept; the weights have the sizes of `axis`.

    Raises:
        ValueError: epsilon is not a number above 0.
        ShapeError: an unknown size along `axis`.

    Source:
        Ba et al. 2016, Layer Normalization.

    Example:
        >>> LayerNormalization(epsilon=1e-9)(numpy.array([[1.0, 3.0]], "float32"))
        array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = arguments.axis_or_axes(axis, "LayerNormalization: axis")
        self.epsilon = _epsilon(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Make gamma and beta, of the sizes of `axis`."""
        axes = normalize_axes(self.axis, len(input_shape), "LayerNormalization")
        shape = tuple(arguments.known_size(input_shape, axis, "LayerNormalization") for axis in axes)
        if self.scale:
            self.gamma = self.add_weight(
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        return ops.layer_normalization(inputs, self.gamma, self.beta, self.axis, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


class UnitNormalization(Layer):
    """Each sample divided by its length, so that sum(x ** 2) along the axis is 1; zeros stay zeros.

    Args:
        axis: the axis, or several.

    Shapes:
        any shape, kept.

    Example:
        >>> UnitNormalization()(numpy.array([[3.0, 4.0]], "float32"))
        array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = arguments.axis_or_axes(axis, "UnitNormalization: axis")

    def call(self, inputs: Any) -> Any:
        """The inputs of length 1."""
        return ops.normalize(inputs, axis=self.axis, epsilon=1e-12)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "axis": self.axis}


def _epsilon(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        rule = "LayerNormalization: epsilon is added to the variance."
        raise ValueError(explain(rule, expected="a number above 0", received=repr(value)))
    return float(value)
