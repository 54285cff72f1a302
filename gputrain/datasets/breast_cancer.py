"""Breast cancer: 569 tumours, 30 measurements, malignant or benign. Comes with scikit-learn.

"Breast Cancer Wisconsin (Diagnostic)" (Wolberg, Mangasarian, Street and Street, 1993; UCI Machine Learning
Repository, CC BY 4.0).
"""

from __future__ import annotations

from gputrain.datasets import _bundled


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[_bundled.Split, _bundled.Split]:
    """Load the measurements, shuffled and split.

    Args:
        test_split: share of the samples held out for the test, between 0 and 1.
        seed: decides the shuffle.

    Returns:
        ((x_train, y_train), (x_test, y_test)): float64 (n, 30), as measured; int64 (n,), 0 malignant,
            1 benign.

    Raises:
        DatasetUnavailableError: scikit-learn is not installed.
        DataError: `test_split` leaves one part empty.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, x_test.shape  # doctest: +SKIP
    ((455, 30), (114, 30))
    """
    bunch = _bundled.load("breast_cancer")
    return _bundled.split(bunch.data, bunch.target, test_split, seed)


def load_table() -> _bundled.Table:
    """Load all 569 rows as a table: 30 numeric columns and "target", "malignant" or "benign".

    Raises:
        DatasetUnavailableError: scikit-learn is not installed.
    """
    return _bundled.as_table(_bundled.load("breast_cancer"))
