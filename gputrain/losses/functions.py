"""Squared and absolute errors and crossentropies as functions: one loss for each sample."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import DataError, ShapeError, explain
from gputrain.ir import Shape, Value, is_float, normalize_axis
from gputrain.losses.base import registry
from gputrain.losses.shapes import averaging, fits, numeric_pair, operand, require_equal
from gputrain.ops.pointwise import as_float

_ONE_HOT = 'Class indices need to_categorical(y), or loss="sparse_categorical_crossentropy".'

_INDICES = "One-hot rows belong to the loss or metric without 'sparse'; y.argmax(-1) gives class indices."


@registry.add("mse", "MSE")
@averaging
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (y_true - y_pred)**2 over the last axis.

    Args:
        y_true: (N, ..., D).
        y_pred: (N, ..., D); a last axis of size 1 may be missing in one.

    Returns:
        (N, ...).

    Raises:
        ShapeError: any other difference of shapes.

    Example:
        >>> mean_squared_error([[0.0, 0.0]], [[1.0, 3.0]])
        array([5.], dtype=float32)
    """
    y_true, y_pred = numeric_pair("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), axis=-1)


@registry.add("mae", "MAE")
@averaging
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of |y_true - y_pred| over the last axis; shapes as in `mean_squared_error`.

    Args:
        y_true: targets, (N, ..., D).
        y_pred: outputs, (N, ..., D).

    Example:
        >>> mean_absolute_error([[0.0, 0.0]], [[1.0, 3.0]])
        array([2.], dtype=float32)
    """
    y_true, y_pred = numeric_pair("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.absolute(ops.subtract(y_true, y_pred)), axis=-1)


@registry.add("bce", "BCE")
@averaging
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Mean of -(y log p + (1 - y) log(1 - p)) over `axis`.

    Args:
        y_true: (N, ..., D) of 0 and 1, or probabilities.
        y_pred: (N, ..., D): probabilities, clipped to epsilon..1-epsilon, or logits.
        from_logits: whether `y_pred` is logits.
        label_smoothing: 0..1; targets move this far toward 0.5.
        axis: the axis of the mean.

    Returns:
        (N, ...).

    Raises:
        ShapeError: shapes differ by more than a last axis of size 1.

    Example:
        >>> binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).round(4)
        array([0.6931], dtype=float32)
    """
    y_true, y_pred = numeric_pair("binary_crossentropy", y_true, y_pred)
    y_true = smoothed("binary_crossentropy", y_true, label_smoothing, 2)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=axis)


@registry.add()
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """-sum(y * log(p)) over `axis`.

    Args:
        y_true: (N, ..., C), one-hot or probabilities.
        y_pred: (N, ..., C): probabilities (each row is divided by its sum, then clipped to
            epsilon..1-epsilon; a row of zeros is taken as it is, so it costs -log(epsilon)), or logits.
        from_logits: whether `y_pred` is logits.
        label_smoothing: 0..1; targets move this far toward 1 / C (Szegedy et al. 2016).
        axis: the axis of the classes.

    Returns:
        (N, ...).

    Raises:
        ShapeError: shapes differ; class indices need `to_categorical` or the sparse loss.

    Example:
        >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
        array([0.6931], dtype=float32)
    """
    y_pred = as_float(y_pred)
    y_true = operand(y_true, y_pred.dtype)
    require_equal("categorical_crossentropy", y_true, y_pred, fix=_ONE_HOT)
    classes = y_pred.shape[normalize_axis(axis, y_pred.ndim, "categorical_crossentropy")]
    if classes == 1:
        warnings.warn(
            "categorical_crossentropy of a single class: the softmax of one unit is always 1, so nothing is "
            "learned. For two classes use a sigmoid unit and binary_crossentropy.",
            SyntaxWarning,
            stacklevel=2,
        )
    y_true = smoothed("categorical_crossentropy", y_true, label_smoothing, classes or 1)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


@registry.add()
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """-log(p[y]): the categorical crossentropy of class indices.

    Args:
        y_true: integers 0..C-1, (N, ...) or (N, ..., 1).
        y_pred: (N, ..., C), probabilities or logits as in `categorical_crossentropy`.
        from_logits: whether `y_pred` is logits.
        ignore_class: a class index whose positions cost 0 (and do not count in the loss object's mean).
        axis: the axis of the classes.

    Returns:
        (N, ...).

    Raises:
        ShapeError: there is not one label for each row of `y_pred`.
        DataError: a label outside 0..C-1, where the labels are an array.

    Example:
        >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(4)
        array([0.6931], dtype=float32)
    """
    y_pred = as_float(y_pred)
    labels = class_indices("sparse_categorical_crossentropy", y_true, y_pred.shape, axis)
    classes = y_pred.shape[axis]
    if ignore_class is None:
        check_labels(labels, classes)
        return ops.sparse_categorical_crossentropy(labels, y_pred, from_logits=from_logits, axis=axis)
    labels = _signed(labels)
    counted = ops.not_equal(labels, ignore_class)
    known = ops.where(counted, labels, 0)
    check_labels(known, classes)
    losses = ops.sparse_categorical_crossentropy(known, y_pred, from_logits=from_logits, axis=axis)
    return ops.where(counted, losses, 0.0)


def counted_labels(y_true: Any, y_pred: Any, ignore_class: int | None, axis: int = -1) -> Any:
    """True where a label is not `ignore_class`, of the losses' shape; None where all labels count."""
    if ignore_class is None:
        return None
    labels = class_indices("ignore_class", y_true, y_pred.shape, axis)
    return ops.not_equal(_signed(labels), ignore_class)


def check_labels(labels: Any, classes: int | None) -> None:
    """Refuse labels outside 0..classes-1 where they are known; inside a model the data are checked.

    Raises:
        DataError: with the range found.
    """
    if isinstance(labels, Value) or classes is None or 0 in labels.shape:
        return
    low, high = int(ops.min(labels)), int(ops.max(labels))
    if low < 0 or high >= classes:
        raise DataError(
            explain(
                "A class index must name one of the output's classes.",
                expected=f"0..{classes - 1}",
                received=f"labels from {low} to {high}",
                fix="Give the last layer as many units as there are classes, or count classes from 0.",
            )
        )


def class_indices(what: str, y_true: Any, output: Shape, axis: int = -1) -> Any:
    """Labels as integers, of the output's shape without `axis`.

    Args:
        what: who asks, as "sparse_categorical_crossentropy".
        y_true: labels (N, ...), or with size 1 along `axis`.
        output: shape of the outputs.
        axis: the axis of the classes.

    Raises:
        ShapeError: there is not one label for each row of the output.
    """
    labels = operand(y_true)
    axis = normalize_axis(axis, len(output), what)
    if labels.ndim == len(output) and labels.shape[axis] == 1:
        labels = ops.squeeze(labels, axis)
    expected = (*output[:axis], *output[axis + 1 :])
    if not fits(labels.shape, expected):
        one_hot = fits(labels.shape, output)
        raise ShapeError(
            explain(
                f"{what}: y_true must hold one class index for each row of y_pred.",
                expected=f"integers of shape {expected}",
                received=f"y_true of shape {tuple(labels.shape)} for y_pred of shape {tuple(output)}",
                fix=_INDICES if one_hot else "Reshape y, or the layer's output.",
            )
        )
    kind = str(np.dtype(labels.dtype))
    return ops.cast(labels, "int32") if is_float(kind) or kind == "bool" else labels


def _signed(labels: Any) -> Any:
    """Labels in a dtype that holds any `ignore_class`: -1 does not fit uint8, nor 255 int8."""
    return ops.cast(labels, "int64")


def smoothed(what: str, y_true: Any, label_smoothing: Any, classes: int) -> Any:
    """Targets moved by the share `label_smoothing` toward 1 / classes (Szegedy et al. 2016).

    Raises:
        ValueError: a share outside 0..1.
    """
    if not 0 <= label_smoothing <= 1:
        rule = f"{what}: label_smoothing is a share."
        raise ValueError(explain(rule, expected="0..1", received=repr(label_smoothing)))
    if not label_smoothing:
        return y_true
    return ops.add(ops.multiply(y_true, 1.0 - label_smoothing), label_smoothing / classes)
