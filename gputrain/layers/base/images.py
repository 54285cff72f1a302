"""What layers over images share: their layout. Everything works channels last; the other is transposed."""

from __future__ import annotations

from typing import Any, ClassVar

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared
from gputrain.layers.base.layer import Layer

_AXES = {"channels_last": "(N, H, W, C)", "channels_first": "(N, C, H, W)"}


class ImageLayer(Layer):
    """Base of the layers over images.

    Args:
        data_format: "channels_last" (N, H, W, C) or "channels_first" (N, C, H, W); None means
            `config.image_data_format()`.
    """

    rank: ClassVar[int] = 2
    data_format: str = declared.argument(arguments.data_format, None)

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        self.require_images(input_shape)

    def require_images(self, shape: Shape) -> None:
        """Refuse a shape without exactly four dimensions.

        Raises:
            ShapeError: with the axis that is most likely missing.
        """
        if len(shape) != self.rank + 2:
            raise ShapeError(
                explain(
                    f"{type(self).__name__} takes images, four dimensions.",
                    expected=_AXES[self.data_format],
                    received=shape,
                    fix="Give grey images a channel axis: x[..., None]." if len(shape) == 3 else None,
                )
            )

    @property
    def channels_axis(self) -> int:
        """The axis of the channels."""
        return -1 if self.data_format == "channels_last" else 1

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        """The axes of height and width."""
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def to_last(self, x: Any) -> Any:
        """Images in the layer's format as (N, H, W, C)."""
        return x if self.data_format == "channels_last" else ops.transpose(x, (0, 2, 3, 1))

    def from_last(self, x: Any) -> Any:
        """Images (N, H, W, C) in the layer's format."""
        return x if self.data_format == "channels_last" else ops.transpose(x, (0, 3, 1, 2))
