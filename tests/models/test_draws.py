"""Random draws outside training: each step of evaluate and predict draws anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from tests.models.small import QUIET, X, regressor

ONES = np.ones((8, 50), "float32")


class AlwaysDrops(layers.Layer):
    """Dropout outside training too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = layers.Dropout(0.5)

    def call(self, inputs: Any) -> Any:
        return self.dropout(inputs, training=True)


class Noisy(layers.Layer):
    """Adds noise."""

    def call(self, inputs: Any) -> Any:
        return inputs + ops.random_normal(inputs.shape)


def model_of(layer: Any) -> Any:
    model = keras.Sequential([keras.Input((50,)), layer])
    model.compile(loss="mse")
    return model


@pytest.mark.parametrize("make", [AlwaysDrops, Noisy])
@pytest.mark.parametrize("eagerly", [False, True])
def test_each_batch_and_each_call_draws_anew(make: Any, eagerly: bool) -> None:
    model = model_of(make())
    model.run_eagerly = eagerly
    calls = [model.predict(ONES, batch_size=4, **QUIET), model.predict_on_batch(ONES[:4])]
    batches = [calls[0][:4], calls[0][4:], calls[1]]
    assert len({batch.tobytes() for batch in batches}) == 3
    losses = [model.evaluate(ONES, 3 * ONES, **QUIET) for _ in range(3)]
    assert len(set(losses)) == 3
    assert int(model.step_counter) == 0


def test_runs_with_one_seed_draw_the_same() -> None:
    runs = []
    for _ in range(2):
        keras.config.set_seed(5)
        runs.append(model_of(AlwaysDrops()).predict(ONES, batch_size=4, **QUIET))
    np.testing.assert_array_equal(*runs)


def test_steps_that_draw_nothing_count_nothing() -> None:
    model = regressor()
    before = int(model.draw_counter)
    model.predict(X, **QUIET)
    assert int(model.draw_counter) == before
    program = next(iter(model._traced_programs._programs.values()))
    assert not any(state.written for state in program.graph.states)


@pytest.mark.parametrize("what", ["evaluate", "predict"])
def test_more_steps_than_batches_end_with_the_data(what: str) -> None:
    model = regressor()
    if what == "predict":
        assert len(model.predict(X, batch_size=20, steps=5, **QUIET)) == len(X)
    else:
        some, all_ = (model.evaluate(X, X[:, :2], batch_size=20, steps=n, **QUIET) for n in (5, None))
        assert some == all_


def test_validation_steps_begin_with_the_first_batch() -> None:
    model = regressor(optimizer=keras.optimizers.SGD(0.0))
    held: dict[str, Any] = {"validation_data": (X, X[:, :2]), "validation_steps": 1}
    history = model.fit(X, X[:, :2], epochs=3, validation_batch_size=20, **held, **QUIET).history
    assert len(set(history["val_loss"])) == 1
