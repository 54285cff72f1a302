"""Dropout and noise."""

from gputrain.layers.regularization.dropout import Dropout
from gputrain.layers.regularization.noise import AlphaDropout, GaussianDropout, GaussianNoise
from gputrain.layers.regularization.spatial_dropout import (
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)

__all__ = [
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
