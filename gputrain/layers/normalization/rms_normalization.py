"""Normalization by the root of the mean square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain.ir import Shape, normalize_axes
from gputrain.layers.base import Layer, arguments, declared, registry


@registry.add()
class RMSNormalization(Layer):
    """scale * x / sqrt(mean(x ** 2) + epsilon): a LayerNormalization that subtracts no mean, in transformers.

    Args:
        axis: the axis of the features, or several.
        epsilon: added to the mean, 0 or more.

    Shapes:
        any shape, kept; scale has the sizes of `axis`, in ascending order of the numbers given.

    Raises:
        ValueError: epsilon is below 0.
        ShapeError: an unknown size along `axis`.

    Source:
        Zhang & Sennrich 2019, Root Mean Square Layer Normalization.

    Example:
        >>> RMSNormalization(epsilon=1e-9)(numpy.array([[3.0, -3.0]], "float32"))
        array([[ 1., -1.]], dtype=float32)
    """

    axis: Sequence[int] = declared.argument(arguments.sorted_axes, -1)
    epsilon: float = declared.argument(arguments.not_negative, 1e-6)

    def build(self, input_shape: Shape) -> None:
        """Make scale, of the sizes of `axis`."""
        normalize_axes(self.axis, len(input_shape), "RMSNormalization")  # each once
        shape = tuple(arguments.known_size(input_shape, axis, "RMSNormalization") for axis in self.axis)
        self.scale = self.add_weight(shape, "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        from gputrain.ops.derived_sums import rms_normalization

        return rms_normalization(inputs, self.scale, self.axis, self.epsilon)
