"""What the output stream is: a terminal or notebook that can show a moving bar, or a plain file."""

from __future__ import annotations

import os
import sys
from typing import TextIO

DEFAULT_COLUMNS = 80


def in_notebook() -> bool:
    """Return whether this process is the kernel of a Jupyter notebook. Imports nothing to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def shows_bars(stream: TextIO) -> bool:
    """Return whether a bar may be redrawn in place: `stream` is a terminal, not "dumb", or a notebook."""
    if in_notebook():
        return True
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int:
    """Return the width of the terminal that `stream` writes to; 80 where there is none or it says 0."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_COLUMNS
    except (AttributeError, OSError, ValueError):
        return DEFAULT_COLUMNS


def allows_color() -> bool:
    """Return whether escape codes for colours may be written: NO_COLOR is not set (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")
