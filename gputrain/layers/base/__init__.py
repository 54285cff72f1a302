"""Layer, and what all layers share."""

from gputrain.layers.base.layer import Layer, registry

__all__ = ["Layer", "registry"]
