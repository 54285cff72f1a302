"""Lets whoever runs a training end it at the end of a step, with its state saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gputrain import callbacks


class Stop:
    """Asks a run to end: at once where nothing can be lost, else at the end of the step.

    The first request counts; what is done because of it is not disturbed by another one.

    Example:
        >>> stop = Stop()
        >>> signal.signal(signal.SIGTERM, lambda number, frame: stop.ask(KeyboardInterrupt()))
        >>> run(recipe, stop=stop)
    """

    def __init__(self) -> None:
        self._waits = False
        self.reason: BaseException | None = None

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


class StopAtStep(callbacks.Callback):
    """Ends fit when it was asked to: after a batch, or an epoch, or within its validation. Saves the state.

    Args:
        stop: says whether.
        backup: what saves the state; it comes before this one.
    """

    saves_state = True

    def __init__(self, stop: Stop, backup: callbacks.BackupAndRestore) -> None:
        super().__init__()
        self._stop, self._backup = stop, backup

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look."""
        self._stop.look()

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look."""
        self._stop.look()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look."""
        self._stop.look()

    def on_exception(self, exception: BaseException) -> None:
        """Save the state after the last step."""
        if exception is self._stop.reason:
            self._backup.save()
