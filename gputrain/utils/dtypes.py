"""NumPy dtypes from what users write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gputrain import config

# What Python calls its numbers, as Keras takes it.
_PYTHON_TYPES: dict[Any, str] = {float: "float32", int: "int32", bool: "bool", "int": "int32"}


def meant_dtype(dtype: Any) -> Any:
    """What NumPy calls a dtype that Keras has other words for; anything else as it is.

    Args:
        dtype: Python's float, int and bool; a dtype policy of Keras, as an object or as its config, which
            stands for the dtype it is named after.
    """
    if isinstance(dtype, str | type):
        return _PYTHON_TYPES.get(dtype, dtype)
    if isinstance(dtype, Mapping):
        settings = dtype.get("config")
        return str(settings.get("name", dtype) if isinstance(settings, Mapping) else dtype)
    return str(dtype.name) if hasattr(dtype, "compute_dtype") else dtype


def as_dtype(dtype: Any, where: str) -> np.dtype[Any]:
    """Return the NumPy dtype that `dtype` names; None means `config.floatx()`.

    Args:
        dtype: a name ("float32"), a NumPy type or dtype, or None.
        where: who asks, for the error.

    Raises:
        ValueError: NumPy knows no such dtype.
    """
    name = config.floatx() if dtype is None else meant_dtype(dtype)
    try:
        return np.dtype(name)
    except TypeError:
        raise ValueError(
            f"{where}: dtype must be one that NumPy knows, as 'float32'. Received {dtype!r}."
        ) from None


def as_float_dtype(dtype: Any, where: str) -> np.dtype[Any]:
    """Return the NumPy float dtype that `dtype` names; None means `config.floatx()`.

    Raises:
        ValueError: not one of float16, float32, float64.
    """
    found = as_dtype(dtype, where)
    if found.kind != "f" or found.itemsize > 8:
        raise ValueError(
            f"{where}: dtype must be float16, float32 or float64. Received {dtype!r}. "
            f"Cast the result for any other type."
        )
    return found


def is_number(value: Any) -> bool:
    """Whether a value is a number of Python or NumPy, and no bool."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def as_number(value: Any, where: str, least: float = -math.inf) -> float:
    """Return a finite number of at least `least` as a float.

    Raises:
        ValueError: anything else.
    """
    if not is_number(value) or not math.isfinite(value) or value < least:
        known = "a finite number" if least == -math.inf else f"a finite number of at least {least:g}"
        raise ValueError(f"{where} must be {known}. Received {value!r}.")
    return float(value)


def as_shape(shape: Any, where: str) -> tuple[int, ...]:
    """Return `shape` (an int or a sequence of ints, each >= 0) as a tuple of ints.

    Raises:
        ValueError: an unknown (None), negative or non-integer dimension.
    """
    try:
        dims = (shape,) if hasattr(shape, "__index__") else tuple(shape)
        checked = tuple(dim.__index__() for dim in dims)
    except (TypeError, AttributeError):
        checked = (-1,)
    if any(dim < 0 for dim in checked):
        raise ValueError(f"{where}: shape must be a tuple of integers >= 0. Received {shape!r}.")
    return checked
