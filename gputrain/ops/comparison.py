"""Comparisons and logic: elementwise operations with boolean results and no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, explain
from gputrain.ir import Spec, broadcast
from gputrain.ops.base import Sample, apply, convert
from gputrain.ops.pointwise import (
    _Binary,
    _Unary,
    binary_function,
    dtype_of,
    no_gradient,
    unary_function,
    variant,
)

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
    gradient = staticmethod(lambda ct, z, x, y: (None, None))
    result = "bool"
    overwrites = ()


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


Equal = variant(_Compare, "Equal", "equal", "x1 == x2, elementwise.")
NotEqual = variant(_Compare, "NotEqual", "not_equal", "x1 != x2, elementwise.")
Less = variant(_Compare, "Less", "less", "x1 < x2, elementwise.")
LessEqual = variant(_Compare, "LessEqual", "less_equal", "x1 <= x2, elementwise.")
Greater = variant(_Compare, "Greater", "greater", "x1 > x2, elementwise.")
GreaterEqual = variant(_Compare, "GreaterEqual", "greater_equal", "x1 >= x2, elementwise.")
LogicalAnd = variant(_Logical, "LogicalAnd", "logical_and", "x1 and x2, of booleans.")
LogicalOr = variant(_Logical, "LogicalOr", "logical_or", "x1 or x2, of booleans.")


class LogicalNot(_Unary):
    """not x, of booleans."""

    function = "logical_not"
    gradient = no_gradient

    def infer(self, x: Spec) -> Spec:
        if x.dtype != "bool":
            raise DTypeError(explain("LogicalNot needs boolean input.", received=x))
        return x

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        flags = np.array([[True, False, True]])
        return [Sample(cls(), (flags,), np.logical_not), Sample(cls(), (flags[:0],), np.logical_not)]


class IsFinite(_Unary):
    """True where x is neither NaN nor infinite."""

    function = "isfinite"
    gradient = no_gradient
    overwrites = ()

    def infer(self, x: Spec) -> Spec:
        return super().infer(x).with_dtype("bool")


equal = binary_function(Equal)
not_equal = binary_function(NotEqual)
less = binary_function(Less)
less_equal = binary_function(LessEqual)
greater = binary_function(Greater)
greater_equal = binary_function(GreaterEqual)
isfinite = unary_function(IsFinite)


def as_boolean(x: Any) -> Any:
    """x, or where its numbers are not 0."""
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
