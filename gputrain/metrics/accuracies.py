"""The accuracy family: the share of outputs that are right."""

from __future__ import annotations

from typing import Any

from gputrain.metrics import functions
from gputrain.metrics.base import registry
from gputrain.metrics.means import FunctionMetric, MeanMetricWrapper
from gputrain.utils.dtypes import as_number
from gputrain.utils.signatures import only_taken


@registry.add()
class Accuracy(FunctionMetric, function=functions.accuracy):
    """How often outputs equal targets; see `metrics.accuracy`.

    Example:
        >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
        0.75
    """


@registry.add()
class BinaryAccuracy(MeanMetricWrapper):
    """How often outputs lie on the target's side of a threshold; see `metrics.binary_accuracy`.

    Args:
        name, dtype: see `Metric`.
        threshold: outputs above it mean 1; None means 0.5. Logits need 0.

    Raises:
        ValueError: a threshold that is not a finite number.

    Example:
        >>> float(BinaryAccuracy()([1, 1, 0, 0], [0.98, 1, 0, 0.6]))
        0.75
    """

    _direction = "up"

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float | None = 0.5
    ) -> None:
        chosen = 0.5 if threshold is None else as_number(threshold, "BinaryAccuracy: threshold")
        super().__init__(functions.binary_accuracy, name, dtype, threshold=chosen)
        self.threshold = chosen


@registry.add()
class CategoricalAccuracy(FunctionMetric, function=functions.categorical_accuracy):
    """How often the largest output is that of a one-hot target; see `metrics.categorical_accuracy`.

    Example:
        >>> float(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]))
        0.5
    """


@registry.add()
class SparseCategoricalAccuracy(FunctionMetric, function=functions.sparse_categorical_accuracy):
    """How often the largest output is that of the class index; see `metrics.sparse_categorical_accuracy`.

    Example:
        >>> float(SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.3, 0.7]]))
        0.5
    """


@registry.add()
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often a one-hot target's class is among the k largest outputs.

    Args:
        k: how many outputs count, at least 1.
        name, dtype: see `Metric`.

    Example:
        >>> float(TopKCategoricalAccuracy(k=2)([[0, 0, 1]], [[0.5, 0.2, 0.3]]))
        1.0
    """

    _direction = "up"

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(functions.top_k_categorical_accuracy, name, dtype, k=functions.check_k(k))
        self.k = k


@registry.add()
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often a class index is among those of the k largest outputs.

    Args:
        k: how many outputs count, at least 1.
        name, dtype: see `Metric`.
        from_sorted_ids: of Keras; only False is taken.

    Example:
        >>> float(SparseTopKCategoricalAccuracy(k=2)([2], [[0.5, 0.2, 0.3]]))
        1.0
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        only_taken("from_sorted_ids", from_sorted_ids, "SparseTopKCategoricalAccuracy")
        super().__init__(functions.sparse_top_k_categorical_accuracy, name, dtype, k=functions.check_k(k))
        self.k, self.from_sorted_ids = k, from_sorted_ids
