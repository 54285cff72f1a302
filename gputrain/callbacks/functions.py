"""A callback from plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gputrain.models.training.callback import Callback
from gputrain.names import did_you_mean

Hook = Callable[..., Any] | None


class LambdaCallback(Callback):
    """Calls a function at each moment that one is given for.

    Args:
        on_epoch_begin: called with (epoch, logs).
        on_epoch_end: called with (epoch, logs).
        on_train_begin: called with (logs).
        on_train_end: called with (logs).
        on_train_batch_begin: called with (batch, logs).
        on_train_batch_end: called with (batch, logs).
        **kwargs: functions for the other methods of Callback, by their names.

    Raises:
        TypeError: a name that is no method of Callback, or something that cannot be called.

    Example:
        >>> LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Hook = None,
        on_epoch_end: Hook = None,
        on_train_begin: Hook = None,
        on_train_end: Hook = None,
        on_train_batch_begin: Hook = None,
        on_train_batch_end: Hook = None,
        **kwargs: Hook,
    ) -> None:
        super().__init__()
        named = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for hook, function in {**named, **kwargs}.items():
            if function is not None:
                _check(hook, function)
                setattr(self, hook, function)


def _check(hook: str, function: Any) -> None:
    hooks = [name for name in vars(Callback) if name.startswith("on_")]
    if hook not in hooks:
        raise TypeError(f"LambdaCallback: Callback has no method {hook!r}. {did_you_mean(hook, hooks)}")
    if not callable(function):
        raise TypeError(f"LambdaCallback: {hook} must be a function. Received {function!r}.")
