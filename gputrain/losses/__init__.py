"""Losses as classes and as functions, with Keras's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from gputrain.losses.base import Loss, LossFunctionWrapper
from gputrain.losses.classes import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from gputrain.losses.distances import (
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_percentage_error,
    mean_squared_logarithmic_error,
    poisson,
)
from gputrain.losses.focal import binary_focal_crossentropy, categorical_focal_crossentropy
from gputrain.losses.functions import (
    binary_crossentropy,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from gputrain.losses.margins import categorical_hinge, hinge, squared_hinge
from gputrain.names import missing_name
from gputrain.utils.registry import Registry

# Each function, the class of the same loss, and short names of the function.
_PAIRS: tuple[tuple[Any, type[Loss], tuple[str, ...]], ...] = (
    (binary_crossentropy, BinaryCrossentropy, ("bce", "BCE")),
    (binary_focal_crossentropy, BinaryFocalCrossentropy, ()),
    (categorical_crossentropy, CategoricalCrossentropy, ()),
    (categorical_focal_crossentropy, CategoricalFocalCrossentropy, ()),
    (categorical_hinge, CategoricalHinge, ()),
    (cosine_similarity, CosineSimilarity, ()),
    (hinge, Hinge, ()),
    (huber, Huber, ()),
    (kl_divergence, KLDivergence, ("kld", "KLD")),
    (log_cosh, LogCosh, ()),
    (mean_absolute_error, MeanAbsoluteError, ("mae", "MAE")),
    (mean_absolute_percentage_error, MeanAbsolutePercentageError, ("mape", "MAPE")),
    (mean_squared_error, MeanSquaredError, ("mse", "MSE")),
    (mean_squared_logarithmic_error, MeanSquaredLogarithmicError, ("msle", "MSLE")),
    (poisson, Poisson, ()),
    (sparse_categorical_crossentropy, SparseCategoricalCrossentropy, ()),
    (squared_hinge, SquaredHinge, ()),
)
registry: Registry[Any] = Registry("loss", ())
registry.register(LossFunctionWrapper, "LossFunctionWrapper")
for _function, _class, _short in _PAIRS:
    registry.register(_class, _class.__name__)
    registry.register(cast("type[Any]", _function), _function.__name__, *_short)


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
    for function, cls, _ in _PAIRS:
        if found is function:
            return cls()
    return LossFunctionWrapper(found)


def serialize(loss: Any) -> Any:
    """Return `loss` as plain data: a function's name, {"class_name", "config"} of an object, or None.

    Args:
        loss: what is to be described.
    """
    return registry.serialize(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the loss that `serialize` described; only registered names and `custom_objects` load.

    Args:
        name: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in it.
    """
    return registry.deserialize(name, custom_objects)


__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "as_loss",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "registry",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__ = missing_name("loss", __name__, __all__)
