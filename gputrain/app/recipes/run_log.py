"""The log of a run: what was said on the way, without bars and control codes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gputrain import callbacks
from gputrain.utils.files import append
from gputrain.utils.notes import logger
from gputrain.utils.progress.bar import show_line
from gputrain.utils.progress.lines import format_logs
from gputrain.utils.states import check_names

_FORMAT = "%(asctime)s %(message)s"


class RunLog:
    """Keeps log.txt: lines of the run, the notes of gputrain while it lasts, and a line for each epoch.

    Args:
        path: the file; it is made when the log is entered.

    Raises:
        OSError: from all methods: the file cannot be written to, or the disk is full.

    Example:
        >>> with RunLog(Path("log.txt")) as log:
        ...     log.say("begun")
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handler = _Appender(path)
        self._handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))

    def __enter__(self) -> RunLog:
        """Begin to keep what gputrain notes."""
        append(self.path, b"")
        logger.addHandler(self._handler)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Write what went wrong, if something did and that is not the disk."""
        logger.removeHandler(self._handler)
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self.write(f"failed: {error}")

    def write(self, text: str) -> None:
        """Write to the file alone."""
        self._handler.emit(logging.LogRecord("gputrain", logging.INFO, "", 0, text, None, None))

    def say(self, text: str) -> None:
        """Write to the file and to stderr."""
        self.write(text)
        show_line(text, sys.stderr)

    def callback(self) -> callbacks.Callback:
        """Return a callback that writes a line for each epoch."""
        return _EpochLines(self)


class _Appender(logging.Handler):
    """Adds whole lines to a file; what goes wrong ends the run, where `logging` would tell and go on."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        append(self._path, f"{self.format(record)}\n".encode(errors="backslashreplace"))


class Clock(callbacks.Callback):
    """How long a training takes, before it was interrupted and after."""

    def __init__(self) -> None:
        super().__init__()
        self._before, self._start = 0.0, time.perf_counter()

    def seconds(self) -> float:
        """Seconds since the clock was made, and those before the training resumed."""
        return self._before + time.perf_counter() - self._start

    def state(self) -> dict[str, Any]:
        """The seconds so far."""
        return {"seconds": self.seconds()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Count on from what `state` gave."""
        check_names("Clock", ("seconds",), state)
        self._before, self._start = float(state["seconds"]), time.perf_counter()


class _EpochLines(callbacks.Callback):
    def __init__(self, log: RunLog) -> None:
        super().__init__()
        self._log = log
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        seconds = time.perf_counter() - self._began
        total = self.params.get("epochs")
        self._log.write(f"epoch {epoch + 1}/{total} - {seconds:.1f}s - {format_logs(logs or {})}")
