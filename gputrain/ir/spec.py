"""Spec: the shape and dtype of a value, known before anything runs. Unknown sizes are None."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.names import nearest
from gputrain.utils.dtypes import meant_dtype

Dim = int | None
Shape = tuple[Dim, ...]

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *INTEGERS, "bool")
_NAMES = {np.dtype(name): name for name in DTYPES}  # NumPy makes the name anew at each question


_TEXT = (
    "A layer makes numbers of text before the model: layer = keras.layers.TextVectorization(), or "
    "StringLookup() for categories; layer.adapt(texts); x = layer(texts); then the model begins with "
    "keras.Input(x.shape[1:], dtype=x.dtype), and model.fit(x, y). docs/text.md shows it."
)


def dtype_name(dtype: object) -> str:
    """Name of `dtype` ("float32"), checked against the dtypes gputrain computes in.

    Args:
        dtype: a name, a NumPy dtype, one of Python's number types, or a dtype policy of Keras that computes
            in the dtype it keeps, as an object or as its config.
    """
    usual = _NAMES.get(dtype) if isinstance(dtype, np.dtype) else None
    if usual is not None:
        return usual
    given = meant_dtype(dtype)
    try:
        name = given if isinstance(given, str) else np.dtype(given).name
    except TypeError:
        name = str(given)
    if name not in DTYPES:
        if name.startswith(("str", "bytes")):
            raise DTypeError(explain("Models compute with numbers, not with text.", received=name, fix=_TEXT))
        mixed, close = name.startswith("mixed_"), nearest(name, DTYPES)
        hint = _TEXT if name == "object" else f"Did you mean {close!r}?" if close else None
        raise DTypeError(
            explain(
                f"Not a dtype gputrain {'keeps weights and computes' if mixed else 'computes'} in.",
                expected=", ".join(DTYPES),
                received=name,
                fix="There is no mixed precision: take float32, or float16 for all of it." if mixed else hint,
            )
        )
    return name


def is_float(dtype: str) -> bool:
    """Whether `dtype` names floating-point numbers."""
    return dtype in FLOATS


@dataclass(frozen=True, slots=True)
class Spec:
    """Shape and dtype of one value.

    >>> Spec((None, 10)).shape
    (None, 10)
    """

    shape: Shape
    dtype: str = "float32"

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def static(self) -> bool:
        """True when every dimension is known."""
        return None not in self.shape

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape, when every dimension is known; otherwise a ShapeError."""
        if not self.static:
            raise ShapeError(explain("This needs a shape without unknown dimensions.", received=self))
        return self.shape  # type: ignore[return-value]

    @property
    def size(self) -> int:
        return math.prod(self.dims)

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    def with_shape(self, shape: Iterable[Dim]) -> Spec:
        return replace(self, shape=tuple(shape))

    def with_dtype(self, dtype: str) -> Spec:
        return replace(self, dtype=dtype)

    def __str__(self) -> str:
        dims = ", ".join("None" if d is None else str(d) for d in self.shape)
        return f"{self.dtype}[{dims}]"


def broadcast(left: Spec, right: Spec, what: str) -> Shape:
    """Shape of two specs broadcast together by NumPy's rule; an unknown size meets any size."""
    ndim = max(left.ndim, right.ndim)
    a = (1,) * (ndim - left.ndim) + left.shape
    b = (1,) * (ndim - right.ndim) + right.shape
    shape: list[Dim] = []
    for m, n in zip(a, b, strict=True):
        if m == n or n == 1:
            shape.append(m)
        elif m == 1 or m is None:
            shape.append(n)
        elif n is None:
            shape.append(m)
        else:
            raise ShapeError(
                explain(
                    f"{what}: shapes must be equal or broadcast (trailing sizes equal, or one of them 1).",
                    received=f"{left.shape} and {right.shape}",
                    fix="Reshape one of them, or add an axis of size 1 with ops.expand_dims.",
                )
            )
    return tuple(shape)


def whole_number(given: Any, what: str) -> int:
    """An int of Python; `what` names the argument, as "linspace: num".

    Raises:
        TypeError: no int, as 1.0 or "a".
    """
    try:
        return operator.index(given)
    except TypeError:
        raise TypeError(explain(f"{what} must be an int.", received=repr(given))) from None


def whole_numbers(given: int | Iterable[int], what: str) -> tuple[int, ...]:
    """One int or several as a tuple; `what` names the argument, as "tile: repeats".

    Raises:
        TypeError: anything else, as 1.0 or "a".
    """
    try:
        several = (given,) if isinstance(given, int | np.integer) else tuple(given)
        return tuple(map(operator.index, several))
    except TypeError:
        raise TypeError(explain(f"{what} must be an int, or several.", received=repr(given))) from None


def normalize_axis(axis: int, ndim: int, what: str) -> int:
    """`axis` counted from the front, checked to be an int in -ndim..ndim-1."""
    axis = whole_number(axis, f"{what}: axis")
    if not -ndim <= axis < ndim:
        raise ShapeError(
            explain(f"{what}: axis must name a dimension.", expected=f"{-ndim}..{ndim - 1}", received=axis)
        )
    return axis % ndim


def normalize_axes(axis: int | Iterable[int] | None, ndim: int, what: str) -> tuple[int, ...]:
    """Sorted distinct axes counted from the front; None means all of them."""
    if axis is None:
        return tuple(range(ndim))
    given = whole_numbers(axis, f"{what}: axis")
    axes = tuple(sorted(normalize_axis(a, ndim, what) for a in given))
    if len(set(axes)) != len(axes):
        raise ShapeError(explain(f"{what}: an axis may be named once.", received=given))
    return axes


def promote(a: str, b: str) -> str:
    """Common dtype of two operands: a float wins over integers, the wider float over the narrower."""
    if a == b:
        return a
    if is_float(a) != is_float(b):
        return a if is_float(a) else b
    return np.result_type(a, b).name
