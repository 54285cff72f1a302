"""Layers, with Keras's names and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.layers.activation import Activation, ReLU, Softmax
from gputrain.layers.base import Layer
from gputrain.layers.conv import Conv2D, Convolution2D
from gputrain.layers.dense import Dense
from gputrain.layers.input import Input, InputLayer
from gputrain.layers.merging import Add, Concatenate, add, concatenate
from gputrain.layers.normalization import BatchNormalization
from gputrain.layers.pooling import AveragePool2D, AveragePooling2D, MaxPool2D, MaxPooling2D
from gputrain.layers.regularization import Dropout
from gputrain.layers.rescaling import Rescaling
from gputrain.layers.reshaping import Flatten, Reshape
from gputrain.utils.registry import Registry

_CLASSES: tuple[type[Layer], ...] = (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    InputLayer,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)
registry: Registry[Layer] = Registry("layer", ())
for _class in _CLASSES:
    registry.register(_class, _class.__name__)
registry.register(Conv2D, "Convolution2D")
registry.register(AveragePooling2D, "AveragePool2D")
registry.register(MaxPooling2D, "MaxPool2D")


def get(identifier: Any) -> Any:
    """Return the layer that `identifier` stands for: a config dict, a class name, a layer, or None.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.
    """
    return registry.get(identifier)


def serialize(layer: Layer) -> dict[str, Any]:
    """Return `layer` as plain data: {"class_name", "config"}."""
    return registry.serialize(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the layer that `serialize` described; only registered names and `custom_objects` load.

    Example:
        >>> deserialize({"class_name": "Dense", "config": {"units": 3}}).units
        3
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "Activation",
    "Add",
    "AveragePool2D",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "MaxPool2D",
    "MaxPooling2D",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "add",
    "concatenate",
    "deserialize",
    "get",
    "registry",
    "serialize",
]
