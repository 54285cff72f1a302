"""Convolutions, pooling, resizing and reshaping over one, two and three axes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import ShapeError
from gputrain.layers import Layer
from tests.layers import test_layers as each_layer
from tests.layers.draws import at_step
from tests.layers.harness import run
from tests.layers.test_layers import Case
from tests.on_device import host
from tests.tolerances import assert_close

RNG = np.random.default_rng(8)
STEPS, IMAGE, VOLUME = (2, 9, 4), (2, 5, 7, 4), (2, 4, 5, 3, 2)
STEPS_FIRST, IMAGE_FIRST, VOLUME_FIRST = (2, 4, 9), (2, 4, 5, 7), (2, 2, 4, 5, 3)
CF = {"data_format": "channels_first"}
torch_is_there = importlib.util.find_spec("torch") is not None


def conv(filters: int, kernel_size: Any, **more: Any) -> dict[str, Any]:
    return {"filters": filters, "kernel_size": kernel_size, **more}


# Of each class the arguments in which it may go wrong; the table of parity has the rest.
CASES = [
    Case(layers.Conv1D, [STEPS], (2, 9, 6), conv(6, 3, padding="CAUSAL", dilation_rate=2, groups=2), 2, 2),
    Case(layers.Conv1D, [STEPS_FIRST], (2, 3, 4), conv(3, 2, strides=2, **CF), 2, 2),
    Case(layers.Conv1D, [STEPS], (2, 3, 3), conv(3, 2, strides=3, dilation_rate=2), 2, 2),
    Case(layers.Conv3D, [VOLUME], (2, 3, 2, 3, 4), conv(4, (2, 3, 1), strides=(1, 2, 1), groups=2), 2, 2),
    Case(layers.Conv3D, [VOLUME_FIRST], (2, 3, 2, 3, 2), conv(3, 3, strides=2, padding="same", **CF), 2, 2),
    Case(layers.Conv1DTranspose, [STEPS], (2, 29, 3), conv(3, 4, strides=3, output_padding=1), 2, 2),
    Case(layers.Conv2DTranspose, [IMAGE], (2, 10, 21, 3), conv(3, 3, strides=(2, 3), padding="same"), 2, 2),
    Case(layers.Conv2DTranspose, [IMAGE_FIRST], (2, 3, 6, 8), conv(3, 2, use_bias=False, **CF), 1, 1),
    Case(layers.Conv3DTranspose, [VOLUME], (2, 8, 10, 6, 3), conv(3, 1, strides=2), 2, 2),
    Case(
        layers.DepthwiseConv1D,
        [STEPS],
        (2, 9, 8),
        {"kernel_size": 3, "padding": "causal", "depth_multiplier": 2},
        2,
        2,
    ),
    Case(
        layers.DepthwiseConv2D,
        [IMAGE],
        (2, 3, 4, 4),
        {"kernel_size": 3, "strides": 2, "padding": "same"},
        2,
        2,
    ),
    Case(
        layers.DepthwiseConv2D,
        [IMAGE_FIRST],
        (2, 12, 3, 5),
        {"kernel_size": 3, "depth_multiplier": 3, **CF},
        2,
        2,
    ),
    Case(layers.SeparableConv1D, [STEPS], (2, 9, 3), conv(3, 3, padding="causal", depth_multiplier=2), 3, 3),
    Case(
        layers.SeparableConv2D, [IMAGE_FIRST], (2, 3, 3, 4), conv(3, 3, strides=2, padding="same", **CF), 3, 3
    ),
    Case(layers.MaxPooling1D, [STEPS], (2, 5, 4), {"pool_size": 3, "strides": 2, "padding": "same"}),
    Case(layers.MaxPooling3D, [VOLUME_FIRST], (2, 2, 2, 2, 1), CF),
    Case(layers.AveragePooling1D, [STEPS], (2, 4, 4), {"pool_size": 3, "strides": 2}),
    Case(
        layers.AveragePooling3D,
        [VOLUME],
        (2, 2, 3, 3, 2),
        {"pool_size": (3, 2, 1), "strides": (2, 2, 1), "padding": "same"},
    ),
    Case(layers.GlobalAveragePooling1D, [STEPS], (2, 4)),
    Case(layers.GlobalAveragePooling3D, [VOLUME_FIRST], (2, 2, 1, 1, 1), {"keepdims": True, **CF}),
    Case(layers.GlobalMaxPooling1D, [STEPS], (2, 1, 4), {"keepdims": True}),
    Case(layers.GlobalMaxPooling3D, [VOLUME], (2, 2)),
    Case(layers.AdaptiveAveragePooling1D, [STEPS], (2, 4, 4), {"output_size": 4}),
    Case(layers.AdaptiveAveragePooling2D, [IMAGE_FIRST], (2, 4, 2, 3), {"output_size": (2, 3), **CF}),
    Case(layers.AdaptiveAveragePooling3D, [VOLUME], (2, 2, 7, 1, 2), {"output_size": (2, 7, 1)}),
    Case(layers.AdaptiveMaxPooling1D, [STEPS_FIRST], (2, 4, 5), {"output_size": 5, **CF}),
    Case(layers.AdaptiveMaxPooling2D, [IMAGE], (2, 3, 3, 4), {"output_size": 3}),
    Case(layers.AdaptiveMaxPooling3D, [VOLUME], (2, 3, 2, 3, 2), {"output_size": (3, 2, 3)}),
    Case(layers.UpSampling1D, [STEPS], (2, 27, 4), {"size": 3}),
    Case(layers.UpSampling3D, [VOLUME_FIRST], (2, 2, 4, 15, 6), {"size": (1, 3, 2), **CF}),
    Case(layers.ZeroPadding1D, [STEPS_FIRST], (2, 4, 12), {"padding": (1, 2), **CF}),
    Case(layers.ZeroPadding3D, [VOLUME], (2, 5, 5, 8, 2), {"padding": ((1, 0), 0, (2, 3))}),
    Case(layers.Cropping1D, [STEPS], (2, 6, 4), {"cropping": (3, 0)}),
    Case(layers.Cropping3D, [VOLUME_FIRST], (2, 2, 3, 2, 3), {"cropping": ((1, 0), (0, 3), 0), **CF}),
    Case(layers.SpatialDropout1D, [STEPS], STEPS, {"rate": 0.5, "seed": 3}, training=True),
    Case(
        layers.SpatialDropout3D, [VOLUME_FIRST], VOLUME_FIRST, {"rate": 0.5, "seed": 3, **CF}, training=True
    ),
    Case(layers.Reshape, [STEPS], (2, 18, 2), {"target_shape": (None, 2)}),
]
each = pytest.mark.parametrize("case", CASES, ids=str)


@each
@pytest.mark.parametrize(
    "test",
    [
        each_layer.test_output_shape_and_dtype,
        each_layer.test_symbolic_shape_agrees,
        each_layer.test_saved_and_loaded,
        each_layer.test_trains_one_step,
        each_layer.test_gradients,
    ],
    ids=lambda test: test.__name__.removeprefix("test_"),
)
def test_like_every_layer(case: Case, test: Callable[[Case], None]) -> None:
    test(case)


@each
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_in_other_dtypes(case: Case, dtype: str) -> None:
    """The values of float32, within what the dtype holds."""
    x = np.random.default_rng(3).uniform(-1, 1, case.inputs[0])
    layer, other = case.layer(), case.layer(dtype=dtype)
    expected = host(layer(x.astype("float32"), training=False))
    other(x.astype(dtype))
    other.set_weights([w.astype(dtype) for w in layer.get_weights()])
    found = host(other(x.astype(dtype), training=False))
    assert found.dtype == dtype
    assert_close(found, expected, "float16" if dtype == "float16" else "float32")


# ----------------------------------------------------------------------------------------------- both layouts

IN_BOTH = [case for case in CASES if "data_format" in case.layer().get_config()]


@pytest.mark.parametrize("case", IN_BOTH, ids=str)
def test_both_layouts_compute_the_same(case: Case) -> None:
    arguments = {**case.arguments, "data_format": "channels_last"}
    last, first = case.make(**arguments, dtype="float64"), case.make(**{**arguments, **CF}, dtype="float64")
    x = RNG.normal(size=case.inputs[0])
    x = np.moveaxis(x, 1, -1) if case.arguments.get("data_format") else x
    upstream = RNG.normal(size=run(last, [x]).output.shape)
    run(first, [np.moveaxis(x, -1, 1)])
    first.set_weights(last.get_weights())
    a = run(last, [x], upstream, training=False)
    b = run(first, [np.moveaxis(x, -1, 1)], upstream if a.output.ndim == 2 else np.moveaxis(upstream, -1, 1))
    assert_close(b.output if a.output.ndim == 2 else np.moveaxis(b.output, 1, -1), a.output, "float64")
    assert_close(np.moveaxis(b.inputs[0], 1, -1), a.inputs[0], "float64")
    for one, other in zip(a.weights, b.weights, strict=True):
        assert_close(other, one, "float64")


# ---------------------------------------------------------------------------------------------- against torch


@pytest.mark.peer
@pytest.mark.skipif(not torch_is_there, reason="PyTorch is not installed")
@pytest.mark.parametrize("output_size", [1, 2, 3, 5, 8, 16])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Average", "Max"])
def test_adaptive_pooling_against_torch(kind: str, rank: int, output_size: int) -> None:
    torch = pytest.importorskip("torch")
    sizes = (output_size, *(3, 5)[: rank - 1])
    x = RNG.integers(0, 6, (2, *(8, 7, 6)[:rank], 3)).astype("float64")  # many equal elements
    layer = getattr(layers, f"Adaptive{kind}Pooling{rank}D")(sizes, dtype="float64")
    upstream = RNG.normal(size=(2, *sizes, 3))
    ours = run(layer, [x], upstream)

    image = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    name = {"Average": "avg", "Max": "max"}[kind]
    output = getattr(torch.nn.functional, f"adaptive_{name}_pool{rank}d")(image, sizes)
    (output * torch.tensor(np.moveaxis(upstream, -1, 1).copy())).sum().backward()
    assert_close(ours.output, np.moveaxis(output.detach().numpy(), 1, -1), "float64")
    assert_close(ours.inputs[0], np.moveaxis(image.grad.numpy(), 1, -1), "float64")


# ------------------------------------------------------------------------------------------- adaptive pooling


def test_adaptive_pooling_keeps_whole_numbers_and_not_a_number() -> None:
    whole = np.arange(14, dtype="int32").reshape(1, 7, 2)
    assert host(ops.adaptive_max_pool(whole, 3)).dtype == "int32"
    assert host(ops.adaptive_max_pool(whole, 3))[0, :, 0].tolist() == [4, 8, 12]
    assert host(ops.adaptive_average_pool(whole, 3)).dtype == "float32"
    assert host(ops.adaptive_average_pool(whole, 3))[0, :, 0].tolist() == [2.0, 6.0, 10.0]
    x = np.arange(7.0, dtype="float32").reshape(1, 7, 1)
    x[0, 3] = np.nan
    assert np.isnan(host(ops.adaptive_max_pool(x, 7))).ravel().tolist() == [i == 3 for i in range(7)]
    assert np.isnan(host(ops.adaptive_max_pool(x, 3))).ravel().tolist() == [False, True, False]


def test_adaptive_pooling_of_an_empty_batch() -> None:
    for pool in (ops.adaptive_average_pool, ops.adaptive_max_pool):
        assert host(pool(np.zeros((0, 7, 5, 2), "float32"), (3, 5))).shape == (0, 3, 5, 2)


def test_adaptive_pooling_refuses_what_has_no_window() -> None:
    with pytest.raises(
        ShapeError, match=r"adaptive_max_pool pools sequences \(N, T, C\), images .* none of "
    ):
        ops.adaptive_max_pool(np.ones((2, 0, 3), "float32"), 2)
    with pytest.raises(ShapeError, match=r"adaptive_average_pool pools .* Received: \(2, 3\)"):
        ops.adaptive_average_pool(np.ones((2, 3), "float32"), 2)
    with pytest.raises(ValueError, match=r"output_size must be a positive int or two of them\. Received: 0"):
        ops.adaptive_max_pool(np.ones((2, 3, 3, 1), "float32"), 0)
    with pytest.raises(ValueError, match=r"adaptive_max_pool works channels last"):
        ops.adaptive_max_pool(np.ones((2, 3, 3, 1), "float32"), 1, "channels_first")


# ------------------------------------------------------------------------------------------------------ masks


def test_steps_that_do_not_count_change_nothing() -> None:
    x, mask = RNG.normal(size=(3, 6, 2)), np.arange(6) < np.array([[6], [2], [0]])
    expected = np.stack([x[0].mean(0), x[1, :2].mean(0), np.zeros(2)])
    x[~mask] = np.nan
    layer = layers.GlobalAveragePooling1D(dtype="float64")
    assert_close(host(layer(x, mask=mask)), expected, "float64")
    longer = np.concatenate([x, np.full((3, 3, 2), np.inf)], 1)
    found = host(layer(longer, mask=np.pad(mask, ((0, 0), (0, 3)))))
    assert_close(found, expected, "float64")
    assert host(layer(x[:, :, :1], mask=np.zeros((3, 6)))).tolist() == [[0.0]] * 3


def test_steps_that_do_not_count_get_no_gradient() -> None:
    class Masked(Layer):
        def build(self, input_shape: Any) -> None:
            self.mean = layers.GlobalAveragePooling1D(dtype=self.dtype)

        def call(self, inputs: Any) -> Any:
            return self.mean(inputs, mask=np.array([[True, True, False], [False, False, False]]))

    found = run(Masked(dtype="float64"), [RNG.normal(size=(2, 3, 1))], np.ones((2, 1)))
    assert found.inputs[0].ravel().tolist() == [0.5, 0.5, 0, 0, 0, 0]


def test_a_long_masked_sequence_of_half_precision() -> None:
    x, mask = np.full((1, 6000, 1), 40, "float16"), np.arange(6000)[None] < 5000
    assert host(layers.GlobalAveragePooling1D(dtype="float16")(x, mask=mask)).item() == pytest.approx(
        40, 2e-3
    )


def test_masks_stop_at_the_mean_and_pass_the_dropout() -> None:
    class Marked(Layer):
        def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
            return ops.not_equal(inputs[..., 0], 0.0)

        def call(self, inputs: Any) -> Any:
            return inputs

    steps = Marked()(keras.Input((None, 3)))
    assert layers.SpatialDropout1D(0.5)(steps).mask is not None
    assert layers.GlobalAveragePooling1D()(steps).mask is None
    with pytest.warns(UserWarning, match=r"MaxPooling1D does not support masks"):
        layers.MaxPooling1D()(steps)


# ---------------------------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize(
    "shape, arguments", [((40, 6, 5), {}), ((40, 5, 2, 3, 1), CF), ((40, 2, 3, 1, 5), {})]
)
def test_whole_channels_are_dropped(shape: Any, arguments: dict[str, Any]) -> None:
    make = layers.SpatialDropout1D if len(shape) == 3 else layers.SpatialDropout3D
    found = at_step(make(0.4, seed=1, **arguments), np.ones(shape, "float32"), 5)
    channels = found if arguments else np.moveaxis(found, -1, 1)
    channels = channels.reshape(40, 5, -1)
    assert (channels == channels[..., :1]).all()
    dropped = channels[..., 0] == 0
    assert 0.25 < dropped.mean() < 0.55
    np.testing.assert_allclose(channels[~dropped], 1 / 0.6, rtol=1e-4)


# ---------------------------------------------------------------------------------- unknown sizes, and models


def test_a_fully_convolutional_model_of_any_size_learns() -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None, None, 2))
    few = layers.MaxPooling2D(2, padding="same")(
        layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    )
    many = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(few)
    pooled = layers.AdaptiveAveragePooling2D((3, 4))(many)
    outputs = [layers.DepthwiseConv2D(1)(many), layers.SeparableConv2D(1, 1)(pooled)]
    model = keras.Model(inputs, outputs)
    assert [output.shape for output in model.outputs] == [(None, None, None, 4), (None, 3, 4, 1)]
    model.compile(keras.optimizers.SGD(0.05), ["mse", "mse"])
    for height, width in ((6, 8), (4, 6)):
        x = RNG.normal(size=(8, height, width, 2)).astype("float32")
        y = [np.ones((8, height, width, 4), "float32"), np.zeros((8, 3, 4, 1), "float32")]
        losses = model.fit(x, y, epochs=4, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    for one, other in zip(again.predict(x, verbose=0), model.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_of_sequences_learns() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.Conv1D(8, 3, padding="causal", activation="relu"),
            layers.SpatialDropout1D(0.1, seed=1),
            layers.SeparableConv1D(8, 3, padding="same", activation="relu"),
            layers.AdaptiveMaxPooling1D(4),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = np.random.default_rng(4).normal(size=(32, 10, 3)).astype("float32")
    losses = model.fit(x, x[:, :, 0].max(1), epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert model.predict(x[:, :7], verbose=0).shape == (32, 1)
    assert json.loads(keras.models.model_from_json(model.to_json()).to_json()) == json.loads(model.to_json())


@pytest.mark.parametrize("make", [layers.AdaptiveAveragePooling3D, layers.AdaptiveMaxPooling3D])
def test_adaptive_pooling_of_unknown_sizes(make: Any) -> None:
    inputs = keras.Input((None, 4, None, 5))
    model = keras.Model(inputs, make((2, 3, 2))(inputs))
    assert model.output_shape == (None, 2, 3, 2, 5)
    for sizes in ((3, 4, 2), (7, 4, 1)):
        x = RNG.normal(size=(2, *sizes, 5)).astype("float32")
        assert_close(model.predict(x, verbose=0), host(make((2, 3, 2))(x)), "float32")


def test_none_in_a_target_shape_is_worked_out() -> None:
    layer = layers.Reshape((None, 4))
    assert layer.get_config()["target_shape"] == (None, 4)
    assert layer(keras.Input((12,))).shape == (None, 3, 4)
    with pytest.raises(ValueError, match="Reshape: target_shape is a tuple of sizes, at most one of them -1"):
        layers.Reshape((None, -1))


def test_the_layout_of_sequences_that_only_have_one() -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        made = [layers.UpSampling1D(), layers.Cropping1D(), layers.SpatialDropout1D(0.5)]
        assert [layer.data_format for layer in made] == ["channels_last"] * 3
        assert all("data_format" not in layer.get_config() for layer in made)
        assert layers.Conv1D(1, 1).data_format == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")


# ----------------------------------------------------------------------------------------------------- errors

SEQUENCES, VOLUMES = np.ones((2, 9, 3), "float32"), np.ones((2, 4, 5, 6, 3), "float32")
ARGUMENTS: list[tuple[Callable[[], Any], str]] = [
    (lambda: layers.Conv1D(4, (3, 3)), r"Conv1D: kernel_size must be a positive int\. Received: \(3, 3\)"),
    (lambda: layers.Conv3D(4, (3, 3)), r"Conv3D: kernel_size must be a positive int or three of them"),
    (
        lambda: layers.Conv1D(4, 3, padding="casual"),
        r"Conv1D: padding must be one of valid, same, causal\..*Did you mean 'causal'\?",
    ),
    (lambda: layers.Conv3D(4, 3, padding="causal"), r"Conv3D: padding must be one of valid, same\. Received"),
    (
        lambda: layers.Conv1DTranspose(4, 3, padding="causal"),
        r"Conv1DTranspose: padding must be one of valid, s",
    ),
    (
        lambda: layers.Conv2DTranspose(4, 3, strides=(2, 3), output_padding=2),
        r"Conv2DTranspose: output_padding must be smaller than strides\. Received: output_padding=\(2, 2\), ",
    ),
    (
        lambda: layers.Conv2DTranspose(4, 3, strides=3, output_padding=(1, 2, 0)),
        r"Conv2DTranspose: output_padding must be None, or an int or 2 of them, 0 or more\. Received: \(1, 2",
    ),
    (
        lambda: layers.Conv1DTranspose(4, 3, output_padding=-1),
        r"output_padding must be None, or an int, 0 or m",
    ),
    (
        lambda: layers.Conv1DTranspose(4, 3, output_padding=0.5),
        r"output_padding must be None, or an int, 0 or m",
    ),
    (
        lambda: layers.Conv1DTranspose(4, 3, output_padding="1"),
        r"output_padding must be None, or an int, 0 or m",
    ),
    (
        lambda: layers.Conv1D(4, 3, groups=3),
        r"Conv1D: groups must divide filters\. Received: filters=4, groups",
    ),
    (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=0),
        r"DepthwiseConv2D: depth_multiplier must be a posi",
    ),
    (lambda: layers.SeparableConv1D(0, 3), r"SeparableConv1D: filters must be a positive int"),
    (lambda: layers.MaxPooling3D((2, 2)), r"MaxPooling3D: pool_size must be a positive int or three of them"),
    (lambda: layers.AveragePooling1D(2, strides=0), r"AveragePooling1D: strides must be a positive int"),
    (lambda: layers.MaxPooling1D(2, padding="causal"), r"MaxPooling1D: padding must be one of valid, same"),
    (lambda: layers.AdaptiveMaxPooling2D((2, 3, 4)), r"AdaptiveMaxPooling2D: output_size must be a positive"),
    (lambda: layers.AdaptiveAveragePooling1D(0), r"AdaptiveAveragePooling1D: output_size must be a positive"),
    (lambda: layers.UpSampling1D((2,)), r"UpSampling1D: size must be a positive int\. Received: \(2,\)"),
    (lambda: layers.UpSampling3D((2, 2)), r"UpSampling3D: size must be a positive int or three of them"),
    (
        lambda: layers.ZeroPadding1D((1, 2, 3)),
        r"ZeroPadding1D: padding is a number of steps, 0 or more\. Expected: an int, or \(before, after\)\. ",
    ),
    (
        lambda: layers.ZeroPadding3D(((1, 2), (0, 1))),
        r"ZeroPadding3D: padding is a number of elements of each axis, 0 or more\. Expected: an int, three o",
    ),
    (lambda: layers.Cropping1D(-1), r"Cropping1D: cropping is a number of steps, 0 or more"),
    (
        lambda: layers.Cropping3D((1, 2)),
        r"Cropping3D: cropping is a number of elements of each axis, 0 or more",
    ),
    (lambda: layers.SpatialDropout3D(1.5), r"SpatialDropout3D: rate is a share"),
    (lambda: layers.Conv1D(4, 3, lora_rank=2), r"lora_rank"),
]


@pytest.mark.parametrize("make, message", ARGUMENTS, ids=[m for _, m in ARGUMENTS])
def test_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


SHAPES: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: layers.Conv1D(4, 3, name="c")(SEQUENCES[..., 0]),
        r"In layer c: Conv1D takes sequences, three dimensions\. Expected: \(N, T, C\)\. Received: \(2, 9\)\."
        r" Give single numbers a channel axis: x\[\.\.\., None\]",
    ),
    (
        lambda: layers.Conv3D(4, 3, name="c", data_format="channels_first")(VOLUMES[..., 0]),
        r"In layer c: Conv3D takes volumes, five dimensions\. Expected: \(N, C, D, H, W\)\. Received: \(2, 4,"
        r" 5, 6\)\. Give grey volumes a channel axis: x\[:, None\]",
    ),
    (
        lambda: layers.Conv1D(4, 3, name="c")(VOLUMES),
        r"In layer c: Conv1D takes sequences.*\(2, 4, 5, 6, 3\)\.$",
    ),
    (
        lambda: layers.Conv1D(4, 3, groups=2, name="c")(SEQUENCES),
        r"In layer c: Conv1D: groups must divide the channels of the input\. Received: 3 channels, groups=2",
    ),
    (
        lambda: layers.Conv3D(4, 3, name="c")(keras.Input((9, 9, 9, None))),
        r"In layer c: Conv3D makes its weights for a known size of axis -1\. .* Give the input layer this si",
    ),
    (
        lambda: layers.Conv1D(4, 5, dilation_rate=3, name="c")(keras.Input((12, 3))),
        r"In layer c: Conv: the \(dilated\) filter is larger than the sequence\. Received: sequence \(12,\), "
        r'filter \(5,\), dilation \(3,\)\. Use padding="same"',
    ),
    (
        lambda: layers.SeparableConv2D(4, (2, 9), name="c")(np.ones((1, 4, 8, 2), "float32")),
        r"In layer c: Conv: the \(dilated\) filter is larger than the image",
    ),
    (
        lambda: layers.MaxPooling3D(5, name="p")(VOLUMES),
        r"In layer p: MaxPool: the window is larger than the volume\. Received: volume \(4, 5, 6\), window ",
    ),
    (
        lambda: layers.AveragePooling1D(10, name="p")(SEQUENCES),
        r"In layer p: AveragePool: the window is large",
    ),
    (
        lambda: layers.MaxPooling1D(name="p")(VOLUMES),
        r"In layer p: MaxPooling1D takes sequences, three dimen",
    ),
    (lambda: layers.GlobalMaxPooling3D(name="g")(SEQUENCES), r"In layer g: GlobalMaxPooling3D takes volumes"),
    (
        lambda: layers.AdaptiveMaxPooling2D(2, name="a")(SEQUENCES),
        r"In layer a: AdaptiveMaxPooling2D takes im",
    ),
    (lambda: layers.UpSampling3D(name="u")(SEQUENCES), r"In layer u: UpSampling3D takes volumes"),
    (lambda: layers.ZeroPadding1D(name="z")(VOLUMES), r"In layer z: ZeroPadding1D takes sequences"),
    (
        lambda: layers.Cropping1D((4, 5), name="c")(SEQUENCES),
        r"In layer c: Cropping1D must leave something of the sequence\. Expected: T above 9 for cropping \(4",
    ),
    (
        lambda: layers.Cropping3D((0, 3, 0), name="c")(VOLUMES),
        r"In layer c: Cropping3D must leave something of the volume\. Expected: H above 6",
    ),
    (
        lambda: layers.SpatialDropout1D(0.5, name="s")(VOLUMES),
        r"In layer s: SpatialDropout1D takes sequences",
    ),
]


@pytest.mark.parametrize("use, message", SHAPES, ids=[m for _, m in SHAPES])
def test_shapes(use: Callable[[], Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        use()


def test_the_path_of_an_inner_layer_is_said() -> None:
    class Block(Layer):
        def build(self, input_shape: Any) -> None:
            self.pool = layers.MaxPooling1D(10, name="pool")

        def call(self, inputs: Any) -> Any:
            return self.pool(inputs)

    with pytest.raises(ShapeError, match=r"In layer b/pool: MaxPool: the window is larger than the sequence"):
        Block(name="b")(SEQUENCES)


@pytest.mark.parametrize("rank, window", [(1, 100), (2, 10), (3, 5)])
def test_means_of_float16_are_sums_of_float32(rank: int, window: int) -> None:
    """The sum of a window of large numbers is no float16."""
    pool = getattr(layers, f"AveragePooling{rank}D")(window, strides=3, padding="same", dtype="float16")
    np.testing.assert_array_equal(pool(np.full((1, *(100, 20, 8)[rank - 1 : rank] * rank, 1), 1e3)), 1e3)
