"""Names of layers and paths of their variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers

X = np.ones((2, 4), "float32")


class Block(layers.Layer):
    """A layer that holds layers named as those of every other block."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.d = layers.Dense(4, name="d")
        self.stack = keras.Sequential([layers.Dense(4, name="d")], name="stack")

    def call(self, inputs: Any) -> Any:
        return self.stack(self.d(inputs))


class Pair(keras.Model):
    """A model that holds blocks."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first, self.second = Block(name="a"), Block(name="b")
        self.factor = self.add_weight(shape=(4,), name="factor")

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs)) * self.factor


def kernels(model: Any) -> list[str]:
    return [v.path for v in model.variables if v.name != "bias"]


def test_paths_begin_with_the_layers_around() -> None:
    inside = ["d/kernel", "stack/d/kernel"]
    model = keras.Sequential([keras.Input((4,)), Block(name="a"), Block(name="b")], name="all")
    assert kernels(model) == [f"all/{block}/{path}" for block in "ab" for path in inside]
    x = keras.Input((4,))
    assert kernels(keras.Model(x, Block(name="c")(x))) == [f"c/{path}" for path in inside]
    pair = Pair(name="pair")
    pair(X)
    assert kernels(pair) == ["pair/factor", *(f"pair/{block}/{path}" for block in "ab" for path in inside)]


def test_the_path_in_a_stack_does_not_depend_on_when_it_is_built() -> None:
    early, late = (
        keras.Sequential([*first, layers.Dense(3, name="d")], name="s") for first in ([keras.Input((4,))], [])
    )
    late(X)
    assert kernels(early) == kernels(late) == ["s/d/kernel"]


def test_a_layer_built_by_another_one_is_in_its_path() -> None:
    class Builds(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.inner = layers.Dense(2, name="inner")
            self.inner.build(input_shape)
            self.own = self.add_weight(shape=(2,), name="own")

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs) * self.own

    layer = Builds(name="outer")
    layer(X)
    assert kernels(layer) == ["outer/own", "outer/inner/kernel"]


def test_equal_paths_are_numbered() -> None:
    class Twice(keras.Model):
        def __init__(self, *inner: Any) -> None:
            super().__init__(name="twice")
            self.inner = list(inner)

        def call(self, x: Any) -> Any:
            for layer in self.inner:
                x = layer(x)
            return x

    same = Twice(*(layers.Dense(4, name="d") for _ in range(3)))
    same(X)
    assert kernels(same) == ["twice/d/kernel", "twice/d/kernel_1", "twice/d/kernel_2"]
    built = [layers.Dense(4, name="d") for _ in range(2)]
    for layer in built:
        layer.build((None, 4))
    other = Twice(*built)
    other(X)
    assert kernels(other) == ["d/kernel", "d/kernel_1"]
    x = keras.Input((4,))
    parts = [keras.Model(x, layers.Dense(4, name="d")(x)) for _ in range(2)]
    assert kernels(keras.Sequential([keras.Input((4,)), *parts])) == ["d/kernel", "d/kernel_1"]


def test_names_in_a_functional_model_are_unique() -> None:
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, name="d")(layers.Dense(4, name="d")(x))
    with pytest.raises(
        ValueError, match=r"m: layer names must be unique\. Received: 'd' for 2 layers\. Pass name="
    ):
        keras.Model(x, y, name="m")
    shared = layers.Dense(4, name="shared")
    assert len(keras.Model(x, shared(shared(x))).layers) == 2
    whole = keras.Model(x, layers.Dense(4, name="e")(layers.Dense(4, name="f")(x)))
    assert len(keras.Model(whole.layers[1].output, whole.output).layers) == 2  # cut open behind "f"


def test_slots_have_paths_of_their_own() -> None:
    model = keras.Sequential([keras.Input((4,)), Block(name="a"), Block(name="b"), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], verbose=0)
    paths = [v.path for v in model.optimizer.variables]
    assert len(set(paths)) == len(paths)


WITHIN: dict[str, Any] = {
    "Bidirectional": lambda: layers.Bidirectional(layers.LSTM(2, name="inner"), name="both"),
    "backward_layer": lambda: layers.Bidirectional(
        layers.LSTM(2), backward_layer=layers.GRU(2, go_backwards=True)
    ),
    "cells": lambda: layers.Bidirectional(layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)])),
    "stack": lambda: layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)]),
    "TimeDistributed": lambda: layers.TimeDistributed(layers.Dense(2)),
    "twice": lambda: layers.TimeDistributed(layers.SpectralNormalization(layers.Dense(2))),
    "SpectralNormalization": lambda: layers.SpectralNormalization(layers.Dense(2)),
    "Pipeline": lambda: layers.Pipeline([layers.Dense(2), layers.Dense(3)]),
}


@pytest.mark.parametrize("make", WITHIN.values(), ids=WITHIN)
@pytest.mark.parametrize("kind", ["Sequential", "functional", "of data"])
def test_paths_within_copies_are_those_of_the_model(make: Any, kind: str) -> None:
    """Keras builds layers of a config before the layer around them, whose name their paths lack there."""
    layer, inputs = make(), keras.Input((5, 3))
    if kind == "functional":
        model = keras.Model(inputs, layer(inputs))
    else:
        model = keras.Sequential([inputs, layer] if kind == "Sequential" else [layer])
    model(np.ones((2, 5, 3), "float32"))
    paths = [v.path for v in model.variables]
    assert all(f"{layer.name}/" in path for path in paths)
    clone = keras.models.clone_model(model)
    for copy in (
        clone,
        keras.models.clone_model(clone),
        keras.models.model_from_json(model.to_json()),
        type(model).from_config(model.get_config()),
    ):
        assert [v.path for v in copy.variables] == paths
        copy.set_weights(model.get_weights())
