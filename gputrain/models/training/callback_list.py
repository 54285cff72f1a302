"""Calls many callbacks as if they were one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gputrain.models.training.callback import BatchLogs, Callback, Logs, Monitor, overrides
from gputrain.models.training.history import History
from gputrain.utils.plain import flat
from gputrain.utils.states import give, take

_HOOKS = (*(name for name in vars(Callback) if name.startswith("on_")), "samples_ahead")


def _with_logs_by_name(listener: Callable[..., Any]) -> Callable[..., Any]:
    """A batch hook as it is, or given `logs` by name, as in Keras, where it takes one argument by place."""
    try:
        inspect.signature(listener).bind(0, {})
    except TypeError:
        return lambda batch, logs: listener(batch, logs=logs)
    except ValueError:  # of some built-in functions Python knows no signature
        pass
    return listener


class CallbackList(Callback):
    """Callbacks in the order in which they are called.

    Args:
        callbacks: a callback, or lists of them, nested or not.
        add_history: add a History unless there is one.
        add_progbar: add a ProgbarLogger unless there is one; it comes last.
        model: the model they work on.
        **params: given to each callback's `set_params`: "verbose", "epochs" and "steps". "metrics" is not:
            the names that the logs of an epoch will have; a monitor that is none of them is an error.

    Raises:
        TypeError: something that is not a Callback.

    Example:
        >>> callbacks = CallbackList([EarlyStopping()], add_history=True, model=model, epochs=2, steps=10)
        >>> callbacks.on_train_begin()
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.metrics: Sequence[str] | None = params.pop("metrics", None)
        self.callbacks: list[Callback] = list(_flat(callbacks))
        self._listeners: dict[str, list[Callable[..., None]]] = {}
        self._history = self._one_of(History, add_history)
        bars = [callback for callback in self.callbacks if callback.shows_progress]
        others = [callback for callback in self.callbacks if not callback.shows_progress]
        others.sort(key=lambda callback: callback.saves_state)
        self.callbacks = [*others, *(bars or (_new_bar() if add_progbar else ()))]
        self.set_model(model)
        self.set_params(params)
        self._find_listeners()

    def append(self, callback: Callback) -> None:
        """Add a callback at the end."""
        self.callbacks.extend(_flat(callback))
        self._find_listeners()

    def __iter__(self) -> Iterator[Callback]:
        """Iterate over the callbacks in order."""
        return iter(self.callbacks)

    def listens(self, hook: str) -> bool:
        """Return whether any callback does something at `hook`, as "on_train_batch_end"."""
        return bool(self._listeners[hook])

    def set_params(self, params: dict[str, Any]) -> None:
        """Give `params` to each callback."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Give `model` to each callback."""
        if model is None:
            return
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Check what the callbacks monitor, then call each; those that resume keep their state."""
        self._find_listeners()
        self._check_monitors()
        for callback in self.callbacks:
            callback.companions = tuple(self.callbacks)
        kept = [(callback, take(callback)) for callback in self.callbacks if callback.resumes]
        self._call("on_train_begin", logs=logs)
        for callback, state in kept:
            give(callback, state)
        for callback in self.callbacks:
            callback.resumes = False

    def resumes_from(self) -> Path | None:
        """The first checkpoint that a callback names."""
        return next((path for callback in self.callbacks if (path := callback.resumes_from())), None)

    def samples_ahead(self, size: int) -> None:
        """Call each callback's `samples_ahead`."""
        for listener in self._listeners["samples_ahead"]:
            listener(size)

    def on_train_end(self, logs: Logs = None) -> None:
        """Call each callback's `on_train_end`."""
        self._call("on_train_end", logs=logs)

    def on_exception(self, exception: BaseException) -> None:
        """Call each callback's `on_exception`. Where one fails, a note of `exception` says so."""
        for listener in self._listeners["on_exception"]:
            try:
                listener(exception)
            except Exception as error:  # noqa: BLE001 - what led here must be told, and the others must hear
                if error is not exception:
                    name = getattr(listener, "__qualname__", repr(listener))
                    exception.add_note(f"{name} failed: {type(error).__name__}: {error}")

    def on_test_begin(self, logs: Logs = None) -> None:
        """Call each callback's `on_test_begin`."""
        self._call("on_test_begin", logs=logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Call each callback's `on_test_end`."""
        self._call("on_test_end", logs=logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Call each callback's `on_predict_begin`."""
        self._call("on_predict_begin", logs=logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Call each callback's `on_predict_end`."""
        self._call("on_predict_end", logs=logs)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Call each callback's `on_epoch_begin`."""
        self._call("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Call each callback's `on_epoch_end`."""
        self._call("on_epoch_end", epoch, logs=logs)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call `on_train_batch_begin` of those that override it."""
        self._call("on_train_batch_begin", batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call `on_train_batch_end` of those that override it."""
        self._call("on_train_batch_end", batch, logs=logs)

    on_batch_begin, on_batch_end = on_train_batch_begin, on_train_batch_end

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call `on_test_batch_begin` of those that override it."""
        self._call("on_test_batch_begin", batch, logs=logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call `on_test_batch_end` of those that override it."""
        self._call("on_test_batch_end", batch, logs=logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call `on_predict_batch_begin` of those that override it."""
        self._call("on_predict_batch_begin", batch, logs=logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call `on_predict_batch_end` of those that override it."""
        self._call("on_predict_batch_end", batch, logs=logs)

    def _call(self, hook: str, *place: int, logs: Logs) -> None:
        listeners = self._listeners[hook]
        if listeners:
            told = logs if isinstance(logs, BatchLogs) else _plain(logs)
            for listener in listeners:
                listener(*place, told)

    def _find_listeners(self) -> None:
        for hook in _HOOKS:
            heard = [getattr(cb, hook) for cb in self.callbacks if overrides(cb, hook)]
            self._listeners[hook] = [_with_logs_by_name(f) if "_batch_" in hook else f for f in heard]

    def _one_of(self, kind: type[Callback], add: bool) -> Callback | None:
        found = next((callback for callback in self.callbacks if isinstance(callback, kind)), None)
        if found is None and add:
            found = kind()
            self.callbacks.append(found)
        return found

    def _check_monitors(self) -> None:
        """Let each monitor check its name, unless a callback of the user's might still add it to the logs."""
        names = self.metrics
        if names is None or any(map(_may_add_logs, self.callbacks)):
            return
        for callback in self.callbacks:
            if isinstance(callback, Monitor):
                callback.check_monitor(names)


def _plain(logs: Logs) -> dict[str, Any]:
    """A dict of its own for all callbacks of a moment, in the order of the names, numbers as floats."""
    return {name: _number(value) for name, value in flat(logs).items()} if logs else {}


def _number(value: Any) -> Any:
    is_one = isinstance(value, int | float) or getattr(value, "shape", None) == ()
    return float(value) if is_one else value


def _flat(callbacks: Any) -> Iterator[Callback]:
    if callbacks is None:
        return
    if isinstance(callbacks, list | tuple | CallbackList):
        for item in callbacks:
            yield from _flat(item)
    elif isinstance(callbacks, Callback):
        yield callbacks
    else:
        raise TypeError(
            f"callbacks must be gputrain.callbacks.Callback objects. Received {callbacks!r} of type "
            f"{type(callbacks).__name__}. For a function use LambdaCallback(on_epoch_end=function)."
        )


def _may_add_logs(callback: Callback) -> bool:
    own = type(callback).__module__.startswith("gputrain.") and type(callback).__name__ != "LambdaCallback"
    return not own and overrides(callback, "on_epoch_end")


def _new_bar() -> list[Callback]:
    from gputrain.models.training.progbar_logger import ProgbarLogger

    return [ProgbarLogger()]
