"""Metrics against Keras: signatures, config keys, values over several batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import metrics
from tests.layers.peers import assert_same_signature, needs_keras
from tests.metrics.test_metrics import CASES, N, W

pytestmark = needs_keras
# Sorted ids instead of scores are not offered.
MISSING = {
    "SparseTopKCategoricalAccuracy": frozenset({"from_sorted_ids"}),
    "sparse_top_k_categorical_accuracy": frozenset({"from_sorted_ids"}),
}
NAMES = [name for name in metrics.__all__ if name not in ("as_metric", "registry", "accuracy")]


@pytest.mark.parametrize("name", NAMES)
def test_signature(name: str) -> None:
    keras = pytest.importorskip("keras")
    assert_same_signature(
        getattr(metrics, name), getattr(keras.metrics, name), MISSING.get(name, frozenset())
    )


@pytest.mark.parametrize("name, make, y_true, y_pred, values, last", CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("weighted", [False, True])
def test_values(
    weighted: bool, name: str, make: Any, y_true: Any, y_pred: Any, values: Any, last: Any
) -> None:
    keras = pytest.importorskip("keras")
    ours, config = make(), make().get_config()
    if type(ours) is metrics.MeanMetricWrapper:
        config["fn"] = getattr(keras.metrics, config["fn"])
    theirs = getattr(keras.metrics, type(ours).__name__)(**config)
    assert set(theirs.get_config()) - {"from_sorted_ids"} <= set(ours.get_config())
    if y_true.ndim == y_pred.ndim == 1 and name == "mse 1d":
        y_true, y_pred = y_true[:, None], y_pred[:, None]  # Keras averages (N,) to one number
    for i in range(0, N, 20):
        batch = (y_true[i : i + 20], y_pred[i : i + 20], W[i : i + 20] if weighted else None)
        ours.update_state(*batch)
        theirs.update_state(*batch)
    assert float(ours.result()) == pytest.approx(float(theirs.result()), rel=1e-5)


def test_sum() -> None:
    keras = pytest.importorskip("keras")
    values, w = np.arange(6.0).reshape(3, 2), np.array([1.0, 0.0, 2.0])
    for weights in (None, w, w[:, None]):
        for name in ("Sum", "Mean"):
            ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
            assert float(ours(values, weights)) == pytest.approx(float(theirs(values, weights)))
