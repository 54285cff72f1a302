"""The error functions, which NumPy lacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec
from gputrain.ops.base import Sample
from gputrain.ops.elementwise import exp, square, through
from gputrain.ops.pointwise import _Unary, unary_function

__all__ = ["Erf", "Erfc", "Erfinv", "erf", "erfc", "erfinv"]

erf_reference = np.vectorize(math.erf, otypes=[np.float64])
erfc_reference = np.vectorize(math.erfc, otypes=[np.float64])


class _ErrorFunction(_Unary):
    """A function of floats; the reference takes one element after the other, on the host."""

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        assert self.reference is not None
        host = x if xp is np else x.get()
        out[...] = xp.asarray(self.reference(host), out.dtype)


class Erf(_ErrorFunction):
    """Gauss error function."""

    gradient = staticmethod(lambda ct, y, x: ct * (2.0 / math.sqrt(math.pi) * exp(-square(x))))
    domain = (-3.5, 3.5)
    reference = staticmethod(erf_reference)


class Erfc(_ErrorFunction):
    """Complementary error function, 1 - erf(x)."""

    gradient = staticmethod(lambda ct, y, x: ct * (-2.0 / math.sqrt(math.pi) * exp(-square(x))))
    domain = (-3.5, 3.5)
    reference = staticmethod(erfc_reference)


def _invert(y: np.ndarray) -> np.ndarray:
    """The inverse of erf by bisection; infinite at -1 and 1, NaN outside."""
    low, high = np.full(y.shape, -6.0), np.full(y.shape, 6.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = erf_reference(middle) < y
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    inside = np.where(np.abs(y) < 1, low, np.nan)
    return np.where(np.abs(y) == 1, np.copysign(np.inf, y), inside)


class Erfinv(_ErrorFunction):
    """The number whose error function is x.

    Infinite for -1 and 1, NaN outside.
    """

    gradient = staticmethod(lambda ct, y, x: through(ct, ct * (math.sqrt(math.pi) / 2.0 * exp(square(y)))))
    domain = (-0.9, 0.9)
    reference = staticmethod(_invert)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        shapes: list[tuple[int, ...]] = [(), (0,), (1,), (3, 5), (1, 8195)]
        return [Sample(cls(), (Spec(s),), _invert, *cls.domain) for s in shapes]


erf = unary_function(Erf)
erfc = unary_function(Erfc)
erfinv = unary_function(Erfinv)
