"""Metrics say when their number means nothing: once, outside of models and after an epoch or evaluate."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import metrics
from gputrain.utils import notes

ONES, ZEROS, P = np.ones((4, 1)), np.zeros((4, 1)), np.array([[0.2], [0.7], [0.4], [0.9]])
TWO = np.array([[1, 0], [0, 0], [1, 0]])
PAIR = np.array([[0.3, 0.2], [0.6, 0.4], [0.9, 0.1]])

DOUBTS: dict[str, tuple[Any, tuple[Any, ...], str]] = {
    "AUC of ones": (metrics.AUC, (ONES, P), "auc: no targets are 0, so there is no ROC curve"),
    "AUC of zeros": (metrics.AUC, (ZEROS, P), "auc: no targets are 1, so there is no ROC curve"),
    "PR of zeros": (partial(metrics.AUC, curve="PR"), (ZEROS, P), "auc: no targets are 1, so there is no PR"),
    "a label": (partial(metrics.AUC, multi_label=True), (TWO, PAIR), "auc: no targets of label 1 are 1, so"),
    "no weights": (metrics.AUC, (P > 0.5, P, ZEROS), "auc: no targets are 1 and no targets are 0, so"),
    "recall": (metrics.Recall, (ZEROS, P), "recall: no targets are 1, so its value 0 means nothing"),
    "precision": (metrics.Precision, (ONES, P * 0.5), "precision: no outputs lie above a threshold"),
    "constant": (metrics.R2Score, (ONES, P), "r2_score: the targets of outputs [0] are constant"),
    "an absent class": (metrics.F1Score, (TWO, TWO), "f1_score: classes [1] are never targets nor outputs"),
    "accuracy": (metrics.BinaryAccuracy, (ONES, P, ZEROS), "binary_accuracy: nothing was counted, so"),
    "error": (metrics.MeanSquaredError, (ONES, P, ZEROS), "mean_squared_error: nothing was counted, so"),
}


@pytest.mark.parametrize(("make", "batch", "text"), DOUBTS.values(), ids=DOUBTS)
def test_doubts(make: Any, batch: tuple[Any, ...], text: str, caplog: pytest.LogCaptureFixture) -> None:
    notes.forget()
    metric = make()
    for _ in range(3):
        metric(*batch)
    assert text in caplog.text
    assert len(caplog.records) == 1


def test_what_has_a_meaning_is_not_doubted(caplog: pytest.LogCaptureFixture) -> None:
    notes.forget()
    for metric in (metrics.AUC(), metrics.AUC(curve="PR"), metrics.Precision(), metrics.Recall()):
        metric(P > 0.5, P)
    metrics.AUC(curve="PR")(ONES, P)  # precision is 1 at every threshold
    metrics.AUC(multi_label=True)([[1, 0], [0, 1]], [[0.3, 0.2], [0.6, 0.4]])
    metrics.R2Score()(P, P)
    metrics.Mean().result()
    assert caplog.text == ""


def test_models_say_it_after_an_epoch_and_after_evaluate(caplog: pytest.LogCaptureFixture) -> None:
    notes.forget()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "mse", metrics=[metrics.AUC(name="area")])
    model.fit(P, P > 0.5, epochs=2, verbose=0, validation_data=(P, ONES))
    assert caplog.text.count("area: no targets are 0, so there is no ROC curve") == 1
    model.evaluate(P, ZEROS, verbose=0)
    assert caplog.text.count("area: no targets are 1, so there is no ROC curve") == 1
