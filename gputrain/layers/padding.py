"""Borders around images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Shape
from gputrain.layers import arguments
from gputrain.layers.base import Layer
from gputrain.layers.layout import require_images

Pairs = tuple[tuple[int, int], tuple[int, int]]


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
        self.padding = _pairs(padding)
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


def _pairs(padding: Any) -> Pairs:
    """((above, below), (left, right)) of what the user gave."""
    given = _two(padding)
    sides = [_two(side) for side in given] if given is not None else [None]
    if None in sides or not all(_is_count(n) for side in sides for n in side or ()):
        raise ValueError(
            explain(
                "ZeroPadding2D: padding is a number of rows and columns, 0 or more.",
                expected="an int, (rows, columns), or ((above, below), (left, right))",
                received=repr(padding),
            )
        )
    (above, below), (left, right) = (side or (0, 0) for side in sides)
    return (int(above), int(below)), (int(left), int(right))


def _two(value: Any) -> tuple[Any, Any] | None:
    """Both entries of a pair, a single number twice; None for anything of another length."""
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        return value, value
    return (value[0], value[1]) if len(value) == 2 else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 0)
