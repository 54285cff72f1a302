"""Metrics as classes and as functions, with Keras's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from gputrain.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from gputrain.metrics.base import Metric
from gputrain.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
)
from gputrain.metrics.functions import (
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from gputrain.metrics.means import Mean, MeanMetricWrapper, Sum
from gputrain.utils.registry import Registry

_CLASSES: tuple[type[Metric], ...] = (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    Mean,
    MeanAbsoluteError,
    MeanMetricWrapper,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    Sum,
    TopKCategoricalAccuracy,
)
_ALIASES: dict[str, type[Metric]] = {
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "rmse": RootMeanSquaredError,
    "RMSE": RootMeanSquaredError,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "bce": BinaryCrossentropy,
    "BCE": BinaryCrossentropy,
}
registry: Registry[Any] = Registry("metric", _CLASSES, _ALIASES)


def get(identifier: Any) -> Any:
    """Return the metric that `identifier` stands for.

    Args:
        identifier: a class name, also in snake case ("categorical_accuracy", "mse"), a dict as `serialize`
            gives, a class, an instance, a callable, or None.

    Returns:
        a new metric for a name, class or dict; `identifier` itself for a callable; None for None.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.

    Example:
        >>> get("mse").name
        'mean_squared_error'
    """
    return identifier if isinstance(identifier, Metric) else registry.get(identifier)


def as_metric(identifier: Any) -> Any:
    """Return the Metric object that `identifier` stands for, as `compile` needs it; None for None.

    Args:
        identifier: as for `get`. A function becomes a MeanMetricWrapper of its name.

    Example:
        >>> as_metric(mean_squared_error).name
        'mean_squared_error'
    """
    found = get(identifier)
    return found if found is None or isinstance(found, Metric) else MeanMetricWrapper(found)


def serialize(metric: Any) -> Any:
    """Return `metric` as plain data: {"class_name", "config"}, a function's name, or None."""
    return registry.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the metric that `serialize` described; only registered names and `custom_objects` load."""
    return registry.deserialize(config, custom_objects)


__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "Mean",
    "MeanAbsoluteError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "Metric",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "Sum",
    "TopKCategoricalAccuracy",
    "accuracy",
    "as_metric",
    "binary_accuracy",
    "binary_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "deserialize",
    "get",
    "mean_absolute_error",
    "mean_squared_error",
    "registry",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]
