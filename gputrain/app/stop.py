"""Asking a run to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """Asks a run to end: at once where nothing can be lost, else at the end of the step.

    The first request counts; what is done because of it is not disturbed by another one.

    Attributes:
        reason: what was asked with; None before.
        hint: how to go on with a run that was ended, in words.

    Example:
        >>> stop = Stop()
        >>> signal.signal(signal.SIGTERM, lambda number, frame: stop.ask(KeyboardInterrupt()))
        >>> run(recipe, stop=stop)
    """

    def __init__(self) -> None:
        self._waits = False
        self.reason: BaseException | None = None
        self.hint = ""

    def ask(self, reason: BaseException) -> None:
        """Raise `reason`, now or as soon as it may be."""
        if self.reason is None:
            self.reason = reason
            if not self._waits:
                raise reason

    def look(self) -> None:
        """Raise what was asked for."""
        if self.reason is not None:
            raise self.reason

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it a request waits until somebody looks, or until the end."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False
        self.look()
