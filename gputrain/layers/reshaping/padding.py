"""Borders around images."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer


@registry.add()
class ZeroPadding2D(ImageLayer):
    """Rows and columns of zeros around images.

    Args:
        padding: one int for all four sides, two as (above and below, left and right), or two pairs
            ((above, below), (left, right)). 0 or more.

    Shapes:
        (N, H, W, C) to (N, above + H + below, left + W + right, C), any dtype, kept.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 2)))(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 5, 10, 3)
    """

    padding: Any = declared.argument(arguments.side_pairs, (1, 1))

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to the larger (N, H, W, C)."""
        none = (0, 0)
        sides = (*self.padding, none) if self.data_format == "channels_last" else (none, *self.padding)
        return ops.pad(inputs, (none, *sides))
