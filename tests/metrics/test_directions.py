"""Which way each metric improves, asked of objects and of names in the logs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import losses, metrics
from gputrain.callbacks import EarlyStopping
from gputrain.metrics.base import Metric
from gputrain.metrics.directions import direction_of

UP = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "AUC",
    "SparseTopKCategoricalAccuracy",
    "Precision",
    "Recall",
    "TruePositives",
    "TrueNegatives",
    "F1Score",
    "FBetaScore",
    "R2Score",
    "CosineSimilarity",
]
NEITHER = ["Mean", "Sum", "MeanMetricWrapper"]
CLASSES = [n for n in metrics.__all__ if isinstance(getattr(metrics, n), type) and n != "Metric"]


@pytest.mark.parametrize("name", CLASSES)
def test_each_metric_says_which_way_it_improves(name: str) -> None:
    expected = None if name in NEITHER else "up" if name in UP else "down"
    cls = getattr(metrics, name)
    assert direction_of(cls) == expected
    if name != "MeanMetricWrapper":
        assert cls().direction == direction_of(cls()) == expected


FUNCTIONS = [n for n in metrics.__all__ if n.islower() and n in metrics.functions.registry.names()]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_as_a_metric_improves_as_the_function_says(name: str) -> None:
    expected = "up" if "accuracy" in name else "down"
    assert metrics.as_metric(getattr(metrics, name)).direction == expected


def test_of_a_function_of_the_users_nothing_is_known_until_it_is_said() -> None:
    def accuracy(y_true: Any, y_pred: Any) -> Any:
        return y_pred

    assert metrics.MeanMetricWrapper(accuracy).direction is None

    class Sharpness(Metric):
        _direction = "up"

    assert direction_of(Sharpness()) == "up"


def test_losses_are_to_fall() -> None:
    for name in losses.__all__:
        cls = getattr(losses, name)
        if isinstance(cls, type) and cls not in (losses.Loss, losses.LossFunctionWrapper):
            assert direction_of(cls()) == "down"


NAMES = {
    "loss": "down",
    "val_loss": "down",
    "out_loss": "down",
    "hinge": "down",
    "val_hinge": "down",
    "val_left_out_squared_hinge_2": "down",
    "huber": "down",
    "val_false_positives": "down",
    "val_true_positives": "up",
    "weighted_precision": "up",
    "val_out_top_k_categorical_accuracy": "up",
    "cosine_similarity": "up",
    "macro_f1": "up",
    "MAPE": "down",
    "val_mae": "down",
    "epochs": None,
    "seconds": None,
    "mean": None,
    "": None,
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_names_from_the_logs(name: str, expected: str | None) -> None:
    assert direction_of(name) == expected


@pytest.mark.parametrize(
    ("metric", "monitor"),
    [
        ("hinge", "hinge"),
        ("hinge", "val_hinge"),
        (losses.poisson, "val_poisson"),
        (losses.Hinge(), "val_hinge"),
        (losses.CosineSimilarity(), "cosine_similarity"),
        (partial(metrics.FalsePositives, name="alarms"), "val_alarms"),
        (partial(metrics.TruePositives, name="caught"), "val_caught"),
    ],
)
def test_early_stopping_asks_the_models_metric(metric: Any, monitor: str) -> None:
    """It failed after the first epoch: whether the value should rise or fall was not known."""
    metric = metric() if isinstance(metric, partial) else metric  # on the device of this test
    x = np.linspace(0, 1, 12, dtype="float32").reshape(-1, 1)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[metric])
    stop = EarlyStopping(monitor, patience=5)
    history = model.fit(x, x > 0.5, epochs=3, validation_split=0.25, verbose=0, callbacks=[stop]).history
    best = max if isinstance(metric, metrics.TruePositives) else min
    assert stop.best == best(history[monitor])


def test_an_unknown_direction_is_refused_before_the_first_epoch() -> None:
    def score(y_true: Any, y_pred: Any) -> Any:
        return y_pred

    x = np.zeros((4, 1), "float32")
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[score])
    with pytest.raises(ValueError, match="whether 'val_score' should rise or fall is not known"):
        model.fit(x, x, validation_data=(x, x), verbose=0, callbacks=[EarlyStopping("val_score")])
    assert int(model.step_counter) == 0
    stops = [EarlyStopping("val_score", mode="max")]
    model.fit(x, x, validation_data=(x, x), verbose=0, callbacks=stops)


def test_early_stopping_with_two_outputs_asks_the_metric_with_its_outputs_name() -> None:
    inputs = keras.layers.Input((1,))
    outputs = {n: keras.layers.Dense(1, activation="sigmoid", name=n)(inputs) for n in ("left", "right")}
    model = keras.Model(inputs, outputs)
    caught = metrics.TruePositives(name="caught")
    model.compile("sgd", "binary_crossentropy", metrics={"left": [caught], "right": ["hinge"]})
    x = np.linspace(0, 1, 12, dtype="float32").reshape(-1, 1)
    stops = [EarlyStopping("val_left_caught", patience=5), EarlyStopping("right_hinge", patience=5)]
    y = {"left": x > 0.5, "right": x > 0.2}
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=stops, validation_data=(x, y)).history
    assert stops[0].best == max(history["val_left_caught"])
    assert stops[1].best == min(history["right_hinge"])
