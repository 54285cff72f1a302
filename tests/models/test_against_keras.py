"""One whole fit of the reference network against Keras: history by epoch, and final weights."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import gputrain

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="keras is not installed"),
    pytest.mark.filterwarnings("ignore"),
]

RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 28, 28, 1)).astype("float32")
Y = RNG.integers(0, 10, 300)


def reference_network(keras: Any) -> Any:
    """The reference CNN without its dropouts, built from either package."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_whole_fit() -> None:
    import keras

    ours, theirs = reference_network(gputrain), reference_network(keras)
    theirs.set_weights(ours.get_weights())
    arguments = {"epochs": 3, "batch_size": 128, "shuffle": False, "verbose": 0, "validation_split": 0.2}
    first, second = (model.fit(X, Y, **arguments).history for model in (ours, theirs))
    assert set(first) == set(second)
    for name, values in first.items():
        np.testing.assert_allclose(values, second[name], rtol=1e-4, atol=1e-6, err_msg=name)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)
