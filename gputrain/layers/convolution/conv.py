"""Convolutions over images."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments
from gputrain.layers.base.kernel import KernelLayer
from gputrain.layers.base.layout import channels_axis, from_last, require_images, to_last


class Conv2D(KernelLayer):
    """Convolution of images with learned filters.

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: height and width of the filters, one int or two.
        strides: steps of the filters, one int or (vertical, horizontal).
        padding: "valid" (only whole windows) or "same" (ceil(size / stride) positions; the odd row or
            column of zeros goes after the image).
        data_format: "channels_last" (N, H, W, C) or "channels_first" (N, C, H, W); None means
            `config.image_data_format()`.
        dilation_rate: distance between the taps of a filter, one int or two.
        groups: the channels and the filters are cut into as many groups, each filter seeing one group.
        activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint: as in `Dense`.

    Shapes:
        (N, H, W, C) to (N, OH, OW, filters); kernel (KH, KW, C / groups, filters), bias (filters,).

    Raises:
        ValueError: an argument that is not as above, or filters that groups does not divide.
        ShapeError: inputs that are not images, channels unknown or not divisible by groups, a filter larger
            than the image.

    Example:
        >>> Conv2D(8, 3, activation="relu")(numpy.ones((2, 28, 28, 1), "float32")).shape
        (2, 26, 26, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.filters = arguments.positive_int(filters, "Conv2D: filters")
        self.kernel_size = arguments.positive_pair(kernel_size, "Conv2D: kernel_size")
        self.strides = arguments.positive_pair(strides, "Conv2D: strides")
        self.padding = arguments.padding(padding, "Conv2D")
        self.data_format = arguments.data_format(data_format, "Conv2D")
        self.dilation_rate = arguments.positive_pair(dilation_rate, "Conv2D: dilation_rate")
        self.groups = arguments.positive_int(groups, "Conv2D: groups")
        if self.filters % self.groups:
            raise ValueError(
                explain("Conv2D: groups must divide filters.", received=f"filters={filters}, groups={groups}")
            )

    def build(self, input_shape: Shape) -> None:
        """Make the kernel (KH, KW, C / groups, filters) and the bias (filters,)."""
        require_images(input_shape, self.data_format, "Conv2D")
        channels = arguments.known_size(input_shape, channels_axis(self.data_format), "Conv2D")
        if channels % self.groups:
            raise ShapeError(
                explain(
                    "Conv2D: groups must divide the channels of the input.",
                    received=f"{channels} channels, groups={self.groups}",
                )
            )
        self.kernel = self.add_kernel((*self.kernel_size, channels // self.groups, self.filters))
        self.bias = self.add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, OH, OW, filters)."""
        images = to_last(inputs, self.data_format)
        product = ops.conv(images, self.kernel, self.strides, self.padding, dilation_rate=self.dilation_rate)
        return from_last(self.finish(product), self.data_format)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
        }


Convolution2D = Conv2D
