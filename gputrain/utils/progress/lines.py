"""How far an epoch or a row of trainings is: a bar where one can move, and lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from gputrain.utils.progress.bar import Bar, Redraws, show_line
from gputrain.utils.progress.pace import (
    format_count,
    format_duration,
    format_rate,
    format_seconds,
    format_timing,
)
from gputrain.utils.terminal import shows_bars


class Progress:
    """Shows how far one pass over the data is, on standard output.

    Args:
        title: what is going on, as "Epoch 1/10".
        total: number of steps, or None when it is not known.
        style: "bar" or "line"; see `resolve_style`.
        redraws: shared by passes that follow each other, so that short ones do not redraw too often.

    Example:
        >>> progress = Progress("Epoch 1/1", total=2, style="line")
        >>> progress.update(2, 64, lambda: {"loss": 0.5})
        >>> progress.close({"loss": 0.5})
        Epoch 1/1 - 2/2 - 0s - 5ms/step - 6.4k samples/s - loss: 0.5000
    """

    def __init__(self, title: str, total: int | None, style: str, redraws: Redraws | None = None) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.samples = 0
        self._began = time.perf_counter()
        self._seconds: float | None = None
        self._bar = Bar(sys.stdout) if style == "bar" else None
        self._redraws = redraws or Redraws()
        self._redraw_if_due(dict)

    def update(self, done: int, samples: int, logs: Callable[[], Mapping[str, Any]]) -> None:
        """Say how many steps and samples are over (0 if the samples are not known).

        `logs` is called only when the bar is redrawn.
        """
        self.done, self.samples = done, samples
        self._redraw_if_due(logs)

    def end_steps(self) -> None:
        """Say that the steps are over: what follows, as validation, does not count in their pace."""
        if self._seconds is None:
            self._seconds = self._elapsed()

    def close(self, logs: Mapping[str, Any]) -> None:
        """Write the line with the last values, in place of the bar; a narrow terminal wraps it."""
        self.end_steps()
        if self._bar is not None:
            self._bar.close()
        show_line(self._line(logs))

    def abandon(self) -> None:
        """End without last values, after an error; a bar stays where it stopped."""
        if self._bar is not None:
            self._bar.close(leave=True)

    def _redraw_if_due(self, logs: Callable[[], Mapping[str, Any]]) -> None:
        if self._bar is None or not self._redraws.are_due():
            return
        values = format_logs(logs())  # waits for the device, so it comes before the clock is read
        self._bar.draw(self.done, self.total, f"{self.title}: {self._steps()}", self._timing(), values)

    def _timing(self) -> str:
        seconds = self._elapsed()
        counted, unit = (self.samples, "samples/s") if self.samples else (self.done, "steps/s")
        return format_timing(self.done, self.total, seconds, f"{format_rate(counted, seconds)} {unit}")

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    def _steps(self) -> str:
        return f"{self.done}/{self.total}" if self.total is not None else f"{self.done} steps"

    def _line(self, logs: Mapping[str, Any]) -> str:
        assert self._seconds is not None
        parts = [self.title, self._steps(), f"{self._elapsed():.0f}s"]
        parts.append(f"{format_seconds(self._seconds / max(1, self.done))}/step")
        if self.samples:
            parts.append(f"{format_rate(self.samples, self._seconds)} samples/s")
        return " - ".join([*parts, format_logs(logs)] if logs else parts)


class Counter:
    """Counts steps, files or the like: a bar while they go by, where one can move, and a line at the end.

    Args:
        title: what is going on, as "reading images".
        total: how many there are, or None when it is not known.
        unit: what is counted, as "files".
        stream: where to show it; default standard error.
        after: seconds until anything is shown; what is over sooner stays silent.

    Example:
        >>> with Counter("reading images", total=500, unit="files", stream=sys.stdout) as counter:
        ...     for path in paths:
        ...         counter.advance()
        reading images: 500/500 files in 12 s
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        unit: str = "steps",
        stream: TextIO | None = None,
        after: float = 0.0,
    ) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._after = after
        self._bar: Bar | None = None
        self._redraws = Redraws()
        self._began = time.perf_counter()

    def __enter__(self) -> Counter:
        """Show the bar, where there is one."""
        self._bar = Bar(self._stream) if shows_bars(self._stream) else None
        self._redraw_if_due()
        return self

    def __exit__(self, *reason: object) -> None:
        """Write the line, in place of the bar."""
        if self._bar is not None:
            self._bar.close()
        seconds = time.perf_counter() - self._began
        if seconds >= self._after:
            text = f"{self.title}: {self._state()} {self.unit} in {format_duration(seconds)}"
            show_line(text, self._stream)

    def advance(self, count: int = 1) -> None:
        """Say that so many more are done."""
        self.done += count
        self._redraw_if_due()

    def _redraw_if_due(self) -> None:
        if self._bar is None:
            return
        seconds = time.perf_counter() - self._began
        if seconds >= self._after and self._redraws.are_due():
            rate = f"{format_rate(self.done, seconds)} {self.unit}/s"
            timing = format_timing(self.done, self.total, seconds, rate)
            self._bar.draw(self.done, self.total, f"{self.title}: {self._state()}", timing, "")

    def _state(self) -> str:
        done = format_count(self.done)
        return done if self.total is None else f"{done}/{format_count(self.total)}"


class Overall:
    """Shows how far a job of several trainings is: a bar above those of the epochs, or a line for each.

    Args:
        title: what is going on, as "sweep".
        total: number of trainings.
        stream: where to show it; default standard error.
        done: how many were done before, in a job that goes on.

    Example:
        >>> with Overall("sweep", total=2, stream=sys.stdout) as overall:
        ...     overall.advance("seed=1: val_accuracy 0.91")
        ...     overall.advance("seed=2: val_accuracy 0.93")
        [1/2] seed=1: val_accuracy 0.91 (12 s, about 12 s left)
        [2/2] seed=2: val_accuracy 0.93 (11 s, 23 s in all)
    """

    def __init__(self, title: str, total: int, stream: TextIO | None = None, done: int = 0) -> None:
        self.title = title
        self.total = total
        self.done = done
        self._stream = sys.stderr if stream is None else stream
        self._bar: Bar | None = None
        self._redraws = Redraws()
        self._done_before = done
        self._began = self._before = time.perf_counter()
        self._timing = self._text = ""

    def __enter__(self) -> Overall:
        """Show the bar, where there is one."""
        self._bar = Bar(self._stream) if shows_bars(self._stream) else None
        self._redraw_if_due()
        return self

    def __exit__(self, *reason: object) -> None:
        """Leave the bar as it is now."""
        if self._bar is not None:
            self._redraw(self._bar)
            self._bar.close(leave=True)

    def advance(self, text: str) -> None:
        """Say that one training is over and what came of it."""
        now = time.perf_counter()
        took, self._before = now - self._before, now
        self.done += 1
        self._timing, self._text = f"{format_duration(took)}, {self._outlook(now - self._began)}", text
        if self._bar is None:
            show_line(f"[{self.done}/{self.total}] {text} ({self._timing})", self._stream)
        self._redraw_if_due()

    def _outlook(self, seconds: float) -> str:
        left = self.total - self.done
        if left <= 0:
            return f"{format_duration(seconds)} in all"
        return f"about {format_duration(seconds / (self.done - self._done_before) * left)} left"

    def _redraw_if_due(self) -> None:
        if self._bar is not None and self._redraws.are_due():
            self._redraw(self._bar)

    def _redraw(self, bar: Bar) -> None:
        head = f"{self.title}: {self.done}/{self.total}"
        bar.draw(self.done, self.total, head, self._timing, self._text)


def resolve_style(verbose: Any) -> str | None:
    """Turn Keras's `verbose` into "bar", "line" or None (silent).

    0 is silent, 2 one line per epoch; 1 and "auto" a bar on a terminal or in a notebook and lines elsewhere,
    so that log files hold no control codes.

    Raises:
        ValueError: any other value.
    """
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(
            f"verbose must be 0 (silent), 1 (bar), 2 (one line per epoch) or 'auto'. Received {verbose!r}."
        )
    if verbose == 0:
        return None
    return "bar" if verbose != 2 and shows_bars(sys.stdout) else "line"


def format_logs(logs: Mapping[str, Any]) -> str:
    """Return "accuracy: 0.9120 - loss: 0.3051" for {"accuracy": 0.912, "loss": 0.3051}."""
    return " - ".join(f"{name}: {format_value(value)}" for name, value in logs.items())


def format_value(value: Any) -> str:
    """Return a number with four decimals, or in scientific notation when those would not show it.

    Example:
        >>> format_value(0.00001234)
        '1.2340e-05'
    """
    if getattr(value, "ndim", 0) == 1:
        return f"[{' '.join(map(format_value, value))}]"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    small = 0.0 < abs(number) < 1e-3
    return f"{number:.4e}" if small else f"{number:.4f}"
