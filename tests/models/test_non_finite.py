"""NaN and infinity in training: what is said, and what stays as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import callbacks, layers, models, ops
from gputrain.backend import current_device
from gputrain.errors import NonFiniteError
from tests.models.small import QUIET, REAL, X, regressor, same
from tests.models.test_fit import Every

BAD = X.copy()
BAD[23] = -1e30  # finite, but its square is not


class Logarithm(layers.Layer):
    """Not a number for negative inputs."""

    def call(self, inputs: Any) -> Any:
        return ops.log(inputs)


class Root(layers.Layer):
    """The square root: finite at 0, its derivative is not."""

    def call(self, inputs: Any) -> Any:
        return ops.sqrt(inputs)


def _model(layer: layers.Layer, **compiled: Any) -> keras.Sequential:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="first"), layer], name="net")
    model.compile(
        **{"optimizer": keras.optimizers.Adam(0.125), "loss": "mse", "metrics": ["mae"], **compiled}
    )
    return model


CASES: dict[str, tuple[Callable[[], layers.Layer], Any, str]] = {
    "forward": (
        lambda: Logarithm(name="logs"),
        X,
        r"Log of net/logs, in the forward pass \(\d+ NaN and 0 infinite of",
    ),
    "backward": (lambda: Root(name="root"), 0 * X, r" of net/root, in the backward pass \(\d+ NaN"),
}


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("make", "x", "text"), CASES.values(), ids=CASES)
def test_a_bad_step_is_reported_and_changes_nothing(
    make: Callable[[], layers.Layer], x: Any, text: str, steps: int, eagerly: bool
) -> None:
    model = _model(make(), run_eagerly=eagerly, steps_per_execution=steps)
    before = model.get_weights()
    with pytest.raises(NonFiniteError) as caught:
        model.fit(x, REAL, epochs=2, batch_size=10, shuffle=False, **QUIET)
    said = str(caught.value)
    assert (
        "net: the loss or a gradient became NaN or infinite in epoch 1, step 1, at learning rate 0.125."
        in said
    )
    assert re.search(text, said), said
    assert "test_non_finite.py:" in said
    assert "Inputs of the step: x in " in said
    assert "The weights are those before this step. Try a smaller learning rate" in said
    assert same(before, model.get_weights())
    assert int(model.step_counter) == 0
    assert int(model.optimizer.iterations) == 0
    assert not any(slot.numpy().any() for slot in model.optimizer.slots)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_step_that_was_bad_is_named(steps: int) -> None:
    model = regressor(optimizer=keras.optimizers.SGD(0.01), steps_per_execution=steps)
    with pytest.raises(NonFiniteError, match=r"in epoch 1, step 3, at learning rate 0.01.*x in -1e\+30"):
        model.fit(BAD[:, :4], REAL * 1e20 * (BAD[:, :1] < -1e20), batch_size=10, shuffle=False, **QUIET)
    assert int(model.step_counter) == 2


def test_training_goes_on_afterwards() -> None:
    model = regressor(metrics=["mae"])
    huge = REAL.copy()
    huge[0] = 1e30
    with pytest.raises(NonFiniteError):
        model.fit(X, huge, shuffle=False, **QUIET)
    history = model.fit(X, REAL, epochs=10, **QUIET).history
    assert history["loss"][-1] < history["loss"][0]
    with pytest.raises(NonFiniteError, match="step 21"):
        model.train_on_batch(X, huge)
    assert np.isfinite(model.train_on_batch(X, REAL)).all()


def test_metrics_and_statistics_of_a_bad_step_are_dropped() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    huge = REAL.copy()
    huge[0] = 1e30
    before = model.get_weights()
    with pytest.raises(NonFiniteError):
        model.fit(X, huge, batch_size=50, **QUIET)
    assert same(before, model.get_weights())
    assert all(float(v.numpy()) == 0 for metric in model.metrics for v in metric.variables)


def test_terminate_on_nan_stops_without_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    model = regressor()
    history = model.fit(
        X, np.full_like(REAL, 1e30), epochs=3, callbacks=[keras.callbacks.TerminateOnNaN()], **QUIET
    )
    assert history.epoch == [0]
    assert "the loss is inf; training stops" in capsys.readouterr().out
    model.fit(X, REAL, **QUIET)
    assert int(model.step_counter) == 2


def test_a_callback_that_raises_at_a_bad_step_leaves_a_model_that_trains() -> None:
    model = regressor()
    callback = keras.callbacks.TerminateOnNaN(raise_error=True)
    with pytest.raises(RuntimeError, match="the loss is inf"):
        model.fit(X, np.full_like(REAL, 1e30), callbacks=[callback], **QUIET)
    model.fit(X, REAL, **QUIET)
    assert int(model.step_counter) == 2


def test_eager_evaluate_and_predict_name_the_operation() -> None:
    model = _model(Logarithm(name="logs"), run_eagerly=True)
    for call in (lambda: model.evaluate(X, REAL, **QUIET), lambda: model.predict(X, **QUIET)):
        with pytest.raises(NonFiniteError, match="First bad operation: Log of net/logs"):
            call()


def test_infinity_on_the_way_to_a_finite_result_is_no_error() -> None:
    class Guarded(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return ops.where(inputs > 0, ops.log(ops.relu(inputs)), 0.0)

    model = keras.Sequential([keras.Input((4,)), Guarded()])
    model.compile(run_eagerly=True)
    np.testing.assert_array_equal(model.predict(np.zeros((1, 4)), **QUIET), np.zeros((1, 4)))


@pytest.mark.parametrize("call", ["fit", "predict"])
def test_what_was_masked_is_not_to_blame(call: str) -> None:
    """The first infinity is that of a branch that was not taken; the error names the one that counts."""

    class Guarded(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return ops.where(inputs > 0, ops.log(ops.relu(inputs)), 0.0)

    model = keras.Sequential([keras.Input((4,)), Guarded(), Logarithm(name="logs")], name="net")
    model.compile("sgd", "mse", run_eagerly=call == "predict")
    x = np.zeros((2, 4), "float32")
    with pytest.raises(NonFiniteError, match="First bad operation: Log of net/logs"):
        model.predict(x, **QUIET) if call == "predict" else model.fit(x, x, **QUIET)


def test_the_rate_of_a_schedule_is_named() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    model = regressor(optimizer=keras.optimizers.SGD(schedule))
    seen: list[int] = []
    with pytest.raises(NonFiniteError, match=r"epoch 1, step 3, at learning rate 0.125"):
        model.fit(
            X,
            np.where(np.arange(50)[:, None] == 25, 1e30, REAL),
            batch_size=10,
            shuffle=False,
            callbacks=[Every(batch=lambda n, logs: seen.append(n))],
            **QUIET,
        )
    if current_device().asynchronous:  # read at display rate; the steps until then change nothing
        assert seen[:3] == [0, 1, 2]
    else:
        assert seen == [0, 1, 2]
    assert int(model.step_counter) == 2


# ------------------------------------------------------------- what happens between a bad step and its report


def _explodes() -> Any:
    """A model of one weight whose loss is not finite where a target is 1e30."""
    made = models.Sequential([layers.Input((1,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def _batches(bad: int, count: int) -> Iterator[Any]:
    for i in range(count):
        yield np.ones((4, 1)), np.full((4, 1), 1e30 if i == bad else 1.0)


def test_an_error_of_the_data_does_not_hide_the_bad_step_before_it() -> None:
    def ends_badly() -> Iterator[Any]:
        yield from _batches(2, 5)
        raise OSError("the disk is gone")

    with pytest.raises(NonFiniteError, match="epoch 1, step 3"):
        _explodes().fit(ends_badly(), verbose=0)


def test_the_rate_is_that_of_the_bad_step() -> None:
    def halve(batch: int, logs: Any = None) -> None:
        made.optimizer.learning_rate = 0.01 / 2 ** (batch + 1)

    made = _explodes()
    with pytest.raises(NonFiniteError, match=r"step 3, at learning rate 0\.0025\."):
        made.fit(_batches(2, 6), callbacks=[callbacks.LambdaCallback(on_train_batch_end=halve)], verbose=0)


def test_steps_made_in_callbacks_are_not_counted() -> None:
    def another(batch: int, logs: Any = None) -> None:
        made.train_on_batch(np.ones((4, 1)), np.ones((4, 1)))

    made, between = _explodes(), callbacks.LambdaCallback(on_train_batch_begin=another)
    with pytest.raises(NonFiniteError, match=r"epoch 1, step 3.*y in 1e\+30"):
        made.fit(_batches(2, 6), callbacks=[between], verbose=0)
