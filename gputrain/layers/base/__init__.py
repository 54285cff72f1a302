"""Layer, and what all layers share."""

from gputrain.layers.base.input_spec import InputSpec
from gputrain.layers.base.layer import Layer, registry

__all__ = ["InputSpec", "Layer", "registry"]
