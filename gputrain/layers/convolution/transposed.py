"""Transposed convolutions, from few positions to many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.kernel import KernelLayer
from gputrain.layers.convolution.sliding import SlidingLayer


def _output_padding(value: Any, where: str, rank: int) -> tuple[int, ...] | None:
    """None, or a number of 0 or more for each axis."""
    if value is None:
        return None
    given = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    if len(given) != rank or not all(arguments.is_int(size) and size >= 0 for size in given):
        numbers = "an int" if rank == 1 else f"an int or {rank} of them"
        raise ValueError(explain(f"{where} must be None, or {numbers}, 0 or more.", received=repr(value)))
    return tuple(int(size) for size in given)


class ConvTranspose(SlidingLayer, KernelLayer):
    """Base of the transposed convolutions: what the gradient of a convolution does to its outputs.

    Each element of the input puts a filter's multiple into the output, where neighbours overlap and add up.

    Args:
        filters: number of filters, the channels of the output.
        strides: distance of the filters in the output, one int or one for each axis.
        padding: "valid" (all that the filters reach) or "same" (size * stride elements).
        output_padding: elements that are added after, one int or one for each axis, smaller than strides.
            Then "valid" makes (size - 1) * stride + reach + output_padding elements of filters that reach
            over (kernel_size - 1) * dilation_rate + 1, and "same" has reach % 2 in place of reach.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs of another number of dimensions, or of unknown channels.

    Source:
        Dumoulin and Visin 2016, A guide to convolution arithmetic for deep learning.
    """

    filters: int = declared.argument(arguments.positive_int)
    padding: str = declared.argument(arguments.padding, "valid", after="strides")
    output_padding: Any = declared.argument(_output_padding, None, per_axis=True, after="padding")

    def check_arguments(self) -> None:
        """Check that output_padding is smaller than strides."""
        pairs = zip(self.output_padding or (), self.strides, strict=False)
        if any(extra >= stride for extra, stride in pairs):
            raise ValueError(
                explain(
                    f"{type(self).__name__}: output_padding must be smaller than strides.",
                    received=f"output_padding={self.output_padding}, strides={self.strides}",
                )
            )

    def build(self, input_shape: Shape) -> None:
        """Make the kernel (*kernel_size, filters, channels) and the bias (filters,)."""
        super().build(input_shape)
        self.kernel = self.add_kernel((*self.kernel_size, self.filters, self.channels(input_shape)))
        self.bias = self.add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, channels) to the larger (N, *sizes, filters)."""
        product = ops.conv_transpose(
            self.to_last(inputs),
            self.kernel,
            self.strides,
            self.padding,
            self.output_padding,
            dilation_rate=self.dilation_rate,
        )
        return self.from_last(self.finish(product))


@registry.add("Convolution1DTranspose")
class Conv1DTranspose(ConvTranspose):
    """Transposed convolution of sequences, as after Conv1D with strides to come back to their length.

    Shapes:
        (N, T, C) to (N, OT, filters); kernel (K, filters, C), bias (filters,).

    Example:
        >>> Conv1DTranspose(4, 5, strides=2, padding="same")(numpy.ones((1, 10, 3), "float32")).shape
        (1, 20, 4)
    """

    rank = 1


@registry.add("Convolution2DTranspose")
class Conv2DTranspose(ConvTranspose):
    """Transposed convolution of images, as after Conv2D with strides to come back to their size.

    Shapes:
        (N, H, W, C) to (N, OH, OW, filters); kernel (KH, KW, filters, C), bias (filters,).

    Example:
        >>> Conv2DTranspose(4, 3, strides=2, padding="same")(numpy.ones((1, 5, 7, 3), "float32")).shape
        (1, 10, 14, 4)
    """

    rank = 2


@registry.add("Convolution3DTranspose")
class Conv3DTranspose(ConvTranspose):
    """Transposed convolution of volumes, as after Conv3D with strides to come back to their size.

    Shapes:
        (N, D, H, W, C) to (N, OD, OH, OW, filters); kernel (KD, KH, KW, filters, C), bias (filters,).

    Example:
        >>> Conv3DTranspose(4, 2, strides=2)(numpy.ones((1, 3, 4, 5, 2), "float32")).shape
        (1, 6, 8, 10, 4)
    """

    rank = 3
    output_padding: Any = declared.argument(_output_padding, None, per_axis=True, after="data_format")


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
