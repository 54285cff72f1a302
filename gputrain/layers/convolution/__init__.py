"""Convolutions."""

from gputrain.layers.convolution.conv import Conv2D, Convolution2D

__all__ = [
    "Conv2D",
    "Convolution2D",
]
