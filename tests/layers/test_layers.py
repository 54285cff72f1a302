"""Every layer from one table: shapes, dtypes, saving, one step of training, gradients."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gputrain import initializers, layers
from gputrain.layers import Layer
from gputrain.layers.preprocessing.data_layer import HostLayer
from tests.layers.harness import run
from tests.parity.cases import GROUPS
from tests.tolerances import GRADIENT, assert_close

OF_LAYERS = ("layer", "drawn layer", "transformation")  # kinds of parity rows that say all of a layer
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
    Case(layers.GlobalAveragePooling2D, [IMAGE], (2, 4)),
    Case(layers.GlobalAveragePooling2D, [IMAGE], (2, 1, 1, 4), {"keepdims": True}),
    Case(layers.GlobalAveragePooling2D, [(2, 4, 5, 7)], (2, 4), {"data_format": "channels_first"}),
    Case(layers.GlobalMaxPooling2D, [IMAGE], (2, 4)),
    Case(
        layers.GlobalMaxPooling2D,
        [(2, 4, 5, 7)],
        (2, 4, 1, 1),
        {"data_format": "channels_first", "keepdims": True},
    ),
    Case(layers.Cropping2D, [IMAGE], IMAGE),
    Case(layers.Cropping2D, [IMAGE], (2, 4, 4, 4), {"cropping": ((1, 0), (0, 3))}),
    Case(layers.Cropping2D, [IMAGE], (2, 3, 3, 4), {"cropping": (1, 2)}),
    Case(layers.Cropping2D, [(2, 4, 5, 7)], (2, 4, 1, 3), {"cropping": 2, "data_format": "channels_first"}),
    Case(layers.UpSampling2D, [IMAGE], (2, 10, 14, 4)),
    Case(
        layers.UpSampling2D, [(2, 4, 2, 3)], (2, 4, 2, 9), {"size": (1, 3), "data_format": "channels_first"}
    ),
    Case(layers.Flatten, [IMAGE], (2, 140)),
    Case(layers.Flatten, [(2, 4, 5, 7)], (2, 140), {"data_format": "channels_first"}),
    Case(layers.Flatten, [(3,)], (3, 1)),
    Case(layers.Reshape, [(3, 12)], (3, 2, 6), {"target_shape": (2, -1)}),
    Case(layers.Reshape, [(3, 2, 6)], (3, 12), {"target_shape": (12,)}),
    Case(layers.Permute, [(3, 4)], (3, 4), {"dims": (1,)}),
    Case(layers.Permute, [(3, 2, 4, 5)], (3, 5, 2, 4), {"dims": (3, 1, 2)}),
    Case(layers.RepeatVector, [(3, 4)], (3, 2, 4), {"n": 2}),
    Case(layers.Identity, [(3, 4)], (3, 4)),
    Case(layers.ActivityRegularization, [(3, 4)], (3, 4), {"l1": 0.1, "l2": 0.2}),
    Case(layers.GaussianNoise, [(3, 4)], (3, 4), {"stddev": 0.5, "seed": 3}, training=True),
    Case(layers.GaussianNoise, [(3, 4)], (3, 4), {"stddev": 0.5}),
    Case(layers.GaussianDropout, [(3, 4)], (3, 4), {"rate": 0.5, "seed": 3}, training=True),
    Case(layers.GaussianDropout, [(3, 4)], (3, 4), {"rate": 0.5}),
    Case(layers.SpatialDropout2D, [IMAGE], IMAGE, {"rate": 0.5, "seed": 3}, training=True),
    Case(
        layers.SpatialDropout2D,
        [(2, 4, 5, 7)],
        (2, 4, 5, 7),
        {"rate": 0.5, "data_format": "channels_first"},
        training=True,
    ),
    Case(layers.Dropout, [(3, 4)], (3, 4), {"rate": 0.5, "seed": 3}, training=True),
    Case(layers.Dropout, [(3, 4, 2)], (3, 4, 2), {"rate": 0.5, "noise_shape": (None, 1, 2)}, training=True),
    Case(layers.Dropout, [(3, 4)], (3, 4), {"rate": 0.5}),
    Case(layers.Activation, [(3, 4)], (3, 4), {"activation": "silu"}),
    Case(layers.ReLU, [(3, 4)], (3, 4), {"negative_slope": 0.1, "max_value": 1.5, "threshold": 0.2}),
    Case(layers.LeakyReLU, [(3, 4)], (3, 4)),
    Case(layers.LeakyReLU, [(3, 4)], (3, 4), {"negative_slope": 0.01}),
    Case(layers.ELU, [(3, 4)], (3, 4), {"alpha": 0.5}),
    Case(layers.PReLU, [(3, 4)], (3, 4), {}, 1, 1),
    Case(
        layers.PReLU,
        [IMAGE],
        IMAGE,
        {"shared_axes": [1, 2], "alpha_initializer": "ones", "alpha_regularizer": L2},
        1,
        1,
    ),
    Case(layers.Softmax, [(3, 4)], (3, 4)),
    Case(layers.Softmax, [(3, 4, 5)], (3, 4, 5), {"axis": 1}),
    Case(layers.Softmax, [(3, 4, 5)], (3, 4, 5), {"axis": (1, 2)}),
    Case(layers.BatchNormalization, [(8, 4)], (8, 4), {}, 4, 2, training=True),
    Case(layers.BatchNormalization, [IMAGE], IMAGE, {"gamma_regularizer": L2}, 4, 2, training=True),
    Case(layers.BatchNormalization, [IMAGE], IMAGE, {"axis": 1, "scale": False}, 3, 1, training=True),
    Case(layers.BatchNormalization, [IMAGE], IMAGE, {"center": False, "scale": False}, 2, 0),
    Case(layers.LayerNormalization, [(3, 4)], (3, 4), {}, 2, 2),
    Case(layers.LayerNormalization, [IMAGE], IMAGE, {"axis": [1, -1], "gamma_regularizer": L2}, 2, 2),
    Case(layers.LayerNormalization, [(3, 4, 5)], (3, 4, 5), {"axis": 1, "scale": False}, 1, 1),
    Case(layers.LayerNormalization, [(3, 4)], (3, 4), {"center": False, "scale": False, "epsilon": 0.5}),
    Case(layers.UnitNormalization, [(3, 4)], (3, 4)),
    Case(layers.UnitNormalization, [(3, 4, 5)], (3, 4, 5), {"axis": [1, 2]}),
    Case(layers.Add, [(3, 4), (3, 4), (3, 1)], (3, 4)),
    Case(layers.Add, [(3, 4), (3, 3, 4)], (3, 3, 4)),
    Case(layers.Subtract, [(3, 4), (3, 1)], (3, 4)),
    Case(layers.Multiply, [(3, 4), (3, 4), (3, 1)], (3, 4)),
    Case(layers.Multiply, [(3, 2, 5, 4), (3, 4)], (3, 2, 5, 4)),
    Case(layers.Average, [(3, 4), (3, 4), (3, 1)], (3, 4)),
    Case(layers.Maximum, [(3, 4), (3, 4), (3, 1)], (3, 4)),
    Case(layers.Minimum, [(3, 4), (3, 4), (3, 1)], (3, 4)),
    Case(layers.Dot, [(3, 4), (3, 4)], (3, 1), {"axes": 1}),
    Case(layers.Dot, [(3, 4, 5), (3, 5, 2)], (3, 4, 2), {"axes": (2, 1)}),
    Case(layers.Dot, [(3, 4, 5), (3, 4)], (3, 5), {"axes": 1, "normalize": True}),
    Case(layers.Dot, [(3, 2, 4, 5), (3, 6, 5)], (3, 2, 4, 6), {"axes": -1}),
    Case(layers.Concatenate, [(3, 4), (3, 2)], (3, 6)),
    Case(layers.Concatenate, [(3, 4, 2), (3, 1, 2)], (3, 5, 2), {"axis": 1}),
    Case(layers.Rescaling, [(3, 4)], (3, 4), {"scale": 0.5, "offset": -1}),
    Case(layers.Rescaling, [(3, 2)], (3, 2), {"scale": [0.5, 2.0], "offset": [1.0, 0.0]}),
    Case(layers.CenterCrop, [IMAGE], (2, 4, 3, 4), {"height": 4, "width": 3}),
    Case(layers.Normalization, [(3, 2)], (3, 2), {"mean": [0.5, 1.0], "variance": [4.0, 0.25]}),
    Case(layers.Normalization, [IMAGE], IMAGE, {"axis": (1, 3), "mean": 0.5, "variance": 4, "invert": True}),
    Case(layers.RandomBrightness, [IMAGE], IMAGE, {"factor": 0.2, "value_range": (-9, 9)}, training=True),
    Case(layers.RandomContrast, [IMAGE], IMAGE, {"factor": 0.2, "value_range": (-9, 9)}, training=True),
    Case(layers.RandomCrop, [IMAGE], (2, 4, 3, 4), {"height": 4, "width": 3, "seed": 3}, training=True),
    Case(layers.RandomCrop, [IMAGE], (2, 4, 3, 4), {"height": 4, "width": 3}),
    Case(layers.RandomFlip, [IMAGE], IMAGE, {"mode": "vertical"}, training=True),
    Case(
        layers.RandomCrop,
        [(2, 4, 5, 7)],
        (2, 4, 3, 7),
        {"height": 3, "width": 7, "data_format": "channels_first"},
        training=True,
    ),
    Case(layers.ZeroPadding2D, [IMAGE], (2, 8, 10, 4), {"padding": ((1, 2), (0, 3))}),
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
    paths = {case.path for cases in GROUPS.values() for case in cases if case.kind in OF_LAYERS}
    compared = {getattr(layers, path.removeprefix("layers."), None) for path in paths}
    of_positions = {layers.PositionEmbedding, layers.SinePositionEncoding}  # tests/layers/test_embedding.py
    of_data = {c for c in classes if issubclass(c, HostLayer)} | {layers.IntegerLookup}  # they have programs
    # tests/layers/test_recurrent.py; functions_as_layers.py and spectral_norms.py of tests/parity/programs
    in_others = {
        *(layers.StackedRNNCells, layers.Wrapper),
        *(layers.Lambda, layers.MaxNumBoundingBoxes, layers.Pipeline, layers.SpectralNormalization),
    }
    known = {Layer, layers.InputLayer, *in_others, *of_positions, *of_data, *(case.make for case in CASES)}
    missing = {c.__name__ for c in classes - known - compared}
    assert not missing, "no row here, and none of tests/parity"


def test_functional_forms() -> None:
    a, b = np.ones((2, 3), "float32"), np.full((2, 3), 2.0, "float32")
    assert layers.add([a, b], name="sum").tolist() == [[3.0] * 3] * 2
    results = {"subtract": -1.0, "multiply": 2.0, "average": 1.5, "maximum": 2.0, "minimum": 1.0}
    for name, value in results.items():
        assert getattr(layers, name)([a, b], name=name).tolist() == [[value] * 3] * 2
    assert layers.dot([a, b], axes=1, name="product").tolist() == [[6.0]] * 2
    assert layers.concatenate([a, b]).shape == (2, 6)
    assert layers.concatenate([a, b], axis=0).shape == (4, 3)
    assert layers.concatenate([layers.Input((3,)), layers.Input((4,))]).shape == (None, 7)


def test_old_name_of_the_slope() -> None:
    with pytest.warns(UserWarning, match="LeakyReLU: alpha is called negative_slope"):
        assert layers.LeakyReLU(alpha=0.2).negative_slope == 0.2


def test_rescaling_takes_bytes() -> None:
    pixels = np.array([[0, 51, 255]], "uint8")
    result = layers.Rescaling(1 / 255)(pixels)
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, [[0, 0.2, 1]], rtol=1e-6)


def test_flatten_does_not_depend_on_the_layout() -> None:
    images = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    first = layers.Flatten("channels_first")(np.moveaxis(images, -1, 1))
    np.testing.assert_array_equal(first, layers.Flatten()(images))


A, B = (np.random.default_rng(i).normal(size=(3, 4, 5)).astype("float32") for i in (1, 2))
UNIT_A, UNIT_B = (np.stack([v / np.linalg.norm(v, axis=0) for v in x]) for x in (A, B))
PIXELS = np.random.default_rng(3).normal(size=(2, 5, 7, 3)).astype("float32")
# layer, its inputs, the outputs by plain loops or NumPy
VALUES: list[tuple[Layer, Any, Any]] = [
    (layers.LeakyReLU(), A, np.where(A > 0, A, 0.3 * A)),
    (layers.ELU(2.0), A, np.where(A > 0, A, 2 * np.expm1(A))),
    (layers.PReLU(initializers.Constant(0.2)), A, np.where(A > 0, A, 0.2 * A)),
    (layers.Subtract(), [A, B], A - B),
    (layers.Multiply(), [A, B, A], A * B * A),
    (layers.Multiply(), [A, B[:, 0]], np.stack([a * b for a, b in zip(A, B[:, 0], strict=True)])),
    (layers.Average(), [A, B, B], (A + 2 * B) / 3),
    (layers.Maximum(), [A, B], np.where(A > B, A, B)),
    (layers.Minimum(), [A, B], np.where(A < B, A, B)),
    (layers.Dot(2), [A, B], np.stack([a @ b.T for a, b in zip(A, B, strict=True)])),
    (layers.Dot((1, 1)), [A, B], np.stack([a.T @ b for a, b in zip(A, B, strict=True)])),
    (layers.Dot(1), [A[:, 0], B[:, 0]], np.array([[a @ b] for a, b in zip(A[:, 0], B[:, 0], strict=True)])),
    (
        layers.Dot(1, normalize=True),
        [A, B],
        np.stack([a.T @ b for a, b in zip(UNIT_A, UNIT_B, strict=True)]),
    ),
    (layers.GlobalAveragePooling2D(), PIXELS, np.stack([i.reshape(-1, 3).mean(0) for i in PIXELS])),
    (layers.GlobalMaxPooling2D(), PIXELS, np.stack([i.reshape(-1, 3).max(0) for i in PIXELS])),
    (layers.Cropping2D(((1, 2), (3, 0))), PIXELS, PIXELS[:, 1:3, 3:7]),
    (layers.UpSampling2D((2, 3)), PIXELS, PIXELS.repeat(2, 1).repeat(3, 2)),
    (layers.Permute((2, 1)), A, A.swapaxes(1, 2)),
    (layers.RepeatVector(2), A[0], np.stack([[row, row] for row in A[0]])),
    (layers.UnitNormalization(1), A, UNIT_A),
    (layers.UnitNormalization(), np.zeros((2, 3), "float32"), np.zeros((2, 3))),
    (
        layers.LayerNormalization(epsilon=0.1),
        A,
        (A - A.mean(-1, keepdims=True)) / np.sqrt(A.var(-1, keepdims=True) + 0.1),
    ),
    (layers.Identity(), A, A),
    (layers.ActivityRegularization(l1=0.5), A, A),
]


@pytest.mark.parametrize("layer, inputs, expected", VALUES, ids=lambda v: getattr(v, "name", ""))
def test_values(layer: Layer, inputs: Any, expected: np.ndarray) -> None:
    assert_close(layer(inputs), expected, "float32")


def test_get() -> None:
    layer = layers.Dense(3)
    assert layers.get(None) is None
    assert layers.get(layer) is layer
    assert layers.get({"class_name": "Dense", "config": {"units": 4}}).units == 4
    assert type(layers.get("Flatten")) is layers.Flatten
    assert type(layers.get("MaxPool2D")) is layers.MaxPooling2D
    assert type(layers.get("AvgPool2D")) is layers.AveragePooling2D
    assert type(layers.get("GlobalAvgPool2D")) is layers.GlobalAveragePooling2D
    assert type(layers.get("GlobalMaxPool2D")) is layers.GlobalMaxPooling2D


@pytest.mark.parametrize("make", [layers.Softmax, layers.LayerNormalization, layers.UnitNormalization])
def test_an_axis_may_be_an_integer_of_numpy(make: Callable[..., Layer]) -> None:
    assert make(axis=np.int64(1)).get_config()["axis"] in (1, [1])
    assert json.dumps(make(axis=np.array([1, 2])).get_config()["axis"]) == "[1, 2]"


# The dtypes of variables beside the layer's own; Keras's are those of the layer there too. Statistics of a
# float16 layer stay float32: their squares overflow float16.
OTHERWISE = {"moving_mean": "float32", "moving_variance": "float32"}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@each
def test_variables_have_the_dtype_of_the_layer(case: Case, dtype: str) -> None:
    layer, arrays = case.layer(dtype=dtype), _arrays(case)
    output = layer(arrays[0] if len(arrays) == 1 else arrays, training=case.training)
    assert (output.dtype, layer.compute_dtype, layer.variable_dtype) == (dtype, dtype, dtype)
    for weight in layer.weights:
        assert weight.dtype == (OTHERWISE.get(weight.name, dtype) if dtype == "float16" else dtype)


def test_add_weight_takes_the_dtype_of_the_layer_or_its_own() -> None:
    class Mixed(Layer):
        def build(self, input_shape: Any) -> None:
            self.own = self.add_weight((4,), name="own")
            self.wide = self.add_weight((4,), "ones", "float64", name="wide")
            self.count = self.add_weight((), dtype="int32", name="count")

        def call(self, inputs: Any) -> Any:
            return inputs * self.own

    for dtype in ("float16", "float32", "float64"):
        layer = Mixed(dtype=dtype)
        assert layer(np.ones((2, 4), "float32")).dtype == dtype
        assert [v.dtype for v in layer.weights] == [dtype, "float64", "int32"]
        assert layer.count.numpy() == 0
