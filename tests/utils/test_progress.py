"""The progress of an epoch: lines in files, a bar on a terminal."""

import io
import os
import re
import sys

import pytest

from gputrain.utils import progress
from gputrain.utils.progress import (
    Progress,
    bar_format,
    format_logs,
    format_seconds,
    format_value,
    resolve_style,
)
from gputrain.utils.terminal import columns


class Terminal(io.StringIO):
    def isatty(self):
        return True


def use_terminal(monkeypatch, width=0):
    """Called in the test, because pytest sets sys.stdout between a fixture and its test."""
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    terminal.fileno = lambda: 1
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((width, 0)))
    monkeypatch.setattr(sys, "stdout", terminal)
    return terminal


@pytest.mark.parametrize(
    ("verbose", "style"), [(0, None), (1, "bar"), (2, "line"), ("auto", "bar"), (True, "bar"), (False, None)]
)
def test_style_on_a_terminal(monkeypatch, verbose, style):
    use_terminal(monkeypatch)
    assert resolve_style(verbose) == style


@pytest.mark.parametrize(("verbose", "style"), [(0, None), (1, "line"), (2, "line"), ("auto", "line")])
def test_style_in_a_file(monkeypatch, verbose, style):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert resolve_style(verbose) == style


def test_style_on_a_dumb_terminal(monkeypatch):
    use_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    assert resolve_style("auto") == "line"


def test_unknown_verbose():
    with pytest.raises(ValueError, match=r"verbose must be 0 \(silent\), 1 \(bar\), 2 .* Received 'loud'"):
        resolve_style("loud")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (0.0, "0.0000"),
        (0.00001234, "1.2340e-05"),
        (float("nan"), "nan"),
        (3, "3.0000"),
        ("a", "a"),
    ],
)
def test_values(value, text):
    assert format_value(value) == text


def test_seconds_and_logs():
    assert [format_seconds(s) for s in (12.3, 0.015, 0.00013)] == ["12s", "15ms", "130us"]
    assert format_logs({"accuracy": 0.912, "loss": 0.3051}) == "accuracy: 0.9120 - loss: 0.3051"


def test_line(capsys):
    shown = Progress("Epoch 1/2", 12, "line")
    shown.update(12, lambda: pytest.fail("a line reads no batch logs"))
    shown.close({"loss": 0.5})
    out = capsys.readouterr().out
    assert out.startswith("Epoch 1/2 - 12/12 - 0s - ")
    assert out.endswith("/step - loss: 0.5000\n")
    assert "\x1b" not in out
    assert "\r" not in out


def test_line_without_total(capsys):
    shown = Progress("Predict", None, "line")
    shown.update(3, dict)
    shown.close({})
    assert capsys.readouterr().out.startswith("Predict - 3 steps - 0s - ")


@pytest.mark.parametrize("total", [50, None])
def test_bar_reads_logs_ten_times_a_second(monkeypatch, total):
    terminal = use_terminal(monkeypatch)
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    shown, read = Progress("Epoch 1/1", total, "bar"), []
    for step in range(1, 51):
        now[0] += 0.01

        def logs(step=step):
            read.append(step)
            return {"loss": 1.0 / step}

        shown.update(step, logs)
    shown.close({"loss": 0.25, "val_loss": 0.5})
    assert 4 <= len(read) <= 5
    out = terminal.getvalue()
    assert "Epoch 1/1" in out
    assert "50" in out
    assert out.rstrip().endswith("loss: 0.2500 - val_loss: 0.5000")
    assert out.count("\n") == 1


def test_colour_only_without_no_color(monkeypatch):
    terminal = use_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    Progress("Epoch 1/1", 2, "bar").close({})
    assert "\x1b[" not in terminal.getvalue()
    monkeypatch.delenv("NO_COLOR")
    Progress("Epoch 1/1", 2, "bar").close({})
    assert "\x1b[" in terminal.getvalue()


LOGS = {"loss": 0.3051, "accuracy": 0.912, "learning_rate": 0.00012, "val_loss": 0.4, "val_accuracy": 0.887}


@pytest.mark.parametrize("width", [0, 40, 60, 80, 120])
def test_an_epoch_ends_in_a_line_with_every_value(monkeypatch, width):
    terminal = use_terminal(monkeypatch, width)
    shown = Progress("Epoch 1/10", 469, "bar")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_UPDATES", 0.0)
    shown.update(468, lambda: {"loss": 0.5, "accuracy": 0.25})
    shown.update(469, lambda: LOGS)
    shown.close(LOGS)
    *drawn, last = terminal.getvalue().split("\r")
    assert re.fullmatch(
        r"Epoch 1/10 - 469/469 - 0s - \d+us/step - " + re.escape(format_logs(LOGS)) + "\n", last
    )
    states = [re.sub(r"\x1b\[\d*m", "", state) for state in drawn]
    assert all(len(state) < (width or 80) for state in states)
    assert any(state.startswith("Epoch 1/10: 468/469 ") for state in states)
    if width != 40:
        assert any("loss: 0.5000 - accuracy: 0.2500" in state for state in states)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (30, "Epoch 1/2: 3/12 loss: 0.5000"),
        (40, "Epoch 1/2: 3/12 |{bar:9}| loss: 0.5000"),
        (60, "Epoch 1/2: 3/12 |{bar:24}| loss: 0.5000"),
        (75, "Epoch 1/2: 3/12 |{bar:9}| {elapsed}<{remaining}, {rate_fmt} - loss: 0.5000"),
        (120, "Epoch 1/2: 3/12 |{bar:24}| {elapsed}<{remaining}, {rate_fmt} - loss: 0.5000"),
    ],
)
def test_a_bar_makes_room_for_the_values(width, expected):
    assert bar_format("Epoch 1/2", "3/12", "loss: 0.5000", width) == expected


def test_braces_in_names_are_shown(monkeypatch):
    terminal = use_terminal(monkeypatch, 200)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_UPDATES", 0.0)
    Progress("Epoch {0}", 2, "bar").update(1, lambda: {"{loss}": 0.5})
    assert "Epoch {0}: 1/2 |" in terminal.getvalue()
    assert "{loss}: 0.5000" in terminal.getvalue()


def test_columns(monkeypatch):
    assert columns(use_terminal(monkeypatch, 120)) == 120
    assert columns(use_terminal(monkeypatch, 0)) == 80
    assert columns(io.StringIO()) == 80
