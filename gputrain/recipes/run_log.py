"""The log of a run: what was said on the way, without bars and control codes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gputrain import callbacks
from gputrain.utils.bar import show_line
from gputrain.utils.notes import logger
from gputrain.utils.progress import format_logs

_FORMAT = "%(asctime)s %(message)s"


class RunLog:
    """Keeps log.txt: lines of the run, the notes of gputrain while it lasts, and a line for each epoch.

    Args:
        path: the file; it is made when the log is entered.

    Example:
        >>> with RunLog(Path("log.txt")) as log:
        ...     log.say("begun")
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handler: logging.FileHandler | None = None

    def __enter__(self) -> RunLog:
        """Begin to keep what gputrain notes."""
        self._handler = logging.FileHandler(self.path, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
        logger.addHandler(self._handler)
        return self

    def __exit__(self, *reason: object) -> None:
        """Close the file."""
        assert self._handler is not None
        logger.removeHandler(self._handler)
        self._handler.close()

    def write(self, text: str) -> None:
        """Write to the file alone."""
        assert self._handler is not None
        self._handler.emit(logging.LogRecord("gputrain", logging.INFO, "", 0, text, None, None))

    def say(self, text: str) -> None:
        """Write to the file and to stderr."""
        self.write(text)
        show_line(text, sys.stderr)

    def callback(self) -> callbacks.Callback:
        """Return a callback that writes a line for each epoch."""
        return _EpochLines(self)


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
