"""Callbacks that set the rate, against rates worked out by hand, a plain loop, and PyTorch."""

import functools
import math
import types

import numpy as np
import pytest

from gputrain.callbacks import CallbackList, EarlyStopping, History, LearningRateScheduler, ReduceLROnPlateau

NAN = float("nan")


class Optimizer:
    """Keeps its rate in float32, as the real one does."""

    def __init__(self, rate):
        self.learning_rate = rate

    @property
    def learning_rate(self):
        return np.float32(self.rate)

    @learning_rate.setter
    def learning_rate(self, rate):
        self.rate = rate


def run(callback, values, rate=1.0, name="val_loss"):
    """Play a fit; return the rate that each epoch was trained with, and that after the last one."""
    model = types.SimpleNamespace(optimizer=Optimizer(rate), metrics=[], stop_training=False)
    callbacks = CallbackList([callback, History()], model=model, epochs=len(values), steps=1, verbose=0)
    callbacks.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callbacks.on_epoch_begin(epoch)
        rates.append(float(model.optimizer.learning_rate))
        callbacks.on_epoch_end(epoch, {"loss": 1.0} if value is None else {"loss": 1.0, name: value})
    callbacks.on_train_end({"loss": 1.0})
    assert model.history.history["learning_rate"] == rates
    return [*rates, float(model.optimizer.learning_rate)]


LEAST = float(np.float32(0.3))
HALF = functools.partial(ReduceLROnPlateau, factor=0.5)


@pytest.mark.parametrize(
    ("callback", "values", "expected"),
    [
        (HALF(patience=2), [3, 3, 3, 3, 3], [1, 1, 1, 0.5, 0.5, 0.25]),
        (HALF(patience=1), [3, 2, 2, 1, 1], [1, 1, 1, 0.5, 0.5, 0.25]),
        (HALF(patience=0), [3, 3, 3], [1, 1, 0.5, 0.25]),
        (HALF(patience=1, cooldown=1), [3, 3, 3, 3], [1, 1, 0.5, 0.25, 0.125]),
        (HALF(patience=1, cooldown=2), [3, 3, 3, 3, 3, 3], [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        (HALF(patience=2, cooldown=2), [3, 3, 3, 3, 3, 3], [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
        (HALF(patience=1, min_lr=0.3), [3, 3, 3, 3], [1, 1, 0.5, LEAST, LEAST]),
        (HALF(patience=1, min_delta=0.5), [3, 2.75, 2.25, 2.0], [1, 1, 0.5, 0.5, 0.25]),
        (HALF(patience=1), [3, 2.99995, 2.9998], [1, 1, 0.5, 0.5]),
        (HALF(patience=1, mode="max"), [1, 2, 2, 3], [1, 1, 1, 0.5, 0.5]),
        (HALF(patience=2), [NAN, NAN, 3, NAN, NAN], [1, 1, 0.5, 0.5, 0.5, 0.25]),
        (HALF(patience=2), [math.inf, 3, 3, 2], [1, 1, 1, 1, 1]),
        (HALF(patience=1), [None, 3, None, 3, None], [1, 1, 1, 1, 0.5, 0.5]),
    ],
)
def test_reduce_on_plateau(callback, values, expected):
    assert run(callback, values) == expected


def by_plain_loop(values, factor, patience, cooldown, least, min_delta):
    """The rule of Keras's documentation, written out."""
    rate, best, bad, resting, rates = 1.0, None, 0, 0, []
    for value in values:
        rates.append(rate)
        if resting:
            resting -= 1
            bad = 0
        if best is None or value < best - min_delta:
            best, bad = value, 0
            continue
        if resting:
            continue
        bad += 1
        if bad >= patience and rate > least:
            rate, resting, bad = max(rate * factor, least), cooldown, 0
    return [*rates, rate]


def random_case(seed):
    """Values that sink in steps of 0.25, and what to make of them."""
    random = np.random.default_rng(seed)
    values = (random.integers(0, 24, 60) * 0.25 + np.linspace(6, 0, 60).round()).tolist()
    return values, int(random.integers(0, 5)), int(random.integers(0, 4)), 2.0**-6


@pytest.mark.parametrize("seed", range(20))
def test_reduce_on_plateau_against_a_plain_loop(seed):
    values, patience, cooldown, least = random_case(seed)
    rates = run(HALF(patience=patience, cooldown=cooldown, min_lr=least, min_delta=0.25), values)
    assert rates == by_plain_loop(values, 0.5, patience, cooldown, least, 0.25)
    assert rates[-1] < 1.0


@pytest.mark.peer
def test_reduce_on_plateau_against_pytorch():
    """There, patience is exceeded rather than reached, and the epoch that ends a rest is part of it."""
    torch = pytest.importorskip("torch")
    for seed in range(20):
        values, patience, cooldown, least = random_case(seed)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            factor=0.5,
            patience=max(patience, 1) - 1,
            threshold=0.25,
            threshold_mode="abs",
            cooldown=max(cooldown, 1) - 1,
            min_lr=least,
            eps=0.0,
        )
        expected = [1.0]
        for value in values:
            theirs.step(value)
            expected.append(optimizer.param_groups[0]["lr"])
        ours = HALF(patience=patience, cooldown=cooldown, min_lr=least, min_delta=0.25)
        assert run(ours, values) == expected


def test_the_least_rate_is_compared_in_the_precision_of_the_rate(capsys):
    assert float(np.float32(0.001)) > 0.001
    run(ReduceLROnPlateau(patience=1, min_lr=0.001, verbose=1), [1.0] * 5, rate=0.001)
    assert capsys.readouterr().out == ""


def test_reduce_on_plateau_says_what_it_does(capsys):
    run(ReduceLROnPlateau(patience=1, verbose=1), [1.0, 1.0], rate=0.01)
    assert capsys.readouterr().out == "Epoch 2: ReduceLROnPlateau reducing the learning rate to 0.001.\n"
    run(ReduceLROnPlateau(patience=1), [1.0, 1.0], rate=0.01)
    assert capsys.readouterr().out == ""


def test_state_is_reset_between_fits():
    plateau = HALF(patience=2, cooldown=9)
    assert run(plateau, [1, 1, 1, 1]) == [1, 1, 1, 0.5, 0.5]
    assert plateau.in_cooldown()
    assert run(plateau, [5, 5, 5]) == [1, 1, 1, 0.5]
    assert run(plateau, [1]) == [1, 1]
    assert (plateau.best, plateau.wait, plateau.cooldown_counter) == (1, 0, 0)


def test_defaults_are_those_of_keras():
    plateau = ReduceLROnPlateau()
    assert (plateau.monitor, plateau.factor, plateau.patience, plateau.verbose) == ("val_loss", 0.1, 10, 0)
    assert (plateau.mode, plateau.min_delta, plateau.cooldown, plateau.min_lr) == ("auto", 1e-4, 0, 0.0)
    stop = EarlyStopping()
    assert (stop.monitor, stop.min_delta, stop.patience, stop.mode) == ("val_loss", 0, 0, "auto")
    assert (stop.baseline, stop.restore_best_weights, stop.start_from_epoch) == (None, False, 0)
    positional = ReduceLROnPlateau("loss", 0.5, 3, 1, "min", 0.1, 2, 0.01)
    assert (positional.patience, positional.cooldown, positional.min_lr) == (3, 2, 0.01)


def test_unknown_arguments_are_refused_by_name():
    with pytest.raises(TypeError, match=r"ReduceLROnPlateau: unknown argument 'patients'\. .*'patience'"):
        ReduceLROnPlateau(patients=3)


def test_a_monitor_that_the_logs_do_not_hold():
    with pytest.raises(ValueError, match=r"ReduceLROnPlateau: monitor must be .* Received 'val_los'"):
        run(ReduceLROnPlateau("val_los"), [1.0])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (lambda epoch, rate: rate * 0.5 if epoch else rate, [1, 0.5, 0.25, 0.25]),
        (lambda epoch: 1.0 / (epoch + 1), [1, 0.5, float(np.float32(1 / 3)), float(np.float32(1 / 3))]),
        (lambda epoch, rate=0.125: rate, [1, 1, 1, 1]),
        (lambda *given: float(len(given)), [2, 2, 2, 2]),
        (lambda epoch: np.float32(0.25), [0.25] * 4),
        (lambda epoch: np.float64(0.25), [0.25] * 4),
    ],
)
def test_scheduler(schedule, expected):
    assert run(LearningRateScheduler(schedule), [3, 3, 3]) == expected


def test_scheduler_takes_a_schedule_of_epochs():
    """An object that is called with a step is called with the epoch."""

    class Decay:
        def __call__(self, step):
            return 0.5**step

    assert run(LearningRateScheduler(Decay()), [3, 3, 3]) == [1, 0.5, 0.25, 0.25]


def test_scheduler_says_what_it_sets(capsys):
    run(LearningRateScheduler(lambda epoch: 0.001 * (epoch + 1), verbose=1), [1, 1])
    assert capsys.readouterr().out == (
        "Epoch 1: LearningRateScheduler setting the learning rate to 0.001.\n"
        "Epoch 2: LearningRateScheduler setting the learning rate to 0.002.\n"
    )


@pytest.mark.parametrize("wrong", [None, 1, "0.1", np.array([0.1]), True])
def test_a_schedule_must_return_a_float(wrong):
    with pytest.raises(ValueError, match=r"must return a float, in epoch 0 .*Received: .* of type .*float\("):
        run(LearningRateScheduler(lambda epoch: wrong), [1])


def test_an_error_in_the_schedule_is_not_taken_for_another_signature():
    def schedule(epoch, rate):
        return rate + "no number"

    with pytest.raises(TypeError, match="unsupported operand"):
        run(LearningRateScheduler(schedule), [1])


@pytest.mark.parametrize("schedule", [0.1, None, lambda: 0.1, lambda epoch, rate, more: rate])
def test_a_schedule_is_a_function_of_one_or_two(schedule):
    with pytest.raises(TypeError, match=r"must be a function of \(epoch, learning rate\) or \(epoch\)"):
        LearningRateScheduler(schedule)
