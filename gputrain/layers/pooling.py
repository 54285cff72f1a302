"""Pooling over images."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.ir import Shape
from gputrain.layers import arguments
from gputrain.layers.base import Layer
from gputrain.layers.layout import from_last, require_images, to_last


class MaxPooling2D(Layer):
    """The largest value of each window, channel by channel.

    Args:
        pool_size: height and width of the window, one int or two.
        strides: steps of the window, one int or two; None means pool_size.
        padding: "valid" (only whole windows) or "same" (the border never wins).
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the window.

    Example:
        >>> MaxPooling2D(2)(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 2, 3, 3)
    """

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = arguments.positive_pair(pool_size, "MaxPooling2D: pool_size")
        given = self.pool_size if strides is None else strides
        self.strides = arguments.positive_pair(given, "MaxPooling2D: strides")
        self.padding = arguments.padding(padding, "MaxPooling2D")
        self.data_format = arguments.data_format(data_format, "MaxPooling2D")

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        require_images(input_shape, self.data_format, "MaxPooling2D")

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, OH, OW, C)."""
        images = to_last(inputs, self.data_format)
        return from_last(ops.max_pool(images, self.pool_size, self.strides, self.padding), self.data_format)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
        }


MaxPool2D = MaxPooling2D
