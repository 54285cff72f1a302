"""A terminal to look at: a pseudo-terminal of the system, and what a screen shows of its bytes."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import threading
from typing import Any

import pytest

_TOKEN = re.compile(r"\x1b\[(\d*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class PseudoTerminal:
    """Streams of one terminal. Used in a `with` block; afterwards `text` holds all that was written.

    Args:
        width: columns.
    """

    def __init__(self, width: int = 100) -> None:
        self.width = width
        self.text = ""
        self._streams: list[Any] = []

    def __enter__(self) -> PseudoTerminal:
        self._master, self._slave = os.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self.width, 0, 0))
        # A terminal holds a few kilobytes; a reader of its own keeps writers from waiting.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *reason: object) -> None:
        for stream in self._streams:
            stream.close()
        os.close(self._slave)
        self._reader.join()
        os.close(self._master)

    def stream(self) -> Any:
        """A text stream to the terminal."""
        self._streams.append(os.fdopen(os.dup(self._slave), "w", encoding="utf-8"))
        return self._streams[-1]

    def screen(self) -> list[str]:
        return screen(self.text)

    def _read(self) -> None:
        data = b""
        while True:
            try:
                data += (part := os.read(self._master, 65536))
            except OSError:  # Linux's way to say that all writers have closed
                break
            if not part:
                break
        self.text = data.decode()


def screen(text: str) -> list[str]:
    """The lines that stand on a screen after `text`: returns, line feeds, colours, cursor up."""
    rows, row, column = [""], 0, 0
    for token in _TOKEN.finditer(text):
        whole, (count, command) = token.group(), token.groups()
        if command == "A":
            row -= int(count or 1)
            assert row >= 0, "the cursor left the screen"
        elif whole == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif whole == "\r":
            column = 0
        elif command != "m":
            assert command is None, f"unknown escape {whole!r}"
            before = rows[row].ljust(column)
            rows[row] = before[:column] + whole + before[column + len(whole) :]
            column += len(whole)
    return [line.rstrip() for line in rows]


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment to that of an ordinary terminal, in which bars move."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
