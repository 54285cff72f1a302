"""Steps that are not finite, under the policy "skip": they change nothing and are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import callbacks, config, layers
from gputrain.errors import NonFiniteError
from gputrain.models.training.steps import MOST_SKIPPED
from gputrain.saving import set_state_tree, state_tree
from tests.models.small import QUIET, REAL, X, regressor, same

HUGE = REAL.copy()
HUGE[23] = 1e30  # its square is infinite


def net(**compiled: Any) -> keras.Sequential:
    kept = [layers.Dense(5), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((4,)), *kept, layers.Dense(2)], name="net")
    model.compile(**{"optimizer": keras.optimizers.Adam(0.01), "loss": "mse", "metrics": ["mae"], **compiled})
    return model


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("together", [1, 3])
def test_training_is_that_without_the_bad_batch(together: int, eagerly: bool) -> None:
    """Weights, slots, moving statistics, metrics and draws are those of a run that never saw the batch."""
    config.set_nonfinite_steps("skip")
    model = net(steps_per_execution=together, run_eagerly=eagerly)
    history = model.fit(X, HUGE, batch_size=10, epochs=2, shuffle=False, **QUIET).history
    config.set_seed(1)
    good = np.r_[0:20, 30:50]
    other = net(run_eagerly=eagerly)
    expected = other.fit(X[good], REAL[good], batch_size=10, epochs=2, shuffle=False, **QUIET).history
    assert same(model.get_weights(), other.get_weights())
    assert same([s.numpy() for s in model.optimizer.slots], [s.numpy() for s in other.optimizer.slots])
    assert history.pop("skipped_steps") == [1, 1]
    assert "skipped_steps" in expected
    assert {name: expected[name] for name in history} == history
    assert expected["skipped_steps"] == [0, 0]
    assert (model.skipped_steps, other.skipped_steps) == (2, 0)
    assert int(model.step_counter) == int(model.optimizer.iterations) == 8


@pytest.mark.parametrize("together", [1, 5])
def test_logs_leave_out_a_skipped_step(together: int) -> None:
    """Also those of the last step of an epoch, so that a callback sees what the good ones gave."""
    config.set_nonfinite_steps("skip")
    logs: list[float] = []
    keep = callbacks.LambdaCallback(on_train_batch_end=lambda batch, now: logs.append(now["loss"]))
    model, y = net(steps_per_execution=together), np.concatenate([REAL[:40], HUGE[20:30]])
    history = model.fit(X, y, batch_size=10, shuffle=False, callbacks=[keep], **QUIET).history
    config.set_seed(1)
    expected = net().fit(X[:40], y[:40], batch_size=10, shuffle=False, **QUIET).history
    assert (history["loss"], history["mae"]) == (expected["loss"], expected["mae"])
    assert history["skipped_steps"] == [1]
    assert logs[-1] == history["loss"][0]


@pytest.mark.parametrize("steps", [3, 7, None])
def test_a_pause_changes_nothing(steps: int | None) -> None:
    """The order of the data counts skipped steps too, so that a later fit finds the batch that follows."""
    config.set_nonfinite_steps("skip")
    histories = []
    for pauses in (False, True):
        config.set_seed(1)
        model = net()
        model.fit(X, HUGE, batch_size=10, **QUIET)
        whole: dict[str, Any] = {"batch_size": 10, "steps_per_epoch": steps, **QUIET}
        found = model.fit(X, HUGE, epochs=1 if pauses else 3, **whole).history
        rest = model.fit(X, HUGE, initial_epoch=1, epochs=3, **whole).history if pauses else {}
        histories.append({name: values + rest.get(name, []) for name, values in found.items()})
    assert histories[0] == histories[1]


@pytest.mark.parametrize("at", [3, 5, 8, 10])
def test_a_resumed_epoch_counts_the_steps_skipped_before(at: int) -> None:
    """Also where its last batch was trained on before."""
    config.set_nonfinite_steps("skip")
    trees: list[Any] = []

    class Keeps(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            trees.append(state_tree(self.model, self.companions))

    model, fresh, history = net(), net(), callbacks.History()
    whole = model.fit(X, HUGE, batch_size=10, epochs=2, callbacks=[Keeps()], **QUIET).history
    set_state_tree(fresh, trees[at - 1], [history])
    assert fresh.fit(X, HUGE, batch_size=10, epochs=2, callbacks=[history], **QUIET).history == whole


def test_an_epoch_without_a_good_step_has_no_loss() -> None:
    """No number that could pass for the best one."""
    config.set_nonfinite_steps("skip")
    stop = callbacks.EarlyStopping("loss")
    history = net().fit(X, np.full_like(REAL, 1e30), batch_size=10, callbacks=[stop], **QUIET).history
    assert not np.isfinite(history["loss"][0])
    assert stop.best is None or not np.isfinite(stop.best)


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    config.set_nonfinite_steps("skip")
    net().fit(X, HUGE, batch_size=10, epochs=3, shuffle=False, **QUIET)
    said = [r.getMessage() for r in caplog.records if "skipped" in r.getMessage()]
    assert said == [
        "net: a step of epoch 1 gave NaN or infinity; it was skipped and changed nothing. Training goes on. "
        "net.skipped_steps counts such steps, and so does the history."
    ]


@pytest.mark.parametrize("together", [1, 7])
def test_too_many_in_a_row_end_the_training(together: int) -> None:
    """With the error of the policy "stop", at the weights before the first of them."""
    config.set_nonfinite_steps("skip")
    model = net(steps_per_execution=together)
    y = np.concatenate([REAL, np.full((50, 2), 1e30, "float32")])
    x = np.concatenate([X, X])
    kept: list[Any] = []

    class Keep(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            kept.append(self.model.get_weights())

    place = rf"net: the loss or a gradient became NaN or infinite in epoch 1, step {25 + MOST_SKIPPED}"
    cause = r", as in the 19 steps before, at .*First bad operation: "
    with pytest.raises(NonFiniteError, match=place + cause):
        model.fit(x, y, batch_size=2, shuffle=False, callbacks=[Keep()], **QUIET)
    assert model.skipped_steps == MOST_SKIPPED
    assert int(model.step_counter) == 25
    assert same(kept[-1], model.get_weights())
    model.fit(X, REAL, **QUIET)  # it trains again
    assert int(model.step_counter) == 27


def test_good_steps_between_begin_the_count_anew() -> None:
    config.set_nonfinite_steps("skip")
    y = np.full((100, 2), 1e30, "float32")
    y[::5] = 0.0
    model = net()
    model.fit(np.concatenate([X, X]), y, batch_size=1, shuffle=False, **QUIET)
    assert (int(model.step_counter), model.skipped_steps) == (20, 80)


def test_single_batches() -> None:
    config.set_nonfinite_steps("skip")
    model = regressor()
    before = model.get_weights()
    huge = np.full_like(REAL, 1e30)
    for _ in range(MOST_SKIPPED - 1):
        model.train_on_batch(X, huge)
    assert same(before, model.get_weights())
    with pytest.raises(NonFiniteError, match="step 1, as in the 19 steps before"):
        model.train_on_batch(X, huge)
    assert np.isfinite(model.train_on_batch(X, REAL))
    assert (int(model.step_counter), model.skipped_steps) == (1, MOST_SKIPPED)


def test_the_policy_may_change_between_fits() -> None:
    model = net()
    with pytest.raises(NonFiniteError, match="epoch 1, step 3, at"):
        model.fit(X, HUGE, batch_size=10, shuffle=False, **QUIET)
    config.set_nonfinite_steps("skip")
    model.fit(X, HUGE, batch_size=10, shuffle=False, **QUIET)
    config.set_nonfinite_steps("stop")
    with pytest.raises(NonFiniteError, match="epoch 1, step 3, at"):
        model.fit(X, HUGE, batch_size=10, shuffle=False, **QUIET)


def test_an_unknown_policy() -> None:
    with pytest.raises(config.ConfigError, match="one of 'stop', 'skip'"):
        config.set_nonfinite_steps("ignore")
