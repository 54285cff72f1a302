"""Ends training when it no longer helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.callbacks import arguments
from gputrain.callbacks.monitor import MonitorCallback
from gputrain.models.training.callback import Logs
from gputrain.utils.progress.bar import show_line
from gputrain.utils.states import check_names


class EarlyStopping(MonitorCallback):
    """Stops training when the monitored value has not got better for `patience` epochs.

    Args:
        monitor: name of the value in the logs of an epoch.
        min_delta: the least change that counts as better.
        patience: number of epochs without improvement after which training stops.
        verbose: 1 says when it acts, 0 does not.
        mode: "min", "max", or "auto", which goes by the metric.
        baseline: a value to beat; epochs that do not beat it count as without improvement.
        restore_best_weights: at the end, set the weights of the epoch with the best value, whether training
            was stopped or ran to its end, and whether or not that value beat the baseline.
        start_from_epoch: how many epochs pass before watching begins.

    Raises:
        ValueError: an argument out of its range; in training, a monitor that the logs do not hold.

    Example:
        >>> stop = EarlyStopping(monitor="val_accuracy", patience=3, restore_best_weights=True)
        >>> model.fit(x, y, epochs=100, validation_split=0.1, callbacks=[stop])
    """

    remembered = (*MonitorCallback.remembered, "wait", "stopped_epoch", "best_epoch")
    wait: int
    stopped_epoch: int
    best_epoch: int
    best_weights: Any

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = arguments.whole(self, "patience", patience)
        self.verbose = arguments.verbosity(self, verbose)
        self.baseline = None if baseline is None else arguments.number(self, "baseline", baseline)
        self.restore_best_weights = arguments.flag(self, "restore_best_weights", restore_best_weights)
        self.start_from_epoch = arguments.whole(self, "start_from_epoch", start_from_epoch)
        self._reset()

    def state(self) -> dict[str, Any]:
        """What `remembered` names, and the best weights by their places, where they are kept."""
        best = self.best_weights
        names = self.model.named_variables() if best is not None else ()
        return {**super().state(), "best_weights": dict(zip(names, best or (), strict=True))}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave.

        Raises:
            ValueError: an entry is missing or unknown, or best weights are not those of the model.
        """
        check_names("EarlyStopping", (*self.remembered, "best_weights"), state)
        best = state["best_weights"]
        if best:
            check_names("EarlyStopping, best_weights", self.model.named_variables(), best)
        super().set_state({name: state[name] for name in self.remembered})
        self.best_weights = [best[name] for name in self.model.named_variables()] if best else None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier fit."""
        super().on_train_begin(logs)
        self._reset()

    def get_monitor_value(self, logs: Logs) -> float | None:
        """What is watched in an epoch's logs; a subclass may compute it. None in an epoch without it."""
        return self.current(logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare the epoch's value with the best one."""
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self._keep(epoch, value)
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Set the best weights, if asked for."""
        super().on_train_end(logs)
        if self.stopped_epoch > 0 and self.verbose > 0:
            show_line(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                show_line(f"Restoring the weights of epoch {self.best_epoch + 1}, the best.")
            self.model.set_weights(self.best_weights)

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best_weights = None

    def _keep(self, epoch: int, value: float) -> None:
        self.best = value
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()
