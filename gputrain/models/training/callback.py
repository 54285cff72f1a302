"""The protocol that all callbacks follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from gputrain.utils.states import check_names

Logs = Mapping[str, Any] | None


class Callback:
    """Takes part in training: override the methods of the moments you need.

    Logs are a dict, empty where there is nothing to tell, to which a callback may add values for those after
    it. Those of a batch are fetched from the device when they are read, and a method that is not overridden
    costs nothing.

    Attributes:
        model: the model being trained, evaluated or predicting.
        params: {"verbose", "epochs", "steps"} of this run; "steps" is None when it is not known. None before
            the first run.
        companions: all callbacks of this run, in order; set when training begins.
        shows_progress: whether it is a bar, which comes after all others.
        saves_state: whether it saves the state of the others, and so comes after them.
        resumes: whether the state was set, so that the next fit keeps it instead of starting anew.

    Example:
        >>> class Announce(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, logs["loss"])
        >>> model.fit(x, y, callbacks=[Announce()])
    """

    shows_progress = False
    saves_state = False
    resumes = False
    companions: tuple[Callback, ...] = ()

    def __init__(self) -> None:
        self.params: Any = None
        self._model: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle has: the model too, but not the callbacks that ran beside this one."""
        return {name: value for name, value in vars(self).items() if name != "companions"}

    @property
    def model(self) -> Any:
        """The model that this callback was given."""
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the parameters of the run that begins."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model of the run that begins."""
        self._model = model

    def state(self) -> dict[str, Any]:
        """What the callback remembers from one moment to the next, as plain data and arrays by name.

        Override it with `set_state` to let a resumed training go on as if it had not been interrupted.
        """
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave.

        Raises:
            ValueError: an entry is missing or unknown.
        """
        check_names(type(self).__name__, (), state)

    def resumes_from(self) -> Path | None:
        """The checkpoint from which the fit that begins is to resume, if any."""
        return None

    def samples_ahead(self, size: int) -> None:
        """Called before each batch, or each group of them that is run together, with its samples."""

    def on_train_begin(self, logs: Logs = None) -> None:
        """Called once before the first epoch; state from an earlier fit is reset here.

        Where a fit resumes, what `set_state` set is set once more afterwards.
        """

    def on_train_end(self, logs: Logs = None) -> None:
        """Called once after the last epoch, with its logs."""

    def on_exception(self, exception: BaseException) -> None:
        """Called when an exception ends fit, instead of `on_train_end`; it is raised again afterwards."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called before an evaluation, also the one at the end of an epoch of fit."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called after an evaluation, with its results."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called after a prediction."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called before each epoch of fit. `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called after each epoch of fit and its validation; `logs` holds both, the latter as "val_..."."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Another name for `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Another name for `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before each training batch. `batch` counts from 0 within the epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after each training batch; `logs` holds the epoch's loss and metrics so far."""
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before each batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after each batch of an evaluation."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before each batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after each batch of a prediction; `logs` holds {"outputs": predictions of the batch}."""


class BatchLogs(dict[str, Any]):
    """Logs of a batch: a dict whose values are fetched from the device when the first of them is read.

    Whoever keeps them beyond the batch keeps their values: they are fetched before the next step runs.

    Args:
        names: the names of the logs.
        fetch: gives all values.
    """

    def __init__(self, names: Iterable[str], fetch: Callable[[], dict[str, Any]]) -> None:
        super().__init__(dict.fromkeys(names, math.nan))
        self._fetch = fetch
        self._fetched: dict[str, Any] | None = None

    def settle(self) -> dict[str, Any]:
        """Fetch all values unless that is done; a new dict of what the step gave."""
        if self._fetched is None:
            self._fetched = self._fetch()
            super().update(self._fetched)
        return dict(self._fetched)

    def copy(self) -> dict[str, Any]:
        """A plain dict with all values."""
        self.settle()
        return super().copy()

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()  # of its own, or dict(logs) would copy the values unread

    def __reduce__(self) -> Any:
        return dict, (self.copy(),)


def _settled(name: str) -> Callable[..., Any]:
    """A method of dict, after the values were fetched."""
    method = getattr(dict, name)

    @wraps(method)
    def settled(self: BatchLogs, *args: Any, **kwargs: Any) -> Any:
        self.settle()
        return method(self, *args, **kwargs)

    return settled


for _name in ("getitem", "setitem", "delitem", "eq", "ne", "or", "ror", "ior", "repr"):
    setattr(BatchLogs, f"__{_name}__", _settled(f"__{_name}__"))
for _name in ("get", "items", "values", "pop", "popitem", "setdefault", "update", "clear"):
    setattr(BatchLogs, _name, _settled(_name))


@runtime_checkable
class Monitor(Protocol):
    """A callback that watches a value of the logs, and can check before training that it will be there."""

    def check_monitor(self, names: Iterable[str]) -> None:
        """Refuse, with a ValueError, to watch what is none of `names`."""


_ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def overrides(callback: Callback, hook: str) -> bool:
    """Return whether `callback` does anything at `hook` ("on_train_batch_end" ...)."""
    if getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook):
        return True
    return hook in _ALIASES and overrides(callback, _ALIASES[hook])
