"""Wine: 178 wines of three growers, 13 measurements of each. Comes with scikit-learn.

"Wine" (Aeberhard and Forina, 1991; UCI Machine Learning Repository, CC BY 4.0).
"""

from __future__ import annotations

from gputrain.datasets import _bundled


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[_bundled.Split, _bundled.Split]:
    """Load the measurements, shuffled and split.

    Args:
        test_split: share of the samples held out for the test, between 0 and 1.
        seed: decides the shuffle.

    Returns:
        ((x_train, y_train), (x_test, y_test)): float64 (n, 13), as measured; int64 (n,), the grower, 0 to 2.

    Raises:
        DatasetUnavailableError: scikit-learn is not installed.
        DataError: `test_split` leaves one part empty.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, x_test.shape  # doctest: +SKIP
    ((142, 13), (36, 13))
    """
    bunch = _bundled.load("wine")
    return _bundled.split(bunch.data, bunch.target, test_split, seed)


def load_table() -> _bundled.Table:
    """Load all 178 rows as a table: 13 numeric columns and "target", "class_0" to "class_2".

    Raises:
        DatasetUnavailableError: scikit-learn is not installed.
    """
    return _bundled.as_table(_bundled.load("wine"))
