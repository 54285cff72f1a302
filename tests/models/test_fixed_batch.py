"""A fixed batch is what layers are told: data of other sizes is taken, and an error says what to do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import ShapeError

X = np.ones((10, 3), "float32")


def flattened() -> Any:
    inputs = keras.Input((3,), batch_size=4, name="data")
    return keras.Model(inputs, ops.reshape(inputs, (12,)))


@pytest.mark.parametrize(
    "call, came",
    [
        (lambda model: model.predict(X[:2], verbose=0), 2),
        (lambda model: model.predict(X, verbose=0), 10),
        (lambda model: model.predict(X, batch_size=4, verbose=0), 2),
        (lambda model: model.predict_on_batch(X[:3]), 3),
        (lambda model: model(X[:5]), 5),
    ],
    ids=["two rows", "the default batch", "the last batch", "a batch", "a call"],
)
def test_a_layer_that_needs_the_batch_says_which(call: Any, came: int) -> None:
    words = (
        f"Input 'data' was made for batches of 4 and got one of {came}, which this layer does not take: pass "
        "batch_size=4 and a number of samples that it divides, or make the input without batch_size."
    )
    with pytest.raises(ShapeError, match=r"Reshape: the number of elements.*" + re.escape(words)):
        call(flattened())


def test_the_hint_is_about_the_input_that_differs() -> None:
    one, two = keras.Input((3,), batch_size=4, name="one"), keras.Input((3,), name="two")
    model = keras.Model([one, two], ops.reshape(ops.add(one, two), (12,)))
    assert model.predict([X[:8], X[:8]], batch_size=4, verbose=0).shape == (24,)
    with pytest.raises(ShapeError, match=r"Input 'one' was made for batches of 4 and got one of 2"):
        model.predict([X[:2], X[:2]], verbose=0)


def test_errors_of_features_do_not_speak_of_the_batch() -> None:
    model = keras.Sequential([keras.Input((3,), batch_size=4), layers.Dense(1)])
    with pytest.raises(ShapeError, match=r"Expected: \(None, 3\)\. Received: \(2, 5\)") as caught:
        model.predict(np.ones((2, 5), "float32"), verbose=0)
    assert "batches of" not in str(caught.value)
    assert "reshape" not in str(caught.value)


def test_another_shape_than_the_inputs_is_refused_by_build() -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.build((7, 3))
    with pytest.raises(
        ShapeError, match=r"begins with an Input.*Expected: \(None, 3\)\. Received: \(None, 4\)"
    ):
        model.build((None, 4))


def test_the_plan_of_memory_takes_any_batch() -> None:
    model = keras.Sequential([keras.Input((3,), batch_size=4), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.memory_plan(batch_size=7).batch_size == 7


# ------------------------------------------------------------------- sizes that are tried for unknown ones


class Wrong(layers.Layer):
    """A layer whose call does not fit its inputs."""

    def __init__(self, how: str) -> None:
        super().__init__(name="wrong")
        self.how = how
        self.inner = layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        if self.how == "add":
            return inputs + np.ones((5, 4), "float32")
        if self.how == "reshape":
            return ops.reshape(inputs, (inputs.shape[0] * 2, 7))
        if self.how == "own words":
            raise ValueError(f"{inputs.shape}, {inputs.shape[0]} rows, {inputs.shape[0] // 2 + 1} of them")
        if self.how == "inner":
            return self.inner(ops.reshape(inputs, (inputs.shape[0], 3, -1))[:, :, 0]) @ np.ones(
                (5, 4), "float32"
            )
        raise AssertionError


@pytest.mark.parametrize("shape", [(3,), (None, 3)], ids=["a batch", "a batch of sequences"])
@pytest.mark.parametrize("how", ["add", "reshape", "own words", "inner"])
def test_no_error_shows_a_size_that_was_tried(how: str, shape: Any) -> None:
    with pytest.raises(Exception, match="None") as caught:
        Wrong(how)(keras.Input(shape))
    error: BaseException | None = caught.value
    while error is not None:
        numbers = [int(number) for number in re.findall(r"(?<![a-z])\d+", str(error))]
        assert not [number for number in numbers if number > 12], str(error)
        error = error.__cause__ or error.__context__


def test_layers_inside_are_built_for_unknown_sizes() -> None:
    seen = []

    class Inner(layers.Layer):
        def build(self, input_shape: Any) -> None:
            seen.append(input_shape)

        def call(self, inputs: Any) -> Any:
            return inputs

    class Outer(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [Inner(), Inner(), Inner()]

        def call(self, inputs: Any) -> Any:
            rows = self.parts[0](inputs)
            flat = self.parts[1](ops.reshape(rows, (rows.shape[0] * rows.shape[1], rows.shape[2])))
            return self.parts[2](rows[:, 1:]), flat

    Outer()(keras.Input((None, 3)))
    assert seen == [(None, None, 3), (None, 3), (None, None, 3)]


def test_a_weight_of_an_unknown_size_is_refused() -> None:
    class Own(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.weight = self.add_weight(shape=input_shape, name="weight")

        def call(self, inputs: Any) -> Any:
            return inputs * self.weight

    with pytest.raises(
        ShapeError, match=r"weight: the shape of a variable .* all of them known.*\(None, 3\)"
    ):
        Own()(keras.Input((3,)))
