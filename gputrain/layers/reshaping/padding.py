"""Borders around images."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.ir import Shape
from gputrain.layers.base import arguments
from gputrain.layers.base.layer import Layer
from gputrain.layers.base.layout import require_images


class ZeroPadding2D(Layer):
    """Rows and columns of zeros around images.

    Args:
        padding: one int for all four sides, two as (above and below, left and right), or two pairs
            ((above, below), (left, right)). 0 or more.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Shapes:
        (N, H, W, C) to (N, above + H + below, left + W + right, C), any dtype, kept.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 2)))(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 5, 10, 3)
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = arguments.side_pairs(padding, "ZeroPadding2D: padding")
        self.data_format = arguments.data_format(data_format, "ZeroPadding2D")

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        require_images(input_shape, self.data_format, "ZeroPadding2D")

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to the larger (N, H, W, C)."""
        none = (0, 0)
        sides = (*self.padding, none) if self.data_format == "channels_last" else (none, *self.padding)
        return ops.pad(inputs, (none, *sides))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}
