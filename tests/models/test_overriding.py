"""Methods of a model's and a layer's own: what a train_step sees of added losses, and what misuse is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import GraphError
from tests.models.small import QUIET

X = np.random.default_rng(5).normal(size=(8, 3)).astype("float32")
Y = np.random.default_rng(6).normal(size=(8, 1)).astype("float32")
RATE = 0.1


class Shrinks(layers.Layer):
    """Adds the mean square of what it is given."""

    def call(self, x: Any) -> Any:
        self.add_loss(ops.mean(ops.square(x)))
        return x


class Line(keras.Model):
    """A line through the origin, whose outputs are kept small; `calls` of it in each step."""

    def __init__(self, calls: int = 1) -> None:
        super().__init__()
        self.dense, self.shrinks = layers.Dense(1, use_bias=False, kernel_initializer="ones"), Shrinks()
        self.calls_made = calls

    def call(self, x: Any) -> Any:
        return self.shrinks(self.dense(x))

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        for _ in range(self.calls_made):
            y_pred = self(x, training=True)
        loss = ops.mean(ops.square(y - y_pred)) + sum(self.losses)
        weights = self.trainable_variables
        self.optimizer.apply(keras.gradients(loss, weights), weights)
        return {"loss": loss, "added": len(self.losses), "rate": self.optimizer.learning_rate}


@pytest.mark.parametrize("calls", [1, 2])
def test_a_train_step_adds_the_losses_of_its_last_call(calls: int) -> None:
    model = Line(calls)
    model.compile(keras.optimizers.SGD(RATE))
    history = model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, **QUIET).history
    w, expected = np.ones((3, 1)), []
    for _ in range(2):
        made = X.astype("float64") @ w
        expected.append(float(np.mean((Y - made) ** 2) + np.mean(made**2)))
        w = w - RATE * 2 / 8 * X.T.astype("float64") @ (made - Y + made)
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(model.dense.kernel.numpy(), w, rtol=1e-5)
    assert history["added"] == [1.0, 1.0]
    np.testing.assert_allclose(history["rate"], [RATE, RATE], rtol=1e-6)


def test_losses_of_a_call_on_arrays_are_not_those_of_a_step() -> None:
    model = Line()
    model.compile(keras.optimizers.SGD(RATE))
    model(X)
    (before,) = model.losses
    model.fit(2 * X, Y, **QUIET)
    assert [float(loss) for loss in model.losses] == [float(before)]


def test_a_copy_of_a_layer_has_none_of_the_losses() -> None:
    layer = Shrinks()
    layer(X)
    assert (len(layer.losses), len(Shrinks.from_config(layer.get_config()).losses)) == (1, 0)


class TwoShapes(layers.Layer):
    def build(self, input_shape: Any, units: Any) -> None: ...

    def call(self, x: Any) -> Any:
        return x


class Gives(keras.Model):
    """Its call and its training step give what it is told."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.given = given

    def call(self, x: Any) -> Any:
        return self.given

    def train_step(self, data: Any) -> Any:
        return self.given


class Counts(keras.Model):
    """A loss that depends on no weight."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.dense, self.given = layers.Dense(1), given

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return self.given


def _compiled(model: keras.Model) -> keras.Model:
    model.compile("sgd")
    return model


def _with_loss(model: keras.Model) -> keras.Model:
    model.compile("sgd", "mse")
    return model


MISUSE: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a function is no loss": (
        lambda: Shrinks(name="s").add_loss(lambda: 1.0),
        ValueError,
        r"s: add_loss\(\) takes a tensor or a number\. Received: .*lambda.*Call a function yourself",
    ),
    "a symbolic loss": (
        lambda: Shrinks(name="s").add_loss(keras.Input(())),
        ValueError,
        r"s: add_loss\(\) of a symbolic value belongs inside of a call\(\)",
    ),
    "build of other names": (
        lambda: TwoShapes()(X),
        ValueError,
        r"TwoShapes: build\(\) takes one shape, or one for each argument x of call\(\), as x_shape\. "
        r"Expected: some of \['x_shape'\]\. Received: 'input_shape'",
    ),
    "no logs": (
        lambda: _compiled(Gives(None)).fit(X, Y, **QUIET),
        GraphError,
        r"train_step\(\) must return a dict of logs\. Received: None of type NoneType",
    ),
    "a prediction that is none": (
        lambda: Gives("word").predict(X, **QUIET),
        GraphError,
        r"predict_step\(\) must return values or numbers\. Received: 'word' of type str",
    ),
    "no loss": (
        lambda: _compiled(Counts(None)).fit(X, Y, **QUIET),
        TypeError,
        r"Operations take tensors and numbers\. Received: None of type NoneType",
    ),
    "no outputs": (
        lambda: _with_loss(Gives(None)).evaluate(X, Y, **QUIET),
        ValueError,
        r"Outputs of a model with a loss or metrics are tensors\. Received: None",
    ),
    "outputs that are words": (
        lambda: _with_loss(Gives("word")).evaluate(X, Y, **QUIET),
        ValueError,
        r"Outputs of a model with a loss or metrics are tensors\. Received: 'word' of type str",
    ),
    "nothing to learn from": (
        lambda: _compiled(Counts(1.0)).fit(X, Y, **QUIET),
        ValueError,
        r"no variable has a gradient; the loss depends on none of them",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_named(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_a_rule_changed_by_a_subclass_keeps_its_slots_through_a_state() -> None:
    class Doubled(keras.optimizers.Adam):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient, variable, 2.0 * learning_rate)

    def trained(steps: int, state: Any = None, weights: Any = None) -> Any:
        model = keras.Sequential(
            [keras.Input((3,)), layers.Dense(1, kernel_initializer="ones", name="d")], name="m"
        )
        model.compile(Doubled(0.1), "mse")
        if state is not None:
            model.set_weights(weights)
            model.optimizer.build(model.trainable_variables)
            model.optimizer.set_state(state)
        for _ in range(steps):
            model.train_on_batch(X, Y)
        return model

    whole, half = trained(4), trained(2)
    resumed = trained(2, half.optimizer.state(), half.get_weights())
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [sorted(s) for s in half.optimizer.slot_values().values()] == [["momentum", "velocity"]] * 2
