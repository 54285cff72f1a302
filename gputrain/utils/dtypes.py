"""NumPy dtypes from what users write."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import config


def as_dtype(dtype: Any, where: str) -> np.dtype[Any]:
    """Return the NumPy dtype that `dtype` names; None means `config.floatx()`.

    Args:
        dtype: a name ("float32"), a NumPy type or dtype, or None.
        where: who asks, for the error.

    Raises:
        ValueError: NumPy knows no such dtype.
    """
    name = config.floatx() if dtype is None else dtype
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
