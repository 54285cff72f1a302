"""Ctrl-C that waits for the end of what must not be cut in two."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Thread(threading.local):
    depth = 0  # undivided blocks around the running line
    pressed = False  # whether Ctrl-C came within them


_thread = _Thread()


class _Undivided:
    """A block that Ctrl-C does not cut: `with undivided:`, in blocks of their own or within each other.

    Every change of these two attributes is safe at any moment at which Python may call the handler: before
    `depth` is raised, and after it is lowered, nothing of the block is under way.
    """

    def __enter__(self) -> None:
        _thread.depth += 1

    def __exit__(self, *error: object) -> None:
        _thread.depth -= 1
        if _thread.pressed and not _thread.depth:
            _thread.pressed = False
            raise KeyboardInterrupt


undivided = _Undivided()


@contextmanager
def deferring() -> Iterator[None]:
    """Within it Ctrl-C waits for the end of an `undivided` block, and acts at once outside of one.

    That is so in the main thread and where Python's own handler of Ctrl-C is in place. Elsewhere, and for all
    other signals, nothing changes.
    """
    import signal  # for those who train

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, _pressed)
        yield
    finally:
        with undivided:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _pressed(number: int, frame: Any) -> None:
    _thread.pressed = bool(_thread.depth)
    if not _thread.depth:
        raise KeyboardInterrupt
