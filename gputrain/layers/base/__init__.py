"""Layer, and what all layers share."""

from gputrain.layers.base.layer import Layer

__all__ = ["Layer"]
