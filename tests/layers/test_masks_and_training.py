"""Masks through layers, and what only happens in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import layers, ops
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import Variable, interpret
from tests.layers.harness import run

KEEP = np.array([[True, True, False], [True, False, False]])


def masked_call(layer: Any, *masks: np.ndarray | None, training: bool = False) -> tuple[Any, Any]:
    """(output, its mask or None) of a layer called on ones (2, 3, 4), each with a mask or without."""
    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    values, feeds, inputs = [], [], []
    for mask in masks:
        value = Value(Spec(x.shape))
        values.append(value)
        inputs.append(value)
        feeds.append(x)
        if mask is not None:
            value.mask = Value(Spec(mask.shape, "bool"))
            inputs.append(value.mask)
            feeds.append(mask)
    trace = Trace(counter=Variable(np.asarray(0, np.int64), trainable=False, name="step"))
    with trace.active():
        output = layer(values[0] if len(values) == 1 else values, training=training)
    roots = [output] if output.mask is None else [output, output.mask]
    found = interpret(trace.graph(inputs, roots), feeds)
    return found[0], found[1] if len(found) > 1 else None


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(2),
        layers.Activation("relu"),
        layers.ReLU(),
        layers.Softmax(),
        layers.LeakyReLU(),
        layers.ELU(),
        layers.PReLU(),
        layers.Identity(),
        layers.ActivityRegularization(l2=0.1),
        layers.GaussianNoise(0.1),
        layers.GaussianDropout(0.1),
        layers.LayerNormalization(),
        layers.UnitNormalization(),
        layers.Dropout(0.5),
        layers.BatchNormalization(),
        layers.Rescaling(2.0),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_mask_goes_on(layer: Any) -> None:
    np.testing.assert_array_equal(masked_call(layer, KEEP)[1], KEEP)


def test_mask_stops_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="flat: Flatten does not support masks"):
        assert masked_call(layers.Flatten(name="flat"), KEEP)[1] is None


def test_merged_masks() -> None:
    other = np.array([[True, False, False], [True, True, False]])
    np.testing.assert_array_equal(masked_call(layers.Add(), KEEP, other)[1], KEEP & other)
    np.testing.assert_array_equal(masked_call(layers.Add(), KEEP, None)[1], KEEP)
    for layer in (layers.Subtract(), layers.Multiply(), layers.Average(), layers.Maximum(), layers.Minimum()):
        np.testing.assert_array_equal(masked_call(layer, KEEP, other)[1], KEEP & other)
    assert masked_call(layers.Dot(2), KEEP, other)[1] is None
    np.testing.assert_array_equal(masked_call(layers.Concatenate(), KEEP, other)[1], KEEP & other)
    joined = masked_call(layers.Concatenate(axis=1), KEEP, other)[1]
    np.testing.assert_array_equal(joined, np.concatenate([KEEP, other], axis=1))
    joined = masked_call(layers.Concatenate(axis=1), KEEP, None)[1]
    np.testing.assert_array_equal(joined, np.concatenate([KEEP, np.ones_like(KEEP)], axis=1))
    assert masked_call(layers.Add(), None, None)[1] is None


def test_softmax_leaves_masked_positions_out() -> None:
    scores = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")
    keep = np.array([[True, True, False], [False, False, False]])
    result = layers.Softmax()(scores, mask=keep)
    e = np.exp([1.0, 2.0])
    np.testing.assert_allclose(result, [[*(e / e.sum()), 0], [0, 0, 0]], rtol=1e-6)


def test_dropout_acts_in_training_only() -> None:
    x = np.ones((100, 100), "float32")
    layer = layers.Dropout(0.25, seed=1)
    np.testing.assert_array_equal(run(layer, [x]).output, x)
    dropped = run(layer, [x], training=True).output
    assert abs(float((dropped == 0).mean()) - 0.25) < 0.02
    np.testing.assert_allclose(dropped[dropped != 0], 4 / 3, rtol=1e-4)
    np.testing.assert_array_equal(run(layers.Dropout(0.0), [x], training=True).output, x)
    np.testing.assert_array_equal(run(layers.Dropout(1.0), [x], training=True).output, 0 * x)


def test_noise_shape_is_shared_along_its_axes() -> None:
    x = np.ones((6, 50, 4), "float32")
    dropped = run(layers.Dropout(0.5, noise_shape=(None, 1, None), seed=1), [x], training=True).output
    assert (dropped == dropped[:, :1]).all()
    assert 0 < (dropped == 0).mean() < 1


def test_channels_are_dropped_as_a_whole() -> None:
    x = np.ones((20, 3, 4, 10), "float32")
    for data_format, axes in (("channels_last", (1, 2)), ("channels_first", (2, 3))):
        layer = layers.SpatialDropout2D(0.5, data_format, seed=1)
        np.testing.assert_array_equal(run(layer, [x]).output, x)
        dropped = run(layer, [x], training=True).output
        assert set(np.unique(dropped)) == {0.0, 2.0}
        assert (dropped == dropped.max(axes, keepdims=True)).all()
        assert 0.3 < (dropped == 0).mean() < 0.7


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("make", [layers.GaussianNoise, layers.GaussianDropout])
def test_noise_on_integers_is_that_on_floats(make: Callable[..., Any], training: bool, dtype: str) -> None:
    x = np.arange(12).reshape(3, 4).astype(dtype)
    found = run(make(0.5, seed=1, name="noise"), [x], training=training).output
    assert found.dtype == "float32"
    expected = run(make(0.5, seed=1, name="noise"), [x.astype("float32")], training=training).output
    np.testing.assert_array_equal(found, expected)


def test_prelu_of_unsigned_integers_is_the_number_itself() -> None:
    x = np.arange(4, dtype="uint8")
    np.testing.assert_array_equal(layers.PReLU("ones", shared_axes=1)(x[:, None]), x[:, None])


def test_noise_has_its_mean_and_deviation() -> None:
    x = np.full((200, 200), 2.0, "float32")
    # 40,000 draws: the mean is within 0.01 deviations, the deviation within 1 percent.
    for layer, deviation in ((layers.GaussianNoise(0.5, seed=1), 0.5), (layers.GaussianDropout(0.2, 1), 1.0)):
        np.testing.assert_array_equal(run(layer, [x]).output, x)
        noisy = run(layer, [x], training=True).output
        assert noisy.dtype == "float32"
        assert float(noisy.mean()) == pytest.approx(2.0, abs=0.02)
        assert float(noisy.std()) == pytest.approx(deviation, rel=0.02)
    for still in (layers.GaussianNoise(0), layers.GaussianDropout(0.0)):
        np.testing.assert_array_equal(run(still, [x], training=True).output, x)


@pytest.mark.parametrize(
    "layer, penalty",
    [
        (layers.Dense(2, use_bias=False, activity_regularizer="l2", kernel_initializer="ones"), 0.96),
        (layers.ActivityRegularization(l1=0.5, l2=0.25), 0.5 * 12 + 0.25 * 12),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_penalties_reach_the_trace(layer: Any, penalty: float) -> None:
    x = Value(Spec((3, 4)))
    trace = Trace()
    with trace.active():
        layer(x)
        ((owner, found),) = trace.losses
        assert owner is layer
        total = ops.add(found, 0.0)
    (value,) = interpret(trace.graph([x], [total]), [np.ones((3, 4), "float32")])
    assert float(value) == pytest.approx(penalty / 3)  # per sample, as in Keras
