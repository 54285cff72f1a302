"""Transfer: a convnet learnt on half of the digits, frozen, with a new head for the other half."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers

pytestmark = pytest.mark.cpu_only("what a layer computes is compared on every device by tests/parity")

CHANNELS = 16


def _digits() -> tuple[Any, Any]:
    """((x, y) of digits 0 to 4, (x, y) of 5 to 9 as classes 0 to 4), the last fifth of each to test on."""
    (x, y), (more_x, more_y) = keras.datasets.digits.load_data()
    x, y = np.concatenate([x, more_x]), np.concatenate([y, more_y])
    x = (x.reshape(-1, 8, 8, 1) / 16).astype("float32")
    return (x[y < 5], y[y < 5]), (x[y >= 5], y[y >= 5] - 5)


def _body() -> Any:
    stack: list[Any] = [keras.Input((8, 8, 1))]
    for strides in (1, 2):
        stack += [
            layers.Conv2D(CHANNELS, 3, strides=strides, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
        ]
    return keras.Sequential([*stack, layers.Flatten()], name="body")


def _with_head(body: Any) -> Any:
    return keras.Sequential([keras.Input((8, 8, 1)), body, layers.Dense(5, activation="softmax")])


def _fit(model: Any, data: Any, epochs: int) -> float:
    """Accuracy on the last fifth after training on the rest."""
    x, y = data
    cut = len(x) * 4 // 5
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:cut], y[:cut], epochs=epochs, batch_size=32, verbose=0)
    return float(model.evaluate(x[cut:], y[cut:], verbose=0)[1])


@pytest.fixture(scope="module")
def learnt() -> tuple[Any, Any, float]:
    """The body that learnt the first digits, the data of the others, and how well it learnt."""
    keras.utils.set_random_seed(0)
    first, second = _digits()
    body = _body()
    accuracy = _fit(_with_head(body), first, 4)
    return body, second, accuracy


def test_a_frozen_body_serves_a_new_head(learnt: tuple[Any, Any, float]) -> None:
    body, second, accuracy = learnt
    assert accuracy > 0.96
    body.trainable = False
    model = _with_head(body)
    before = body.get_weights()
    x = second[0][:64]
    features = body.predict(x, verbose=0)
    assert [w.path.split("/")[-1] for w in model.trainable_weights] == ["kernel", "bias"]
    assert _fit(model, second, 6) > 0.95
    for old, new in zip(before, body.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)  # kernels, gammas, betas, and the moving statistics too
    np.testing.assert_array_equal(body.predict(x, verbose=0), features)
    # Asked for as in training, the frozen statistics still count, and not the batch's.
    np.testing.assert_allclose(body(x, training=True), features, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_what_it_learnt_helps(learnt: tuple[Any, Any, float]) -> None:
    """The head on the body that learnt other digits is better than on one that learnt nothing."""
    body, (x, y), _ = learnt
    few = (np.concatenate([x[:100], x[-300:]]), np.concatenate([y[:100], y[-300:]]))
    found = []
    for each in (body, _body()):
        each.trainable = False
        model = _with_head(each)
        model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(few[0][:100], few[1][:100], epochs=8, batch_size=32, verbose=0)
        found.append(float(model.evaluate(few[0][100:], few[1][100:], verbose=0)[1]))
    assert found[0] > max(0.85, found[1] + 0.03)


@pytest.mark.slow
def test_thawed_it_learns_on(learnt: tuple[Any, Any, float]) -> None:
    body, second, _ = learnt
    body.trainable = True
    model = _with_head(body)
    before = body.get_weights()
    assert _fit(model, second, 4) > 0.95
    assert all(not np.array_equal(old, new) for old, new in zip(before, body.get_weights(), strict=True))
