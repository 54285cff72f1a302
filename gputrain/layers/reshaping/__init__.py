"""Layers that move, cut, pad or repeat elements."""

from gputrain.layers.reshaping.cropping import Cropping1D, Cropping2D, Cropping3D
from gputrain.layers.reshaping.padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from gputrain.layers.reshaping.rearranging import Permute, RepeatVector, UpSampling2D
from gputrain.layers.reshaping.reshaping import Flatten, Reshape
from gputrain.layers.reshaping.upsampling import UpSampling1D, UpSampling3D

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Flatten",
    "Permute",
    "RepeatVector",
    "Reshape",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
