"""Special functions beside `erf`, which stands with the elementwise operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec, Value
from gputrain.ops._erf import (
    erf_reference,
    erfc_into,
    erfc_reference,
    erfc_scratch,
    erfinv_into,
    erfinv_scratch,
)
from gputrain.ops.base import Sample, apply
from gputrain.ops.elementwise import exp, multiply, negative, square
from gputrain.ops.pointwise import _Unary, as_float

__all__ = ["Erfc", "Erfinv", "erfc", "erfinv"]

Gradients = Sequence[Value | None]


class Erfc(_Unary):
    """1 - erf(x), to full relative precision where it is tiny; computed in float64."""

    domain = (-3.5, 3.5)
    reference = staticmethod(erfc_reference)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(-2.0 / math.sqrt(math.pi), exp(negative(square(x))))),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return erfc_scratch(x)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        erfc_into(xp, out, x, scratch)


def _invert(y: np.ndarray) -> np.ndarray:
    """erfinv by bisection on `math.erf`, for the tests."""
    low, high = np.full(y.shape, -6.0), np.full(y.shape, 6.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = erf_reference(middle) < y
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


class Erfinv(_Unary):
    """The inverse of erf; infinite at -1 and 1, NaN outside; computed in float64."""

    domain = (-0.9, 0.9)
    reference = staticmethod(_invert)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(math.sqrt(math.pi) / 2.0, exp(square(out)))),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return erfinv_scratch(x)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        erfinv_into(xp, out, x, scratch)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        shapes: list[tuple[int, ...]] = [(), (0,), (1,), (3, 5), (1, 8195)]
        return [Sample(cls(), (Spec(s),), _invert, *cls.domain) for s in shapes]


def erfc(x: Any) -> Any:
    """Complementary error function, 1 - erf(x)."""
    return apply(Erfc(), as_float(x))


def erfinv(x: Any) -> Any:
    """The number whose error function is x."""
    return apply(Erfinv(), as_float(x))
