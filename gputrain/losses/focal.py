"""Crossentropies that attend to what is still wrong, as functions: one loss for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import config, ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import normalize_axis
from gputrain.losses.base import registry
from gputrain.losses.functions import smoothed
from gputrain.losses.shapes import averaging, numeric_pair


@registry.add()
@averaging
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Mean of (1 - q)**gamma times the binary crossentropy over `axis`, q being what was given to the truth.

    q = y * p + (1 - y) * (1 - p).

    Args:
        y_true: (N, ..., D) of 0 and 1, or probabilities.
        y_pred: (N, ..., D), probabilities or logits; a last axis of size 1 may be missing in one.
        apply_class_balancing: whether ones weigh alpha and zeros 1 - alpha.
        alpha: weight of the ones, 0..1.
        gamma: how much less counts what is nearly right; 0 gives the crossentropy.
        from_logits: whether `y_pred` is logits.
        label_smoothing: 0..1; targets move this far toward 0.5.
        axis: the axis of the mean.

    Returns:
        (N, ...).

    Raises:
        ShapeError: any other difference of shapes.
        ValueError: label_smoothing outside 0..1.

    Source:
        Lin et al. 2017, Focal Loss for Dense Object Detection.

    Example:
        >>> binary_focal_crossentropy([[1.0]], [[0.5]]).round(4)
        array([0.1733], dtype=float32)
    """
    y_true, y_pred = numeric_pair("binary_focal_crossentropy", y_true, y_pred)
    y_true = smoothed("binary_focal_crossentropy", y_true, label_smoothing, 2)
    losses = ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits)
    given = _either(y_true, ops.sigmoid(y_pred) if from_logits else y_pred)
    losses = ops.multiply(_attention(given, gamma), losses)
    if apply_class_balancing:
        losses = ops.multiply(_either(y_true, np.asarray(alpha, y_true.dtype)), losses)
    return ops.mean(losses, axis=axis)


@registry.add()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """-sum(alpha * (1 - p)**gamma * y * log(p)) over `axis`.

    Args:
        y_true: (N, ..., C), one-hot or probabilities.
        y_pred: (N, ..., C): probabilities (each row is divided by its sum, then clipped to
            epsilon..1-epsilon; a row of zeros is taken as it is), or logits.
        alpha: weight, one number or one for each class.
        gamma: how much less counts what is nearly right.
        from_logits: whether `y_pred` is logits.
        label_smoothing: 0..1; targets move this far toward 1 / C.
        axis: the axis of the classes; the last one where alpha has a number for each class.

    Returns:
        (N, ...).

    Raises:
        ShapeError: the shapes differ, or alpha has not a number for each class.
        ValueError: label_smoothing outside 0..1.

    Source:
        Lin et al. 2017, Focal Loss for Dense Object Detection.

    Example:
        >>> categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
        array([0.0433], dtype=float32)
    """
    what = "categorical_focal_crossentropy"
    y_true, y_pred = numeric_pair(what, y_true, y_pred, fix="Class indices need to_categorical(y).")
    classes = y_pred.shape[normalize_axis(axis, y_pred.ndim, what)]
    y_true = smoothed(what, y_true, label_smoothing, classes or 1)
    shares = ops.softmax(y_pred, axis=axis) if from_logits else _shares(y_pred, axis)
    shares = ops.clip(shares, config.epsilon(), 1.0 - config.epsilon())
    losses = ops.negative(ops.multiply(y_true, ops.log(shares)))
    weights = ops.multiply(_attention(shares, gamma), _class_weights(alpha, classes, y_pred.dtype))
    return ops.sum(ops.multiply(weights, losses), axis=axis)


def _either(y_true: Any, share: Any) -> Any:
    """y * share + (1 - y) * (1 - share): of a one its share, of a zero the rest."""
    of_zeros = ops.multiply(ops.subtract(1.0, y_true), ops.subtract(1.0, share))
    return ops.add(ops.multiply(y_true, share), of_zeros)


def _attention(given: Any, gamma: float) -> Any:
    """(1 - given)**gamma. What is missing counts as epsilon at least, so that the gradient stays finite."""
    missing = ops.maximum(ops.subtract(1.0, given), config.epsilon())
    return ops.power(missing, float(gamma))


def _shares(y_pred: Any, axis: int) -> Any:
    total = ops.sum(y_pred, axis=axis, keepdims=True)
    return ops.divide(y_pred, ops.where(ops.equal(total, 0.0), 1.0, total))


def _class_weights(alpha: Any, classes: int | None, dtype: str) -> Any:
    """`alpha` as one number, or as one for each class.

    Raises:
        ShapeError: another count of numbers.
    """
    weights = np.asarray(alpha, dtype)
    if weights.ndim and classes is not None and weights.shape != (classes,):
        rule = "categorical_focal_crossentropy: alpha is one number, or one for each class."
        raise ShapeError(explain(rule, expected=f"{classes} numbers", received=alpha))
    return weights
