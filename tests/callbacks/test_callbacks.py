"""Each callback by itself."""

import csv
import io
import json
import math
import os
import sys
import time
import warnings

import numpy as np
import pytest

from gputrain.callbacks import (
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    JSONLinesLogger,
    LambdaCallback,
    ProgbarLogger,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from gputrain.metrics import Metric
from tests.utils.pseudo_terminal import PseudoTerminal, use_terminal

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
        ("hinge", None, [2, 1, 2]),
        ("val_out_hinge", None, [2, 1, 2]),
        ("val_out_true_positives_2", None, [1, 2, 1]),
        ("val_false_negatives", None, [2, 1, 2]),
        ("val_strange", ("strange", "up"), [1, 2, 1]),
        ("val_accuracy", ("accuracy", "down"), [2, 1, 2]),
    ],
)
def test_direction(name, metric, values):
    model = Model()
    if metric is not None:
        model.metrics = [type("Told", (Metric,), {"_direction": metric[1]})(name=metric[0])]
    stop = EarlyStopping(name)
    assert run(stop, values, name, model)[0] == 3
    assert stop.best == values[1]


def test_unknown_direction():
    with pytest.raises(
        ValueError, match=r"whether 'val_strange' should rise or fall is not known\. Pass mode='max'"
    ):
        run(EarlyStopping("val_strange"), [1.0, 2.0], "val_strange")
    assert run(EarlyStopping("val_strange", mode="max"), [1.0, 2.0], "val_strange")[0] == 2


WHOLE = r"must be a whole number\. Expected: 0 or more\. Received: "
FINITE = r"must be a finite number\. Received: "


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (EarlyStopping, {"patience": -1}, f"EarlyStopping: patience {WHOLE}-1"),
        (EarlyStopping, {"patience": 2.5}, f"patience {WHOLE}2.5"),
        (EarlyStopping, {"patience": True}, f"patience {WHOLE}True"),
        (EarlyStopping, {"start_from_epoch": "3"}, f"start_from_epoch {WHOLE}'3'"),
        (EarlyStopping, {"verbose": "auto"}, f"verbose {WHOLE}'auto'"),
        (EarlyStopping, {"baseline": NAN}, f"EarlyStopping: baseline {FINITE}nan"),
        (EarlyStopping, {"min_delta": "0.1"}, f"min_delta {FINITE}'0.1'"),
        (EarlyStopping, {"restore_best_weights": 1}, "restore_best_weights must be True or False.* 1"),
        (EarlyStopping, {"monitor": None}, "monitor must be a name in the logs of an epoch.* Received: None"),
        (EarlyStopping, {"monitor": ""}, "monitor must be a name in the logs of an epoch.* Received: ''"),
        (EarlyStopping, {"mode": 3}, "unknown mode 3"),
        (ReduceLROnPlateau, {"factor": 1.0}, r"factor must be a number\. Expected: 0 < factor < 1\..* 1.0"),
        (ReduceLROnPlateau, {"factor": 0}, "ReduceLROnPlateau: factor must be a number.* Received: 0"),
        (ReduceLROnPlateau, {"factor": "0.5"}, "factor must be a number.* Received: '0.5'"),
        (ReduceLROnPlateau, {"factor": NAN}, "factor must be a number.* Received: nan"),
        (ReduceLROnPlateau, {"patience": -1}, f"ReduceLROnPlateau: patience {WHOLE}-1"),
        (ReduceLROnPlateau, {"cooldown": 1.5}, f"cooldown {WHOLE}1.5"),
        (ReduceLROnPlateau, {"min_lr": -0.1}, r"min_lr must be .* Expected: 0 or more\. Received: -0.1"),
        (ReduceLROnPlateau, {"min_lr": math.inf}, "min_lr must be a finite number.* Received: inf"),
        (TerminateOnNaN, {"raise_error": "yes"}, "TerminateOnNaN: raise_error must be True or False.* 'yes'"),
        (CSVLogger, {"filename": "a", "separator": ", "}, "CSVLogger: separator must be one char.* ', '"),
        (CSVLogger, {"filename": "a", "separator": 7}, "separator must be one character.* Received: 7"),
        (CSVLogger, {"filename": "a", "append": "yes"}, "CSVLogger: append must be True or False"),
        (JSONLinesLogger, {"filename": "a", "append": None}, "JSONLinesLogger: append must be True or False"),
    ],
)
def test_wrong_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


def test_numbers_of_numpy_are_numbers():
    stop = EarlyStopping(patience=np.int64(2), baseline=np.float32(0.5), restore_best_weights=np.True_)
    assert (stop.patience, stop.baseline, stop.restore_best_weights) == (2, 0.5, True)
    assert EarlyStopping(min_delta=-0.25, verbose=True).min_delta == 0.25


def test_unknown_mode():
    with pytest.raises(ValueError, match=r"EarlyStopping: unknown mode 'mni'\. Did you mean 'min'"):
        EarlyStopping(mode="mni")


def test_best_weights_come_back(capsys):
    stop = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    model = run(stop, [NAN, 2, 1, 3, 4])[1]
    assert model.weights == [2]
    assert capsys.readouterr().out == "Epoch 5: early stopping\nRestoring the weights of epoch 3, the best.\n"


@pytest.mark.parametrize(
    ("arguments", "values", "best"),
    [
        ({"patience": 9}, [3, 1, 2], 1),  # training ended by itself
        ({"patience": 9}, [3, 2, 1], 2),
        ({"patience": 2, "baseline": 0.5}, [3, 1, 2, 4], 1),  # whether or not the baseline was beaten
        ({"patience": 2, "start_from_epoch": 1}, [0, 2, 1, 3, 3, 3], 2),  # among those that were watched
        ({"patience": 9}, [None, 2, None], 1),
    ],
)
def test_the_weights_of_the_best_epoch_come_back(arguments, values, best):
    stop = EarlyStopping(restore_best_weights=True, **arguments)
    assert run(stop, values)[1].weights == [best]
    assert stop.best_epoch == best


def test_weights_stay_without_being_asked_for():
    assert run(EarlyStopping(patience=1), [3, 1, 2, 4])[1].weights == [2]


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
    told = r"EarlyStopping did nothing: 'val_loss' was in the logs of no epoch\. .*one of: loss"
    with pytest.warns(UserWarning, match=told):
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


def test_csv_logger_appends_from_one_fit_to_the_next(tmp_path):
    path = tmp_path / "log.csv"
    run(CSVLogger(path, separator=";"), [2.0, 1.5])
    run(CSVLogger(path, separator=";", append=True), [1.0])
    assert path.read_text() == "epoch;loss;val_loss\n0;1.0;2.0\n1;1.0;1.5\n0;1.0;1.0\n"


@pytest.mark.parametrize("text", ["epoch;loss\n0;1.0\n", "notes\n"])
def test_csv_logger_appends_to_no_other_file(tmp_path, text):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"no file to append to\. .* separated by ','\. Received: '"):
        run(CSVLogger(path, append=True), [1.0])
    assert path.read_text() == text


def test_csv_logger_writes_lists_and_quotes(tmp_path):
    path = tmp_path / "log.csv"
    callbacks = CallbackList([CSVLogger(path)])
    callbacks.on_train_begin()
    callbacks.on_epoch_end(0, {"b": np.array([1, 2]), "a": 'x, "y"', "c": None})
    assert rows(path) == [["epoch", "a", "b", "c"], ["0", 'x, "y"', "[1, 2]", ""]]


def test_csv_logger_says_at_once_that_it_cannot_write(tmp_path):
    callbacks = CallbackList([CSVLogger(tmp_path / "no" / "log.csv")])
    with pytest.raises(OSError, match=r"CSVLogger: '.*log\.csv' needs a folder .* no folder '.*no'"):
        callbacks.on_train_begin()


def test_json_lines_logger(tmp_path):
    path = tmp_path / "log.jsonl"
    run(JSONLinesLogger(path), [2.0, np.float32(1.5)])
    assert path.read_text() == (
        '{"epoch": 0, "loss": 1.0, "val_loss": 2.0}\n{"epoch": 1, "loss": 1.0, "val_loss": 1.5}\n'
    )
    run(JSONLinesLogger(str(path)), [3.0])
    run(JSONLinesLogger(path, append=True), [None])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"epoch": 0, "loss": 1.0, "val_loss": 3.0}, {"epoch": 0, "loss": 1.0}]
    assert [item.name for item in tmp_path.iterdir()] == ["log.jsonl"]


def test_json_lines_are_json(tmp_path):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    path = tmp_path / "log.jsonl"
    callbacks = CallbackList([JSONLinesLogger(path)])
    callbacks.on_train_begin()
    logs = {
        "nan": NAN,
        "infinite": np.float32(-math.inf),
        "whole": np.int64(3),
        "zero_dimensional": np.array(0.5),
        "matrix": np.array([[1.0, NAN], [2.0, 3.0]]),
        "yes": np.True_,
        "text": "ä\n",
        "none": None,
        "table": {"a": np.float64(1.0)},
        "other": 1j,
    }
    callbacks.on_epoch_end(7, logs)
    [line] = path.read_text().splitlines()
    assert json.loads(line, parse_constant=refuse) == {
        "epoch": 7,
        "nan": None,
        "infinite": None,
        "whole": 3,
        "zero_dimensional": 0.5,
        "matrix": [[1.0, None], [2.0, 3.0]],
        "yes": True,
        "text": "ä\n",
        "none": None,
        "a": 1.0,
        "other": "1j",
    }


def test_a_line_of_json_is_written_at_once(tmp_path, monkeypatch):
    """Whatever ends the process then, the file holds whole lines."""
    path = tmp_path / "log.jsonl"
    callbacks = CallbackList([JSONLinesLogger(path)])
    callbacks.on_train_begin()
    written = []
    real = open

    def watched(*arguments, **keywords):
        file = real(*arguments, **keywords)
        assert keywords["buffering"] == 0
        return Watched(file)

    class Watched:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *reason):
            self.file.close()

        def write(self, data):
            written.append(data)
            return self.file.write(data)

    monkeypatch.setattr("builtins.open", watched)
    for epoch in range(2):
        callbacks.on_epoch_end(epoch, {"many": list(range(5000))})
        assert os.path.getsize(path) == sum(map(len, written))
    assert len(written) == 2
    assert all(line.count(b"\n") == 1 and line.endswith(b"}\n") for line in written)


def test_json_lines_logger_says_at_once_that_it_cannot_write(tmp_path):
    callbacks = CallbackList([JSONLinesLogger(tmp_path / "no" / "log.jsonl")])
    with pytest.raises(FileNotFoundError, match=r"JSONLinesLogger: '.*' needs a folder .* no folder '.*no'"):
        callbacks.on_train_begin()


def play(verbose, batches=3):
    """A fit of two epochs with validation, then evaluate, then predict."""
    bar = ProgbarLogger()
    callbacks = CallbackList([bar], model=Model(), verbose=verbose, epochs=2, steps=batches)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in range(batches):
            callbacks.samples_ahead(32)
            callbacks.on_train_batch_begin(batch)
            callbacks.on_train_batch_end(batch, {"loss": 0.5})
        callbacks.on_test_begin()
        callbacks.on_test_batch_end(0, {"loss": 0.7})
        callbacks.on_test_end({"loss": 0.7})
        callbacks.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.7})
    callbacks.on_train_end()
    callbacks.on_test_begin()
    callbacks.samples_ahead(32)
    callbacks.on_test_batch_begin(0)
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


def test_the_pace_is_that_of_the_steps_of_each_pass(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    model = Model()
    callbacks = CallbackList([ProgbarLogger()], model=model, verbose=2, epochs=2, steps=4)

    def steps(kind, size, seconds):
        for batch in range(4):
            callbacks.samples_ahead(size)
            getattr(callbacks, f"on_{kind}_batch_begin")(batch)
            now[0] += seconds
            getattr(callbacks, f"on_{kind}_batch_end")(batch, {"loss": 0.5})

    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        steps("train", 32, 0.5)
        callbacks.on_test_begin()
        steps("test", 1000, 1.0)
        callbacks.on_test_end({})
        callbacks.on_epoch_end(epoch, {"loss": 0.5})
    callbacks.on_train_end()
    for kind, size in (("test", 10), ("predict", 50)):
        getattr(callbacks, f"on_{kind}_begin")()
        steps(kind, size, 0.25)
        getattr(callbacks, f"on_{kind}_end")({})
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1/2 - 4/4 - 6s - 500ms/step - 64.0 samples/s - loss: 0.5000",
        "Epoch 2/2 - 4/4 - 6s - 500ms/step - 64.0 samples/s - loss: 0.5000",
        "Evaluate - 4/4 - 1s - 250ms/step - 40.0 samples/s",
        "Predict - 4/4 - 1s - 250ms/step - 200 samples/s",
    ]


def test_silent(capsys):
    play(0)
    assert capsys.readouterr().out == ""


def test_progress_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    use_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", Terminal())
    play("auto")
    out = sys.stdout.getvalue()
    assert out.count("\n") == 4
    assert "Epoch 1/2: 0/3 |" in out
    assert out.count(" samples/s - loss: 0.5000 - val_loss: 0.7000\n") == 2


def test_an_interrupted_bar_is_closed_by_the_next_fit(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    use_terminal(monkeypatch)
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


def test_an_error_in_fit_closes_the_bar(monkeypatch):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        monkeypatch.setattr(sys, "stdout", terminal.stream())
        callbacks = CallbackList([ProgbarLogger()], verbose=1, epochs=1, steps=5)
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        callbacks.on_train_batch_end(0, {})
        callbacks.on_exception(RuntimeError())
        print("Traceback")
    assert [line[:14] for line in terminal.screen()] == ["Epoch 1/1: 0/5", "Traceback", ""]


def test_messages_stand_above_the_bar(monkeypatch):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        monkeypatch.setattr(sys, "stdout", terminal.stream())
        callbacks = CallbackList([TerminateOnNaN(), ProgbarLogger()], model=Model(), verbose=1, steps=5)
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        callbacks.samples_ahead(8)
        callbacks.on_train_batch_begin(0)
        callbacks.on_train_batch_end(0, {"loss": NAN})
        callbacks.on_epoch_end(0, {"loss": NAN})
        callbacks.on_train_end()
    first, second, last = terminal.screen()
    assert first == "Batch 0: the loss is nan; training stops."
    assert second.startswith("Epoch 1 - 1/5 - 0s - ")
    assert second.endswith(" samples/s - loss: nan")
    assert last == ""


def test_wrong_verbose():
    with pytest.raises(ValueError, match=r"verbose must be 0 \(silent\)"):
        CallbackList(add_progbar=True, verbose=7)
