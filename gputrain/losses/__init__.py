"""Losses as classes and as functions, with Keras's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain.losses.base import FunctionLoss, Loss, LossFunctionWrapper, registry
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
from gputrain.names import public
from gputrain.utils.registry import deserializer, serializer

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
    classes = (cls for function, cls in FunctionLoss.of_function.items() if function is found)
    cls = next(classes, None)
    return LossFunctionWrapper(found) if cls is None else cls()


serialize = serializer(registry, __name__)
deserialize = deserializer(registry, __name__, "name")


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("loss", __name__, __all__)
