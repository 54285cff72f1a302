"""Pipeline: layers one after the other, as one layer."""

from __future__ import annotations

from typing import Any

from gputrain.errors import explain
from gputrain.layers.base import Layer, declared, registry
from gputrain.layers.base.masking import carried
from gputrain.layers.wrappers.wrapper import described_within
from gputrain.utils.custom_objects import serialize_keras_object


def _layers(value: Any, where: str) -> list[Layer]:
    if not isinstance(value, list | tuple) or not all(isinstance(layer, Layer) for layer in value):
        raise TypeError(explain(f"{where} is a list of layers.", received=repr(value)))
    return list(value)


@registry.add()
class Pipeline(Layer):
    """Layers one after the other, as one layer: what prepares and augments images.

    Args:
        layers: a list of them.
        name: see `Layer`.

    Shapes:
        those of the first layer to those of the last one.

    Raises:
        TypeError: something else than a list of layers.

    Example:
        >>> Pipeline([Dense(4), Dense(3)])(numpy.ones((1, 2), "float32")).shape
        (1, 3)
    """

    layers: list[Layer] = declared.argument(_layers, plain=serialize_keras_object)
    name: str = declared.handed_on(after="layers")

    def call(self, inputs: Any, training: bool | None = True, mask: Any = None) -> Any:
        """The inputs through all layers; unless somebody says otherwise they are being trained."""
        outputs = inputs
        with carried(inputs, mask):
            for layer in self.layers:
                outputs = layer(outputs, training=training)
        return outputs

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the outputs have the mask that the last layer gave them."""
        return

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A Pipeline from `get_config()`."""
        layers = config.get("layers")
        if not isinstance(layers, list | tuple):
            rule = "Pipeline: a config has its layers in a list."
            raise ValueError(explain(rule, received=repr(layers)))
        return cls(**{**config, "layers": list(map(described_within, layers))})
