"""SpectralNormalization: what it does to kernels in training, beside NumPy's singular values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers


def _largest(kernel: Any) -> float:
    array = np.asarray(kernel)
    return float(np.linalg.svd(array.reshape(-1, array.shape[-1]), compute_uv=False)[0])


@pytest.mark.parametrize(
    ("inner", "shape"),
    [
        (lambda: layers.Dense(6), (8, 5)),
        (lambda: layers.Conv2D(4, 3), (2, 6, 6, 3)),
        (lambda: layers.Dense(6, dtype="float64"), (8, 5)),
    ],
)
def test_the_largest_singular_value_becomes_one(inner: Any, shape: Any) -> None:
    keras.utils.set_random_seed(1)
    layer = layers.SpectralNormalization(inner(), power_iterations=50)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    layer(x)
    assert _largest(layer.layer.kernel) != pytest.approx(1, abs=0.05)
    for _ in range(2):
        layer(x, training=True)
    assert _largest(layer.layer.kernel) == pytest.approx(1, rel=1e-3)


def test_it_trains_and_stays_short() -> None:
    """Steps of a large rate stretch a plain kernel far; this one is divided again in each."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 5)).astype("float32")
    y = 20 * x @ rng.normal(size=(5, 2)).astype("float32")
    sizes = {}
    for name, layer in (("plain", layers.Dense(2)), ("short", layers.SpectralNormalization(layers.Dense(2)))):
        model = keras.Sequential([keras.Input((5,)), layer])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        history = model.fit(x, y, epochs=10, batch_size=16, verbose=0).history["loss"]
        assert history[-1] < history[0]
        kernel = layer.kernel
        sizes[name] = _largest(kernel)
    assert sizes["plain"] > 10
    assert sizes["short"] < 5
    before = model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x, verbose=0), before)


def test_gradients_are_those_at_the_divided_kernel() -> None:
    layer = layers.SpectralNormalization(layers.Dense(2, use_bias=False), power_iterations=5)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    y = np.ones((4, 2), "float32")
    kernel, u = layer.layer.kernel.numpy(), layer.vector_u.numpy()
    model.train_on_batch(x, y)
    for _ in range(5):
        v = u @ kernel.T / np.linalg.norm(u @ kernel.T)
        u = v @ kernel / np.linalg.norm(v @ kernel)
    divided = kernel / (v @ kernel @ u.T)
    slope = x.T @ (2 * (x @ divided - y) / y.size)
    np.testing.assert_allclose(layer.layer.kernel.numpy(), divided - 0.5 * slope, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.vector_u.numpy(), u, rtol=1e-4, atol=1e-6)


def test_embeddings_are_divided() -> None:
    layer = layers.SpectralNormalization(layers.Embedding(6, 3), power_iterations=20)
    ids = np.array([[1, 2], [5, 0]], "int32")
    rows = np.asarray(layer(ids, training=True))
    assert _largest(layer.layer.embeddings) == pytest.approx(1, rel=1e-3)
    np.testing.assert_array_equal(rows, np.asarray(layer.layer.embeddings)[ids])


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ValueError, match=r"power_iterations must be a positive int"):
        layers.SpectralNormalization(layers.Dense(2), power_iterations=0)
    with pytest.raises(ValueError, match=r"divides a kernel, or embeddings\. Received: Flatten"):
        layers.SpectralNormalization(layers.Flatten())(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match=r"SpectralNormalization: layer must be a layer"):
        layers.SpectralNormalization("dense")
    layer = layers.SpectralNormalization(layers.Dense(2), name="s")
    layer(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match=r"In layer s: .*size 3 of axis -1"):
        layer(np.ones((2, 4), "float32"))
