"""Borders around sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer


class ZeroPadding(ImageLayer):
    """Base of the layers that put zeros around.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs of another number of dimensions.
    """

    padding: Any = declared.argument(arguments.side_pairs, 1, per_axis=True)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, C) to the larger (N, *sizes, C)."""
        none = (0, 0)
        pairs = (self.padding,) if self.rank == 1 else self.padding
        sides = (*pairs, none) if self.data_format == "channels_last" else (none, *pairs)
        return ops.pad(inputs, (none, *sides))


@registry.add()
class ZeroPadding1D(ZeroPadding):
    """Steps of zeros before and after sequences.

    Args:
        padding: one int for both ends, or (before, after). 0 or more.

    Shapes:
        (N, T, C) to (N, before + T + after, C), any dtype, kept.

    Example:
        >>> ZeroPadding1D((2, 0))(numpy.ones((1, 4, 3), "float32")).shape
        (1, 6, 3)
    """

    rank = 1


@registry.add()
class ZeroPadding2D(ZeroPadding):
    """Rows and columns of zeros around images.

    Args:
        padding: one int for all four sides, two as (above and below, left and right), or two pairs
            ((above, below), (left, right)). 0 or more.

    Shapes:
        (N, H, W, C) to (N, above + H + below, left + W + right, C), any dtype, kept.

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 2)))(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 5, 10, 3)
    """

    rank = 2


@registry.add()
class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes.

    Args:
        padding: one int for all sides, three with one for each axis, or three pairs (before, after). 0 or
            more.

    Shapes:
        (N, D, H, W, C) to (N, D, H, W, C) with larger D, H and W, any dtype, kept.

    Example:
        >>> ZeroPadding3D((0, 1, 2))(numpy.ones((1, 2, 4, 6, 3), "float32")).shape
        (1, 2, 6, 10, 3)
    """

    rank = 3
    padding: Any = declared.argument(arguments.side_pairs, ((1, 1),) * 3, per_axis=True)
