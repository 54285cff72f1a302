"""Every layer from one table: shapes, dtypes, saving, one step of training, gradients."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gputrain import layers
from gputrain.layers import Layer
from tests.layers.harness import run
from tests.tolerances import GRADIENT

L2 = {"class_name": "L2", "config": {"l2": 0.01}}


@dataclass
class Case:
    """One layer with its arguments; shapes with the samples' axis."""

    make: Callable[..., Layer]
    inputs: list[tuple[int, ...]]
    output: tuple[int, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    weights: int = 0
    trainable: int = 0
    training: bool = False

    def layer(self, **more: Any) -> Layer:
        return self.make(**self.arguments, **more)

    def __str__(self) -> str:
        return f"{self.make.__name__} {self.arguments} {self.inputs}"


IMAGE = (2, 5, 7, 4)
CASES = [
    Case(layers.Dense, [(3, 4)], (3, 6), {"units": 6}, 2, 2),
    Case(layers.Dense, [(3, 4)], (3, 6), {"units": 6, "use_bias": False, "activation": "gelu"}, 1, 1),
    Case(layers.Dense, [(3, 2, 5, 4)], (3, 2, 5, 1), {"units": 1, "activation": "tanh"}, 2, 2),
    Case(layers.Conv2D, [IMAGE], (2, 3, 5, 6), {"filters": 6, "kernel_size": 3}, 2, 2),
    Case(
        layers.Conv2D,
        [IMAGE],
        (2, 3, 4, 6),
        {"filters": 6, "kernel_size": (2, 3), "strides": 2, "padding": "SAME", "groups": 2},
        2,
        2,
    ),
    Case(
        layers.Conv2D,
        [(2, 4, 5, 7)],
        (2, 3, 3, 5),
        {"filters": 3, "kernel_size": 3, "data_format": "channels_first", "activation": "sigmoid"},
        2,
        2,
    ),
    Case(layers.MaxPooling2D, [IMAGE], (2, 2, 3, 4)),
    Case(layers.MaxPooling2D, [IMAGE], (2, 5, 4, 4), {"pool_size": 3, "strides": (1, 2), "padding": "same"}),
    Case(layers.MaxPooling2D, [(2, 4, 5, 7)], (2, 4, 2, 3), {"data_format": "channels_first"}),
    Case(layers.AveragePooling2D, [IMAGE], (2, 2, 3, 4)),
    Case(
        layers.AveragePooling2D,
        [(2, 4, 5, 7)],
        (2, 4, 5, 4),
        {"pool_size": 3, "strides": (1, 2), "padding": "same", "data_format": "channels_first"},
    ),
    Case(layers.Flatten, [IMAGE], (2, 140)),
    Case(layers.Flatten, [(2, 4, 5, 7)], (2, 140), {"data_format": "channels_first"}),
    Case(layers.Flatten, [(3,)], (3, 1)),
    Case(layers.Reshape, [(3, 12)], (3, 2, 6), {"target_shape": (2, -1)}),
    Case(layers.Reshape, [(3, 2, 6)], (3, 12), {"target_shape": (12,)}),
    Case(layers.Dropout, [(3, 4)], (3, 4), {"rate": 0.5, "seed": 3}, training=True),
    Case(layers.Dropout, [(3, 4, 2)], (3, 4, 2), {"rate": 0.5, "noise_shape": (None, 1, 2)}, training=True),
    Case(layers.Dropout, [(3, 4)], (3, 4), {"rate": 0.5}),
    Case(layers.Activation, [(3, 4)], (3, 4), {"activation": "silu"}),
    Case(layers.ReLU, [(3, 4)], (3, 4), {"negative_slope": 0.1, "max_value": 1.5, "threshold": 0.2}),
    Case(layers.Softmax, [(3, 4)], (3, 4)),
    Case(layers.Softmax, [(3, 4, 5)], (3, 4, 5), {"axis": 1}),
    Case(layers.Softmax, [(3, 4, 5)], (3, 4, 5), {"axis": (1, 2)}),
    Case(layers.BatchNormalization, [(8, 4)], (8, 4), {}, 4, 2, training=True),
    Case(layers.BatchNormalization, [IMAGE], IMAGE, {"gamma_regularizer": L2}, 4, 2, training=True),
    Case(layers.BatchNormalization, [IMAGE], IMAGE, {"axis": 1, "scale": False}, 3, 1, training=True),
    Case(layers.BatchNormalization, [IMAGE], IMAGE, {"center": False, "scale": False}, 2, 0),
    Case(layers.Add, [(3, 4), (3, 4), (3, 1)], (3, 4)),
    Case(layers.Concatenate, [(3, 4), (3, 2)], (3, 6)),
    Case(layers.Concatenate, [(3, 4, 2), (3, 1, 2)], (3, 5, 2), {"axis": 1}),
    Case(layers.Rescaling, [(3, 4)], (3, 4), {"scale": 0.5, "offset": -1}),
    Case(layers.Rescaling, [(3, 2)], (3, 2), {"scale": [0.5, 2.0], "offset": [1.0, 0.0]}),
]
each = pytest.mark.parametrize("case", CASES, ids=str)


def _arrays(case: Case, dtype: str = "float32") -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    arrays = [rng.uniform(-2, 2, shape).astype(dtype) for shape in case.inputs]
    for array in arrays:
        array.setflags(write=False)
    return arrays


@each
def test_output_shape_and_dtype(case: Case) -> None:
    layer, arrays = case.layer(), _arrays(case)
    result = layer(arrays[0] if len(arrays) == 1 else arrays, training=case.training)
    assert result.shape == case.output
    assert result.dtype == "float32"
    assert len(layer.weights) == case.weights
    assert len(layer.trainable_variables) == case.trainable
    assert {w.dtype for w in layer.weights} <= {"float32"}


@each
def test_symbolic_shape_agrees(case: Case) -> None:
    inputs = [layers.Input(shape[1:]) for shape in case.inputs]
    value = case.layer()(inputs[0] if len(inputs) == 1 else inputs)
    assert value.shape == (None, *case.output[1:])
    assert value.dtype == "float32"


@each
def test_saved_and_loaded(case: Case) -> None:
    layer, arrays = case.layer(name="kept"), _arrays(case)
    first = run(layer, arrays, training=False).output
    saved = json.loads(json.dumps(layers.serialize(layer)))
    other = layers.deserialize(saved)
    assert type(other) is type(layer)
    assert other.name == "kept"
    assert json.loads(json.dumps(layers.serialize(other))) == saved
    run(other, arrays, training=False)
    other.set_weights(layer.get_weights())
    np.testing.assert_array_equal(run(other, arrays, training=False).output, first)


@each
def test_trains_one_step(case: Case) -> None:
    layer, arrays = case.layer(), _arrays(case)
    upstream = np.random.default_rng(12).normal(size=case.output).astype("float32")
    before = run(layer, arrays, upstream, case.training)
    for weight, gradient in zip(layer.trainable_variables, before.weights, strict=True):
        assert gradient.shape == weight.shape
        weight.assign(weight.numpy() - 1e-3 * gradient)
    after = run(layer, arrays, upstream, case.training)
    change = float((upstream * after.output).sum() - (upstream * before.output).sum())
    assert np.isfinite(after.output).all()
    assert change < 0 if case.trainable else change == 0


@each
def test_gradients(case: Case) -> None:
    """Along one random direction of inputs and weights at once, in float64."""
    rng = np.random.default_rng(13)
    layer, arrays = case.layer(dtype="float64"), _arrays(case, "float64")
    upstream = rng.normal(size=case.output)
    run(layer, arrays, training=case.training)
    for weight in layer.trainable_variables:
        weight.assign(rng.uniform(0.2, 1.0, weight.shape))
    found = run(layer, arrays, upstream, case.training)
    ways = [rng.normal(size=a.shape) for a in arrays]
    weight_ways = [rng.normal(size=w.shape) for w in layer.trainable_variables]
    slope = sum(float((g * d).sum()) for g, d in zip(found.inputs, ways, strict=True))
    slope += sum(float((g * d).sum()) for g, d in zip(found.weights, weight_ways, strict=True))
    start, step, ends = [w.numpy() for w in layer.trainable_variables], 1e-6, []
    for sign in (1, -1):
        for weight, first, way in zip(layer.trainable_variables, start, weight_ways, strict=True):
            weight.assign(first + sign * step * way)
        moved = [a + sign * step * way for a, way in zip(arrays, ways, strict=True)]
        ends.append(float((upstream * run(layer, moved, training=case.training).output).sum()))
    expected = (ends[0] - ends[1]) / (2 * step)
    assert slope == pytest.approx(expected, rel=100 * GRADIENT, abs=1e-6)


def test_every_layer_is_in_the_table() -> None:
    public = {getattr(layers, name) for name in layers.__all__}
    classes = {c for c in public if isinstance(c, type) and issubclass(c, Layer)}
    assert classes - {Layer, layers.InputLayer} == {case.make for case in CASES}


def test_functional_forms() -> None:
    a, b = np.ones((2, 3), "float32"), np.full((2, 3), 2.0, "float32")
    assert layers.add([a, b], name="sum").tolist() == [[3.0] * 3] * 2
    assert layers.concatenate([a, b]).shape == (2, 6)
    assert layers.concatenate([a, b], axis=0).shape == (4, 3)
    assert layers.concatenate([layers.Input((3,)), layers.Input((4,))]).shape == (None, 7)


def test_rescaling_takes_bytes() -> None:
    pixels = np.array([[0, 51, 255]], "uint8")
    result = layers.Rescaling(1 / 255)(pixels)
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, [[0, 0.2, 1]], rtol=1e-6)


def test_flatten_does_not_depend_on_the_layout() -> None:
    images = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    first = layers.Flatten("channels_first")(np.moveaxis(images, -1, 1))
    np.testing.assert_array_equal(first, layers.Flatten()(images))


def test_get() -> None:
    layer = layers.Dense(3)
    assert layers.get(None) is None
    assert layers.get(layer) is layer
    assert layers.get({"class_name": "Dense", "config": {"units": 4}}).units == 4
    assert type(layers.get("Flatten")) is layers.Flatten
    assert type(layers.get("MaxPool2D")) is layers.MaxPooling2D
