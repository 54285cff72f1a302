"""Convolutions over sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.kernel import KernelLayer
from gputrain.layers.convolution.sliding import SlidingLayer


class Conv(SlidingLayer, KernelLayer):
    """Base of the convolutions.

    Args:
        filters: number of filters, the channels of the output.
        groups: the channels and the filters are cut into as many groups, each filter seeing one group.

    Raises:
        ValueError: an argument that is not as above, or filters that groups does not divide.
        ShapeError: inputs of another number of dimensions, channels unknown or not divisible by groups, a
            filter larger than the inputs.
    """

    filters: int = declared.argument(arguments.positive_int)
    groups: int = declared.argument(arguments.positive_int, 1, after="dilation_rate")

    def check_arguments(self) -> None:
        """Check that groups divides filters."""
        if self.filters % self.groups:
            rule = f"{type(self).__name__}: groups must divide filters."
            raise ValueError(explain(rule, received=f"filters={self.filters}, groups={self.groups}"))

    def build(self, input_shape: Shape) -> None:
        """Make the kernel (*kernel_size, channels / groups, filters) and the bias (filters,)."""
        super().build(input_shape)
        channels = self.channels(input_shape)
        if channels % self.groups:
            raise ShapeError(
                explain(
                    f"{type(self).__name__}: groups must divide the channels of the input.",
                    received=f"{channels} channels, groups={self.groups}",
                )
            )
        self.kernel = self.add_kernel((*self.kernel_size, channels // self.groups, self.filters))
        self.bias = self.add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, channels) to (N, *positions, filters)."""
        images = self.to_last(inputs)
        product = ops.conv(images, self.kernel, self.strides, self.padding, dilation_rate=self.dilation_rate)
        return self.from_last(self.finish(product))


@registry.add("Convolution1D")
class Conv1D(Conv):
    """Convolution of sequences with learned filters.

    Shapes:
        (N, T, C) to (N, OT, filters); kernel (K, C / groups, filters), bias (filters,).

    Example:
        >>> Conv1D(8, 3, padding="causal", dilation_rate=2)(numpy.ones((2, 30, 4), "float32")).shape
        (2, 30, 8)
    """

    rank = 1


@registry.add("Convolution2D")
class Conv2D(Conv):
    """Convolution of images with learned filters.

    Shapes:
        (N, H, W, C) to (N, OH, OW, filters); kernel (KH, KW, C / groups, filters), bias (filters,).

    Example:
        >>> Conv2D(8, 3, activation="relu")(numpy.ones((2, 28, 28, 1), "float32")).shape
        (2, 26, 26, 8)
    """

    rank = 2


@registry.add("Convolution3D")
class Conv3D(Conv):
    """Convolution of volumes with learned filters.

    Shapes:
        (N, D, H, W, C) to (N, OD, OH, OW, filters); kernel (KD, KH, KW, C / groups, filters), bias
        (filters,).

    Example:
        >>> Conv3D(8, (2, 3, 3), strides=(1, 2, 2))(numpy.ones((2, 6, 9, 9, 1), "float32")).shape
        (2, 5, 4, 4, 8)
    """

    rank = 3


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
