"""Arrays that are made, not computed: filled, counted, or like another."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Spec, Stored, Value, as_tensor, dtype_name, interpreter
from gputrain.ir.spec import whole_number
from gputrain.ops.base import (
    Operation,
    Sample,
    apply,
    cast,
    constant,
    convert,
    is_number,
    is_symbolic,
    spec_of,
)
from gputrain.ops.movement import broadcast_to
from gputrain.ops.pointwise import Gradients
from gputrain.utils import budget

__all__ = [
    "FullLike",
    "arange",
    "eye",
    "full",
    "full_like",
    "identity",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


class FullLike(Operation):
    """One value in the shape of the input, whose contents are not read."""

    value: float
    dtype: str

    def infer(self, x: Spec) -> Spec:
        return x.with_dtype(self.dtype)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        out.fill(self.value)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        shapes: list[Shape] = [(), (0, 2), (3, 5)]
        return [Sample(cls(1.5, "float32"), (Spec(s),), lambda x: np.full(x.shape, 1.5)) for s in shapes]


def _device_shape(shape: int | Sequence[int], what: str) -> tuple[int, ...]:
    given = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if any(not isinstance(d, int | np.integer) or d < 0 for d in given):
        raise ShapeError(
            explain(
                f"{what} needs a shape of known sizes, at least 0.",
                received=given,
                fix="Inside a model use zeros_like, ones_like or full_like of a value with that shape.",
            )
        )
    return tuple(int(d) for d in given)


def full(shape: int | Sequence[int], fill_value: Any, dtype: str | None = None) -> Any:
    """A new array of one value; dtype `config.floatx()` unless given.

    Args:
        shape: of the result.
        fill_value: a number, or an array that broadcasts to the shape.
        dtype: of the result.
    """
    dims = _device_shape(shape, "full")
    name = dtype_name(dtype or config.floatx())
    if not is_number(fill_value):
        return broadcast_to(cast(fill_value, name), dims)
    return _made(Spec(dims, name), lambda: np.full(dims, fill_value, name))


def _made(spec: Spec, make: Callable[[], np.ndarray]) -> Any:
    """The array of this spec that `make` returns; zeros of the graph where only its shape is asked for."""
    if interpreter.current().only_shape(spec):
        return zeros_of(spec)
    budget.pass_by("a new array", spec.dims, spec.dtype)
    return as_tensor(make())


def zeros(shape: int | Sequence[int], dtype: str | None = None) -> Any:
    """A new array of zeros; dtype `config.floatx()` unless given."""
    return full(shape, 0, dtype)


def ones(shape: int | Sequence[int], dtype: str | None = None) -> Any:
    """A new array of ones; dtype `config.floatx()` unless given."""
    return full(shape, 1, dtype)


def full_like(x: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """One value in the shape of x, and in its dtype unless one is given.

    Args:
        x: an array or value of the shape.
        fill_value: a number, or an array that broadcasts to the shape.
        dtype: of the result.
    """
    if not isinstance(x, Value | Stored):
        x = convert(x)
    spec = spec_of(x)
    name = dtype_name(dtype or spec.dtype)
    if not is_symbolic(x):
        return full(spec.dims, fill_value, name)
    if not spec.static and is_number(fill_value):
        return apply(FullLike(fill_value, name), convert(x))
    # Not made from x, so that x need not stay in memory for its shape.
    return broadcast_to(_symbolic_scalar(fill_value, name), spec.shape)


def zeros_of(spec: Spec) -> Value:
    """Zeros of this shape and dtype in the graph being built."""
    zeros: Value = broadcast_to(constant(np.zeros((), spec.dtype)), spec.dims)
    return zeros


def _symbolic_scalar(value: Any, dtype: str) -> Any:
    return constant(np.asarray(value, dtype)) if is_number(value) else cast(value, dtype)


def zeros_like(x: Any, dtype: str | None = None) -> Any:
    """Zeros in the shape of x, and in its dtype unless one is given."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: str | None = None) -> Any:
    """Ones in the shape of x, and in its dtype unless one is given."""
    return full_like(x, 1, dtype)


def arange(
    start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None
) -> Any:
    """Numbers from `start` (0 when only one is given) up to, not including, `stop`.

    Args:
        start, stop: the ends.
        step: from one number to the next; None means 1.
        dtype: of the result.

    Returns:
        A 1-d array, int32 when all three are integers and `config.floatx()` otherwise, unless dtype is given.
    """
    first, last = (0, start) if stop is None else (start, stop)
    pace = 1 if step is None else step
    whole = builtins.all(isinstance(v, int | np.integer) for v in (first, last, pace))
    name = dtype_name(dtype or ("int32" if whole else config.floatx()))
    return as_tensor(np.arange(first, last, pace, dtype=name))


def eye(N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> Any:
    """An N x M array with ones on the k-th diagonal and zeros elsewhere."""
    rows, columns = _device_shape((N, N if M is None else M), "eye")
    name, diagonal = dtype_name(dtype or config.floatx()), whole_number(k, "eye: k")
    return _made(Spec((rows, columns), name), lambda: np.eye(rows, columns, diagonal, dtype=name))


def identity(n: int, dtype: str | None = None) -> Any:
    """The n x n identity matrix."""
    return eye(n, dtype=dtype)
