"""Dropout and noise."""

from gputrain.layers.regularization.dropout import Dropout
from gputrain.layers.regularization.noise import GaussianDropout, GaussianNoise, SpatialDropout2D

__all__ = [
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout2D",
]
