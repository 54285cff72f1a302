"""get_config and from_config: the same model again, with new weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from tests.models.small import QUIET, X, classifier
from tests.models.test_functional import Named, Plain, two_by_two
from tests.models.test_subclassed import Branching, Scale


def _nested() -> keras.Model:
    x = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6, activation="relu"), Scale(2.0)])
    return keras.Model(x, layers.Dense(2, kernel_regularizer="l2")(inner(x)))


def _shared() -> keras.Model:
    x, shared = keras.Input((4,)), layers.Dense(4)
    return keras.Model(x, layers.Add()([shared(x), shared(shared(x))]))


def _frozen() -> keras.Model:
    model = classifier()
    model.layers[0].trainable = False
    return model


def _plain() -> keras.Model:
    x = keras.Input((4,))
    return Plain(x, layers.Dense(2)(x), name="plain")


MODELS: dict[str, Callable[[], keras.Model]] = {
    "sequential": classifier,
    "deferred": lambda: keras.Sequential([layers.Dense(3)], name="later"),
    "input_shape": lambda: keras.Sequential([layers.Dense(3, input_shape=(4,))]),
    "dropout": lambda: keras.Sequential([keras.Input((4,)), layers.Dropout(0.5, seed=3), layers.Dense(2)]),
    "nested": _nested,
    "shared": _shared,
    "frozen": _frozen,
    "functional subclass": _plain,
}
CUSTOM = {"Scale": Scale, "Plain": Plain}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_config_gives_an_equal_model(make: Callable[[], keras.Model]) -> None:
    model = make()
    expected = model.predict(X, **QUIET)
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config, custom_objects=CUSTOM)
    assert type(again).__name__ == type(model).__name__
    assert again.name == model.name
    assert not np.array_equal(again.predict(X, **QUIET), expected)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X, **QUIET), expected)
    assert [v.trainable for v in again.layers] == [v.trainable for v in model.layers]
    assert json.loads(json.dumps(again.get_config())) == config


def test_structures_of_inputs_and_outputs_come_back() -> None:
    model = two_by_two("dict")
    again = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    again.set_weights(model.get_weights())
    first, second = (m.predict({"a": X, "b": -X}, **QUIET) for m in (model, again))
    np.testing.assert_array_equal(first["real"], second["real"])


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an unknown class": (
        lambda: keras.Sequential.from_config(_nested().layers[1].get_config()),
        ValueError,
        "Unknown layer 'Scale'",
    ),
    "a functional subclass with arguments of its own": (
        lambda: Named.from_config(Named().get_config()),
        TypeError,
        r"hands inputs and outputs to the constructor.*Override get_config and from_config",
    ),
    "arguments nobody saves": (
        lambda: type("Own", (layers.Layer,), {"__init__": lambda self, units: None})(object()).get_config(),
        NotImplementedError,
        r"Own.get_config\(\) must hold the constructor's arguments. Expected: units",
    ),
    "a constructor that takes no config": (
        lambda: Branching.from_config(Branching().get_config()),
        TypeError,
        r"Branching.from_config\(\) passes the config to the constructor.*hand \*\*kwargs to super",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
