"""Keeps what each epoch gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.models.training.callback import Callback, Logs
from gputrain.utils.plain import plain
from gputrain.utils.states import check_names


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

    def state(self) -> dict[str, Any]:
        """The epochs and their values so far."""
        return {"epoch": list(self.epoch), "history": {k: list(v) for k, v in self.history.items()}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the epochs and values that `state` gave."""
        check_names("History", ("epoch", "history"), state)
        self.epoch = [int(number) for number in state["epoch"]]
        self.history = {name: list(values) for name, values in state["history"].items()}

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
