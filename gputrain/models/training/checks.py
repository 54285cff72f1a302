"""Checks of the arguments of fit, evaluate and predict, made before anything else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from gputrain import losses, metrics
from gputrain.errors import explain
from gputrain.models.training.objectives import ACCURACY, CROSSENTROPY, identifiers
from gputrain.names import unknown_arguments
from gputrain.utils.dtypes import is_number
from gputrain.utils.signatures import on_or_off

Method = TypeVar("Method", bound=Callable[..., Any])


def names_arguments(method: Method) -> Method:
    """A method that refuses arguments it does not have with the nearest one, or with what to do instead."""
    known = list(inspect.signature(method).parameters)[1:]

    @wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        unknown = kwargs.keys() - known
        if unknown:
            rule = f"{type(self).__name__}.{method.__name__}: unknown argument."
            received = ", ".join(sorted(unknown))
            raise TypeError(explain(rule, received=received, fix=unknown_arguments(unknown, known)))
        return method(self, *args, **kwargs)

    return called  # type: ignore[return-value]


def count(name: str, value: Any, default: int | None = None) -> Any:
    """A positive int; None gives the default.

    Raises:
        ValueError: anything else.
    """
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(explain(f"{name} must be a positive int.", received=repr(value)))
    return int(value)


def epochs(name: str, value: Any) -> int:
    """A non-negative int.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(explain(f"fit: {name} must be a non-negative int.", received=repr(value)))
    return int(value)


def share(value: Any) -> float:
    """validation_split: a share below 1; None counts as 0.

    Raises:
        ValueError: anything else.
    """
    if value is None:
        return 0.0
    if not is_number(value) or not 0 <= value < 1:
        rule = "fit: validation_split is a share."
        raise ValueError(explain(rule, expected="0 <= validation_split < 1", received=repr(value)))
    return value


def frequency(value: Any) -> Any:
    """validation_freq: a positive int, or epochs counted from 1.

    Raises:
        ValueError: anything else.
    """
    listed = value if isinstance(value, list | tuple | set | range) else [value]
    for item in listed:
        if isinstance(item, bool) or not isinstance(item, int | np.integer) or item < 1:
            rule = "fit: validation_freq is a positive int, or a list of epochs counted from 1."
            raise ValueError(explain(rule, received=repr(value)))
    return value


def verbosity(value: Any) -> Any:
    """verbose: 0, 1, 2 or "auto".

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, str | int) and value in (0, 1, 2, "auto"):
        return value
    raise ValueError(explain("verbose is a level.", expected='0, 1, 2 or "auto"', received=repr(value)))


def flag(name: str, value: Any) -> bool:
    """True or False; None counts as False.

    Raises:
        ValueError: anything else.
    """
    return on_or_off(value, name, also=(None,))


def shuffle(value: Any) -> bool | str:
    """True, False or "batch"; None counts as False.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, str) and value == "batch":
        return value
    if value is not None and not isinstance(value, bool | np.bool_):
        raise ValueError(explain('fit: shuffle must be True, False or "batch".', received=repr(value)))
    return bool(value)


def jit_compile(value: Any) -> None:
    """ "auto", True or False, which come to the same: every model is compiled, and steps are equal.

    Raises:
        ValueError: anything else.
    """
    if not (value == "auto" or value is None or isinstance(value, bool | np.bool_)):
        rule = 'compile: jit_compile must be "auto", True or False.'
        raise ValueError(explain(rule, received=repr(value)))


def factors(value: Any) -> None:
    """loss_weights: a number, or numbers by output in a list or dict; None for none.

    Raises:
        ValueError: anything else, such as the metrics that Keras 2 took in this place.
    """
    for factor in identifiers(value):
        if factor is not None and not is_number(factor):
            rule = "compile: loss_weights is a number, or a list or dict of numbers by output."
            metric = isinstance(factor, str | metrics.Metric) or callable(factor)
            fix = f"Metrics are named: write metrics={value!r}." if metric else None
            raise ValueError(explain(rule, received=repr(value), fix=fix))


def names(loss: Any, *wanted: Any) -> None:
    """Look up losses and metrics when a model is compiled, so that a wrong one fails there.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: what stands for no loss or metric, as a number.
    """
    for item in identifiers(loss):
        if not _is_one_of(item, CROSSENTROPY):
            losses.get(item)
    for item in identifiers(wanted):
        if not _is_one_of(item, ACCURACY + CROSSENTROPY):
            metrics.get(item)


def _is_one_of(item: Any, words: tuple[str, ...]) -> bool:
    return isinstance(item, str) and item.lower() in words
