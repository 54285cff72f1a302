"""How often outputs are right, as functions of a batch: 1 for each hit, 0 for each miss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from gputrain import config, ops
from gputrain.errors import explain
from gputrain.losses.base import FunctionLoss, Loss
from gputrain.losses.functions import class_indices
from gputrain.losses.shapes import aligned, operand, require_equal
from gputrain.names import did_you_mean
from gputrain.utils.registry import Registry
from gputrain.utils.signatures import only_taken

# What a saved MeanMetricWrapper may name as its function.
registry: Registry[Any] = Registry("metric function")
for _loss in FunctionLoss.of_function:
    registry.register(cast("type[Any]", _loss), _loss.__name__)


def direction_of_function(function: Callable[..., Any]) -> str | None:
    """Which way a metric that averages a function improves: a loss down, a share of hits up; else None."""
    if isinstance(function, Loss) or any(function is loss for loss in FunctionLoss.of_function):
        return "down"
    return "up" if any(registry.get(name) is function for name in registry.names()) else None


_ONE_HOT = "Class indices need to_categorical(y), or SparseCategoricalAccuracy."


@registry.add()
def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Where targets and outputs are equal, elementwise.

    Args:
        y_true, y_pred: (N, ...) of one shape; a last axis of size 1 may be missing in one.

    Returns:
        floats of that shape.

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> accuracy([1, 2], [1, 3])
        array([1., 0.], dtype=float32)
    """
    y_true, y_pred = aligned("accuracy", operand(y_true), operand(y_pred))
    return _hits(ops.equal(y_true, y_pred))


@registry.add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Where outputs lie on the target's side of the threshold, elementwise.

    Args:
        y_true: 0 or 1, (N, ...).
        y_pred: (N, ...); above `threshold` means 1.
        threshold: between 0 and 1.

    Returns:
        floats of that shape.

    Raises:
        ShapeError: the shapes differ by more than a last axis of size 1.

    Example:
        >>> binary_accuracy([[1], [0]], [[0.9], [0.6]]).tolist()
        [[1.0], [0.0]]
    """
    y_true, y_pred = aligned("binary_accuracy", operand(y_true), operand(y_pred))
    return _hits(ops.equal(y_true, ops.cast(ops.greater(y_pred, threshold), y_true.dtype)))


@registry.add()
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Where the largest output is that of the target's class; of equal outputs the first counts.

    Args:
        y_true: one-hot rows or distributions, (N, ..., C).
        y_pred: probabilities or logits, (N, ..., C).

    Returns:
        floats (N, ...).

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> categorical_accuracy([[0, 1]], [[0.2, 0.8]])
        array([1.], dtype=float32)
    """
    y_true, y_pred = operand(y_true), operand(y_pred)
    require_equal("categorical_accuracy", y_true, y_pred, fix=_ONE_HOT)
    return _hits(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)))


@registry.add()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Where the largest output is that of the target's class; of equal outputs the first counts.

    Args:
        y_true: class indices, (N, ...) or (N, ..., 1).
        y_pred: probabilities or logits, (N, ..., C).

    Returns:
        floats (N, ...).

    Raises:
        ShapeError: there is not one label for each row of `y_pred`.

    Example:
        >>> sparse_categorical_accuracy([1], [[0.2, 0.8]])
        array([1.], dtype=float32)
    """
    y_pred = operand(y_pred)
    labels = class_indices("sparse_categorical_accuracy", y_true, y_pred.shape)
    return _hits(ops.equal(ops.cast(labels, "int32"), ops.argmax(y_pred, axis=-1)))


@registry.add()
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Where the target's class is among the `k` largest outputs; shapes as in `categorical_accuracy`.

    Args:
        y_true: one-hot rows, (N, ..., classes).
        y_pred: outputs, (N, ..., classes).
        k: how many of the largest count.

    Example:
        >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.2, 0.3]], k=2)
        array([1.], dtype=float32)
    """
    y_true, y_pred = operand(y_true), operand(y_pred)
    require_equal("top_k_categorical_accuracy", y_true, y_pred, fix=_ONE_HOT)
    return _among_largest(ops.argmax(y_true, axis=-1), y_pred, k)


@registry.add()
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """Where the target's class is among the `k` largest outputs; shapes as in `sparse_categorical_accuracy`.

    Args:
        y_true: class numbers, (N, ...).
        y_pred: outputs, (N, ..., classes).
        k: how many of the largest count.
        from_sorted_ids: of Keras; only False is taken.

    Example:
        >>> sparse_top_k_categorical_accuracy([2], [[0.5, 0.2, 0.3]], k=2)
        array([1.], dtype=float32)
    """
    only_taken("from_sorted_ids", from_sorted_ids, "sparse_top_k_categorical_accuracy")
    y_pred = operand(y_pred)
    return _among_largest(class_indices("sparse_top_k_categorical_accuracy", y_true, y_pred.shape), y_pred, k)


def check_k(k: Any) -> int:
    """Return `k`, at least 1.

    Raises:
        ValueError: anything else.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(explain("Top k accuracy: k must be a positive int.", received=repr(k)))
    return int(k)


def check_one_of(rule: str, value: Any, names: Sequence[str | None]) -> Any:
    """Return `value`, one of `names`, None perhaps among them.

    Raises:
        ValueError: it is not; the message begins with `rule` and says the nearest name.
    """
    if value in names:
        return value
    hint = did_you_mean(str(value), [str(name) for name in names])
    raise ValueError(explain(rule, received=repr(value), fix=hint))


def _among_largest(labels: Any, y_pred: Any, k: int) -> Any:
    """Where fewer than `k` outputs are larger than that of the label, which itself is a finite number."""
    score = ops.take_along_axis(y_pred, ops.expand_dims(labels, -1), axis=-1)
    above = ops.sum(ops.cast(ops.greater(y_pred, score), "int32"), axis=-1)
    finite = ops.squeeze(ops.isfinite(score), -1)
    return _hits(ops.logical_and(ops.less(above, check_k(k)), finite))


def _hits(flags: Any) -> Any:
    return ops.cast(flags, config.floatx())
