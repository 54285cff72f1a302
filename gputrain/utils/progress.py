"""The progress of one epoch: a tqdm bar while it runs, where one can move, and one line at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from gputrain.utils.terminal import allows_color, columns, shows_bars

SECONDS_BETWEEN_UPDATES = 0.1

# Room for bars of one fit inside another. Not asked of the terminal: tqdm shows nothing where it says 0.
_ROWS = 20
_LONGEST_BAR, _SHORTEST_BAR = 24, 6
_TIMING = "{elapsed}<{remaining}, {rate_fmt}"
# Of what tqdm makes of _TIMING below 10 hours: "1:00:05<2:00:07, 2606.67 steps/s".
_TIMING_COLUMNS = 32


class Progress:
    """Shows how far one pass over the data is, on standard output.

    Args:
        title: what is going on, as "Epoch 1/10".
        total: number of steps, or None when it is not known.
        style: "bar" or "line"; see `resolve_style`.

    Example:
        >>> progress = Progress("Epoch 1/1", total=2, style="line")
        >>> progress.update(2, lambda: {"loss": 0.5})
        >>> progress.close({"loss": 0.5})
        Epoch 1/1 - 2/2 - 0s - 1ms/step - loss: 0.5000
    """

    def __init__(self, title: str, total: int | None, style: str) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self._began = time.perf_counter()
        self._shown = self._began
        self._bar = _new_bar(title, total, self._steps()) if style == "bar" else None

    def update(self, done: int, logs: Callable[[], Mapping[str, Any]]) -> None:
        """Say that `done` steps are over. `logs` is called only when the bar is redrawn."""
        self.done = done
        if self._bar is None:
            return
        now = time.perf_counter()
        if now - self._shown >= SECONDS_BETWEEN_UPDATES:
            self._shown = now
            self._redraw(logs())

    def close(self, logs: Mapping[str, Any]) -> None:
        """Write the line with the last values, in place of the bar; a narrow terminal wraps it."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        print(self._line(logs), flush=True)

    def abandon(self) -> None:
        """End without last values, after an error; a bar stays where it stopped."""
        if self._bar is not None:
            self._bar.leave = True
            self._bar.close()
            self._bar = None

    def _redraw(self, logs: Mapping[str, Any]) -> None:
        assert self._bar is not None
        self._bar.n = self.done
        self._bar.ncols = columns(self._bar.fp) - 1
        self._bar.bar_format = bar_format(self.title, self._steps(), format_logs(logs), self._bar.ncols)
        self._bar.refresh()

    def _steps(self) -> str:
        return f"{self.done}/{self.total}" if self.total is not None else f"{self.done} steps"

    def _line(self, logs: Mapping[str, Any]) -> str:
        seconds = time.perf_counter() - self._began
        pace = f"{seconds:.0f}s - {format_seconds(seconds / max(1, self.done))}/step"
        values = format_logs(logs)
        return f"{self.title} - {self._steps()} - {pace}" + (f" - {values}" if values else "")


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


def bar_format(title: str, steps: str, values: str, width: int) -> str:
    """Return tqdm's format for a bar that leaves room for `values` in a line of `width` columns.

    The bar shrinks first, then the timing goes, then the bar; what does not fit even so is cut off by tqdm.

    Example:
        >>> bar_format("Epoch 1/2", "3/12", "loss: 0.5000", 40)
        'Epoch 1/2: 3/12 |{bar:9}| loss: 0.5000'
    """
    head = f"{title}: {steps}"
    room = width - len(f"{head} || {values}")
    head, values = (text.replace("{", "{{").replace("}", "}}") for text in (head, values))
    spare = room - _TIMING_COLUMNS - len(" - ")
    if spare >= _SHORTEST_BAR:
        ending = f"{_TIMING} - {values}" if values else _TIMING
        return f"{head} |{{bar:{min(spare, _LONGEST_BAR)}}}| {ending}"
    if room >= _SHORTEST_BAR:
        return f"{head} |{{bar:{min(room, _LONGEST_BAR)}}}| {values}"
    return f"{head} {values}"


def format_logs(logs: Mapping[str, Any]) -> str:
    """Return "accuracy: 0.9120 - loss: 0.3051" for {"accuracy": 0.912, "loss": 0.3051}."""
    return " - ".join(f"{name}: {format_value(value)}" for name, value in logs.items())


def format_value(value: Any) -> str:
    """Return a number with four decimals, or in scientific notation when those would not show it.

    Example:
        >>> format_value(0.00001234)
        '1.2340e-05'
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    small = 0.0 < abs(number) < 1e-3
    return f"{number:.4e}" if small else f"{number:.4f}"


def format_seconds(seconds: float) -> str:
    """Return a duration in a unit that suits it: "2s", "15ms", "130us"."""
    if seconds >= 1.0:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _new_bar(title: str, total: int | None, steps: str) -> Any:
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc,type-arg,unused-ignore]
        # No thread of tqdm's beside the training loop.
        monitor_interval = 0

    width = columns(sys.stdout) - 1
    return Bar(
        total=total,
        file=sys.stdout,
        unit=" steps",
        ncols=width,
        nrows=_ROWS,
        leave=False,
        mininterval=SECONDS_BETWEEN_UPDATES,
        bar_format=bar_format(title, steps, "", width),
        colour="green" if allows_color() else None,
    )
