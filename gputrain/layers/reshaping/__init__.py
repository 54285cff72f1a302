"""Layers that move, cut, pad or repeat elements."""

from gputrain.layers.reshaping.padding import ZeroPadding2D
from gputrain.layers.reshaping.rearranging import Cropping2D, Permute, RepeatVector, UpSampling2D
from gputrain.layers.reshaping.reshaping import Flatten, Reshape

__all__ = [
    "Cropping2D",
    "Flatten",
    "Permute",
    "RepeatVector",
    "Reshape",
    "UpSampling2D",
    "ZeroPadding2D",
]
