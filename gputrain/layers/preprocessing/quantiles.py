"""Quantiles of data that comes in parts, in little memory."""

from __future__ import annotations

import numpy as np


class QuantileSummary:
    """Some of the numbers that were there, each standing for those between it and the one before.

    A part is thinned out to `1 / epsilon` of its sorted numbers, each of equal weight. Put together with what
    was known, the numbers are thinned out again where there are more than that: to those at equal steps of
        the
    total weight, interpolated. Keras does so, and finds the same borders.

    Args:
        epsilon: the share of the data that one number may stand for.

    Attributes:
        values: the numbers, sorted, float32.
        weights: how many numbers each stands for, float32.

    Example:
        >>> summary = QuantileSummary(0.01)
        >>> summary.add(numpy.arange(10, dtype="float32"))
        >>> summary.borders(2)
        [4.0]
    """

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon
        self.values = self.weights = np.zeros(0, np.float32)

    def add(self, part: np.ndarray) -> None:
        """Add numbers (n,)."""
        if not part.size:
            return
        step = max(part.size * self.epsilon, 1.0)
        kept = np.sort(part)[int(step - 1) :: int(step)]
        values = np.concatenate([kept, self.values])
        weights = np.concatenate([np.full(len(kept), step, np.float32), self.weights])
        order = np.argsort(values, kind="stable")
        self.values, self.weights = _thinned(values[order], weights[order], self.epsilon)

    def borders(self, bins: int) -> list[float]:
        """The numbers between `bins` bins of equal weight."""
        values, _ = _thinned(self.values, self.weights, 1.0 / bins)
        return [float(value) for value in values[:-1]]


def _thinned(values: np.ndarray, weights: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The numbers at equal steps of `share` of the total weight, where there are at least so many."""
    if len(values) * share < 1:
        return values, weights
    steps = share + np.arange(0.0, 1.0, share)
    totals = weights.cumsum()
    parts = totals / totals[-1]
    kept, reached = np.interp(steps, parts, values), np.interp(steps, parts, totals)
    return kept.astype(np.float32), np.diff(reached, prepend=0.0).astype(np.float32)
