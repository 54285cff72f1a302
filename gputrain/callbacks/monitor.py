"""What callbacks share that watch one value of the logs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from gputrain.callbacks import arguments
from gputrain.errors import explain
from gputrain.metrics.directions import direction_of
from gputrain.models.training.callback import Callback, Logs
from gputrain.names import did_you_mean
from gputrain.utils.plain import plain
from gputrain.utils.states import check_names

_MODES = ("auto", "min", "max")


def rises_by_name(name: str) -> bool | None:
    """Return whether greater is better, going by a name; None where that does not tell.

    Example:
        >>> rises_by_name("val_accuracy"), rises_by_name("test_loss"), rises_by_name("epochs")
        (True, False, None)
    """
    return {"up": True, "down": False, None: None}[direction_of(name)]


class MonitorCallback(Callback):
    """Watches one value and tells whether it got better. NaN is never better than anything.

    Args:
        monitor: name of the value in the logs of an epoch.
        mode: "min", "max", or "auto", which goes by the metric's own direction, then by its name.
        min_delta: the least change that counts.

    Raises:
        ValueError: an unknown mode, a monitor that is no text, a min_delta that is not finite.
    """

    remembered: ClassVar[tuple[str, ...]] = ("best", "rises", "seen")  # from epoch to epoch: its state

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in _MODES:
            raise ValueError(
                f"{type(self).__name__}: unknown mode {mode!r}. {did_you_mean(str(mode), _MODES)}"
            )
        if not isinstance(monitor, str) or not monitor:
            rule = f"{type(self).__name__}: monitor must be a name in the logs of an epoch."
            raise ValueError(explain(rule, received=repr(monitor)))
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(arguments.number(self, "min_delta", min_delta))
        self.best: float | None = None
        self.rises: bool | None = None
        self.seen = False

    def state(self) -> dict[str, Any]:
        """The best value so far, which way is better, and whether the value was ever in the logs."""
        return {name: getattr(self, name) for name in self.remembered}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""
        check_names(type(self).__name__, self.remembered, state)
        for name in self.remembered:
            setattr(self, name, state[name])

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier fit."""
        self.best = None
        self.rises = None
        self.seen = False

    def on_train_end(self, logs: Logs = None) -> None:
        """Warn when the monitored value was never in the logs."""
        if not self.seen and logs:
            warnings.warn(
                f"{type(self).__name__} did nothing: {self.monitor!r} was in the logs of no epoch. "
                f"Pass validation data, or monitor one of: {', '.join(sorted(logs))}.",
                stacklevel=2,
            )

    def check_monitor(self, names: Iterable[str]) -> None:
        """Check before the first epoch that the logs will hold what is monitored, and which way is better.

        Raises:
            ValueError: they will not, with the names that they will hold; or nothing tells which way.
        """
        names = list(names)
        if self.monitor not in names:
            raise ValueError(self._unknown(names))
        self._direction()

    def current(self, logs: Logs) -> float | None:
        """Return the monitored value, or None in an epoch without validation.

        Raises:
            ValueError: the logs hold no such name, or an array of that name.
        """
        logs = {} if logs is None else logs
        if self.monitor in logs:
            self.seen = True
            return self._as_number(plain(logs[self.monitor]))
        validated = any(name.startswith("val_") for name in logs)
        awaited = self.monitor.startswith("val_") and self.monitor[4:] in logs
        if self.seen or (awaited and not validated):
            return None
        raise ValueError(self._unknown(logs))

    def _as_number(self, value: Any) -> float:
        """The monitored value, which has to be one number.

        Raises:
            ValueError: it is an array.
        """
        if getattr(value, "shape", ()):
            rule = f"{type(self).__name__} monitors one number."
            fix = 'Let the metric average, as F1Score(average="macro") does.'
            received = f"{self.monitor!r}, an array of shape {value.shape}"
            raise ValueError(explain(rule, received=received, fix=fix))
        return float(value)

    def improves(self, value: float, reference: float | None) -> bool:
        """Return whether `value` is better than `reference` by more than min_delta; anything is than None.

        Raises:
            ValueError: mode is "auto" and nothing tells which way is better.
        """
        if self.rises is None:
            self.rises = self._direction()
        if math.isnan(value):
            return False
        if reference is None:
            return True
        return value - self.min_delta > reference if self.rises else value + self.min_delta < reference

    def _direction(self) -> bool:
        """Return True when greater is better."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "metrics", None) or ():
            logged = metric.logged()
            own = direction_of(logged[name]) if name in logged else None
            if own is not None:
                return own == "up"
        rises = rises_by_name(name)
        if rises is not None:
            return rises
        raise ValueError(
            f"{type(self).__name__}: whether {self.monitor!r} should rise or fall is not known. "
            f"Pass mode='max' or mode='min'."
        )

    def _unknown(self, names: Iterable[str]) -> str:
        names = list(names)
        unvalidated = self.monitor.startswith("val_") and not any(name.startswith("val_") for name in names)
        return (
            f"{type(self).__name__}: monitor must be a name in the logs of an epoch. "
            f"Received {self.monitor!r}. {did_you_mean(self.monitor, names)}"
            + (" Pass validation data to fit to have val_ names." if unvalidated else "")
        )
