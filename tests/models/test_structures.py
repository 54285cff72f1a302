"""Nested and optional inputs, sizes that are not known, and copies made on other inputs."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import GraphError, ShapeError
from tests.models.small import QUIET

X = np.linspace(-1, 1, 12).reshape(6, 2).astype("float32")


class Take(layers.Layer):
    """The second input is taken from the first, if it is there."""

    def call(self, x: Any, y: Any = None) -> Any:
        return x * 2.0 if y is None else x - y


def optional(structure: str = "list") -> keras.Model:
    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y", optional=True)
    return keras.Model([x, y] if structure == "list" else {"x": x, "y": y}, Take(name="take")(x, y))


def test_an_optional_input_of_a_model_within() -> None:
    inputs = keras.Input((2,))
    inner = optional()
    model = keras.Model(inputs, [inner([inputs, None]), inner([inputs, inputs * 3.0])])
    without, given = model.predict(X, **QUIET)
    np.testing.assert_array_equal(without, 2 * X)
    np.testing.assert_allclose(given, -2 * X, rtol=1e-6)


def test_an_optional_input_goes_through_json() -> None:
    model = keras.models.model_from_json(optional("dict").to_json(), {"Take": Take})
    np.testing.assert_array_equal(model.predict({"x": X, "y": None}, **QUIET), 2 * X)
    with pytest.raises(
        ShapeError, match=r"input 'x' is not optional.*Make it with Input\(\.\.\., optional=True"
    ):
        model.predict({"x": None, "y": X}, **QUIET)


def test_each_length_is_traced_once() -> None:
    """More lengths than there used to be room for, in turns."""
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(inputs)))
    model.compile("sgd", "mse")
    seen: list[Any] = []
    step = model.train_step

    def counted(data: Any) -> Any:
        seen.append(data[0].shape)
        return step(data)

    model.train_step = counted

    def batches() -> Iterator[Any]:
        for _ in range(3):
            for length in range(1, 15):
                yield np.ones((4, length, 2), "float32"), np.ones((4, 1), "float32")

    model.fit(batches(), steps_per_epoch=14, epochs=3, verbose=0)
    assert sorted(seen) == [(4, length, 2) for length in range(1, 15)]


def test_many_lengths_are_told(caplog: pytest.LogCaptureFixture) -> None:
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, ops.mean(inputs, axis=1), name="lengths")
    for length in range(1, 12):
        model.predict(np.ones((2, length, 2)), **QUIET)
    told = [record.message for record in caplog.records if "was traced" in record.message]
    assert len(told) == 1
    assert "lengths: the predict step was traced 8 times" in told[0]
    assert "Changing: axis 1 of input 0" in told[0]


def test_outputs_of_differing_sizes_are_not_one_array() -> None:
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, inputs * 2.0)
    batches = [np.ones((2, length, 2), "float32") for length in (3, 5)]
    with pytest.raises(ShapeError, match=r"samples of \(3, 2\) and \(5, 2\). Call predict_on_batch\(\)"):
        model.predict(iter(batches), verbose=0)
    assert [model.predict_on_batch(batch).shape for batch in batches] == [(2, 3, 2), (2, 5, 2)]


# ----------------------------------------------------------------------------------------------- clone_model


def mixed() -> keras.Model:
    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y")
    dense = layers.Dense(2, name="dense")
    return keras.Model([x, y], ops.relu(dense(dense(x))) + y, name="mixed")


def test_a_clone_on_other_inputs() -> None:
    model = mixed()
    x, y = keras.Input((2,), name="new"), layers.Dense(2, name="before")(keras.Input((2,)))
    clone = keras.models.clone_model(model, input_tensors=[x, y])
    assert clone.inputs[0] is x
    assert [layer.name for layer in clone.layers] == ["new", "dense", "before"]
    assert clone.get_layer("dense") is not model.get_layer("dense")
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict([X, -X], **QUIET), model.predict([X, -X], **QUIET))
    assert json.loads(clone.to_json())["config"]["name"] == "mixed"


def test_a_clone_whose_calls_are_changed() -> None:
    calls: list[str] = []

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(layer.name)
        return layer(*args, **kwargs) * 2.0

    model = mixed()
    clone = keras.models.clone_model(model, call_function=call)
    assert calls == ["dense", "dense"]
    assert [layer.name for layer in clone.layers] == ["x", "dense", "y"]
    clone.set_weights(model.get_weights())
    weight, bias = (np.asarray(w) for w in model.get_weights())
    inner = 2 * (X @ weight + bias)
    np.testing.assert_allclose(
        clone.predict([X, X], **QUIET), np.maximum(2 * (inner @ weight + bias), 0) + X, rtol=1e-5, atol=1e-6
    )


def test_a_sequential_clone_on_another_input() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3, name="dense")])
    x = keras.Input((2,), name="new")
    clone = keras.models.clone_model(model, input_tensors=x)
    assert isinstance(clone, keras.Sequential)
    assert clone.inputs == [x]
    deferred = keras.models.clone_model(keras.Sequential([layers.Dense(3)]), input_tensors=[x])
    assert deferred.output_shape == (None, 3)


CLONES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "one of two": (mixed, {"input_tensors": keras.Input((2,))}, "nested as the inputs of the model are"),
    "arrays": (mixed, {"input_tensors": [X, X]}, "input_tensors are symbolic values"),
    "calls of a Sequential": (
        lambda: keras.Sequential([layers.Dense(2)]),
        {"call_function": lambda layer, x: layer(x)},
        "call_function is for functional models. Received: Sequential",
    ),
    "a subclassed model": (
        lambda: type("Own", (keras.Model,), {})(),
        {"input_tensors": [1]},
        "input_tensors is for Sequential and functional models. Received: Own",
    ),
}


@pytest.mark.parametrize(("make", "given", "text"), CLONES.values(), ids=CLONES)
def test_clones_that_are_refused(make: Any, given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        keras.models.clone_model(make(), **given)


# ----------------------------------------------------------------------------------------- what is read only


def test_layers_of_a_model_are_not_set() -> None:
    functional, sequential = mixed(), keras.Sequential([layers.Dense(2)])
    own = type("Own", (keras.Model,), {})()
    with pytest.raises(
        AttributeError, match=r"mixed: `layers` follows from .* Make a new Model\(inputs, outputs"
    ):
        functional.layers = []
    with pytest.raises(AttributeError, match=r"`layers` cannot be set. Use add\(\) and pop\(\)"):
        sequential.layers = []
    with pytest.raises(AttributeError, match=r"Own: `layers` is the list .* Give the attribute another name"):
        own.layers = []
    with pytest.raises(AttributeError, match="Dense: the dtype of a layer is set when it is made"):
        layers.Dense(2).dtype = "float16"
    for name in ("inputs", "outputs", "input_shape", "output_shape", "weights", "variables", "metrics"):
        with pytest.raises(AttributeError, match=name):
            setattr(functional, name, [])


# --------------------------------------------------------------------------------------------- dropped masks


@pytest.mark.parametrize("own", [False, True])
def test_a_dropped_mask_is_told_once_for_a_layer(own: bool) -> None:
    stack = [layers.Embedding(5, 3, mask_zero=True), layers.Flatten(name="flat"), layers.Dense(1)]

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.stack = stack

        def call(self, inputs: Any) -> Any:
            for layer in self.stack:
                inputs = layer(inputs)
            return inputs

    x, y = np.ones((6, 4), "int32"), np.ones((6, 1))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = Own() if own else keras.Sequential([keras.Input((4,)), *stack])
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=4, validation_data=(x, y), verbose=0)
        model.predict(x, verbose=0)
        model(x)
        stack[1](stack[0](x))
        assert [str(one.message).partition(":")[0].rpartition("/")[2] for one in told] == ["flat"]
        layers.Flatten(name="other")(layers.Embedding(5, 3, mask_zero=True)(keras.Input((4,))))
        assert [str(one.message).partition(":")[0] for one in told[1:]] == ["other"]


def test_a_dropped_mask_may_be_an_error() -> None:
    words = keras.Input((4,), dtype="int32")
    embedded = layers.Embedding(5, 3, mask_zero=True)(words)
    with pytest.warns(UserWarning, match="flat: Flatten does not support masks"):
        layers.Flatten(name="flat")(embedded)
    keras.config.set_dropped_masks("error")
    with pytest.raises(GraphError, match=r"flat: Flatten does not support masks.*Let the layer take it"):
        layers.Flatten(name="flat")(embedded)
    layers.LSTM(2)(embedded)
