"""Callbacks that set the learning rate, and what they share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gputrain.callbacks import arguments
from gputrain.callbacks.monitor import MonitorCallback
from gputrain.errors import explain
from gputrain.models.training.callback import Callback, Logs
from gputrain.names import unknown_argument
from gputrain.utils.plain import plain
from gputrain.utils.progress.bar import show_line
from gputrain.utils.states import check_names


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch; the epoch's logs get it as "learning_rate".

    Args:
        schedule: function of (epoch, learning rate so far), or of (epoch), that returns the new learning rate
            as a float. Epochs count from 0.
        verbose: 1 says what is set, 0 does not.

    Raises:
        TypeError: `schedule` is no function of one or two arguments; when training begins, the optimizer has
            a LearningRateSchedule, which sets the rate itself.
        ValueError: in training, a schedule that returns no float, or one that cannot be a learning rate.

    Example:
        >>> halve = LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate)
        >>> model.fit(x, y, epochs=3, callbacks=[halve])
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self._arguments = _count_arguments(schedule)
        self.schedule = schedule
        self.verbose = arguments.verbosity(self, verbose)
        self._epoch = -1  # whose rate is set

    def state(self) -> dict[str, Any]:
        """The epoch whose rate is set; the rate itself is the optimizer's."""
        return {"epoch": self._epoch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Remember which epoch has its rate: where training goes on in its middle, it is not set again."""
        check_names("LearningRateScheduler", ("epoch",), state)
        self._epoch = int(state["epoch"])

    def on_train_begin(self, logs: Logs = None) -> None:
        """Refuse an optimizer whose rate is not to be set."""
        self._epoch = -1
        _require_settable(self)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Ask the schedule and set the rate."""
        if epoch == self._epoch:
            return
        self._epoch = epoch
        rate = self.schedule(*(epoch, _rate(self.model))[: self._arguments])
        if not isinstance(rate, float | np.floating):
            raise ValueError(
                explain(
                    f"LearningRateScheduler: the schedule must return a float, in epoch {epoch} as in all.",
                    received=f"{rate!r} of type {type(rate).__name__}",
                    fix="Return float(...).",
                )
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            _say(self, epoch, "setting", float(rate))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the rate to the logs."""
        _log_rate(self.model, logs)


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate when the monitored value has not got better for `patience` epochs.

    The logs of each epoch get the rate it was trained with as "learning_rate".

    Args:
        monitor: name of the value in the logs of an epoch.
        factor: what the rate is multiplied by, between 0 and 1.
        patience: number of epochs without improvement after which the rate is lowered.
        verbose: 1 says when it acts, 0 does not.
        mode: "min", "max", or "auto", which goes by the metric.
        min_delta: the least change that counts as better.
        cooldown: number of epochs after a lowering in which none without improvement is counted.
        min_lr: the rate is not lowered below this.
        **kwargs: nothing; there to be refused by name.

    Raises:
        ValueError: an argument out of its range; in training, a monitor that the logs do not hold.
        TypeError: an unknown argument; when training begins, the optimizer has a LearningRateSchedule, which
            sets the rate itself.

    Example:
        >>> plateau = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=1e-5)
        >>> model.fit(x, y, epochs=100, validation_split=0.1, callbacks=[plateau])
    """

    remembered = (*MonitorCallback.remembered, "wait", "cooldown_counter")
    wait: int
    cooldown_counter: int

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        _refuse_unknown(kwargs)
        self.factor = arguments.share(self, "factor", factor)
        self.patience = arguments.whole(self, "patience", patience)
        self.verbose = arguments.verbosity(self, verbose)
        self.cooldown = arguments.whole(self, "cooldown", cooldown)
        self.min_lr = arguments.number(self, "min_lr", min_lr, 0.0)
        self._reset()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier fit, and refuse an optimizer whose rate is not to be set."""
        super().on_train_begin(logs)
        self._reset()
        _require_settable(self)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare the epoch's value with the best one."""
        _log_rate(self.model, logs)
        value = self.current(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._lower(epoch)

    def in_cooldown(self) -> bool:
        """Return whether epochs without improvement are not counted now."""
        return self.cooldown_counter > 0

    def _lower(self, epoch: int) -> None:
        old = _rate(self.model)
        if old <= float(np.float32(self.min_lr)):  # the precision that the optimizer's rate has
            return
        new = max(old * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = new
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose > 0:
            _say(self, epoch, "reducing", new)

    def _reset(self) -> None:
        self.wait = 0
        self.cooldown_counter = 0


def _rate(model: Any) -> float:
    return float(plain(model.optimizer.learning_rate))


def _log_rate(model: Any, logs: Logs) -> None:
    if isinstance(logs, dict):
        logs["learning_rate"] = _rate(model)


def _say(callback: Callback, epoch: int, deed: str, rate: float) -> None:
    show_line(f"Epoch {epoch + 1}: {type(callback).__name__} {deed} the learning rate to {rate:.6g}.")


def _require_settable(callback: Callback) -> None:
    """Set the rate to what it is, which an optimizer with a schedule refuses."""
    optimizer = callback.model.optimizer
    try:
        optimizer.learning_rate = _rate(callback.model)
    except TypeError as error:
        raise TypeError(
            explain(
                f"{type(callback).__name__} needs an optimizer whose learning rate can be set.",
                received="one with a LearningRateSchedule",
                fix="Create the optimizer with a number, or leave this callback out.",
            )
        ) from error


def _count_arguments(schedule: Any) -> int:
    """Return whether to call `schedule` with 2 arguments or with 1."""
    if callable(schedule):
        for given in ((0, 0.1), (0,)):
            try:
                inspect.signature(schedule).bind(*given)
            except TypeError:
                continue
            except ValueError:  # built in, and does not say what it takes
                return 2
            return len(given)
    raise TypeError(
        explain(
            "LearningRateScheduler: schedule must be a function of (epoch, learning rate) or (epoch).",
            received=repr(schedule),
        )
    )


def _refuse_unknown(given: dict[str, Any]) -> None:
    if given:
        name = next(iter(given))
        known = [known for known in inspect.signature(ReduceLROnPlateau).parameters if known != "kwargs"]
        raise TypeError(f"ReduceLROnPlateau: unknown argument {name!r}. {unknown_argument(name, known)}")
