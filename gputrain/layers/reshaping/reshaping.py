"""Layers that only give the same numbers another shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Shape
from gputrain.layers.base import Layer, arguments, declared, registry


def _target(shape: Any, where: str) -> Shape:
    """`shape` as a tuple of sizes, at most one of them -1 or None."""
    given = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    open_sizes = sum(d is None or d == -1 for d in given)
    if open_sizes > 1 or not all(d is None or (arguments.is_int(d) and d >= -1) for d in given):
        raise ValueError(
            explain(f"{where} is a tuple of sizes, at most one of them -1.", received=repr(shape))
        )
    return tuple(d if d is None else int(d) for d in given)


@registry.add()
class Flatten(Layer):
    """Each sample as one row.

    Args:
        data_format: with "channels_first" the channels are moved to the end first, so that weights do not
            depend on the layout; None means `config.image_data_format()`.

    Shapes:
        (N, ...) to (N, features); (N,) to (N, 1).

    Example:
        >>> Flatten()(numpy.ones((2, 3, 4), "float32")).shape
        (2, 12)
    """

    data_format: str = declared.argument(arguments.data_format, None)

    def call(self, inputs: Any) -> Any:
        """(N, ...) to (N, features)."""
        if self.data_format == "channels_first":
            inputs = ops.moveaxis(inputs, 1, -1) if inputs.ndim > 2 else inputs
        return ops.reshape(inputs, (None, -1))


@registry.add()
class Reshape(Layer):
    """Each sample in another shape.

    Args:
        target_shape: tuple of ints without the axis of samples; one of them may be -1, which is worked out.
            None means the same.

    Shapes:
        (N, ...) to (N, *target_shape).

    Raises:
        ValueError: target_shape is not as above.
        ShapeError: the number of elements would change.

    Example:
        >>> Reshape((2, -1))(numpy.ones((5, 12), "float32")).shape
        (5, 2, 6)
    """

    target_shape: Shape = declared.argument(_target)

    def call(self, inputs: Any) -> Any:
        """(N, ...) to (N, *target_shape)."""
        return ops.reshape(inputs, (None, *(-1 if size is None else size for size in self.target_shape)))
