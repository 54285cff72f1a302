"""Mean and variance of data that comes in parts."""

from __future__ import annotations

import numpy as np


class Moments:
    """Count, mean and variance of each feature over all parts added so far, in float64.

    A part's sum of squared distances is taken from its own mean, and parts are put together by

        mean = mean_a + delta * n_b / n,   squares = squares_a + squares_b + delta^2 * n_a * n_b / n

    with delta = mean_b - mean_a, so that a large mean does not swallow a small variance.

    Args:
        sizes: shape of the statistics.

    Source:
        T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", 1979.

    Example:
        >>> moments = Moments((2,))
        >>> moments.add(numpy.array([[1.0, 5.0], [3.0, 5.0]]), (0,))
        >>> moments.mean.tolist(), moments.variance.tolist()
        ([2.0, 5.0], [1.0, 0.0])
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.count = 0
        self._mean, self._squares = np.zeros(sizes), np.zeros(sizes)
        self._low, self._high = np.full(sizes, np.inf), np.full(sizes, -np.inf)

    def add(self, part: np.ndarray, axes: tuple[int, ...]) -> None:
        """Add finite float64 numbers; `axes` are those that hold no features."""
        count = part.size // max(1, self._mean.size)
        if count == 0:
            return
        mean = part.mean(axes, keepdims=True)
        squares = np.square(part - mean).sum(axes)
        delta, total = mean.reshape(self._mean.shape) - self._mean, self.count + count
        self._squares = self._squares + squares + np.square(delta) * (self.count * count / total)
        self._mean = self._mean + delta * (count / total)
        self._low = np.minimum(self._low, part.min(axes))
        self._high = np.maximum(self._high, part.max(axes))
        self.count = total

    @property
    def mean(self) -> np.ndarray:
        """Means; of a feature that is constant its very value."""
        return np.where(self._low == self._high, self._low, self._mean)

    @property
    def variance(self) -> np.ndarray:
        """Variances, divided by the count; exactly 0 for a feature that is constant."""
        return np.where(self._low == self._high, 0.0, self._squares / max(1, self.count))
