"""Sequences, images and volumes without their margins."""

from __future__ import annotations

from typing import Any

from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer


class Cropping(ImageLayer):
    """Base of the layers that leave out margins.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs of another number of dimensions, or of which nothing would be left.
    """

    cropping: Any = declared.argument(arguments.side_pairs, per_axis=True)

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """What is left out (before, after) along each axis."""
        return (self.cropping,) if self.rank == 1 else self.cropping

    def build(self, input_shape: Shape) -> None:
        """Check that what comes in is larger than what is cropped."""
        super().build(input_shape)
        sizes = (input_shape[axis] for axis in self.spatial_axes)
        for axis, size, pair in zip(self.words.axes, sizes, self.margins, strict=True):
            if size is not None and size <= sum(pair):
                raise ShapeError(
                    explain(
                        f"{type(self).__name__} must leave something of the {self.words.thing}.",
                        expected=f"{axis} above {sum(pair)} for cropping {self.cropping}",
                        received=input_shape,
                    )
                )

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, C) to the inner part."""
        inner = tuple(slice(before, -after or None) for before, after in self.margins)
        ahead = (slice(None),) * self.spatial_axes[0]
        return inputs[ahead + inner]


@registry.add()
class Cropping1D(Cropping):
    """Sequences without their first and last steps.

    Args:
        cropping: steps to leave out: one int for both ends, or (before, after).

    Shapes:
        (N, T, C) to (N, T - before - after, C), any dtype, kept.

    Example:
        >>> Cropping1D((2, 1))(numpy.ones((1, 6, 3), "float32")).shape
        (1, 3, 3)
    """

    rank = 1
    cropping: Any = declared.argument(arguments.side_pairs, (1, 1), per_axis=True)

    @declared.fixed
    def data_format(self) -> str:
        """Sequences are (N, T, C)."""
        return "channels_last"


@registry.add()
class Cropping2D(Cropping):
    """Images without their margins.

    Args:
        cropping: rows and columns to leave out: one int for all four sides, two for (top and bottom, left
            and right), or ((top, bottom), (left, right)).

    Shapes:
        (N, H, W, C) to (N, H - top - bottom, W - left - right, C), any dtype, kept.

    Example:
        >>> Cropping2D(((1, 0), (2, 2)))(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 3, 2, 3)
    """

    rank = 2
    cropping: Any = declared.argument(arguments.side_pairs, ((0, 0),) * 2, per_axis=True)


@registry.add()
class Cropping3D(Cropping):
    """Volumes without their margins.

    Args:
        cropping: what to leave out: one int for all sides, three with one for each axis, or three pairs
            (before, after).

    Shapes:
        (N, D, H, W, C) to (N, D, H, W, C) with smaller D, H and W, any dtype, kept.

    Example:
        >>> Cropping3D((0, 1, 2))(numpy.ones((1, 2, 4, 6, 3), "float32")).shape
        (1, 2, 2, 2, 3)
    """

    rank = 3
    cropping: Any = declared.argument(arguments.side_pairs, ((1, 1),) * 3, per_axis=True)
