"""Each callback by itself."""

import csv
import io
import math
import sys
import warnings

import numpy as np
import pytest

from gputrain.callbacks import (
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    ProgbarLogger,
    TerminateOnNaN,
)

NAN = float("nan")


class Model:
    """Weights that name the epoch they come from."""

    def __init__(self):
        self.stop_training = False
        self.weights = [-1]
        self.metrics = []

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = weights


def run(callback, values, name="val_loss", model=None):
    """Play a fit whose epochs give `values`; return the number of epochs run and the model."""
    model = model or Model()
    model.stop_training = False
    callbacks = CallbackList([callback], model=model, epochs=len(values), steps=1, verbose=0)
    callbacks.on_train_begin()
    for epoch, value in enumerate(values):
        model.weights = [epoch]
        logs = {"loss": 1.0} if value is None else {"loss": 1.0, name: value}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    callbacks.on_train_end(logs)
    return epoch + 1, model


@pytest.mark.parametrize(
    ("arguments", "values", "epochs", "best"),
    [
        ({}, [3, 2, 1, 2, 0], 4, 1),
        ({"patience": 2}, [3, 2, 2, 2, 0], 4, 2),
        ({"patience": 2}, [3, 4, 2, 4, 1, 2, 3, 0], 7, 1),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.8, 2.7], 2, 3),
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 2, 9], 4, 3),
        ({"patience": 2, "baseline": 1.0}, [3, 2, 1.5, 0.5], 4, 0.5),
        ({"patience": 0, "start_from_epoch": 3}, [1, 2, 3, 4, 5], 5, 4),
        ({"patience": 3}, [NAN, NAN, 5, 4, 6, 7, 8, 1], 7, 4),
        ({"patience": 1}, [NAN, 2, NAN, 1], 3, 2),
        ({"patience": 1}, [NAN, NAN, NAN], 2, None),
        ({"patience": 3}, [math.inf, 2, 1], 3, 1),
    ],
)
def test_early_stopping(arguments, values, epochs, best):
    stop = EarlyStopping(**arguments)
    assert run(stop, values)[0] == epochs
    assert stop.best == best


@pytest.mark.parametrize(
    ("name", "metric", "values"),
    [
        ("val_accuracy", None, [1, 2, 1]),
        ("val_auc", None, [1, 2, 1]),
        ("val_mae", None, [2, 1, 2]),
        ("val_out_loss", None, [2, 1, 2]),
        ("val_strange", ("strange", "up"), [1, 2, 1]),
        ("val_accuracy", ("accuracy", "down"), [2, 1, 2]),
    ],
)
def test_direction(name, metric, values):
    model = Model()
    if metric is not None:
        model.metrics = [type("Metric", (), {"name": metric[0], "_direction": metric[1]})()]
    stop = EarlyStopping(name)
    assert run(stop, values, name, model)[0] == 3
    assert stop.best == values[1]


def test_unknown_direction():
    with pytest.raises(
        ValueError, match=r"whether 'val_strange' should rise or fall is not known\. Pass mode='max'"
    ):
        run(EarlyStopping("val_strange"), [1.0, 2.0], "val_strange")
    assert run(EarlyStopping("val_strange", mode="max"), [1.0, 2.0], "val_strange")[0] == 2


def test_unknown_mode():
    with pytest.raises(ValueError, match=r"EarlyStopping: unknown mode 'mni'\. Did you mean 'min'"):
        EarlyStopping(mode="mni")


def test_best_weights_come_back(capsys):
    stop = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    model = run(stop, [NAN, 2, 1, 3, 4])[1]
    assert model.weights == [2]
    assert capsys.readouterr().out == "Epoch 5: early stopping\nRestoring the weights of epoch 3, the best.\n"


def test_nan_weights_are_never_the_best():
    model = run(EarlyStopping(patience=9, restore_best_weights=True), [NAN, NAN])[1]
    assert model.weights == [1]


def test_state_is_reset_between_fits():
    stop = EarlyStopping(patience=1, restore_best_weights=True)
    assert run(stop, [1, 0.1, 5])[0] == 3
    assert run(stop, [3, 2, 1])[0] == 3
    assert (stop.best, stop.wait, stop.stopped_epoch, stop.best_epoch) == (1, 0, 0, 2)
    assert run(stop, [3])[1].weights == [0]


def test_epochs_without_validation_are_passed_over():
    stop = EarlyStopping(patience=1)
    assert run(stop, [None, 3, None, 2, None, 4, None])[0] == 6
    with pytest.warns(
        UserWarning, match=r"EarlyStopping did nothing: 'val_loss' came in no epoch\. .*one of: loss"
    ):
        run(EarlyStopping(), [None, None])


def test_unknown_monitor_at_the_first_chance():
    with pytest.raises(
        ValueError, match=r"Received 'val_los'\. Did you mean 'val_loss'\? Known names: loss, val_loss"
    ):
        run(EarlyStopping("val_los"), [1.0])


def test_numpy_values():
    stop = EarlyStopping(patience=1)
    assert run(stop, [np.float32(2), np.array(1.0), np.float64(3)])[0] == 3
    assert stop.best == 1.0


def test_history():
    history = History()
    model = run(history, [2.0, np.float32(1.0)])[1]
    assert history.history == {"loss": [1.0, 1.0], "val_loss": [2.0, 1.0]}
    assert all(type(value) is float for value in history.history["val_loss"])
    assert history.epoch == [0, 1]
    assert model.history is history
    run(history, [5.0])
    assert (history.epoch, history.history["val_loss"]) == ([0], [5.0])


def test_lambda_callback():
    seen = []
    both = CallbackList(
        LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"])),
            on_train_batch_begin=lambda batch, logs: seen.append(batch),
            on_test_end=lambda logs: seen.append(logs),
        )
    )
    both.on_train_batch_begin(7)
    both.on_epoch_end(1, {"loss": 2})
    both.on_test_end({"a": 1})
    assert seen == [7, (1, 2), {"a": 1}]
    with pytest.raises(
        TypeError, match=r"Callback has no method 'on_epochend'\. Did you mean 'on_epoch_end'"
    ):
        LambdaCallback(on_epochend=print)
    with pytest.raises(TypeError, match=r"LambdaCallback: on_epoch_end must be a function\. Received 3"):
        LambdaCallback(on_epoch_end=3)


@pytest.mark.parametrize("loss", [NAN, math.inf, np.float32(NAN), np.array(-math.inf)])
def test_terminate_on_nan(capsys, loss):
    model = Model()
    callbacks = CallbackList([TerminateOnNaN()], model=model)
    callbacks.on_train_batch_end(0, {"loss": 1.0})
    callbacks.on_train_batch_end(1, {"accuracy": NAN})
    callbacks.on_train_batch_end(1, None)
    assert not model.stop_training
    callbacks.on_train_batch_end(2, {"loss": loss})
    assert model.stop_training
    assert capsys.readouterr().out.startswith("Batch 2: the loss is ")
    with pytest.raises(RuntimeError, match=r"Batch 3: the loss is .*Lower the learning rate"):
        CallbackList([TerminateOnNaN(raise_error=True)]).on_train_batch_end(3, {"loss": loss})


def rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    run(CSVLogger(path), [2.0, np.float32(1.5)])
    assert rows(path) == [["epoch", "loss", "val_loss"], ["0", "1.0", "2.0"], ["1", "1.0", "1.5"]]
    run(CSVLogger(str(path), separator=";"), [3.0])
    assert path.read_text() == "epoch;loss;val_loss\n0;1.0;3.0\n"
    assert [item.name for item in tmp_path.iterdir()] == ["log.csv"]


def test_csv_logger_gives_late_values_a_column(tmp_path):
    path = tmp_path / "log.csv"
    run(CSVLogger(path), [None, 2.0, None])
    assert rows(path) == [
        ["epoch", "loss", "val_loss"],
        ["0", "1.0", "NA"],
        ["1", "1.0", "2.0"],
        ["2", "1.0", "NA"],
    ]
    assert [item.name for item in tmp_path.iterdir()] == ["log.csv"]


def test_csv_logger_appends(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path, append=True)
    run(logger, [None])
    run(logger, [2.0])
    assert rows(path) == [["epoch", "loss", "val_loss"], ["0", "1.0", "NA"], ["0", "1.0", "2.0"]]


def test_csv_logger_says_at_once_that_it_cannot_write(tmp_path):
    callbacks = CallbackList([CSVLogger(tmp_path / "no" / "log.csv")])
    with pytest.raises(OSError, match=r"CSVLogger: '.*log\.csv' needs a folder .* no folder '.*no'"):
        callbacks.on_train_begin()


def play(verbose, batches=3):
    """A fit of two epochs with validation, then evaluate, then predict."""
    bar = ProgbarLogger()
    callbacks = CallbackList([bar], model=Model(), verbose=verbose, epochs=2, steps=batches)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in range(batches):
            callbacks.on_train_batch_end(batch, {"loss": 0.5})
        callbacks.on_test_begin()
        callbacks.on_test_batch_end(0, {"loss": 0.7})
        callbacks.on_test_end({"loss": 0.7})
        callbacks.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.7})
    callbacks.on_train_end()
    callbacks.on_test_begin()
    callbacks.on_test_batch_end(0, {"loss": 0.7})
    callbacks.on_test_end({"loss": 0.7})
    callbacks.on_predict_begin()
    callbacks.on_predict_batch_end(2, {"outputs": np.zeros(3)})
    callbacks.on_predict_end()


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_progress_in_a_file_is_one_line_per_epoch(capsys, verbose):
    play(verbose)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert [line.split(" - ")[:2] for line in lines] == [
        ["Epoch 1/2", "3/3"],
        ["Epoch 2/2", "3/3"],
        ["Evaluate", "1/3"],
        ["Predict", "3/3"],
    ]
    assert lines[0].endswith("loss: 0.5000 - val_loss: 0.7000")
    assert "outputs" not in out
    assert "\x1b" not in out
    assert "\r" not in out


def test_silent(capsys):
    play(0)
    assert capsys.readouterr().out == ""


def test_progress_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    play("auto")
    out = sys.stdout.getvalue()
    assert out.count("\n") == 4
    assert "Epoch 2/2: 0/3 |" in out
    assert out.count("/step - loss: 0.5000 - val_loss: 0.7000\n") == 2


def test_an_interrupted_bar_is_closed_by_the_next_fit(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    bar = ProgbarLogger()
    callbacks = CallbackList([bar], verbose=1, epochs=1, steps=5)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    callbacks.on_train_batch_end(0, {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        callbacks.on_train_begin()
        callbacks.on_train_end()
    assert sys.stdout.getvalue().endswith("\n")


def test_wrong_verbose():
    with pytest.raises(ValueError, match=r"verbose must be 0 \(silent\)"):
        CallbackList(add_progbar=True, verbose=7)
