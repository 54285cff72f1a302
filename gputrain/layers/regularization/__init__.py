"""Dropout and noise."""

from gputrain.layers.regularization.dropout import Dropout
from gputrain.layers.regularization.noise import AlphaDropout, GaussianDropout, GaussianNoise, SpatialDropout2D

__all__ = [
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout2D",
]
