"""Metrics and losses by their names in a model: an epoch's values do not depend on the batch size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, metrics

RNG = np.random.default_rng(47)
X = RNG.normal(size=(41, 3)).astype("float32")
Y = (X @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=41)).astype("float32")
BITS = (Y > 0).astype("float32")


def model(activation: str | None = None, **arguments: Any) -> Any:
    made = keras.Sequential([layers.Input((3,)), layers.Dense(1, activation=activation)])
    made.compile("adamw", **arguments)
    made.layers[-1].set_weights([np.array([[0.8], [-1.5], [0.4]], "float32"), np.zeros(1, "float32")])
    return made


def evaluated(made: Any, y: np.ndarray) -> list[dict[str, float]]:
    return [made.evaluate(X, y, batch_size=size, verbose=0, return_dict=True) for size in (8, 41)]


def test_r2_and_losses_of_a_regression() -> None:
    made = model(loss="huber", metrics=["r2_score", "mape", "msle", "root_mean_squared_error"])
    small, whole = evaluated(made, Y)
    assert small == pytest.approx(whole, rel=1e-5)
    p = X.astype("float64") @ [0.8, -1.5, 0.4]
    errors = np.abs(Y - p)
    assert whole["r2_score"] == pytest.approx(1 - (errors**2).sum() / ((Y - Y.mean()) ** 2).sum(), rel=1e-5)
    assert whole["loss"] == pytest.approx(np.where(errors < 1, errors**2 / 2, errors - 0.5).mean(), rel=1e-5)
    history = made.fit(X, Y, batch_size=8, epochs=2, verbose=0).history
    assert [len(history[name]) for name in ("r2_score", "mape", "msle")] == [2, 2, 2]


def test_scores_of_a_classifier() -> None:
    chosen = [metrics.AUC(), metrics.Precision(), "recall", metrics.F1Score("micro", threshold=0.5)]
    made = model("sigmoid", loss="binary_focal_crossentropy", metrics=chosen)
    small, whole = evaluated(made, BITS)
    assert small == pytest.approx(whole, rel=1e-5)
    taken, ones = X @ [0.8, -1.5, 0.4] > 0, BITS == 1
    precision, recall = (taken & ones).sum() / taken.sum(), (taken & ones).sum() / ones.sum()
    assert whole["precision"] == pytest.approx(precision)
    assert whole["recall"] == pytest.approx(recall)
    assert whole["f1_score"] == pytest.approx(2 * precision * recall / (precision + recall))
    made.fit(X, BITS, batch_size=16, verbose=0)


def test_accuracy_of_focal_losses_follows_the_loss() -> None:
    """Independent labels are compared one by one, classes by their largest output."""
    labels = np.stack([BITS, 1 - BITS, BITS], -1)
    rows = np.eye(3, dtype="float32")[RNG.integers(0, 3, 41)]
    for loss, activation, y, kind in (
        ("binary_focal_crossentropy", "sigmoid", labels, metrics.BinaryAccuracy),
        ("categorical_focal_crossentropy", "softmax", rows, metrics.CategoricalAccuracy),
    ):
        made = keras.Sequential([layers.Input((3,)), layers.Dense(3, activation=activation)])
        made.compile("sgd", loss, metrics=["accuracy"])
        made.fit(X, y, verbose=0)
        assert [type(m) for m in made.metrics[1].metrics] == [kind]


def test_focal_loss_of_what_are_no_probabilities_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    made = keras.Sequential([layers.Input((3,)), layers.Dense(1, activation="tanh")])
    made.compile("sgd", "binary_focal_crossentropy")
    made.fit(X, BITS, verbose=0)
    assert "binary_focal_crossentropy reads it as probabilities (clipped to 0..1)" in caplog.text


def test_a_score_for_each_class_is_an_array_in_logs(capsys: pytest.CaptureFixture[str]) -> None:
    made = model("sigmoid", loss="bce", metrics=[metrics.F1Score(threshold=0.5, name="each")])
    history = made.fit(X, BITS, epochs=2, verbose=2).history
    assert [value.shape for value in history["each"]] == [(1,), (1,)]
    assert f"each: [{history['each'][-1][0]:.4f}]" in capsys.readouterr().out
    stop = keras.callbacks.EarlyStopping("each", mode="max")
    with pytest.raises(
        ValueError, match=r"EarlyStopping monitors one number\. .*'each', an array of shape \(1,\)"
    ):
        made.fit(X, BITS, verbose=0, callbacks=[stop])
