"""Diabetes: 442 patients, 10 measurements, and how far the disease went in a year. Comes with scikit-learn.

For regression. From B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least angle regression", 2004.
"""

from __future__ import annotations

from gputrain.datasets import _bundled


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[_bundled.Split, _bundled.Split]:
    """Load the measurements, as they were taken and not scaled, shuffled and split.

    Args:
        test_split: share of the samples held out for the test, between 0 and 1.
        seed: decides the shuffle.

    Returns:
        ((x_train, y_train), (x_test, y_test)): float64 (n, 10); float64 (n,), from 25 to 346.

    Raises:
        DatasetUnavailableError: scikit-learn is not installed.
        DataError: `test_split` leaves one part empty.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, x_test.shape  # doctest: +SKIP
    ((353, 10), (89, 10))
    """
    bunch = _bundled.load("diabetes", scaled=False)
    return _bundled.split(bunch.data, bunch.target, test_split, seed)


def load_table() -> _bundled.Table:
    """Load all 442 rows as a table: 10 numeric columns and "target", a number.

    Raises:
        DatasetUnavailableError: scikit-learn is not installed.
    """
    return _bundled.as_table(_bundled.load("diabetes", scaled=False))
