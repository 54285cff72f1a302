"""Notes to the user: said once in a process, through the logger "gputrain"."""

from __future__ import annotations

import logging
import sys

from gputrain.utils.progress.bar import above_bars

logger = logging.getLogger("gputrain")
_said: set[str] = set()


def note(text: str, key: str | None = None) -> None:
    """Say `text` (a warning of the logger, so on stderr by default) unless `key` was said before."""
    key = key or text
    if key not in _said:
        _said.add(key)
        with above_bars(sys.stderr):
            logger.warning(text)


def forget() -> None:
    """Say everything again (tests)."""
    _said.clear()
