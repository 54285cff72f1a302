"""Losses as classes and as functions, with Keras's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gputrain.losses.base import Loss, LossFunctionWrapper
from gputrain.losses.classes import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from gputrain.losses.functions import (
    binary_crossentropy,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from gputrain.utils.registry import Registry

_CLASSES: tuple[type[Loss], ...] = (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    LossFunctionWrapper,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
_FUNCTIONS = {
    binary_crossentropy: ("binary_crossentropy", "bce", "BCE"),
    categorical_crossentropy: ("categorical_crossentropy",),
    mean_absolute_error: ("mean_absolute_error", "mae", "MAE"),
    mean_squared_error: ("mean_squared_error", "mse", "MSE"),
    sparse_categorical_crossentropy: ("sparse_categorical_crossentropy",),
}
_CLASS_OF: tuple[tuple[Any, type[Loss]], ...] = (
    (binary_crossentropy, BinaryCrossentropy),
    (categorical_crossentropy, CategoricalCrossentropy),
    (mean_absolute_error, MeanAbsoluteError),
    (mean_squared_error, MeanSquaredError),
    (sparse_categorical_crossentropy, SparseCategoricalCrossentropy),
)
registry: Registry[Any] = Registry("loss", ())
for _class in _CLASSES:
    registry.register(_class, _class.__name__)
for _function, _names in _FUNCTIONS.items():
    registry.register(cast("type[Any]", _function), *_names)


def get(identifier: Any) -> Any:
    """Return the loss that `identifier` stands for.

    Args:
        identifier: a name, a dict as `serialize` gives, a class, an instance, a callable, or None.

    Returns:
        as in Keras, the function for a name in snake case ("mse", "categorical_crossentropy"), a new object
        for a class name ("MeanSquaredError") or a dict, `identifier` itself for a callable, None for None.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.

    Example:
        >>> get("mse") is mean_squared_error
        True
    """
    return registry.get(identifier)


def as_loss(identifier: Any) -> Any:
    """Return the Loss object that `identifier` stands for, as `compile` needs it; None for None.

    Args:
        identifier: as for `get`. A function becomes the class of its name, or a LossFunctionWrapper.

    Example:
        >>> as_loss("mse")
        <MeanSquaredError name=mean_squared_error>
    """
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    for function, cls in _CLASS_OF:
        if found is function:
            return cls()
    return LossFunctionWrapper(found)


def serialize(loss: Any) -> Any:
    """Return `loss` as plain data: a function's name, {"class_name", "config"} of an object, or None."""
    return registry.serialize(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the loss that `serialize` described; only registered names and `custom_objects` load."""
    return registry.deserialize(name, custom_objects)


__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "as_loss",
    "binary_crossentropy",
    "categorical_crossentropy",
    "deserialize",
    "get",
    "mean_absolute_error",
    "mean_squared_error",
    "registry",
    "serialize",
    "sparse_categorical_crossentropy",
]
