"""Losses against Keras: signatures, config keys, values with weights and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import losses
from tests.layers.peers import assert_same_signature, needs_keras
from tests.losses.test_losses import CASES

pytestmark = needs_keras
NAMES = [name for name in losses.__all__ if name not in ("as_loss", "registry", "LossFunctionWrapper")]


@pytest.mark.parametrize("name", NAMES)
def test_signature(name: str) -> None:
    keras = pytest.importorskip("keras")
    assert_same_signature(getattr(losses, name), getattr(keras.losses, name))


@pytest.mark.parametrize("name, loss, y_true, y_pred, expected", CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None])
def test_values(reduction: Any, name: str, loss: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    keras = pytest.importorskip("keras")
    config = {**loss.get_config(), "reduction": reduction}
    ours = type(loss).from_config(config)
    theirs = getattr(keras.losses, type(loss).__name__)(**config)
    assert set(theirs.get_config()) <= set(ours.get_config())
    w = np.linspace(0.5, 2, len(expected)).astype("float32")
    labels, outputs = y_true.astype("float32"), y_pred.astype("float32")
    for weights in (None, w, w[:, None]):
        found, value = ours(labels, outputs, weights), np.asarray(theirs(labels, outputs, weights))
        np.testing.assert_allclose(np.squeeze(found), np.squeeze(value), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["mse", "MAE", "bce", "categorical_crossentropy", "MeanSquaredError"])
def test_get(name: str) -> None:
    keras = pytest.importorskip("keras")
    ours, theirs = losses.get(name), keras.losses.get(name)
    assert getattr(ours, "__name__", type(ours).__name__) == getattr(
        theirs, "__name__", type(theirs).__name__
    )


def test_ignored_class() -> None:
    keras = pytest.importorskip("keras")
    labels, p = np.array([0, 255, 1]), np.random.default_rng(0).dirichlet(np.ones(3), 3).astype("float32")
    ours = losses.SparseCategoricalCrossentropy(ignore_class=255)(labels, p)
    theirs = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)(labels, p)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
