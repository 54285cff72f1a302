"""Runs without trouble: no advice at all."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import layers, optimizers
from gputrain.models import Sequential
from tests.app.advice.runs import BINARY, SPARSE, classifier, digit_rows, normal, stack, trained

X, Y, X_TEST, Y_TEST = digit_rows()
DIGITS = {"x": X, "y": Y, "loss": SPARSE}
HELD_OUT = (X_TEST, Y_TEST)
LINE = normal(300, 8)
LINE_Y = LINE @ normal(8, seed=1) + np.sin(3 * LINE[:, 0]) + 0.3 * normal(300, seed=2)
PLANE = normal(200, 2)
SIDE = (1.5 * PLANE[:, 0] - PLANE[:, 1] + 0.5 * normal(200, seed=3) > 0).astype(int)
TWO = np.concatenate([np.flatnonzero(Y == 0), np.flatnonzero(Y == 8)[::4]])  # four of one to one of the other
cosine = optimizers.schedules.CosineDecay


def small_cnn():
    """configs/digits_cnn.toml with fewer filters."""
    bottom = [layers.Input(shape=(8, 8, 1))]
    for filters in (8, 8):
        bottom += [
            layers.Conv2D(filters, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    top = [layers.MaxPooling2D(2), layers.Dropout(0.25), layers.Flatten()]
    top += [layers.Dense(64, activation="relu"), layers.Dropout(0.5), layers.Dense(10, activation="softmax")]
    return Sequential(bottom + top)


def with_dropout():
    return stack(
        64,
        layers.Dropout(0.4),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    )


def regressor():
    return stack(8, layers.Dense(32, activation="relu"), layers.Dense(1))


def binary(*hidden, width=2):
    return stack(width, *hidden, layers.Dense(1, activation="sigmoid"))


def case(name, model, **run):
    return pytest.param(model, run, id=name)


CASES = [
    case("digits, 3 epochs", classifier, **DIGITS, optimizer="adam", epochs=3, validation_data=HELD_OUT),
    case("digits, 30 epochs", classifier, **DIGITS, optimizer="adam", epochs=30, validation_data=HELD_OUT),
    case("digits, SGD", classifier, **DIGITS, optimizer=optimizers.SGD(0.1, momentum=0.9), epochs=12),
    case(
        "CNN, cosine, 3 epochs",
        small_cnn,
        x=X.reshape(-1, 8, 8, 1),
        y=Y,
        loss=SPARSE,
        optimizer=optimizers.Adam(cosine(0.003, 3 * 23)),
        epochs=3,
        batch_size=64,
        validation_data=(X_TEST.reshape(-1, 8, 8, 1), Y_TEST),
    ),
    case(
        "digits, cosine, 20 epochs",
        classifier,
        **DIGITS,
        optimizer=optimizers.Adam(cosine(0.01, 20 * 23)),
        epochs=20,
        batch_size=64,
        validation_data=HELD_OUT,
    ),
    case("dropout", with_dropout, **DIGITS, optimizer="adam", epochs=10, validation_data=HELD_OUT),
    case(
        "class weights",
        lambda: binary(layers.Dense(16, activation="relu"), width=64),
        x=X[TWO],
        y=(Y[TWO] == 8).astype(int),
        loss=BINARY,
        optimizer="adam",
        epochs=10,
        class_weight="balanced",
    ),
    case(
        "regression, 30 epochs",
        regressor,
        x=LINE[:200],
        y=LINE_Y[:200],
        loss="mse",
        optimizer=optimizers.Adam(0.01),
        epochs=30,
        validation_data=(LINE[200:], LINE_Y[200:]),
    ),
    case(
        "regression, absolute error, 3 epochs",
        regressor,
        x=LINE,
        y=LINE_Y,
        loss="mae",
        optimizer=optimizers.Adam(0.01),
        epochs=3,
        batch_size=8,
    ),
    case(
        "two classes, 3 epochs",
        lambda: binary(layers.Dense(8, activation="relu")),
        x=PLANE,
        y=SIDE,
        loss=BINARY,
        optimizer=optimizers.Adam(0.03),
        epochs=3,
        batch_size=8,
    ),
    case(
        "two classes, 30 epochs",
        lambda: binary(layers.Dense(8, activation="relu")),
        x=PLANE[:150],
        y=SIDE[:150],
        loss=BINARY,
        optimizer=optimizers.Adam(0.01),
        epochs=30,
        batch_size=16,
        validation_data=(PLANE[150:], SIDE[150:]),
    ),
    case("a line", binary, x=PLANE, y=SIDE, loss=BINARY, optimizer=optimizers.SGD(0.5), epochs=20),
]


@pytest.mark.cpu_only("whole runs on all digits; what is measured does not go by the device")
@pytest.mark.parametrize(("model", "run"), CASES)
def test_a_healthy_run_gets_no_advice(model, run):
    advisor = trained(model(), **run)
    assert [advice.text() for advice in advisor.advice] == []


def test_a_short_healthy_run_gets_no_advice():
    x, y = X[:128], Y[:128]
    advisor = trained(classifier(), x, y, SPARSE, optimizers.Adam(0.01), epochs=3, batch_size=16)
    assert [advice.text() for advice in advisor.advice] == []
