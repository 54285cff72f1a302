"""Metrics as classes and as functions, with Keras's names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gputrain.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from gputrain.metrics.accuracies import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from gputrain.metrics.auc import AUC
from gputrain.metrics.base import Metric, registry
from gputrain.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from gputrain.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
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
from gputrain.metrics.scores import F1Score, FBetaScore, R2Score
from gputrain.names import public, snake_case
from gputrain.utils.registry import deserializer, serializer

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "Precision",
    "R2Score",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "accuracy",
    "as_metric",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
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
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]


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
    if found is None or isinstance(found, Metric):
        return found
    return MeanMetricWrapper(found, _name_of(found))


def _name_of(function: Any) -> str:
    """The name of a loss, of a function or of the class of another callable, as logs have it."""
    known = getattr(function, "name", None)
    return known or snake_case(re.sub(r"\W", "", getattr(function, "__name__", type(function).__name__)))


serialize = serializer(registry, __name__)
deserialize = deserializer(registry, __name__)


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("metric", __name__, __all__)
