"""Layers that prepare features."""

from gputrain.layers.preprocessing.feature_normalization import Normalization
from gputrain.layers.preprocessing.rescaling import Rescaling

__all__ = [
    "Normalization",
    "Rescaling",
]
