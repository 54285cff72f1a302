"""Layers that move, repeat or leave out elements."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.layers.reshaping.upsampling import UpSampling


def _order(value: Any, where: str) -> tuple[int, ...]:
    """The axes of a sample, each once."""
    dims = (value,) if isinstance(value, int) else tuple(value)
    if sorted(dims) != list(range(1, len(dims) + 1)):
        rule = f"{where} is an order of the axes after that of the samples."
        raise ValueError(explain(rule, expected="each of 1, 2, ... once, as (2, 1)", received=repr(value)))
    return dims


@registry.add()
class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: the axes, counted from 1 after that of the samples: (2, 1) swaps the first two.

    Shapes:
        (N, ...) to (N, ...), the sizes in the new order.

    Raises:
        ValueError: dims is not an order of 1, 2, ...
        ShapeError: the inputs have more or fewer axes.

    Example:
        >>> Permute((2, 1))(numpy.ones((5, 2, 3), "float32")).shape
        (5, 3, 2)
    """

    dims: tuple[int, ...] = declared.argument(_order)

    def build(self, input_shape: Shape) -> None:
        """Check that there are as many axes as `dims` has."""
        if len(input_shape) != len(self.dims) + 1:
            raise ShapeError(
                explain(
                    "Permute: dims must name each axis of a sample.",
                    expected=f"{len(self.dims)} axes after that of the samples",
                    received=f"inputs of shape {input_shape}",
                )
            )

    def call(self, inputs: Any) -> Any:
        """The axes in the new order."""
        return ops.transpose(inputs, (0, *self.dims))


@registry.add()
class RepeatVector(Layer):
    """Each sample `n` times, along a new axis.

    Args:
        n: how many times, at least 1.

    Shapes:
        (N, features) to (N, n, features).

    Raises:
        ValueError: n is not a positive int.
        ShapeError: samples that are no vectors.

    Example:
        >>> RepeatVector(3)(numpy.ones((5, 2), "float32")).shape
        (5, 3, 2)
    """

    n: int = declared.argument(arguments.positive_int)

    def build(self, input_shape: Shape) -> None:
        """Check that vectors come in."""
        if len(input_shape) != 2:
            raise ShapeError(
                explain("RepeatVector takes vectors.", expected="(N, features)", received=input_shape)
            )

    def call(self, inputs: Any) -> Any:
        """(N, features) to (N, n, features)."""
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)


def _interpolation(value: Any, where: str) -> str:
    return arguments.one_of(value, ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"), where)


@registry.add()
class UpSampling2D(UpSampling):
    """Images with `size` times as many rows and columns.

    Args:
        size: how many times as many rows and columns, one int or two.
        interpolation: "nearest" repeats pixels; "bilinear", "bicubic", "lanczos3" and "lanczos5" put others
            between them.

    Shapes:
        (N, H, W, C) to (N, H * size[0], W * size[1], C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.

    Example:
        >>> UpSampling2D((2, 3))(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 8, 18, 3)
    """

    rank = 2
    interpolation: str = declared.argument(_interpolation, "nearest", after="data_format")

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, H * size[0], W * size[1], C)."""
        old = [inputs.shape[axis] for axis in self.spatial_axes]
        if self.interpolation == "nearest" or None in old:  # only the shape matters while sizes are unknown
            return super().call(inputs)
        from gputrain.ops.derived_resizing import resize  # only needed here

        new = [size * times for size, times in zip(old, self.size, strict=True)]
        return resize(inputs, new, self.interpolation, data_format=self.data_format)
