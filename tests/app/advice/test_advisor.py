"""The callback itself: what it prints, when, and that it leaves the training as it is."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest

from gputrain import Input, Model, config, layers, ops, optimizers
from gputrain.app.advice import probing
from gputrain.app.advice.record import Update
from gputrain.app.advice.steps import StepWatch
from gputrain.app.advice.task import Task
from gputrain.callbacks import Advice, Advisor, Callback, ProgbarLogger
from gputrain.models import Sequential
from gputrain.runtime import Variable
from tests.app.advice.runs import (
    SPARSE,
    classifier,
    digit_rows,
    found,
    keys,
    minus_ten,
    normal,
    stack,
    trained,
)

X, Y = (array[:96] for array in digit_rows()[:2])


def dead():
    """A model whose hidden units never work."""
    hidden = layers.Dense(8, activation="relu", bias_initializer=minus_ten, name="hidden")
    model = stack(64, hidden, layers.Dense(10, activation="softmax"))
    model.compile("adam", SPARSE)
    return model


ADVICE = Advice("underfitting", 5, "The loss is flat.", ("a bigger model", "more epochs: 10"))


def test_text_and_config():
    assert ADVICE.text() == (
        "Advice (underfitting, epoch 5): The loss is flat.\n  Try: a bigger model.\n  Or: more epochs: 10."
    )
    assert Advice("few_samples", None, "Few.", ("more",)).text() == "Advice (few_samples): Few.\n  Try: more."
    assert json.loads(json.dumps(ADVICE.to_config())) == {
        "key": "underfitting",
        "epoch": 5,
        "sign": "The loss is flat.",
        "tries": ["a bigger model", "more epochs: 10"],
    }


@pytest.mark.parametrize("last", [False, True])
def test_printed_once_after_the_line_of_its_epoch(last, capsys):
    bars = [ProgbarLogger()] if last else []
    dead().fit(X, Y, epochs=4, verbose=2, callbacks=[*bars, Advisor(X, Y)])
    lines = capsys.readouterr().out.splitlines()
    places = {line[:9]: i for i, line in enumerate(lines)}
    assert sum(line.startswith("Advice (dead_relus, epoch 2): Relus are dead") for line in lines) == 1
    assert places["Epoch 2/4"] < places["Advice (d"] < places["Epoch 3/4"]
    assert lines[places["Advice (d"] + 1].startswith("  Try: ")


def test_advice_of_the_last_epoch_comes_at_the_end(capsys):
    dead().fit(X, Y, epochs=2, verbose=2, callbacks=[Advisor(X, Y)])
    lines = capsys.readouterr().out.splitlines()
    assert lines.index(next(line for line in lines if line.startswith("Advice"))) == 2


def test_silent_when_asked(capsys):
    advisor = Advisor(X, Y, verbose=0)
    dead().fit(X, Y, epochs=2, verbose=0, callbacks=[advisor])
    assert keys(advisor) == ["dead_relus"]
    assert capsys.readouterr().out == ""


def test_advice_on_data_comes_first(capsys):
    x = np.concatenate([X, np.full((len(X), 1), 3.0)], 1)[:, 60:]
    model = classifier(5)
    model.compile("adam", SPARSE)
    model.fit(x, Y, epochs=1, verbose=2, callbacks=[Advisor(x, Y, feature_names=list("abcde"))])
    assert capsys.readouterr().out.startswith("Advice (constant_feature): 1 of 5 features is the same")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("last", [False, True])
def test_bars_are_not_garbled(last, monkeypatch):
    """Before anything else is written on a line with a bar, the bar is taken away."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    bars = [ProgbarLogger()] if last else []
    dead().fit(X, Y, epochs=4, verbose=1, callbacks=[*bars, Advisor(X, Y)])
    out = sys.stdout.getvalue()
    before = out[: out.index("Advice (dead_relus")]
    line = before.rsplit("\n", 1)[1].rsplit("\r", 1)[-1]
    assert line.strip() == ""
    assert out.count("Advice (") == 1


def model_with_everything(seed):
    config.set_seed(seed)
    model = Sequential(
        [
            Input(shape=(8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(momentum=0.5),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(16, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    decay = optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
    model.compile(optimizers.Adam(decay), SPARSE, metrics=["accuracy"])
    return model


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_training_is_bit_equal_with_and_without(steps_per_execution):
    x = X.reshape(-1, 8, 8, 1)
    ends = []
    for watched in (False, True):
        model = model_with_everything(3)
        model.steps_per_execution = steps_per_execution
        advisor = [Advisor(x, Y, verbose=0)] if watched else []
        history = model.fit(
            x, Y, batch_size=40, epochs=4, verbose=0, callbacks=advisor, validation_data=(x[:30], Y[:30])
        )
        model.fit(x, Y, batch_size=40, epochs=1, verbose=0)
        counters = int(model.step_counter), int(model.draw_counter), int(model.optimizer.iterations)
        ends.append((model.get_weights(), history.history, counters))
    plain, advised = ends
    assert plain[1:] == advised[1:]
    for a, b in zip(plain[0], advised[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_second_fit_starts_anew():
    model, advisor = dead(), Advisor(X, Y, verbose=0)
    for _ in range(2):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[advisor])
        assert keys(advisor) == ["dead_relus"]
    model.fit(X, Y, epochs=6, initial_epoch=4, verbose=0, callbacks=[advisor])
    assert [(a.key, a.epoch) for a in advisor.advice] == [("dead_relus", 6)]


def test_without_data_only_the_course_is_watched():
    advisor = Advisor(verbose=0)
    model = stack(4, layers.Dense(1))
    model.compile(optimizers.SGD(1.5), "mse")
    x = normal(200, 4)
    model.fit(x, x[:, 0], epochs=4, verbose=0, callbacks=[advisor])
    assert keys(advisor)[0] == "exploding_loss"


def test_batches_from_a_generator_are_not_looked_at():
    def batches():
        while True:
            yield X[:32], Y[:32]

    advisor = Advisor(batches(), verbose=0)
    model = dead()
    model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0, callbacks=[advisor])
    assert advisor.advice == []


def test_a_subclassed_model_is_watched_but_not_probed():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(ops.relu(x) - 10.0)

    x = normal(100, 4)
    advisor = trained(Net(), x, x[:, 0], "mse", optimizers.SGD(0.1), epochs=2)
    assert "exploding_loss" in keys(advisor)


def test_two_inputs_and_two_outputs():
    first, second = Input(shape=(4,)), Input(shape=(3,))
    joined = layers.Concatenate()([layers.Dense(4, activation="relu")(first), second])
    model = Model([first, second], [layers.Dense(1)(joined), layers.Dense(1)(joined)])
    x, y = [normal(64, 4), normal(64, 3)], [normal(64, seed=1), normal(64, seed=2)]
    advisor = trained(model, x, y, ["mse", "mse"], "adam", epochs=2, metrics=None)
    assert advisor.advice == []


class TestProbe:
    """What the probe sees, beside the same counted by hand."""

    def outputs(self, model, x):
        weights = model.get_weights()
        hidden = np.maximum(0, x @ weights[0] + weights[1])
        return hidden, hidden @ weights[2] + weights[3]

    def test_units_and_classes(self):
        model = classifier(hidden=12)
        hidden, logits = self.outputs(model, X)
        model.layers[0].bias.assign(np.where(np.arange(12) < 5, -50.0, 0.0))
        hidden, logits = self.outputs(model, X)
        task = Task(Y.astype(int), np.bincount(Y))
        seen = probing.Probe(model, X.astype("float32"), task).look(3, 0)
        assert seen.epoch == 3
        assert [(r.layer, r.dead, r.units) for r in seen.relus] == [
            (model.layers[0].name, int((hidden.max(0) == 0).sum()), 12)
        ]
        assert seen.relus[0].dead >= 5
        assert seen.predicted.tolist() == np.bincount(logits.argmax(1), minlength=10).tolist()
        assert seen.present.tolist() == np.bincount(Y, minlength=10).tolist()
        each = [(logits.argmax(1)[c == Y] == c).mean() for c in range(10)]
        assert seen.accuracy == pytest.approx(np.mean(each))

    def test_channels_of_images(self):
        model = Sequential(
            [Input(shape=(8, 8, 1)), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.ReLU()]
        )
        model.layers[0].bias.assign(np.array([-99.0, 9.0, -99.0]))
        model.layers[1].trainable = False  # its statistics do not move, so they are believed at once
        seen = probing.Probe(model, X.reshape(-1, 8, 8, 1).astype("float32"), Task()).look(1, 0)
        assert [(r.dead, r.units) for r in seen.relus] == [(2, 3)]

    def test_moving_statistics_must_have_settled(self):
        model = stack(4, layers.BatchNormalization(momentum=0.9), layers.Dense(4, activation="relu"))
        probe = probing.Probe(model, normal(20, 4), Task())
        assert probe.look(1, 29) is None
        assert probe.look(1, 31) is not None

    def test_leaky_units_are_no_relus(self):
        model = stack(4, layers.Dense(4), layers.ReLU(negative_slope=0.1), layers.Dense(2, activation="tanh"))
        assert probing.Probe(model, normal(20, 4), Task()).look(1, 0) is None

    def test_rows_of_each_class(self):
        labels = np.r_[np.zeros(3000, int), np.ones(30, int), np.full(970, 2)]
        rows = probing._rows(np.zeros((4000, 2), "float32"), labels)
        assert np.bincount(labels[rows]).tolist() == [167, 30, 162]
        assert (np.diff(rows) > 0).all()
        many = np.arange(4000) // 2
        rows = probing._rows(np.zeros((4000, 2), "float32"), many)
        assert len(rows) == 256
        assert (np.bincount(many[rows])[many[rows]] == 2).all()
        assert len(probing._rows(np.zeros((4000, 2), "float32"), None)) == 512
        assert len(probing._rows(np.zeros((40, 2**18), "float32"), None)) == 40
        assert len(probing._rows(np.broadcast_to(np.float32(0), (400, 2**20)), None)) == 16


def test_step_watch_beside_norms_by_hand():
    kernel = Variable(normal(8, 8), name="kernel", path="a/kernel")
    others = [Variable(normal(64), name="bias"), Variable(np.zeros((8, 8))), Variable(normal(2, 2))]
    watch = StepWatch([kernel, *others], steps=8)
    old = kernel.numpy()
    watch.watch_epoch(True)
    seen = []
    for batch in range(8):
        watch.before(batch)
        kernel.assign(kernel.numpy() + 0.01)
        seen.append(watch.after(5, batch))
    measured = [batch for batch, updates in enumerate(seen) if updates]
    assert measured == [2, 4, 6]
    weight = old + 0.02
    change = 0.08  # 64 numbers, each 0.01 further
    assert seen[2] == [Update(5, "a/kernel", pytest.approx(change / np.sqrt((weight**2).sum()), rel=1e-3))]
    watch.watch_epoch(False)
    watch.before(2)
    assert watch.after(6, 2) == []


def test_step_watch_of_several_steps_at_once():
    kernel = Variable(normal(8, 8), name="kernel")
    watch = StepWatch([kernel], steps=None)
    watch.watch_epoch(True)
    watch.before(0)
    assert watch.after(1, 3) == []
    norm = np.linalg.norm(kernel.numpy())
    watch.before(4)
    kernel.assign(kernel.numpy() + 0.04)
    assert watch.after(1, 7)[0].ratio == pytest.approx(0.08 / norm, rel=1e-3)


@pytest.mark.parametrize("together", [1, 2])
def test_the_size_of_a_batch_is_known(together):
    advisor, model = Advisor(X, Y, verbose=0), classifier()
    model.compile(optimizers.SGD(1e-6), SPARSE, steps_per_execution=together)
    model.fit(X, Y, batch_size=24, epochs=6, verbose=0, callbacks=[advisor], validation_split=0.2)
    assert "a batch_size of 6 (now 24)" in found(advisor, "loss_not_falling").tries


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_companions_and_exceptions_reach_each_callback(error):
    class Listener(Callback):
        heard = None

        def on_exception(self, exception):
            self.heard = exception

        def on_epoch_end(self, epoch, logs=None):
            raise error

    listener = Listener()
    model = dead()
    with pytest.raises(error):
        model.fit(X, Y, verbose=0, callbacks=[listener])
    assert isinstance(listener.heard, error)
    assert listener in listener.companions
