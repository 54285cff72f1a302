"""Small data and models that the tests of this room share."""

from __future__ import annotations

from typing import Any

import numpy as np

import gputrain as keras
from gputrain import layers

RNG = np.random.default_rng(7)
X = RNG.normal(size=(50, 4)).astype("float32")
LABELS = RNG.integers(0, 3, 50)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
REAL = RNG.normal(size=(50, 2)).astype("float32")
QUIET: dict[str, Any] = {"verbose": 0}


def classifier(**compiled: Any) -> keras.Sequential:
    """4 features, 3 classes, compiled with sparse crossentropy and Adam unless told otherwise."""
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, activation="tanh"), layers.Dense(3, activation="softmax")]
    )
    model.compile(**{"optimizer": "adam", "loss": "sparse_categorical_crossentropy", **compiled})
    return model


def regressor(units: int = 2, **compiled: Any) -> keras.Sequential:
    """4 features, `units` numbers, compiled with mean squared error and SGD unless told otherwise."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(units)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compiled})
    return model


def same(first: list[Any], second: list[Any]) -> bool:
    """Whether two lists of arrays are equal, bit for bit."""
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
