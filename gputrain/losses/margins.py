"""Losses that ask for a margin between classes, as functions: one loss for each sample."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.losses.base import registry
from gputrain.losses.shapes import averaging, numeric_pair


@registry.add()
@averaging
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y_true * y_pred, 0) over the last axis.

    Args:
        y_true: -1 or 1, (N, ..., D); where a batch has nothing but 0 and 1, the 0 count as -1.
        y_pred: scores, (N, ..., D); a last axis of size 1 may be missing in one.

    Returns:
        (N, ...).

    Raises:
        ShapeError: any other difference of shapes.

    Example:
        >>> hinge([[1.0, 0.0]], [[0.5, -3.0]])
        array([0.25], dtype=float32)
    """
    y_true, y_pred = numeric_pair("hinge", y_true, y_pred)
    return ops.mean(_short_of_margin(y_true, y_pred), axis=-1)


@registry.add()
@averaging
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y_true * y_pred, 0)**2 over the last axis; all else as in `hinge`.

    Args:
        y_true: -1 or 1, (N, ..., D); where a batch has nothing but 0 and 1, the 0 count as -1.
        y_pred: scores, (N, ..., D).

    Example:
        >>> squared_hinge([[1.0, 0.0]], [[0.5, -3.0]])
        array([0.125], dtype=float32)
    """
    y_true, y_pred = numeric_pair("squared_hinge", y_true, y_pred)
    return ops.mean(ops.square(_short_of_margin(y_true, y_pred)), axis=-1)


@registry.add()
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 + the largest score of a wrong class - the score of the right one, 0).

    Args:
        y_true: one-hot, (N, ..., C).
        y_pred: scores, (N, ..., C).

    Returns:
        (N, ...).

    Raises:
        ShapeError: the shapes differ by more than a last axis of size 1.

    Example:
        >>> categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]])
        array([0.75], dtype=float32)
    """
    fix = "Class indices need to_categorical(y)."
    y_true, y_pred = numeric_pair("categorical_hinge", y_true, y_pred, fix)
    right = ops.sum(ops.multiply(y_true, y_pred), axis=-1)
    wrong = ops.max(ops.multiply(ops.subtract(1.0, y_true), y_pred), axis=-1)
    return ops.maximum(ops.add(ops.subtract(wrong, right), 1.0), 0.0)


def _short_of_margin(y_true: Any, y_pred: Any) -> Any:
    return ops.maximum(ops.subtract(1.0, ops.multiply(_signs(y_true), y_pred)), 0.0)


def _signs(y_true: Any) -> Any:
    """Targets as they are, or -1 and 1 where all of them are 0 and 1."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(binary, ops.subtract(ops.multiply(y_true, 2.0), 1.0), y_true)
