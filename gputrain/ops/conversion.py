"""Between a user's arrays and those of the device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import GraphError, explain
from gputrain.ir import Stored, Value, as_tensor, dtype_name, interpreter
from gputrain.ops.base import convert
from gputrain.utils.signatures import only_taken

__all__ = ["array", "convert_to_numpy", "convert_to_tensor"]


def convert_to_tensor(x: Any, dtype: str | None = None, sparse: Any = None, ragged: Any = None) -> Any:
    """`x` as operations take it: an array of the current device, or the Value it is.

    Args:
        x: numbers in nested lists, an array, a Variable or a Value, shape (...).
        dtype: None keeps an array's own; lists of floats become `config.floatx()`, of integers int32.
        sparse, ragged: of Keras; only None and False are taken.

    Returns:
        An array or Value of the shape of x.

    Example:
        >>> convert_to_tensor([1.0, 2.0]).dtype
        dtype('float32')
    """
    only_taken("sparse", sparse, "convert_to_tensor")
    only_taken("ragged", ragged, "convert_to_tensor")
    return as_tensor(convert(x, None if dtype is None else dtype_name(dtype)))


def array(x: Any, dtype: str | None = None) -> Any:
    """The same as `convert_to_tensor`, under NumPy's name."""
    return convert_to_tensor(x, dtype)


def convert_to_numpy(x: Any) -> NDArray[Any]:
    """The contents of an array, Variable or nested lists as a NumPy array.

    Raises:
        GraphError: a value of a model that is being traced, which has no contents yet.

    Example:
        >>> convert_to_numpy([1.0, 2.0])
        array([1., 2.], dtype=float32)
    """
    if isinstance(x, Value):
        raise GraphError(
            explain(
                "convert_to_numpy needs numbers; a value has none while its model is traced.",
                received=x,
                fix="Compute with gputrain.ops there, or convert what predict() returns.",
            )
        )
    if isinstance(x, Stored):
        return np.asarray(x.numpy())
    return np.asarray(interpreter.current().host(convert_to_tensor(x)))
