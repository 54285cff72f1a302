"""Normalization with learned or running statistics."""

from gputrain.layers.normalization.batch_normalization import BatchNormalization
from gputrain.layers.normalization.layer_normalization import LayerNormalization, UnitNormalization

__all__ = [
    "BatchNormalization",
    "LayerNormalization",
    "UnitNormalization",
]
