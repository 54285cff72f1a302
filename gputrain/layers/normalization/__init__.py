"""Normalization with learned or running statistics."""

from gputrain.layers.normalization.batch_normalization import BatchNormalization
from gputrain.layers.normalization.group_normalization import GroupNormalization
from gputrain.layers.normalization.layer_normalization import LayerNormalization, UnitNormalization
from gputrain.layers.normalization.rms_normalization import RMSNormalization

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "UnitNormalization",
]
