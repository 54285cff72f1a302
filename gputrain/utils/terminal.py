"""What an output stream is: a terminal or notebook that can show a moving bar, or a plain file."""

from __future__ import annotations

import os
import sys
from typing import TextIO

DEFAULT_COLUMNS = 80


def in_notebook() -> bool:
    """Return whether this process is the kernel of a Jupyter notebook. Imports nothing to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return any(cls.__name__ == "ZMQInteractiveShell" for cls in type(shell).__mro__)


def shows_in_notebook(stream: TextIO) -> bool:
    """Return whether what is written to `stream` comes out under a cell of a notebook."""
    return in_notebook() and type(stream).__module__.startswith("ipykernel.")


def shows_bars(stream: TextIO) -> bool:
    """Return whether a bar may be redrawn in place.

    That is so in a notebook, and on a terminal unless it is "dumb" or that of a CI job (CI is set), which is
    kept as a file.
    """
    if shows_in_notebook(stream):
        return True
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and os.environ.get("TERM") != "dumb" and not _in_ci()


def columns(stream: TextIO) -> int:
    """Return the width of the terminal that `stream` writes to; 80 where there is none or it says 0."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_COLUMNS
    except (AttributeError, OSError, ValueError):
        return DEFAULT_COLUMNS


def allows_color() -> bool:
    """Return whether escape codes for colours may be written: NO_COLOR is not set (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
