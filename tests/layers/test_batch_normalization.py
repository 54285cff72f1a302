"""BatchNormalization: values by hand, gradients against PyTorch, moving statistics, modes, masks."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from gputrain import layers, ops
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import interpret
from tests.layers.harness import run
from tests.tolerances import assert_close


def normalized(x: np.ndarray, axis: int, epsilon: float = 1e-3) -> np.ndarray:
    """Channel by channel, in a plain loop."""
    y = np.moveaxis(np.array(x, "float64"), axis, -1).copy()
    for channel in range(y.shape[-1]):
        part = y[..., channel]
        y[..., channel] = (part - part.mean()) / np.sqrt(part.var() + epsilon)
    return np.moveaxis(y, -1, axis)


@pytest.mark.parametrize("shape, axis", [((6, 3), -1), ((3, 4, 5, 2), -1), ((3, 4, 5, 2), 1), ((2, 7, 3), 2)])
def test_training_uses_the_batch(shape: tuple[int, ...], axis: int) -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, shape).astype("float32")
    layer = layers.BatchNormalization(axis=axis)
    assert_close(run(layer, [x], training=True).output, normalized(x, axis), "float32")


def test_moving_statistics() -> None:
    rng = np.random.default_rng(1)
    layer = layers.BatchNormalization(momentum=0.8)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(5):
        x = rng.normal(2.0, 3.0, (10, 3)).astype("float32")
        run(layer, [x], training=True)
        mean = 0.8 * mean + 0.2 * x.mean(0, dtype="float64")
        variance = 0.8 * variance + 0.2 * x.var(0, dtype="float64")
    assert_close(layer.moving_mean.numpy(), mean, "float32")
    assert_close(layer.moving_variance.numpy(), variance, "float32")
    assert [w.name for w in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [w.name for w in layer.trainable_variables] == ["gamma", "beta"]
    x = rng.normal(size=(1, 3)).astype("float32")
    assert_close(run(layer, [x]).output, (x - mean) / np.sqrt(variance + 1e-3), "float32")


@pytest.mark.parametrize("training, trainable", [(False, True), (True, False)])
def test_inference_and_frozen_use_the_moving_statistics(training: bool, trainable: bool) -> None:
    x = np.random.default_rng(2).normal(5.0, 1.0, (8, 3)).astype("float32")
    layer = layers.BatchNormalization(trainable=trainable)
    output = run(layer, [x], training=training).output
    assert_close(output, x / np.sqrt(1.001), "float32")
    assert layer.moving_mean.numpy().tolist() == [0, 0, 0]
    assert layer.moving_variance.numpy().tolist() == [1, 1, 1]


def test_frozen_later() -> None:
    x = np.random.default_rng(2).normal(5.0, 1.0, (8, 3)).astype("float32")
    layer = layers.BatchNormalization()
    run(layer, [x], training=True)
    kept = layer.moving_mean.numpy()
    layer.trainable = False
    run(layer, [x], training=True)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), kept)


def test_float16_keeps_float32_statistics() -> None:
    x = np.full((4096, 2), 300.0, "float16")
    x[::2] = 100.0
    layer = layers.BatchNormalization(dtype="float16")
    output = run(layer, [x], training=True).output
    assert output.dtype == "float16"
    assert layer.moving_variance.dtype == "float32"
    np.testing.assert_allclose(np.abs(output.astype("float32")), 1.0, rtol=2e-3)


def test_mask_leaves_positions_out() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 5, 2)).astype("float32")
    keep = rng.random((4, 5)) < 0.6
    value, mask = Value(Spec(x.shape)), Value(Spec(keep.shape, "bool"))
    value.mask = mask
    layer, trace = layers.BatchNormalization(), Trace()
    with trace.active():
        output = layer(value, training=True)
    assert output.mask is mask
    result, *_ = interpret(trace.graph([value, mask], [output]), [x, keep])
    counted = x[keep].astype("float64")
    expected = (x - counted.mean(0)) / np.sqrt(counted.var(0) + 1e-3)
    assert_close(result, expected, "float32")
    assert_close(layer.moving_mean.numpy(), 0.01 * counted.mean(0), "float32")


def test_fully_masked_batch_is_finite() -> None:
    x = np.ones((2, 3, 2), "float32")
    value, mask = Value(Spec(x.shape)), Value(Spec((2, 3), "bool"))
    value.mask = mask
    trace = Trace()
    with trace.active():
        output = ops.sum(layers.BatchNormalization()(value, training=True))
    (result,) = interpret(trace.graph([value, mask], [output]), [x, np.zeros((2, 3), bool)])
    assert np.isfinite(result)


@pytest.mark.peer
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("shape", [(9, 4), (3, 5, 6, 4)])
@pytest.mark.parametrize("training", [True, False])
def test_against_torch(shape: tuple[int, ...], training: bool) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    x, upstream = rng.normal(1.0, 2.0, shape), rng.normal(size=shape)
    layer = layers.BatchNormalization(momentum=0.9, dtype="float64")
    run(layer, [x])
    weights = [rng.uniform(0.5, 1.5, 4) for _ in range(4)]
    layer.set_weights(weights)
    ours = run(layer, [x], upstream, training)

    def first(a: np.ndarray) -> Any:
        return torch.tensor(np.moveaxis(a, -1, 1).copy())

    image = first(x).requires_grad_()
    gamma, beta, mean, variance = (torch.tensor(w) for w in weights)
    gamma.requires_grad_()
    beta.requires_grad_()
    output = torch.nn.functional.batch_norm(
        image, mean, variance, gamma, beta, training=training, momentum=0.1, eps=1e-3
    )
    (output * first(upstream)).sum().backward()
    assert_close(ours.output, np.moveaxis(output.detach().numpy(), 1, -1), "float64", "output")
    assert_close(ours.inputs[0], np.moveaxis(image.grad.numpy(), 1, -1), "float64", "inputs")
    assert_close(ours.weights[0], gamma.grad.numpy(), "float64", "gamma")
    assert_close(ours.weights[1], beta.grad.numpy(), "float64", "beta")
    if training:
        count = x.size // 4  # PyTorch's moving variance divides by count - 1, Keras's and ours by count
        biased = 0.9 * weights[3] + (variance.numpy() - 0.9 * weights[3]) * (count - 1) / count
        assert_close(layer.moving_mean.numpy(), mean.numpy(), "float64", "moving mean")
        assert_close(layer.moving_variance.numpy(), biased, "float64", "moving variance")
