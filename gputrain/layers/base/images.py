"""What layers over sequences, images and volumes share: their layout. All work channels last.

The other layout is transposed where it comes in and goes out.
"""

from __future__ import annotations

from typing import Any, ClassVar

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared
from gputrain.layers.base.layer import Layer
from gputrain.ops.window import WORDS, Words

_DIMENSIONS = {1: "three", 2: "four", 3: "five"}


class ImageLayer(Layer):
    """Base of the layers over images, or over sequences (`rank` 1) or volumes (`rank` 3).

    Args:
        data_format: "channels_last" (N, ..., C) or "channels_first" (N, C, ...); None means
            `config.image_data_format()`.
    """

    rank: ClassVar[int] = 2
    data_format: str = declared.argument(arguments.data_format, None)

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        self.require_images(input_shape)

    def require_images(self, shape: Shape) -> None:
        """Refuse a shape of another number of dimensions than images of this rank have.

        Raises:
            ShapeError: with the axis that is most likely missing.
        """
        if len(shape) != self.rank + 2:
            words, last = self.words, self.data_format == "channels_last"
            axes = [*words.axes, "C"] if last else ["C", *words.axes]
            what = "single numbers" if self.rank == 1 else f"grey {words.thing}s"
            axis = "x[..., None]" if last else "x[:, None]"
            raise ShapeError(
                explain(
                    f"{type(self).__name__} takes {words.thing}s, {_DIMENSIONS[self.rank]} dimensions.",
                    expected=f"(N, {', '.join(axes)})",
                    received=shape,
                    fix=f"Give {what} a channel axis: {axis}." if len(shape) == self.rank + 1 else None,
                )
            )

    @property
    def words(self) -> Words:
        """What people call the inputs and their axes."""
        return WORDS[self.rank]

    @property
    def channels_axis(self) -> int:
        """The axis of the channels."""
        return -1 if self.data_format == "channels_last" else 1

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        """The axes between samples and channels, as those of height and width."""
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def to_last(self, x: Any) -> Any:
        """Images in the layer's format as (N, ..., C)."""
        if self.data_format == "channels_last":
            return x
        return ops.transpose(x, (0, *self.spatial_axes, 1))

    def from_last(self, x: Any) -> Any:
        """Images (N, ..., C) in the layer's format."""
        if self.data_format == "channels_last":
            return x
        return ops.transpose(x, (0, self.rank + 1, *range(1, self.rank + 1)))
