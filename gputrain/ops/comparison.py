"""Comparisons and logic: elementwise operations with boolean results and no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, explain
from gputrain.ir import Spec, Value, broadcast
from gputrain.ops.base import Operation, Sample, apply, convert, harmonize, require_float
from gputrain.ops.pointwise import Gradients, _Binary, _Unary, dtype_of, unary_function

__all__ = [
    "Equal",
    "Greater",
    "GreaterEqual",
    "IsFinite",
    "Less",
    "LessEqual",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "NotEqual",
    "equal",
    "greater",
    "greater_equal",
    "isfinite",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "not_equal",
]


class _Compare(_Binary):
    result = "bool"
    overwrites = ()

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return None, None


class Equal(_Compare):
    """x == y."""

    function = "equal"


class NotEqual(_Compare):
    """x != y."""

    function = "not_equal"


class Less(_Compare):
    """x < y."""

    function = "less"


class LessEqual(_Compare):
    """x <= y."""

    function = "less_equal"


class Greater(_Compare):
    """x > y."""

    function = "greater"


class GreaterEqual(_Compare):
    """x >= y."""

    function = "greater_equal"


class _Logical(_Compare):
    def infer(self, x: Spec, y: Spec) -> Spec:
        for spec in (x, y):
            if spec.dtype != "bool":
                raise DTypeError(explain(f"{type(self).__name__} needs boolean input.", received=spec))
        return Spec(broadcast(x, y, type(self).__name__), "bool")

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        a, b = np.array([[True], [False]]), np.array([True, False, True])
        return [
            Sample(cls(), (a, b), getattr(np, cls.function)),
            Sample(cls(), (b[:0], b[:0]), getattr(np, cls.function)),
        ]


class LogicalAnd(_Logical):
    """x and y, of booleans."""

    function = "logical_and"


class LogicalOr(_Logical):
    """x or y, of booleans."""

    function = "logical_or"


class LogicalNot(Operation):
    """not x, of booleans."""

    overwrites = ((0, 0),)

    def infer(self, x: Spec) -> Spec:
        if x.dtype != "bool":
            raise DTypeError(explain("LogicalNot needs boolean input.", received=x))
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.logical_not(x, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        flags = np.array([[True, False, True]])
        return [Sample(cls(), (flags,), np.logical_not), Sample(cls(), (flags[:0],), np.logical_not)]


class IsFinite(_Unary):
    """True where x is neither NaN nor infinite."""

    function = "isfinite"
    overwrites = ()

    def infer(self, x: Spec) -> Spec:
        require_float(x, "IsFinite")
        return x.with_dtype("bool")

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


def equal(x1: Any, x2: Any) -> Any:
    """x1 == x2, elementwise."""
    return apply(Equal(), *harmonize(x1, x2))


def not_equal(x1: Any, x2: Any) -> Any:
    """x1 != x2, elementwise."""
    return apply(NotEqual(), *harmonize(x1, x2))


def less(x1: Any, x2: Any) -> Any:
    """x1 < x2, elementwise."""
    return apply(Less(), *harmonize(x1, x2))


def less_equal(x1: Any, x2: Any) -> Any:
    """x1 <= x2, elementwise."""
    return apply(LessEqual(), *harmonize(x1, x2))


def greater(x1: Any, x2: Any) -> Any:
    """x1 > x2, elementwise."""
    return apply(Greater(), *harmonize(x1, x2))


def greater_equal(x1: Any, x2: Any) -> Any:
    """x1 >= x2, elementwise."""
    return apply(GreaterEqual(), *harmonize(x1, x2))


def as_boolean(x: Any) -> Any:
    x = convert(x)
    return x if dtype_of(x) == "bool" else not_equal(x, 0)


def logical_and(x1: Any, x2: Any) -> Any:
    """x1 and x2, elementwise; numbers count as true where they are not 0."""
    return apply(LogicalAnd(), as_boolean(x1), as_boolean(x2))


def logical_or(x1: Any, x2: Any) -> Any:
    """x1 or x2, elementwise; numbers count as true where they are not 0."""
    return apply(LogicalOr(), as_boolean(x1), as_boolean(x2))


def logical_not(x: Any) -> Any:
    """not x, elementwise; numbers count as true where they are not 0."""
    return apply(LogicalNot(), as_boolean(x))


isfinite = unary_function(IsFinite, "isfinite", "True where x is neither NaN nor infinite.")
