"""Signals that end a training: Ctrl-C, SIGTERM of a scheduler, SIGHUP of a terminal that was closed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gputrain.app.cli.codes import BY_SIGNAL
from gputrain.app.stop import Stop

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Ended(KeyboardInterrupt):
    """A signal ended the command.

    Args:
        number: of the signal.

    Attributes:
        number: of the signal.
        code: the exit code, 128 more, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.code = BY_SIGNAL + number


@contextmanager
def heeded() -> Iterator[Stop]:
    """Within it the signals ask the Stop that is given. One that is ignored, as under `nohup`, stays so."""
    stop, before = Stop(), {}

    def handle(number: int, frame: Any) -> None:
        _let_go_of_lost_terminals()
        stop.ask(Ended(number))

    if threading.current_thread() is threading.main_thread():
        for number in _there():
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handle)
    try:
        yield stop
    except Exception as error:
        if stop.reason is None:
            raise
        if stop.reason not in _causes(error):  # else it came in an import, say, and was told in other words
            stop.reason.args = (str(error),)
        raise stop.reason from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """Let no signal disturb the last words of a process."""
    for number in _there():
        signal.signal(number, signal.SIG_IGN)


def _causes(error: BaseException) -> list[BaseException]:
    """What led to an error."""
    cause = error.__cause__ or error.__context__
    return [] if cause is None else [cause, *_causes(cause)]


def _there() -> list[signal.Signals]:
    return [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


def _let_go_of_lost_terminals() -> None:
    """Write nowhere what nobody can see any more; writing to a terminal that was closed is an error."""
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None and os.isatty(stream.fileno()):
                os.write(stream.fileno(), b"")
        except (OSError, ValueError):
            if stream is not None and not stream.closed:
                with open(os.devnull, "wb") as nowhere:
                    os.dup2(nowhere.fileno(), stream.fileno())
