"""Image layouts: everything works channels last; channels_first is transposed at the edge."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape

_AXES = {"channels_last": "(N, H, W, C)", "channels_first": "(N, C, H, W)"}


def channels_axis(data_format: str) -> int:
    """The axis of the channels."""
    return -1 if data_format == "channels_last" else 1


def require_images(shape: Shape, data_format: str, where: str) -> None:
    """Refuse a shape without exactly four dimensions.

    Raises:
        ShapeError: with the axis that is most likely missing.
    """
    if len(shape) != 4:
        raise ShapeError(
            explain(
                f"{where} takes images, four dimensions.",
                expected=_AXES[data_format],
                received=shape,
                fix="Give grey images a channel axis: x[..., None]." if len(shape) == 3 else None,
            )
        )


def to_last(x: Any, data_format: str) -> Any:
    """Images in `data_format` as (N, H, W, C)."""
    return x if data_format == "channels_last" else ops.transpose(x, (0, 2, 3, 1))


def from_last(x: Any, data_format: str) -> Any:
    """Images (N, H, W, C) in `data_format`."""
    return x if data_format == "channels_last" else ops.transpose(x, (0, 3, 1, 2))
