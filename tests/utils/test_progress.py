"""The progress of an epoch and of several trainings: lines in files, bars on a terminal, in a notebook."""

import contextlib
import io
import logging
import os
import re
import sys
import time
import types

import pytest

from gputrain.utils import notes
from gputrain.utils.progress import bar
from gputrain.utils.progress.bar import Redraws, bar_format, show_line
from gputrain.utils.progress.lines import Counter, Overall, Progress, format_logs, format_value, resolve_style
from gputrain.utils.progress.pace import (
    format_clock,
    format_duration,
    format_rate,
    format_seconds,
    format_timing,
)
from gputrain.utils.terminal import columns, in_notebook, shows_bars
from tests.utils import pseudo_terminal
from tests.utils.pseudo_terminal import PseudoTerminal, screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


def use_terminal(monkeypatch, width=0):
    """Called in the test, because pytest sets sys.stdout between a fixture and its test."""
    pseudo_terminal.use_terminal(monkeypatch)
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


def test_logs():
    assert format_logs({"accuracy": 0.912, "loss": 0.3051}) == "accuracy: 0.9120 - loss: 0.3051"


def test_times():
    assert [format_seconds(s) for s in (12.3, 0.015, 0.00013)] == ["12s", "15ms", "130us"]
    assert [format_clock(s) for s in (0.9, 65, 7265)] == ["00:00", "01:05", "2:01:05"]
    durations = {0.04: "0.0 s", 0.3: "0.3 s", 0.96: "1 s", 59.4: "59 s", 59.6: "1 min", 3569: "59 min"}
    durations |= {3571: "1 h 0 min", 7500: "2 h 5 min", 360000: "100 h 0 min"}
    assert {seconds: format_duration(seconds) for seconds in durations} == durations


def test_rates():
    rates = {0.5: "0.50", 9.994: "9.99", 9.996: "10.0", 37.46: "37.5", 99.96: "100", 999.4: "999"}
    rates |= {999.6: "1.00k", 12345: "12.3k", 999400: "999k", 1.25e6: "1.25M", 2e9: "2.00G"}
    assert {rate: format_rate(rate, 1.0) for rate in rates} == rates
    assert format_rate(6, 4.0) == "1.50"
    assert format_rate(5, 0.0).endswith("G")  # a clock that did not move
    assert format_timing(0, 12, 5.0, "?") == "00:05<?"
    assert format_timing(0, None, 5.0, "?") == "00:05"
    assert format_timing(3, 12, 10.0, "a rate") == "00:10<00:30, a rate"
    assert format_timing(3, None, 10.0, "a rate") == "00:10, a rate"


class Clock:
    """Stands in for time.perf_counter."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


def test_line(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = Progress("Epoch 1/2", 12, "line")
    clock.now += 3.0
    shown.update(12, 3000, lambda: pytest.fail("a line reads no batch logs"))
    shown.close({"loss": 0.5})
    out = capsys.readouterr().out
    assert out == "Epoch 1/2 - 12/12 - 3s - 250ms/step - 1.00k samples/s - loss: 0.5000\n"


def test_validation_is_no_part_of_the_pace(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = Progress("Epoch 1/2", 10, "line")
    clock.now += 2.0
    shown.update(10, 320, dict)
    shown.end_steps()
    clock.now += 5.0
    shown.close({"loss": 0.5, "val_loss": 0.7})
    out = capsys.readouterr().out
    assert out == "Epoch 1/2 - 10/10 - 7s - 200ms/step - 160 samples/s - loss: 0.5000 - val_loss: 0.7000\n"


def test_line_without_total_and_samples(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = Progress("Predict", None, "line")
    clock.now += 0.6
    shown.update(3, 0, dict)
    shown.close({})
    assert capsys.readouterr().out == "Predict - 3 steps - 1s - 200ms/step\n"


@pytest.mark.parametrize("total", [100, None])
def test_a_bar_is_redrawn_and_reads_logs_ten_times_a_second(monkeypatch, total):
    terminal = use_terminal(monkeypatch)
    clock, read = Clock(monkeypatch), []
    shown = Progress("Epoch 1/1", total, "bar")
    for step in range(1, 101):
        clock.now += 0.0101

        def logs(step=step):
            read.append(step)
            return {"loss": 1.0 / step}

        shown.update(step, 32 * step, logs)
    assert read == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert terminal.getvalue().count("Epoch 1/1: ") == 1 + len(read)
    shown.close({"loss": 0.25, "val_loss": 0.5})
    assert terminal.getvalue().count("Epoch 1/1: ") == 1 + len(read)
    last = "10ms/step - 3.17k samples/s - loss: 0.2500 - val_loss: 0.5000"
    steps = "100/100" if total else "100 steps"
    assert screen(terminal.getvalue()) == [f"Epoch 1/1 - {steps} - 1s - {last}", ""]


def test_short_epochs_draw_no_bars_of_their_own(monkeypatch):
    terminal = use_terminal(monkeypatch)
    clock, redraws = Clock(monkeypatch), Redraws()
    for epoch in range(40):
        shown = Progress(f"Epoch {epoch}", 1, "bar", redraws)
        clock.now += 0.0101
        shown.update(1, 1, dict)
        shown.close({})
    assert len(re.findall(r"Epoch \d+ - ", terminal.getvalue())) == 40
    assert len(re.findall(r"Epoch \d+: ", terminal.getvalue())) == 5


@pytest.mark.parametrize(
    ("total", "samples", "expected"),
    [
        (400, 6400, "1/1: 100/400 |######                  | 00:50<02:30, 128 samples/s - loss: 0.5000"),
        (400, 0, "1/1: 100/400 |######                  | 00:50<02:30, 2.00 steps/s - loss: 0.5000"),
        (None, 6400, "1/1: 100 steps |                        | 00:50, 128 samples/s - loss: 0.5000"),
    ],
)
def test_a_bar_says_samples_per_second(monkeypatch, total, samples, expected):
    terminal, clock = use_terminal(monkeypatch, 100), Clock(monkeypatch)
    shown = Progress("Epoch 1/1", total, "bar")
    clock.now += 50.0
    shown.update(100, samples, lambda: {"loss": 0.5})
    assert screen(terminal.getvalue())[0].replace("\u2588", "#") == f"Epoch {expected}"


def test_the_pace_counts_the_wait_for_the_device(monkeypatch):
    terminal, clock = use_terminal(monkeypatch, 100), Clock(monkeypatch)
    shown = Progress("Epoch 1/1", 10, "bar")
    clock.now += 1.0

    def logs():
        clock.now += 1.0
        return {"loss": 0.5}

    shown.update(5, 100, logs)
    assert "00:02<00:02, 50.0 samples/s" in terminal.getvalue()


def test_colour_only_without_no_color(monkeypatch):
    terminal = use_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    Progress("Epoch 1/1", 2, "bar").close({})
    assert "\x1b[" not in terminal.getvalue()
    monkeypatch.delenv("NO_COLOR")
    Progress("Epoch 1/1", 2, "bar").close({})
    assert "\x1b[" in terminal.getvalue()


@pytest.mark.parametrize(("value", "color"), [("1", False), ("", True)])
def test_no_color_on_a_real_terminal(monkeypatch, value, color):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        monkeypatch.setenv("NO_COLOR", value)
        monkeypatch.setattr(sys, "stdout", terminal.stream())
        Progress("Epoch 1/1", 2, "bar").close({})
    assert ("\x1b[3" in terminal.text) is color


LOGS = {"loss": 0.3051, "accuracy": 0.912, "learning_rate": 0.00012, "val_loss": 0.4, "val_accuracy": 0.887}


@pytest.mark.parametrize("width", [0, 40, 60, 80, 120])
def test_an_epoch_ends_in_a_line_with_every_value(monkeypatch, width):
    terminal = use_terminal(monkeypatch, width)
    shown = Progress("Epoch 1/10", 469, "bar")
    monkeypatch.setattr(bar, "SECONDS_BETWEEN_UPDATES", 0.0)
    shown.update(468, 468, lambda: {"loss": 0.5, "accuracy": 0.25})
    shown.update(469, 469, lambda: LOGS)
    shown.close(LOGS)
    *drawn, last = terminal.getvalue().split("\r")
    pace = r"0s - \d+us/step - [\d.]+[kM]? samples/s"
    assert re.fullmatch(rf"Epoch 1/10 - 469/469 - {pace} - {re.escape(format_logs(LOGS))}\n", last)
    states = [re.sub(r"\x1b\[\d*m", "", state) for state in drawn]
    assert all(len(state) < (width or 80) for state in states)
    assert any(state.startswith("Epoch 1/10: 468/469 ") for state in states)
    if width != 40:
        assert any("loss: 0.5000 - accuracy: 0.2500" in state for state in states)


TIMING = "00:01<00:03, 12.3k samples/s"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (30, "Epoch 1/2: 3/12 loss: 0.5000"),
        (40, "Epoch 1/2: 3/12 |{bar:9}| loss: 0.5000"),
        (60, "Epoch 1/2: 3/12 |{bar:24}| loss: 0.5000"),
        (75, f"Epoch 1/2: 3/12 |{{bar:9}}| {TIMING} - loss: 0.5000"),
        (120, f"Epoch 1/2: 3/12 |{{bar:24}}| {TIMING} - loss: 0.5000"),
        (None, f"Epoch 1/2: 3/12 |{{bar}}| {TIMING} - loss: 0.5000"),
    ],
)
def test_a_bar_makes_room_for_the_values(width, expected):
    assert bar_format("Epoch 1/2: 3/12", TIMING, "loss: 0.5000", width) == expected


def test_braces_in_names_are_shown(monkeypatch):
    terminal = use_terminal(monkeypatch, 200)
    monkeypatch.setattr(bar, "SECONDS_BETWEEN_UPDATES", 0.0)
    Progress("Epoch {0}", 2, "bar").update(1, 1, lambda: {"{loss}": 0.5})
    assert "Epoch {0}: 1/2 |" in terminal.getvalue()
    assert "{loss}: 0.5000" in terminal.getvalue()


def test_columns(monkeypatch):
    assert columns(use_terminal(monkeypatch, 120)) == 120
    assert columns(use_terminal(monkeypatch, 0)) == 80
    assert columns(io.StringIO()) == 80


# ----------------------------------------------------------------------------------- where bars may move


@pytest.mark.parametrize(("value", "bars"), [("true", False), ("1", False), ("", True), ("false", True)])
def test_the_terminal_of_a_ci_job_is_a_file(monkeypatch, value, bars):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        monkeypatch.setenv("CI", value)
        assert shows_bars(terminal.stream()) is bars


def test_a_file_holds_no_control_codes(monkeypatch, tmp_path):
    pseudo_terminal.use_terminal(monkeypatch)
    path = tmp_path / "log.txt"
    with path.open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(sys, "stderr", file)
        with Overall("sweep", 2) as overall, Counter("counted", 2) as counter:
            for text in "ab":
                shown = Progress("Epoch 1/1", 1, resolve_style("auto"))
                shown.update(1, 32, dict)
                shown.close({"loss": 0.5})
                counter.advance()
                overall.advance(text)
    written = path.read_text()
    assert re.search(r"[^\n -~]", written) is None
    assert written.count("\n") == 5


# --------------------------------------------------------------------------------------------- notebooks


class Kernel(io.StringIO):
    """The stream of a Jupyter kernel: no terminal."""


Kernel.__module__ = "ipykernel.iostream"


class Widget:
    """As much of a widget as tqdm sets."""

    def __init__(self, children=(), **values):
        self.children, self.closed, self.value, self.bar_style = children, False, "", ""
        self.layout, self.style = types.SimpleNamespace(), types.SimpleNamespace()
        vars(self).update(values)

    def close(self):
        self.closed = True


@pytest.fixture
def notebook(monkeypatch):
    """A notebook with widgets; returns the list of those that were displayed."""
    shell = type("ZMQInteractiveShell", (), {})
    # As the shell of a hosted notebook, which is one of its kind.
    hosted = type("Shell", (shell,), {})()
    displayed = []
    parts = {
        "IPython": {"get_ipython": lambda: hosted},
        "IPython.display": {"display": displayed.append},
        "ipywidgets": {"HTML": Widget, "FloatProgress": Widget, "HBox": Widget},
    }
    for name, members in parts.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "tqdm.notebook", raising=False)
    yield displayed
    sys.modules.pop("tqdm.notebook", None)


def test_a_notebook_shows_widgets(monkeypatch, notebook):
    pseudo_terminal.use_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", Kernel())
    clock = Clock(monkeypatch)
    assert resolve_style("auto") == "bar"
    shown = Progress("Epoch 1/2", 4, "bar")
    clock.now += 2.0
    shown.update(3, 96, lambda: {"loss": 0.5})
    [box] = notebook
    head, moving, values = box.children
    assert (moving.value, moving.max) == (3, 4)
    texts = [text.value.replace("\u2007", " ") for text in (head, values)]
    assert texts == ["Epoch 1/2: 3/4 ", " 00:02&lt;00:00, 48.0 samples/s - loss: 0.5000"]
    assert not box.closed
    shown.close({"loss": 0.25})
    assert box.closed
    assert sys.stdout.getvalue() == "Epoch 1/2 - 3/4 - 2s - 667ms/step - 48.0 samples/s - loss: 0.2500\n"


def test_an_abandoned_widget_stays(monkeypatch, notebook):
    monkeypatch.setattr(sys, "stdout", Kernel())
    Progress("Epoch 1/2", 4, "bar").abandon()
    assert (notebook[0].closed, notebook[0].children[1].bar_style) == (False, "danger")


def test_a_notebook_without_widgets_shows_characters(monkeypatch, notebook):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setitem(sys.modules, "IPython.html", None)
    monkeypatch.setattr(sys, "stdout", Kernel())
    Progress("Epoch 1/2", 4, "bar").close({})
    assert notebook == []
    assert "Epoch 1/2: 0/4 |" in sys.stdout.getvalue()


def test_a_file_within_a_notebook_is_a_file(monkeypatch, notebook):
    assert in_notebook()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert resolve_style("auto") == "line"


def test_no_notebook_imports_nothing():
    before = set(sys.modules)
    assert not in_notebook()
    assert set(sys.modules) == before


# ------------------------------------------------------------------------------------- several trainings


def train(clock, epochs=1, seconds=10.0):
    """What fit shows, in a terminal or a file."""
    for epoch in range(epochs):
        shown = Progress(f"Epoch {epoch + 1}/{epochs}", 2, resolve_style("auto"))
        for step in (1, 2):
            clock.now += seconds / 2 / epochs
            shown.update(step, 50 * step, lambda: {"loss": 0.5})
        shown.close({"loss": 0.5})


def say_note(text, monkeypatch):
    """A note as it is shown where the user has set up no logging: on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(notes.logger, "handlers", [handler])
    notes.note(text, key=f"{text} {id(handler)}")


def test_overall_in_a_file(monkeypatch):
    clock, out = Clock(monkeypatch), io.StringIO()
    with Overall("sweep", 3, out) as overall:
        for seed in range(3):
            clock.now += 60.0 * (seed + 1)
            overall.advance(f"seed={seed}: val_accuracy 0.91")
    assert out.getvalue().splitlines() == [
        "[1/3] seed=0: val_accuracy 0.91 (1 min, about 2 min left)",
        "[2/3] seed=1: val_accuracy 0.91 (2 min, about 2 min left)",
        "[3/3] seed=2: val_accuracy 0.91 (3 min, 6 min in all)",
    ]


def test_overall_goes_on(monkeypatch):
    clock, out = Clock(monkeypatch), io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with Overall("sweep", 12, done=9) as overall:
        clock.now += 5.0
        overall.advance("a")
    assert out.getvalue() == "[10/12] a (5 s, about 10 s left)\n"


def test_overall_stands_above_the_bar_of_the_epoch(monkeypatch):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        clock = Clock(monkeypatch)
        monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((100, 40)))
        monkeypatch.setattr(sys, "stdout", terminal.stream())
        monkeypatch.setattr(sys, "stderr", terminal.stream())
        with Overall("sweep", 3) as overall:
            for seed in (1, 2):
                train(clock, epochs=2)
                overall.advance(f"seed={seed}")
            shown = Progress("Epoch 1/2", 10, "bar")
            clock.now += 5.0
            shown.update(5, 50, lambda: {"loss": 0.25})
            show_line("a line")
            show_line("a line on stderr", sys.stderr)
            say_note("a note of gputrain", monkeypatch)
            sys.stdout.write("MARK")
            sys.stdout.flush()
            shown.close({"loss": 0.25})
            overall.advance("seed=3")
    during, _, after = terminal.text.partition("MARK")
    line = "Epoch {}/2 - 2/2 - 5s - 2s/step - 20.0 samples/s - loss: 0.5000".format
    written = [line(1), line(2), line(1), line(2), "a line", "a line on stderr", "a note of gputrain"]
    shown_at_mark = screen(during)
    assert shown_at_mark[:7] == written
    assert re.fullmatch(r"sweep: 2/3 \|█+[^ █]? *\| 10 s, about 10 s left - seed=2", shown_at_mark[7])
    assert re.fullmatch(
        r"Epoch 1/2: 5/10 \|█{12} {12}\| 00:05<00:05, 10.0 samples/s - loss: 0.2500", shown_at_mark[8]
    )
    end = screen(during + after)
    assert end[:8] == [*written, "Epoch 1/2 - 5/10 - 5s - 1s/step - 10.0 samples/s - loss: 0.2500"]
    assert re.fullmatch(r"sweep: 3/3 \|█+\| 5 s, 25 s in all - seed=3", end[8])
    assert end[9:] == [""]


def test_an_abandoned_bar_does_not_mix_with_the_one_above(monkeypatch):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        monkeypatch.setattr(sys, "stdout", terminal.stream())
        monkeypatch.setattr(sys, "stderr", terminal.stream())
        with Overall("sweep of many settings", 3) as overall:
            overall.advance("a long line of what the first one gave")
            Progress("E", 2, "bar").abandon()
            overall.advance("failed")
    left, above, last = terminal.screen()
    assert re.fullmatch(r"E: 0/2 \| +\| 00:00<\?", left)
    assert re.fullmatch(r"sweep of many settings: 2/3 \|.*\| .* left - failed", above)
    assert last == ""


def test_overall_on_a_terminal_beside_a_file(monkeypatch, tmp_path):
    """gputrain sweep ... > log.txt"""
    with PseudoTerminal() as terminal, (tmp_path / "log.txt").open("w") as file:
        use_terminal(monkeypatch)
        clock = Clock(monkeypatch)
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(sys, "stderr", terminal.stream())
        with Overall("sweep", 1) as overall:
            train(clock)
            overall.advance("seed=1")
    assert (tmp_path / "log.txt").read_text().startswith("Epoch 1/1 - 2/2 - 10s")
    assert "\r" not in (tmp_path / "log.txt").read_text()
    assert [line[:10] for line in terminal.screen()] == ["sweep: 1/1", ""]


def test_overall_is_redrawn_ten_times_a_second(monkeypatch):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        clock, stream = Clock(monkeypatch), terminal.stream()
        with Overall("sweep", 100, stream) as overall:
            for item in range(100):
                clock.now += 0.0101
                overall.advance(f"item {item}")
    assert len(re.findall(r"sweep: \d+/100", terminal.text)) <= 1 + 10 + 2
    assert terminal.screen()[0].startswith("sweep: 100/100")
    assert terminal.screen()[0].endswith("in all - item 99")


def test_an_error_leaves_a_clean_line(monkeypatch):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        stream = terminal.stream()
        with contextlib.suppress(RuntimeError), Overall("sweep", 2, stream):
            raise RuntimeError
        print("Traceback", file=stream)
    assert [line[:10] for line in terminal.screen()] == ["sweep: 0/2", "Traceback", ""]


@pytest.mark.parametrize(("total", "state"), [(500, "500/500"), (None, "500")])
def test_counter(monkeypatch, total, state):
    with PseudoTerminal() as terminal:
        use_terminal(monkeypatch)
        clock, lines = Clock(monkeypatch), io.StringIO()
        for stream in (lines, terminal.stream()):
            with Counter("reading", total, "files", stream) as counter:
                for _ in range(100):
                    clock.now += 0.1001
                    counter.advance(5)
    assert lines.getvalue() == f"reading: {state} files in 10 s\n"
    assert terminal.screen() == [f"reading: {state} files in 10 s", ""]
    half = "reading: 250/500 |" if total else "reading: 250 |"
    assert half in terminal.text
    assert ("00:05<00:05, 50.0 files/s" if total else "00:05, 50.0 files/s") in terminal.text


def test_a_line_is_written_whole_or_not_at_all():
    """What a Ctrl-C stops between two writes has no half of a line on the stream."""

    class Interrupted(io.StringIO):
        def write(self, text):
            super().write(text)
            raise KeyboardInterrupt

    stream = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        show_line("Epoch 1/2", stream)
    assert stream.getvalue() == "Epoch 1/2\n"
