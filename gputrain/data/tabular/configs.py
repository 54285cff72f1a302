"""Reading plain configs that may come from anybody: every value checked, one error."""

from __future__ import annotations

import reprlib
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import DataError


def broken(where: str, expected: str, received: object) -> DataError:
    """Return (not raise) the error that a config does not hold what it should."""
    rule = f"A table's config is damaged at {where}."
    fix = "Take it from the run that made it, or fit again."
    return DataError(rule, expected=expected, received=reprlib.repr(received), fix=fix)


def mapping(config: Any, where: str) -> dict[str, Any]:
    """Return `config` if it is a dict with text keys."""
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise broken(where, "a mapping with text keys", config)
    return config


def fields(config: Any, where: str, names: Collection[str], *, some: bool = False) -> dict[str, Any]:
    """Return `config` if it is a dict whose keys are `names`, or `some` of them."""
    found = mapping(config, where)
    if set(found) - set(names) or (not some and set(names) - set(found)):
        raise broken(where, f"the keys {sorted(names)}", sorted(found))
    return found


def text(value: Any, where: str) -> str:
    """Return `value` if it is text."""
    return _of(str, "text", value, where)


def flag(value: Any, where: str) -> bool:
    """Return `value` if it is True or False."""
    return _of(bool, "true or false", value, where)


def items(value: Any, where: str) -> list[Any]:
    """Return `value` if it is a list."""
    return list(_of((list, tuple), "a list", value, where))


def distinct_texts(value: Any, where: str) -> tuple[str, ...]:
    """Return `value` as a tuple if it is a list of different texts."""
    found = items(value, where)
    if not all(isinstance(item, str) for item in found) or len(set(found)) < len(found):
        raise broken(where, "a list of different texts", value)
    return tuple(found)


def number(value: Any, where: str) -> float:
    """Return `value` if it is a finite number."""
    return float(numbers([value], where, (1,))[0])


def numbers(value: Any, where: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return `value`, nested lists of finite numbers, as float64 of `shape`."""
    array = _rectangular(value, where, shape)
    if array.dtype.kind not in "if" and array.size:
        raise broken(where, "numbers", value)
    floats = array.astype(np.float64)
    if not np.isfinite(floats).all():
        raise broken(where, "finite numbers", value)
    return floats


def indices(value: Any, where: str, shape: tuple[int, ...], limit: int) -> NDArray[np.int64]:
    """Return `value`, nested lists of integers from 0 to `limit` - 1, as int64 of `shape`."""
    array = _rectangular(value, where, shape)
    if array.size and (array.dtype.kind != "i" or array.min() < 0 or array.max() >= limit):
        raise broken(where, f"integers from 0 to {limit - 1}", value)
    return array.astype(np.int64)


def _of(types: type | tuple[type, ...], words: str, value: Any, where: str) -> Any:
    if not isinstance(value, types):
        raise broken(where, words, value)
    return value


def _rectangular(value: Any, where: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = np.array(items(value, where))
    except ValueError as error:  # ragged, or too deep
        raise broken(where, f"lists of shape {shape}", value) from error
    if array.shape != shape:
        raise broken(where, f"lists of shape {shape}", value)
    return array
