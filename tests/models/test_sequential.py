"""Sequential: the ways to give it layers and an input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from tests.models.small import LABELS, QUIET, X, classifier, same


def _added(*stack: layers.Layer) -> keras.Sequential:
    model = keras.Sequential()
    for layer in stack:
        model.add(layer)
    return model


INPUTS: dict[str, Callable[[], keras.Sequential]] = {
    "Input in the list": lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3)]),
    "Input(shape=)": lambda: _added(keras.Input(shape=(4,)), layers.Dense(3)),
    "InputLayer": lambda: _added(layers.InputLayer(shape=(4,)), layers.Dense(3)),
    "input_shape": lambda: _added(layers.Dense(3, input_shape=(4,))),
    "input_dim": lambda: _added(layers.Dense(3, input_dim=4)),
    "a model first": lambda: _added(keras.Sequential([keras.Input((4,)), layers.Dense(3)])),
    "build": lambda: _built(keras.Sequential([layers.Dense(3)])),
    "keras.models": lambda: keras.models.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)]),
}


def _built(model: keras.Sequential) -> keras.Sequential:
    model.build((None, 4))
    return model


@pytest.mark.parametrize("make", INPUTS.values(), ids=INPUTS)
def test_an_input_makes_shapes_and_weights_known(make: Callable[[], keras.Sequential]) -> None:
    model = make()
    assert model.built
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 3)
    assert [w.shape for w in model.weights] == [(4, 3), (3,)]
    assert model.count_params() == 15
    assert model.predict(X, **QUIET).shape == (50, 3)


def test_without_an_input_it_is_built_on_the_first_data() -> None:
    model = keras.Sequential(
        [layers.Dense(8, activation="relu"), layers.Dropout(0.5), layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert not model.built
    assert model.weights == []
    model.fit(X, LABELS, batch_size=16, **QUIET)
    assert model.built
    assert model.output_shape == (16, 3)  # as in Keras; batches of other sizes are taken all the same
    assert len(model.weights) == 4
    assert keras.Model(model.inputs, model.layers[0].output).predict(X, **QUIET).shape == (50, 8)


def test_integers_reach_a_deferred_model_as_floats() -> None:
    model = keras.Sequential([layers.Dense(2)])
    assert model.predict(np.ones((3, 4), "uint8"), **QUIET).dtype == np.float32


def test_layers_list_without_the_input() -> None:
    model = classifier()
    assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Dense"]
    assert model.get_layer(model.layers[1].name) is model.layers[1]
    assert model.get_layer(index=-1) is model.layers[1]


def test_pop_and_add_change_what_runs() -> None:
    model = classifier()
    before = model.predict(X, **QUIET)
    top = model.pop()
    assert top.units == 3
    assert model.output_shape == (None, 8)
    assert model.predict(X, **QUIET).shape == (50, 8)
    model.add(layers.Dense(3, activation="softmax"))
    assert not np.allclose(before, model.predict(X, **QUIET))
    model.fit(X, LABELS, **QUIET)


def test_popped_to_nothing_and_filled_again() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.pop()
    assert model.layers == []
    model.add(layers.Dense(5))
    assert model.output_shape == (None, 5)


def test_nested_models_share_weights_with_the_outer_one() -> None:
    inner = keras.Sequential([layers.Dense(8), layers.ReLU()])
    outer = keras.Sequential([keras.Input((4,)), inner, layers.Dense(3)])
    assert len(outer.weights) == 4
    assert outer.weights[0] is inner.weights[0]
    outer.compile("sgd", "mse")
    before = inner.get_weights()
    outer.fit(X, np.ones((50, 3), "float32"), **QUIET)
    assert not same(before, inner.get_weights())


ERRORS = {
    "not a layer": (
        lambda: keras.Sequential([3]),
        TypeError,
        r"add\(\) takes a layer.*Received: 3 of type int",
    ),
    "Input later": (
        lambda: keras.Sequential([layers.Dense(2), keras.Input((4,))]),
        ValueError,
        "an Input can only be the first layer",
    ),
    "a name twice": (
        lambda: keras.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="a")]),
        ValueError,
        "layer names must be unique. Received: 'a' a second time. Pass name=",
    ),
    "pop from nothing": (lambda: keras.Sequential().pop(), ValueError, "there is no layer to pop"),
    "no layers": (lambda: keras.Sequential().predict(X, **QUIET), ValueError, "has no layers. Add one"),
    "unknown layer": (
        lambda: classifier().get_layer("dens"),
        ValueError,
        "no layer is named 'dens'. Did you mean",
    ),
    "unknown number": (lambda: classifier().get_layer(index=2), ValueError, r"Expected: 0\.\.1. Received: 2"),
    "name and number": (lambda: classifier().get_layer("a", 0), ValueError, "either a name or an index"),
    "unknown argument": (
        lambda: layers.Dense(2, inputshape=(4,)),
        TypeError,
        "unknown argument. Received: inputshape",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call: Callable[[], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
