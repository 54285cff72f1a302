"""Sequences and volumes with each element repeated."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer


class UpSampling(ImageLayer):
    """Base of the layers that repeat each element along each axis.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs of another number of dimensions.
    """

    size: Any = declared.argument(arguments.positive_sizes, 2, per_axis=True)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, C) to the larger (N, *sizes, C)."""
        each = (self.size,) if self.rank == 1 else self.size
        for axis, times in zip(self.spatial_axes, each, strict=True):
            inputs = ops.repeat(inputs, times, axis)
        return inputs


@registry.add()
class UpSampling1D(UpSampling):
    """Sequences with each step repeated.

    Args:
        size: how many times, an int.

    Shapes:
        (N, T, C) to (N, T * size, C), any dtype, kept.

    Example:
        >>> UpSampling1D(2)(numpy.arange(3).reshape(1, 3, 1)).ravel().tolist()
        [0, 0, 1, 1, 2, 2]
    """

    rank = 1
    size: int = declared.argument(arguments.positive_int, 2)

    @declared.fixed
    def data_format(self) -> str:
        """Sequences are (N, T, C)."""
        return "channels_last"


@registry.add()
class UpSampling3D(UpSampling):
    """Volumes with each element repeated along each axis.

    Args:
        size: how many times along each axis, one int or three.

    Shapes:
        (N, D, H, W, C) to (N, D * size[0], H * size[1], W * size[2], C), any dtype, kept.

    Example:
        >>> UpSampling3D((1, 2, 3))(numpy.ones((1, 2, 4, 6, 3), "float32")).shape
        (1, 2, 8, 18, 3)
    """

    rank = 3
