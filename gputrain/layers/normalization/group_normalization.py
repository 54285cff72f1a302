"""Normalization of groups of channels."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, normalize_axis
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.normalization.affine import AffineLayer
from gputrain.ops.pointwise import as_float
from gputrain.ops.precision import wide_dtype


def _groups(value: Any, where: str) -> int:
    """A positive int, or -1."""
    return -1 if arguments.is_int(value) and value == -1 else arguments.positive_int(value, where)


@registry.add()
class GroupNormalization(AffineLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each group of channels.

    They are those of a sample, over the channels of a group and all positions, so they do not depend on the
    batch. Statistics are float32 at least.

    Args:
        groups: how many groups the channels are divided into, neighbours together; 1 normalizes a sample as
            a whole, -1 means as many as there are channels, each normalized by itself.
        axis: the axis of the channels.
        epsilon: added to the variance, 0 or more.

    Shapes:
        (N, ...), kept; gamma and beta (channels,).

    Raises:
        ValueError: groups or epsilon outside their range.
        ShapeError: channels of unknown size, or that the groups do not divide.

    Source:
        Wu & He 2018, Group Normalization.

    Example:
        >>> GroupNormalization(2, epsilon=1e-9)(numpy.array([[1, 3, 10, 30]], "float32")).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    groups: int = declared.argument(_groups, 32)
    axis: int = declared.argument(arguments.whole, -1)
    epsilon: float = declared.argument(arguments.not_negative, 1e-3)

    def build(self, input_shape: Shape) -> None:
        """Make gamma and beta, each (channels,)."""
        size = arguments.known_size(input_shape, self.axis, "GroupNormalization")
        self.groups = size if self.groups == -1 else self.groups
        if size % self.groups or not self._place(len(input_shape)):
            raise ShapeError(
                explain(
                    "GroupNormalization divides the channels into groups of one size.",
                    expected=f"channels that {self.groups} groups divide, on another axis than the samples'",
                    received=f"{size} channels on axis {self.axis} of {input_shape}",
                    fix="Pass groups= a number that divides them.",
                )
            )
        self.add_gamma_and_beta((size,))

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        inputs = as_float(inputs)
        if None in inputs.shape[1:]:
            return inputs  # while sizes are unknown only the shape matters
        place = self._place(inputs.ndim)
        x = ops.cast(inputs, wide_dtype(inputs.dtype))
        before, after = inputs.shape[1:place], inputs.shape[place + 1 :]
        x = ops.reshape(x, (-1, *before, self.groups, inputs.shape[place] // self.groups, *after))
        axes = tuple(axis for axis in range(1, x.ndim) if axis != place)
        apart = ops.subtract(x, ops.mean(x, axes, keepdims=True))
        factor = ops.rsqrt(ops.add(ops.mean(ops.square(apart), axes, keepdims=True), self.epsilon))
        row = tuple(n if axis in (place, place + 1) else 1 for axis, n in enumerate(x.shape))
        if self.gamma is not None:
            factor = ops.multiply(factor, ops.reshape(ops.cast(self.gamma, x.dtype), row))
        y = ops.multiply(apart, factor)
        if self.beta is not None:
            y = ops.add(y, ops.reshape(ops.cast(self.beta, x.dtype), row))
        return ops.cast(ops.reshape(y, (-1, *inputs.shape[1:])), inputs.dtype)

    def _place(self, ndim: int) -> int:
        """The axis of the channels, from the front."""
        return normalize_axis(self.axis, ndim, "GroupNormalization")
