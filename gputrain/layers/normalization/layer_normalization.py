"""Normalization of each sample by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Shape, normalize_axes
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.layers.normalization.affine import AffineLayer
from gputrain.utils.dtypes import is_number


def _epsilon(value: Any, where: str) -> float:
    if not is_number(value) or not 0 < value < float("inf"):
        rule = f"{where} is added to the variance."
        raise ValueError(explain(rule, expected="a number above 0", received=repr(value)))
    return float(value)


@registry.add()
class LayerNormalization(AffineLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with each sample's own mean and variance.

    Args:
        axis: the axis of the features, or several.
        epsilon: added to the variance, above 0.

    Shapes:
        any shape, kept; the weights have the sizes of `axis`, in ascending order of the numbers given.

    Raises:
        ValueError: epsilon is not a number above 0.
        ShapeError: an unknown size along `axis`.

    Source:
        Ba et al. 2016, Layer Normalization.

    Example:
        >>> LayerNormalization(epsilon=1e-9)(numpy.array([[1.0, 3.0]], "float32"))
        array([[-1.,  1.]], dtype=float32)
    """

    axis: Sequence[int] = declared.argument(arguments.sorted_axes, -1)
    epsilon: float = declared.argument(_epsilon, 1e-3)
    rms_scaling: bool = declared.keras_only("rms_scaling", shown=False)

    def build(self, input_shape: Shape) -> None:
        """Make gamma and beta, of the sizes of `axis`."""
        normalize_axes(self.axis, len(input_shape), "LayerNormalization")  # each once
        shape = tuple(arguments.known_size(input_shape, axis, "LayerNormalization") for axis in self.axis)
        self.add_gamma_and_beta(shape)

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        return ops.layer_normalization(inputs, self.gamma, self.beta, self.axis, self.epsilon)


@registry.add()
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
    axis: int | Sequence[int] = declared.argument(arguments.axis_or_axes, -1)

    def call(self, inputs: Any) -> Any:
        """The inputs of length 1."""
        return ops.normalize(inputs, axis=self.axis, epsilon=1e-12)
