"""Convolutions over images."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer
from gputrain.layers.base.kernel import KernelLayer


class Conv(ImageLayer, KernelLayer):
    """Base of the convolutions.

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: size of the filters along each axis, one int or one for each.
        strides: steps of the filters, one int or one for each axis.
        padding: "valid" (only whole windows) or "same" (ceil(size / stride) positions; the odd row or
            column of zeros goes after the image).
        dilation_rate: distance between the taps of a filter, one int or one for each axis.
        groups: the channels and the filters are cut into as many groups, each filter seeing one group.

    Raises:
        ValueError: an argument that is not as above, or filters that groups does not divide.
        ShapeError: inputs that are not images, channels unknown or not divisible by groups, a filter larger
            than the image.
    """

    filters: int = declared.argument(arguments.positive_int)
    kernel_size: Any = declared.argument(arguments.positive_sizes, per_axis=True)
    strides: Any = declared.argument(arguments.positive_sizes, 1, per_axis=True)
    padding: str = declared.argument(arguments.padding, "valid")
    data_format: str = declared.argument(arguments.data_format, None)
    dilation_rate: Any = declared.argument(arguments.positive_sizes, 1, per_axis=True)
    groups: int = declared.argument(arguments.positive_int, 1)

    def check_arguments(self) -> None:
        """Check that groups divides filters."""
        if self.filters % self.groups:
            rule = f"{type(self).__name__}: groups must divide filters."
            raise ValueError(explain(rule, received=f"filters={self.filters}, groups={self.groups}"))

    def build(self, input_shape: Shape) -> None:
        """Make the kernel (*kernel_size, channels / groups, filters) and the bias (filters,)."""
        super().build(input_shape)
        what = type(self).__name__
        channels = arguments.known_size(input_shape, self.channels_axis, what)
        if channels % self.groups:
            raise ShapeError(
                explain(
                    f"{what}: groups must divide the channels of the input.",
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


Convolution2D = Conv2D
