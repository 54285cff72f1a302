"""Masks through layers, and what only happens in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import layers, ops
from gputrain.compiler import interpret
from gputrain.ir import Spec, Trace, Value, Variable
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


def test_penalties_reach_the_trace() -> None:
    layer = layers.Dense(2, use_bias=False, activity_regularizer="l2", kernel_initializer="ones")
    x = Value(Spec((3, 4)))
    trace = Trace()
    with trace.active():
        layer(x)
        ((owner, penalty),) = trace.losses
        assert owner is layer
        total = ops.add(penalty, 0.0)
    (value,) = interpret(trace.graph([x], [total]), [np.ones((3, 4), "float32")])
    assert float(value) == pytest.approx(0.01 * 16 * 6 / 3)  # per sample, as in Keras
