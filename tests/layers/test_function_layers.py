"""Lambda, Pipeline, InputSpec, AlphaDropout and boxes: what their rows beside Keras cannot show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import ShapeError

X = np.random.default_rng(0).normal(size=(6, 5, 3)).astype("float32")


@keras.saving.register_keras_serializable(package="tests")
def halved(x: Any, training: bool = False) -> Any:
    return x if training else x / 2.0


def _unregistered(x: Any) -> Any:
    return x


# --------------------------------------------------------------------------------------------------- Lambda


def test_a_model_of_registered_functions_is_made_again() -> None:
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layers.Lambda(halved, arguments={}, output_shape=(5, 3))(inputs))
    text = model.to_json()
    again = keras.models.model_from_json(text)
    np.testing.assert_array_equal(again.predict(X, verbose=0), X / 2)
    clone = keras.models.clone_model(model)
    np.testing.assert_array_equal(clone.predict(X, verbose=0), X / 2)
    assert "tests>halved" in text


def test_a_function_that_is_not_registered_is_named_in_custom_objects() -> None:
    plain = layers.serialize(layers.Lambda(_unregistered))
    with pytest.raises(ValueError, match=r"Unknown name '_unregistered'.*register_keras_serializable"):
        layers.deserialize(plain)
    with keras.saving.custom_object_scope({"_unregistered": _unregistered}):
        assert layers.deserialize(plain).function is _unregistered


def test_functions_of_keras_are_known_by_name() -> None:
    layer = layers.deserialize(layers.serialize(layers.Lambda(keras.activations.relu)))
    assert np.asarray(layer(X)).min() == 0


def test_code_is_neither_written_nor_run() -> None:
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layers.Lambda(lambda x: x + 1.0)(inputs))
    np.testing.assert_array_equal(model.predict(X, verbose=0), X + 1)
    with pytest.raises(
        TypeError, match=r"Lambda: a function without a name has no config.*Define it with def"
    ):
        model.to_json()
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    for name in ("function", "output_shape", "mask"):
        config = {"name": "l", "function": layers.Lambda(halved).get_config()["function"], name: code}
        for make in (layers.Lambda.from_config, _as_layer, _within_json):
            with pytest.raises(ValueError, match=r"Lambda: a config that holds code is refused"):
                make(config)


def _as_layer(config: Any) -> Any:
    return layers.deserialize({"class_name": "Lambda", "config": config})


def _within_json(config: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Lambda(halved, name="l")])
    plain = json.loads(model.to_json())
    plain["config"]["layers"][1]["config"] = config
    return keras.models.model_from_json(json.dumps(plain))


def test_gradients_go_through_a_function() -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Lambda(ops.square), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x = X.reshape(-1, 3)
    losses = model.fit(x, (x**2).sum(1), epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]


def test_a_mask_that_stops_is_told() -> None:
    inputs = layers.Masking()(keras.Input((5, 3)))
    with pytest.warns(UserWarning, match=r"Lambda does not support masks; its input's mask stops here"):
        assert layers.Lambda(halved)(inputs).mask is None


def test_a_mask_is_made_by_a_function_or_given() -> None:
    inputs = layers.Masking()(keras.Input((5, 3)))
    turned = layers.Lambda(_unregistered, mask=lambda x, mask: ops.logical_not(mask))(inputs)
    assert turned.mask.shape == (None, 5)
    given = layers.Lambda(_unregistered, mask=np.ones((6, 5), bool))(X)
    assert given.shape == X.shape


# ------------------------------------------------------------------------------------------------- Pipeline


def test_a_pipeline_holds_its_layers() -> None:
    pipeline = layers.Pipeline([layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5)])
    model = keras.Sequential([keras.Input((3,)), pipeline, layers.Dense(1)])
    assert [w.path.split("/", 1)[1] for w in model.weights][:2] == [
        f"{pipeline.name}/{pipeline.layers[0].name}/{name}" for name in ("kernel", "bias")
    ]
    x = X.reshape(-1, 3)
    still = model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), still)  # nothing drops in predict
    model.compile("sgd", "mse")
    before = pipeline.layers[1].moving_mean.numpy()
    model.fit(x, x[:, 0], verbose=0)
    assert not np.array_equal(pipeline.layers[1].moving_mean.numpy(), before)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_masks_pass_through_a_pipeline() -> None:
    inputs = layers.Masking()(keras.Input((5, 3)))
    assert layers.Pipeline([layers.Activation("relu"), layers.Dense(2)])(inputs).mask is not None
    with pytest.warns(UserWarning, match="Flatten does not support masks"):
        assert layers.Pipeline([layers.Flatten(), layers.Dense(2)])(inputs).mask is None


# ------------------------------------------------------------------------------------------------ InputSpec


class Picky(layers.Layer):
    """A layer that says what it takes, once it is built."""

    def __init__(self, spec: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = spec

    def call(self, inputs: Any) -> Any:
        return inputs


class PickyOnceBuilt(layers.Layer):
    def build(self, input_shape: Any) -> None:
        self.input_spec = layers.InputSpec(axes={-1: input_shape[-1]})

    def call(self, inputs: Any) -> Any:
        return inputs


@pytest.mark.parametrize(
    ("spec", "inputs", "message"),
    [
        (
            keras.InputSpec(ndim=2),
            X,
            r"In layer p: input 0 does not fit.*Expected: 2 dimensions.*3, \(6, 5, 3",
        ),
        (keras.InputSpec(min_ndim=4), X, r"Expected: at least 4 dimensions"),
        (keras.InputSpec(max_ndim=2), X, r"Expected: at most 2 dimensions"),
        (keras.InputSpec(axes={-1: 4}), X, r"Expected: size 4 of axis -1"),
        (keras.InputSpec(axes={3: 4}), X, r"Expected: size 4 of axis 3"),
        (keras.InputSpec(shape=(None, 5, 4)), X, r"Expected: shape \(None, 5, 4\)\. Received: \(6, 5, 3\)"),
        (keras.InputSpec(dtype="int32"), X, r"Expected: dtype int32\. Received: float32"),
        (keras.InputSpec(ndim=2, name="x"), X, r"input 'x' does not fit"),
        ([keras.InputSpec(ndim=2)] * 2, X, r"p takes 2 input\(s\)"),
        ([keras.InputSpec(ndim=3, name="a")], {"b": X}, r"an input is missing\. Expected: \['a'\]"),
    ],
)
def test_inputs_that_a_layer_does_not_take(spec: Any, inputs: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Picky(spec, name="p")(inputs)


def test_inputs_that_a_layer_takes() -> None:
    squeezed = keras.InputSpec(shape=(None, 5, 1), allow_last_axis_squeeze=True)
    for shape in ((5,), (5, 1)):
        assert Picky(squeezed)(keras.Input(shape)).shape == (None, *shape)
    assert Picky(keras.InputSpec(axes={-1: 4}))(keras.Input((None,))).shape == (None, None)
    pair = [keras.InputSpec(ndim=3), None]
    assert Picky(pair)([X, X[0]])[0].shape == X.shape


def test_what_build_says_is_checked_at_the_next_call() -> None:
    layer = PickyOnceBuilt()
    layer(X)
    with pytest.raises(ShapeError, match="size 3 of axis -1"):
        layer(X[..., :2])


# -------------------------------------------------------------------------------------- dropout after selu


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_mean_and_variance_stay_after_selu(rate: float, dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=(2000, 40)).astype(dtype)
    made = np.asarray(layers.AlphaDropout(rate, seed=3, dtype=dtype)(x, training=True))
    assert made.dtype == dtype
    exact = made.astype("float64")
    assert abs(exact.mean()) < 0.02
    assert abs(exact.std() - 1) < 0.02
    lowest = np.unique(made)[np.argmax(np.unique(made, return_counts=True)[1])]
    assert (made == lowest).mean() == pytest.approx(rate, abs=0.01)


def test_a_noise_shape_drops_whole_rows() -> None:
    x = np.ones((50, 4), "float32")
    made = np.asarray(layers.AlphaDropout(0.5, noise_shape=(None, 1), seed=1)(x, training=True))
    assert (made == made[:, :1]).all()
    assert len(np.unique(made)) == 2


# ---------------------------------------------------------------------------------------------------- boxes


@pytest.mark.parametrize("count", [1, 3, 5])
def test_boxes_are_cut_or_added(count: int) -> None:
    boxes = np.arange(2 * count * 4, dtype="float32").reshape(2, count, 4)
    labels = np.arange(2 * count, dtype="int32").reshape(2, count)
    layer = layers.MaxNumBoundingBoxes(3, fill_value=-2, bounding_box_format="xywh")
    given = {"images": np.ones((2, 4, 4, 3), "float32"), "bounding_boxes": {"boxes": boxes, "labels": labels}}
    found = layer(given)["bounding_boxes"]
    kept = min(count, 3)
    np.testing.assert_array_equal(np.asarray(found["boxes"])[:, :kept], boxes[:, :kept])
    np.testing.assert_array_equal(np.asarray(found["labels"])[:, :kept], labels[:, :kept])
    assert (np.asarray(found["boxes"])[:, kept:] == -2).all()
    assert (np.asarray(found["labels"])[:, kept:] == -2).all()
    assert np.asarray(found["labels"]).dtype == np.int32
    np.testing.assert_array_equal(layer(given["images"]), given["images"])


BOXES = {"images": X, "bounding_boxes": {"boxes": np.ones((6, 2, 4)), "labels": np.ones((6, 2), "int32")}}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Lambda("relu"), TypeError, r"Lambda: function is a function of the inputs.*'relu'"),
        (lambda: layers.Lambda(halved, arguments=[1]), TypeError, r"Lambda: arguments is a dict by names"),
        (
            lambda: layers.Lambda(halved, output_shape=(4,), name="l")(X),
            ShapeError,
            r"In layer l: Lambda: the",
        ),
        (lambda: layers.Lambda(halved, output_shape=4), TypeError, r"Lambda: output_shape is a shape"),
        (lambda: layers.Lambda(halved, mask="m"), TypeError, r"Lambda: mask is a mask, or a function that"),
        (lambda: layers.Pipeline(layers.Dense(3)), TypeError, r"Pipeline: layers is a list of layers"),
        (lambda: layers.Pipeline([ops.relu]), TypeError, r"Pipeline: layers is a list of layers"),
        (
            lambda: layers.Pipeline.from_config({"name": "p"}),
            ValueError,
            r"Pipeline: a config has its layers",
        ),
        (lambda: keras.InputSpec(axes={"a": 1}), TypeError, r"axes is a dict of sizes by axis"),
        (
            lambda: keras.InputSpec(ndim=2, axes={2: 1}),
            ValueError,
            r"inputs of 2 dimensions have axes up to 1",
        ),
        (
            lambda: layers.AlphaDropout(1.0),
            ValueError,
            r"AlphaDropout: rate must be a number, 0 <= number < 1",
        ),
        (lambda: layers.AlphaDropout(0.5, noise_shape=3), ValueError, r"noise_shape is a tuple of ints"),
        (lambda: layers.AlphaDropout(0.5, (None,))(X, training=True), ShapeError, r"In layer alpha_dropout"),
        (lambda: layers.MaxNumBoundingBoxes(0), ValueError, r"max_number must be a positive int"),
        (lambda: layers.MaxNumBoundingBoxes(2)(BOXES), ValueError, r"bounding_box_format says how boxes are"),
        (
            lambda: layers.MaxNumBoundingBoxes(2, bounding_box_format="xy"),
            ValueError,
            r"bounding_box_format must be one of xyxy",
        ),
        (
            lambda: layers.MaxNumBoundingBoxes(2, bounding_box_format="xyxy")(
                {"bounding_boxes": {"boxes": X, "labels": X[..., 0]}}
            ),
            ShapeError,
            r"each box is four numbers, and has a label",
        ),
    ],
)
def test_what_does_not_fit_is_told(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_variable_is_a_weight() -> None:
    layer = layers.Layer(name="own")
    made = layer.add_variable((2, 3), "ones", trainable=False, constraint="non_neg", name="v")
    assert layer.non_trainable_weights == [made]
    assert (made.path, made.shape, float(made.numpy().sum())) == ("own/v", (2, 3), 6.0)
    assert type(made.constraint).__name__ == "NonNeg"
