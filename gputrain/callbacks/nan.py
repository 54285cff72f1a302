"""Ends training at a loss that is no number."""

from __future__ import annotations

import math

from gputrain.callbacks import arguments
from gputrain.models.training.callback import Callback, Logs
from gputrain.utils.plain import plain
from gputrain.utils.progress.bar import show_line


class TerminateOnNaN(Callback):
    """Stops training when the loss becomes NaN or infinite.

    It reads the loss after every batch, which makes the host wait for the device each time.

    Args:
        raise_error: raise instead of stopping, so that no callback's `on_train_end` runs.

    Raises:
        RuntimeError: in training, with raise_error, at the first such loss.

    Example:
        >>> model.fit(x, y, callbacks=[TerminateOnNaN()])
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = arguments.flag(self, "raise_error", raise_error)

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the loss."""
        loss = None if logs is None else logs.get("loss")
        if loss is None or math.isfinite(plain(loss)):
            return
        message = f"Batch {batch}: the loss is {plain(loss)}; training stops."
        if self.raise_error:
            raise RuntimeError(f"{message} Lower the learning rate, or find the cause with run_eagerly=True.")
        show_line(message)
        self.model.stop_training = True
