"""What `keras.backend` and `keras.utils` say about dtypes and symbolic values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import config
from gputrain.errors import DTypeError, explain
from gputrain.ir import INTEGERS, Spec, Value, dtype_name, is_float

__all__ = ["KerasTensor", "is_float_dtype", "is_int_dtype", "is_keras_tensor", "standardize_dtype"]


class _AnyValue(type):
    """Every value of a model is an instance."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Value)


class KerasTensor(Value, metaclass=_AnyValue):
    """A symbolic value: what `Input` and calls of layers on it return. Each of them is an instance.

    Args:
        shape: sizes, None where unknown.
        dtype: of its elements.
        sparse, ragged: as in Keras; not in this version, so only the defaults are taken.
        record_history: as in Keras; a value always knows the operation that makes it.
        name: a name for humans.

    Raises:
        ValueError: an argument that cannot be honoured.

    Example:
        >>> isinstance(gputrain.Input((3,)), KerasTensor)
        True
    """

    __slots__ = ()

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: str = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        for argument, given, only in (
            ("sparse", sparse, False),
            ("ragged", ragged, False),
            ("record_history", record_history, True),
        ):
            if given is not only:
                raise ValueError(explain(f"KerasTensor: {argument} must be {only}.", received=repr(given)))
        super().__init__(Spec(tuple(shape), dtype_name(dtype)), name=name or "")


def is_keras_tensor(x: Any) -> bool:
    """Return whether `x` is a symbolic value, as `Input` returns and layers return for it."""
    return isinstance(x, Value)


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a dtype: "float32" for `numpy.float32`; `config.floatx()` for None and float.

    Args:
        dtype: a name, a NumPy type or dtype, a Python type, or None.

    Raises:
        ValueError: gputrain does not compute in it.

    Example:
        >>> standardize_dtype(int)
        'int32'
    """
    if dtype is None or dtype is float:
        return config.floatx()
    try:
        return dtype_name(dtype)
    except DTypeError as error:
        raise ValueError(str(error)) from None


def is_float_dtype(dtype: Any) -> bool:
    """Return whether a dtype is one of floating-point numbers."""
    return is_float(standardize_dtype(dtype))


def is_int_dtype(dtype: Any) -> bool:
    """Return whether a dtype is one of integers."""
    return standardize_dtype(dtype) in INTEGERS
