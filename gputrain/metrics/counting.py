"""Confusion counts of arrays at once, the shares that are made of them, and the exact area under a ROC curve.

The metrics of this room count batch by batch, on the device; these functions see all samples together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Shares(NamedTuple):
    """Precision, recall and F1 of each class, (C,) each; a ratio of 0 to 0 is 0."""

    precision: Floats
    recall: Floats
    f1: Floats


def confusion_matrix(labels: Counts, decided: Counts, classes: int) -> Counts:
    """Numbers of samples by [true class, decided class], (classes, classes).

    Args:
        labels, decided: class indices in 0..classes-1, (N,) each.
        classes: how many there are.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    cells = np.bincount(labels * classes + decided, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def shares(confusion: Counts) -> Shares:
    """Precision, recall and F1 of each class from a `confusion_matrix`.

    Example:
        >>> shares(np.array([[1, 0], [1, 1]])).recall.tolist()
        [1.0, 0.5]
    """
    hits, support, decided = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    return Shares(_ratio(hits, decided), _ratio(hits, support), _ratio(2 * hits, support + decided))


def _ratio(part: Counts, whole: Counts) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def roc_auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """The area under the ROC curve: how often a positive sample scores higher than another one, ties half.

    Args:
        scores: (N,).
        positive: which samples are positive, (N,).

    Returns:
        0..1; NaN where all samples are of one kind, or a score is NaN.

    Source:
        Mann & Whitney 1947, whose U this is, over the number of pairs.

    Example:
        >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
        0.75
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives or np.isnan(scores).any():
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # ties share the mean of their ranks, counted from 1
    u = ranks[place][positive].sum() - positives * (positives + 1) / 2
    return float(u / (positives * negatives))
