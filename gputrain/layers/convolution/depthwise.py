"""Convolutions of each channel by itself, and those followed by one over all channels at each position."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.ir import Shape
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.kernel import BiasLayer
from gputrain.layers.convolution.sliding import SlidingLayer


class ChannelwiseLayer(SlidingLayer, BiasLayer):
    """Base of the layers with filters for each channel.

    Args:
        depth_multiplier: filters for each channel.
        depthwise_initializer: what these filters begin with.
        depthwise_regularizer: a penalty on them, added to the loss.
        depthwise_constraint: what they are held to after each step.
    """

    depth_multiplier: int = declared.argument(arguments.positive_int, 1, after="padding")
    depthwise_initializer: Any = declared.initializer("glorot_uniform", after="use_bias")
    depthwise_regularizer: Any = declared.regularizer(after="bias_initializer")
    depthwise_constraint: Any = declared.constraint(after="activity_regularizer")


class DepthwiseConv(ChannelwiseLayer):
    """Base of the depthwise convolutions."""

    def build(self, input_shape: Shape) -> None:
        """Make the kernel (*kernel_size, channels, depth_multiplier) and the bias, one for each output."""
        super().build(input_shape)
        channels = self.channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self.add_declared_weight("depthwise", shape, name="kernel")
        self.bias = self.add_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, channels) to (N, *positions, channels * depth_multiplier)."""
        product = ops.depthwise_conv(
            self.to_last(inputs), self.kernel, self.strides, self.padding, dilation_rate=self.dilation_rate
        )
        return self.from_last(self.finish(product))


@registry.add()
class DepthwiseConv1D(DepthwiseConv):
    """Convolution of each channel of sequences by itself.

    Shapes:
        (N, T, C) to (N, OT, C * depth_multiplier); kernel (K, C, depth_multiplier), bias
        (C * depth_multiplier,).

    Example:
        >>> DepthwiseConv1D(3, depth_multiplier=2)(numpy.ones((1, 10, 4), "float32")).shape
        (1, 8, 8)
    """

    rank = 1


@registry.add()
class DepthwiseConv2D(DepthwiseConv):
    """Convolution of each channel of images by itself.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C * depth_multiplier); kernel (KH, KW, C, depth_multiplier), bias
        (C * depth_multiplier,).

    Example:
        >>> DepthwiseConv2D(3, padding="same")(numpy.ones((1, 6, 7, 4), "float32")).shape
        (1, 6, 7, 4)
    """

    rank = 2


class SeparableConv(ChannelwiseLayer):
    """Base of the separable convolutions: filters for each channel, then sums over channels.

    Args:
        filters: number of these sums, the channels of the output.
        pointwise_initializer: what the weights of the sums begin with.
        pointwise_regularizer: a penalty on them, added to the loss.
        pointwise_constraint: what they are held to after each step.

    Source:
        Chollet 2017, Xception: Deep Learning with Depthwise Separable Convolutions.
    """

    filters: int = declared.argument(arguments.positive_int)
    depth_multiplier: int = declared.argument(arguments.positive_int, 1, after="dilation_rate")
    pointwise_initializer: Any = declared.initializer("glorot_uniform", after="depthwise_initializer")
    pointwise_regularizer: Any = declared.regularizer(after="depthwise_regularizer")
    pointwise_constraint: Any = declared.constraint(after="depthwise_constraint")

    def build(self, input_shape: Shape) -> None:
        """Make depthwise and pointwise kernel and the bias (filters,)."""
        super().build(input_shape)
        channels, ones = self.channels(input_shape), (1,) * self.rank
        each = (*self.kernel_size, channels, self.depth_multiplier)
        mixed = (*ones, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self.add_declared_weight("depthwise", each, name="depthwise_kernel")
        self.pointwise_kernel = self.add_declared_weight("pointwise", mixed, name="pointwise_kernel")
        self.bias = self.add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, channels) to (N, *positions, filters)."""
        product = ops.separable_conv(
            self.to_last(inputs),
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.strides,
            self.padding,
            dilation_rate=self.dilation_rate,
        )
        return self.from_last(self.finish(product))


@registry.add("SeparableConvolution1D")
class SeparableConv1D(SeparableConv):
    """Convolution of each channel of sequences by itself, then sums over the channels at each step.

    Shapes:
        (N, T, C) to (N, OT, filters); depthwise kernel (K, C, M), pointwise kernel (1, C * M, filters), bias
        (filters,), with M the depth_multiplier.

    Example:
        >>> SeparableConv1D(8, 3, padding="causal")(numpy.ones((1, 10, 4), "float32")).shape
        (1, 10, 8)
    """

    rank = 1


@registry.add("SeparableConvolution2D")
class SeparableConv2D(SeparableConv):
    """Convolution of each channel of images by itself, then sums over the channels at each pixel.

    Shapes:
        (N, H, W, C) to (N, OH, OW, filters); depthwise kernel (KH, KW, C, M), pointwise kernel
        (1, 1, C * M, filters), bias (filters,), with M the depth_multiplier.

    Example:
        >>> SeparableConv2D(8, 3, strides=2)(numpy.ones((1, 7, 9, 4), "float32")).shape
        (1, 3, 4, 8)
    """

    rank = 2


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
