"""Attention."""

from __future__ import annotations

from gputrain.layers.attention.multi_head import GroupQueryAttention, MultiHeadAttention
from gputrain.layers.attention.one_head import AdditiveAttention, Attention

__all__ = [
    "AdditiveAttention",
    "Attention",
    "GroupQueryAttention",
    "MultiHeadAttention",
]
