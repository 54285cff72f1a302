"""What all convolutions share: filters that slide over sequences, images or volumes."""

from __future__ import annotations

from typing import Any

from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared
from gputrain.layers.base.images import ImageLayer


def sliding_padding(value: Any, where: str, rank: int) -> str:
    """Return "valid", "same", or along one axis "causal".

    Raises:
        ValueError: anything else.
    """
    names = ("valid", "same", "causal") if rank == 1 else ("valid", "same")
    return arguments.one_of(value, names, where)


class SlidingLayer(ImageLayer):
    """Base of the layers whose filters slide over sequences, images or volumes.

    Args:
        kernel_size: size of the filters along each axis, one int or one for each.
        strides: steps of the filters, one int or one for each axis.
        padding: "valid" (only whole windows), "same" (ceil(size / stride) positions; of an odd number of
            zeros, one more goes after) or, over sequences, "causal" (nothing is seen of what comes after).
        dilation_rate: distance between the taps of a filter, one int or one for each axis.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs of another number of dimensions, of unknown channels, or smaller than a filter.
    """

    kernel_size: Any = declared.argument(arguments.positive_sizes, per_axis=True)
    strides: Any = declared.argument(arguments.positive_sizes, 1, per_axis=True)
    padding: str = declared.argument(sliding_padding, "valid", per_axis=True)
    data_format: str = declared.argument(arguments.data_format, None)
    dilation_rate: Any = declared.argument(arguments.positive_sizes, 1, per_axis=True)

    def channels(self, input_shape: Shape) -> int:
        """Channels of the inputs, which weights are made for.

        Raises:
            ShapeError: they are unknown.
        """
        return arguments.known_size(input_shape, self.channels_axis, type(self).__name__)
