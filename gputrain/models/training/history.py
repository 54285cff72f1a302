"""Keeps what each epoch gave."""

from __future__ import annotations

from typing import Any

from gputrain.models.training.callback import Callback, Logs
from gputrain.utils.plain import plain


class History(Callback):
    """Records the logs of each epoch; `fit` adds one by itself and returns it.

    Attributes:
        history: {"loss": [value per epoch], ...}.
        epoch: the numbers of the epochs, counted from 0.

    Example:
        >>> history = model.fit(x, y, epochs=2)
        >>> len(history.history["loss"])
        2
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier fit."""
        self.history = {}
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Append the epoch's values."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(plain(value))
        if self.model is not None:
            self.model.history = self
