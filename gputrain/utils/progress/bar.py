"""A moving bar: characters on a terminal, a widget in a notebook. tqdm draws it; the text is ours."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO

from gputrain.utils.terminal import allows_color, columns, shows_in_notebook

SECONDS_BETWEEN_UPDATES = 0.1

# Room for bars of one fit inside another. Not asked of the terminal: tqdm shows nothing where it says 0.
_ROWS = 20
_LONGEST_BAR, _SHORTEST_BAR = 24, 6
# Of a timing below 10 hours, "1:00:05<2:00:07, 12.3k samples/s", so that the bar keeps its length.
_TIMING_COLUMNS = 32


class Bar:
    """A bar on a row of its own, below the bars that are there already.

    Args:
        stream: the terminal or notebook; see `terminal.shows_bars`.

    Example:
        >>> bar = Bar(sys.stdout)
        >>> bar.draw(3, 12, "Epoch 1/2: 3/12", "00:01<00:03", "loss: 0.5000")
        >>> bar.close()
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tqdm: Any = None

    def draw(self, done: int, total: int | None, head: str, timing: str, values: str) -> None:
        """Show the bar anew, as "head |###   | timing - values".

        Args:
            done, total: how much of the bar is filled; without a total it stays empty.
            head, timing, values: texts; what does not fit on a terminal is left out.
        """
        width = self._width()
        text = bar_format(head, timing, values, width)
        if self._tqdm is None:
            self._tqdm = self._first_drawn(done, total, width, text)
            return
        self._tqdm.n = done
        self._tqdm.ncols = width
        self._tqdm.bar_format = text
        self._tqdm.refresh()

    def close(self, leave: bool = False) -> None:
        """Take the bar away, or leave it as it was last drawn."""
        if self._tqdm is None:
            return
        self._tqdm.leave = leave
        if not leave:
            self._tqdm.total = self._tqdm.n  # a widget that is not full would stay, in red
        with above_bars(self._stream) if leave else nullcontext():
            self._tqdm.close()
        self._tqdm = None

    def _width(self) -> int | None:
        return None if _widgets(self._stream) else columns(self._stream) - 1

    def _first_drawn(self, done: int, total: int | None, width: int | None, text: str) -> Any:
        class Quiet(_tqdm_class(self._stream)):  # type: ignore[misc]  # tqdm has one class for each kind of display
            # No thread of tqdm's beside the training loop.
            monitor_interval = 0

        return Quiet(
            initial=done,
            total=total,
            file=self._stream,
            ncols=width,
            nrows=_ROWS,
            leave=False,
            bar_format=text,
            colour="green" if allows_color() else None,
        )


class Redraws:
    """Keeps redraws at least a tenth of a second apart, over all the bars that share it."""

    def __init__(self) -> None:
        self._last = -math.inf

    def are_due(self) -> bool:
        """Return whether it is time, and count the redraw that follows."""
        now = time.perf_counter()
        if now - self._last < SECONDS_BETWEEN_UPDATES:
            return False
        self._last = now
        return True


@contextmanager
def above_bars(stream: TextIO) -> Iterator[None]:
    """Within a `with` block: what is written to `stream` comes to stand above the bars that are there."""
    tqdm = getattr(sys.modules.get("tqdm"), "tqdm", None)
    with nullcontext() if tqdm is None else tqdm.external_write_mode(file=stream):
        yield


def show_line(text: str, stream: TextIO | None = None) -> None:
    """Print a line above the bars that are there, by default on standard output.

    It is one write, so that a Ctrl-C in the middle never leaves a line without its end.
    """
    stream = sys.stdout if stream is None else stream
    with above_bars(stream):
        stream.write(f"{text}\n")
        stream.flush()


def bar_format(head: str, timing: str, values: str, width: int | None) -> str:
    """Return tqdm's format for a bar that leaves room for `values` in a line of `width` columns.

    The bar shrinks first, then the timing goes, then the bar; what does not fit even so is cut off by tqdm.
    Without a width all is there, and the bar's length is left to the widget.

    Example:
        >>> bar_format("Epoch 1/2: 3/12", "00:01<00:03", "loss: 0.5000", 40)
        'Epoch 1/2: 3/12 |{bar:9}| loss: 0.5000'
    """
    both = f"{timing} - {values}" if timing and values else timing or values
    room = width - len(f"{head} || {values}") if width is not None else 0
    spare = room - max(_TIMING_COLUMNS, len(timing)) - len(" - ")
    head, values, both = (text.replace("{", "{{").replace("}", "}}") for text in (head, values, both))
    if width is None:
        return f"{head} |{{bar}}| {both}"
    if spare >= _SHORTEST_BAR:
        return f"{head} |{{bar:{min(spare, _LONGEST_BAR)}}}| {both}"
    if room >= _SHORTEST_BAR:
        return f"{head} |{{bar:{min(room, _LONGEST_BAR)}}}| {values}"
    return f"{head} {values}"


def _tqdm_class(stream: TextIO) -> Any:
    if _widgets(stream):
        from tqdm.notebook import tqdm as widget

        return widget
    from tqdm import tqdm

    return tqdm


def _widgets(stream: TextIO) -> bool:
    """Return whether `stream` is a notebook's and widgets are installed; without them characters do."""
    if not shows_in_notebook(stream):
        return False
    from tqdm.notebook import IProgress

    return IProgress is not None
