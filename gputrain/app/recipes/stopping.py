"""Ends a training at the end of a step, with its state saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain import callbacks
from gputrain.app.stop import Stop


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
