"""The tables that scikit-learn ships, read through it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.io.errors import DatasetUnavailableError
from gputrain.errors import DataError
from gputrain.utils import philox

if TYPE_CHECKING:
    from gputrain.data.tabular import Table as Table

Split = tuple[NDArray[Any], NDArray[Any]]


def load(name: str, **options: Any) -> Any:
    """Return scikit-learn's bunch of a set: `data`, `target`, `feature_names`, perhaps `target_names`.

    Raises:
        DatasetUnavailableError: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DatasetUnavailableError(
            f"The data set {name} comes with scikit-learn, which cannot be imported ({error}). "
            'Install it: pip install "gputrain[tabular]"'
        ) from error
    return getattr(datasets, f"load_{name}")(**options)


def split(inputs: NDArray[Any], targets: NDArray[Any], test_split: float, seed: int) -> tuple[Split, Split]:
    """Shuffle by `seed`, and hold out the last share `test_split` for the test.

    Raises:
        DataError: `test_split` leaves one part empty.
    """
    kept = math.floor(len(inputs) * (1.0 - test_split))
    if not 0 < kept < len(inputs):
        rule = "test_split is a share that leaves samples in both parts."
        raise DataError(rule, expected="a number between 0 and 1", received=test_split)
    order = philox.permutation(len(inputs), seed, philox.stream_id("datasets/split"), 0)
    train, test = order[:kept], order[kept:]
    return (inputs[train], targets[train]), (inputs[test], targets[test])


def as_table(bunch: Any) -> Table:
    """Return the features and, last, "target": class names where the set has them, else numbers."""
    from gputrain.data.tabular import Table

    columns = {str(name): bunch.data[:, number] for number, name in enumerate(bunch.feature_names)}
    has_classes = "target_names" in bunch
    target = np.array(bunch.target_names, object)[bunch.target] if has_classes else bunch.target
    return Table({**columns, "target": target})
