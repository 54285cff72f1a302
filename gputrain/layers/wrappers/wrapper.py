"""Wrapper: a layer that holds another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.errors import explain
from gputrain.layers.base import Layer, declared, registry
from gputrain.utils.custom_objects import deserialize_keras_object


def described_within(config: Any) -> Any:
    """What a config describes within that of another layer, which builds it and heads its paths."""
    unbuilt = {**config, "build_config": None} if isinstance(config, Mapping) else config
    return deserialize_keras_object(unbuilt)


def as_layer(value: Any, where: str) -> Layer:
    """Return a layer or model, or the one that a config describes.

    Raises:
        ValueError: anything else.
    """
    layer = described_within(value)
    if not isinstance(layer, Layer):
        fix = "Make it first, as in layers.Dense(3)." if isinstance(value, type) else ""
        raise ValueError(explain(f"{where} must be a layer.", received=repr(value), fix=fix))
    return layer


@registry.add()
class Wrapper(Layer):
    """Base of layers around another one; a subclass writes `call`.

    Args:
        layer: the layer inside, or a model.

    Raises:
        ValueError: something that is no layer.

    Example:
        >>> class Twice(Wrapper):
        ...     def call(self, inputs):
        ...         return self.layer(self.layer(inputs))
        >>> Twice(Dense(3))(numpy.ones((2, 3), "float32")).shape
        (2, 3)
    """

    layer: Layer = declared.argument(as_layer, plain=registry.serialize)

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside for inputs of this shape."""
        if not self.layer.built:
            self.layer.build(input_shape)
