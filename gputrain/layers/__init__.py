"""Layers, with Keras's names and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gputrain.layers.activation.activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from gputrain.layers.activation.prelu import PReLU
from gputrain.layers.augmentation.augmentation import RandomBrightness, RandomContrast, RandomFlip
from gputrain.layers.augmentation.cropping import CenterCrop, RandomCrop
from gputrain.layers.base.layer import Layer
from gputrain.layers.convolution.conv import Conv2D, Convolution2D
from gputrain.layers.core.dense import Dense
from gputrain.layers.core.input_layer import Input, InputLayer
from gputrain.layers.core.passing import ActivityRegularization, Identity
from gputrain.layers.merging.dot import Dot, dot
from gputrain.layers.merging.merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from gputrain.layers.normalization.batch_normalization import BatchNormalization
from gputrain.layers.normalization.layer_normalization import LayerNormalization, UnitNormalization
from gputrain.layers.pooling.pooling import (
    AveragePool2D,
    AveragePooling2D,
    AvgPool2D,
    GlobalAveragePooling2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    MaxPooling2D,
)
from gputrain.layers.preprocessing.feature_normalization import Normalization
from gputrain.layers.preprocessing.rescaling import Rescaling
from gputrain.layers.regularization.dropout import Dropout
from gputrain.layers.regularization.noise import GaussianDropout, GaussianNoise, SpatialDropout2D
from gputrain.layers.reshaping.padding import ZeroPadding2D
from gputrain.layers.reshaping.rearranging import Cropping2D, Permute, RepeatVector, UpSampling2D
from gputrain.layers.reshaping.reshaping import Flatten, Reshape
from gputrain.names import missing_name
from gputrain.utils.registry import Registry

_CLASSES: tuple[type[Layer], ...] = (
    Activation,
    ActivityRegularization,
    Add,
    Average,
    AveragePooling2D,
    BatchNormalization,
    CenterCrop,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    Dot,
    Dropout,
    ELU,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Identity,
    InputLayer,
    LayerNormalization,
    LeakyReLU,
    MaxPooling2D,
    Maximum,
    Minimum,
    Multiply,
    Normalization,
    PReLU,
    Permute,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    Softmax,
    SpatialDropout2D,
    Subtract,
    UnitNormalization,
    UpSampling2D,
    ZeroPadding2D,
)
registry: Registry[Layer] = Registry("layer", ())
for _class in _CLASSES:
    registry.register(_class, _class.__name__)
registry.register(Conv2D, "Convolution2D")
registry.register(AveragePooling2D, "AveragePool2D", "AvgPool2D")
registry.register(GlobalAveragePooling2D, "GlobalAvgPool2D")
registry.register(GlobalMaxPooling2D, "GlobalMaxPool2D")
registry.register(MaxPooling2D, "MaxPool2D")


def get(identifier: Any) -> Any:
    """Return the layer that `identifier` stands for: a config dict, a class name, a layer, or None.

    Args:
        identifier: as above.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.
    """
    return registry.get(identifier)


def serialize(layer: Layer) -> dict[str, Any]:
    """Return `layer` as plain data: {"class_name", "config"}.

    Args:
        layer: what is to be described.
    """
    return registry.serialize(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the layer that `serialize` described; only registered names and `custom_objects` load.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in `config`.

    Example:
        >>> deserialize({"class_name": "Dense", "config": {"units": 3}}).units
        3
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "Average",
    "AveragePool2D",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "CenterCrop",
    "Concatenate",
    "Conv2D",
    "Convolution2D",
    "Cropping2D",
    "Dense",
    "Dot",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "Identity",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout2D",
    "Subtract",
    "UnitNormalization",
    "UpSampling2D",
    "ZeroPadding2D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "get",
    "maximum",
    "minimum",
    "multiply",
    "registry",
    "serialize",
    "subtract",
]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__ = missing_name("layer", __name__, __all__)
