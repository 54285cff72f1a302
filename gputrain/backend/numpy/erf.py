"""The error functions, which NumPy lacks, block by block in array functions only.

Coefficients: polynomials through the Chebyshev points of an interval, fitted in 50 digits for

- erf(x) / x - 1 in x**2, for |x| <= 1;
- log(erfc(x)) in x, for 1 <= x <= 4 (float32 only);
- (x + 3) * exp(x**2) * erfc(x) in 1 - 6.9 / (x + 3), which maps 0.45..infinity to -1..1, after the idea of
  M. M. Shepherd and J. G. Laframboise, Chebyshev approximation of (1 + 2x) exp(x**2) erfc x, 1981.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.passes import BLOCK, blocks
from gputrain.ir import Spec

_SMALL_32 = (
    0.128379166,
    -3.761262667e-01,
    1.128359472e-01,
    -2.685421201e-02,
    5.189087423e-03,
    -8.016864287e-04,
    7.875875063e-05,
)
_LOG_ERFC_32 = (
    3.2013804968e-04,
    -1.1302334348e00,
    -6.3182605156e-01,
    -1.1008008295e-01,
    2.6421136006e-02,
    -4.7595962933e-03,
    5.9680562566e-04,
    -4.6058042689e-05,
    1.6371514146e-06,
)
_SMALL_64 = (
    0.12837916709551257,
    -0.3761263890318375,
    0.11283791670954879,
    -0.026866170645076792,
    0.0052239776248180145,
    -0.000854832698083379,
    0.0001205533111164271,
    -1.4925595266831182e-05,
    1.6461000484121368e-06,
    -1.6350312701054695e-07,
    1.4659775274047436e-08,
    -1.1372848856791674e-09,
    5.957176147748911e-11,
)
_SCALED_ERFC_64 = (
    0.9681678530447592,
    -0.6471704415036565,
    0.36320924111103875,
    -0.1661500577716703,
    0.05828777077861806,
    -0.013309037899276973,
    0.0005412770147000357,
    0.0008734459045746884,
    -0.00025577879658979897,
    -3.334897964447024e-05,
    3.1995713745626805e-05,
    -1.509535958100594e-07,
    -3.831075865425586e-06,
    2.3441820545494934e-07,
    5.083095160796612e-07,
    -3.246552936962477e-08,
    -7.54209210320414e-08,
    1.6056565750509497e-09,
    1.1679492695017525e-08,
    3.808375035536511e-10,
    -1.6051494813507633e-09,
    -7.706165562569128e-11,
    1.3557251678292873e-10,
)

_WINITZKI = 0.147
_SERIES = tuple(  # of erfinv: L. Carlitz, The inverse of the error function, 1963
    math.sqrt(math.pi) / 2 * c * math.pi**i for i, c in enumerate((1.0, 1 / 12, 7 / 480, 127 / 40320))
)


def _kernel(count: int, double: Callable[..., None], single: Callable[..., None] | None = None) -> Kernel:
    """A kernel that runs `f(argument, result, *workspaces, mask)` on one block after another.

    Args:
        count: how many blocks there are, the argument's and the result's included.
        double: f in float64.
        single: f in float32, for the narrower floats; they are computed in float64 where there is none.
    """

    def scratch(op: Any, x: Spec) -> tuple[Spec, ...]:
        dtype = "float64" if x.dtype == "float64" or single is None else "float32"
        block = Spec((min(x.size, BLOCK),), dtype)
        return (*[block] * count, block.with_dtype("bool"))

    def prepare(op: Any, out: Any, x: Any, *, scratch: Any) -> Callable[[], None]:
        flat, target = x.reshape(-1), out.reshape(-1)
        function = double if single is None or scratch[0].dtype == np.float64 else single
        parts = [(flat[s], target[s], [w[: s.stop - s.start] for w in scratch]) for s in blocks(x.size)]

        def run() -> None:
            for given, result, spaces in parts:
                np.copyto(spaces[0], given)
                function(*spaces)
                np.copyto(result, spaces[1], casting="unsafe")

        return run

    return Kernel(prepare, scratch)


def _polynomial(out: Any, x: Any, coefficients: Sequence[float]) -> None:
    """sum(coefficients[i] * x ** i) into `out`, by Horner's rule."""
    np.multiply(x, coefficients[-1], out=out)
    for c in coefficients[-2:0:-1]:
        np.add(out, c, out=out)
        np.multiply(out, x, out=out)
    np.add(out, coefficients[0], out=out)


def _select(out: Any, mask: Any, other: Any, work: Any) -> None:
    """`other` into `out` where the mask holds; overwrites `other`.

    Both are finite, or NaN together: products with 0 and 1 are exact, and much faster than a masked copy.
    """
    np.copyto(work, mask)
    np.multiply(other, work, out=other)
    np.subtract(1.0, work, out=work)
    np.multiply(out, work, out=out)
    np.add(out, other, out=out)


def _copy_sign(out: Any, x: Any, work: Any) -> None:
    """The sign of x for `out`, which is not negative: an or of the sign bits."""
    word = "uint32" if x.dtype == np.float32 else "uint64"
    sign = work.view(word)
    np.bitwise_and(x.view(word), np.dtype(word).type(1 << (8 * x.dtype.itemsize - 1)), out=sign)
    np.bitwise_or(out.view(word), sign, out=out.view(word))


def _small(out: Any, a: Any, work: Any, coefficients: Sequence[float]) -> None:
    """erf(a) for 0 <= a <= 1, as a + a * p(a * a): the rounding errors of p hardly count."""
    np.multiply(a, a, out=work)
    _polynomial(out, work, coefficients)
    np.multiply(out, a, out=out)
    np.add(out, a, out=out)


def _erf_32(x: Any, out: Any, a: Any, large: Any, work: Any, mask: Any) -> None:
    np.abs(x, out=a)
    np.minimum(a, 4.0, out=a)  # erf(4) is 1 in float32
    _small(out, a, work, _SMALL_32)
    _polynomial(large, a, _LOG_ERFC_32)
    np.exp(large, out=large)
    np.subtract(1.0, large, out=large)
    np.greater(a, 1.0, out=mask)
    _select(out, mask, large, work)
    _copy_sign(out, x, work)


def _erf_64(x: Any, out: Any, a: Any, large: Any, work: Any, mask: Any) -> None:
    np.abs(x, out=a)
    np.minimum(a, 6.0, out=a)  # erf(6) is 1 in float64
    _erfc_large(large, a, out, work)
    _small(out, a, work, _SMALL_64)
    np.subtract(1.0, large, out=large)
    np.greater(a, 1.0, out=mask)
    _select(out, mask, large, work)
    _copy_sign(out, x, work)


def _erfc_64(x: Any, out: Any, a: Any, large: Any, work: Any, extra: Any, mask: Any) -> None:
    np.abs(x, out=a)
    np.minimum(a, 30.0, out=a)  # erfc(30) is 0 in float64
    _erfc_large(large, a, work, extra)
    _small(out, a, work, _SMALL_64)
    _copy_sign(out, x, work)
    np.subtract(1.0, out, out=out)
    np.subtract(2.0, large, out=extra)
    np.greater(x, 0.5, out=mask)
    _select(out, mask, large, work)
    np.less(x, -0.5, out=mask)
    _select(out, mask, extra, work)


def _erfc_large(out: Any, a: Any, work: Any, extra: Any) -> None:
    """erfc(a) for a >= 0.45; exp(-a * a) by a rounded part whose square is exact, and the rest."""
    np.add(a, 3.0, out=work)
    np.divide(-6.9, work, out=extra)
    np.add(extra, 1.0, out=extra)
    _polynomial(out, extra, _SCALED_ERFC_64)
    np.divide(out, work, out=out)
    np.multiply(a, 16.0, out=work)
    np.rint(work, out=work)
    np.divide(work, 16.0, out=work)
    np.multiply(work, work, out=extra)
    _times_exp(out, np.negative(extra, out=extra))
    np.subtract(work, a, out=extra)
    np.add(work, a, out=work)
    _times_exp(out, np.multiply(extra, work, out=extra))


def _times_exp(out: Any, x: Any) -> None:
    """`out` times exp(x); x is overwritten."""
    np.exp(x, out=x)
    np.multiply(out, x, out=out)


def _erfinv_64(y: Any, out: Any, a: Any, large: Any, error: Any, work: Any, extra: Any, mask: Any) -> None:
    np.abs(y, out=a)
    np.minimum(a, 1.0 - 2.0**-53, out=a)
    np.greater_equal(a, 0.5, out=mask)
    _erfinv_start(out, a, large, work, extra, mask)
    for _ in range(2):  # each step cubes the error
        _halley(out, a, large, error, work, extra, mask)
    np.abs(y, out=a)
    np.copyto(out, np.inf, where=np.equal(a, 1.0, out=mask))
    np.copyto(out, np.nan, where=np.greater(a, 1.0, out=mask))
    _copy_sign(out, y, work)


def _erfinv_start(out: Any, a: Any, large: Any, work: Any, extra: Any, mask: Any) -> None:
    """The inverse to three digits: its power series below 0.5, the formula of S. Winitzki (2008) above."""
    np.multiply(a, a, out=work)
    _polynomial(out, work, _SERIES)
    np.multiply(out, a, out=out)
    np.subtract(1.0, a, out=work)
    np.add(a, 1.0, out=extra)
    np.multiply(work, extra, out=work)
    np.log(work, out=work)
    np.multiply(work, 0.5, out=extra)
    np.add(extra, 2.0 / (math.pi * _WINITZKI), out=extra)
    np.divide(work, _WINITZKI, out=work)
    np.multiply(extra, extra, out=large)
    np.subtract(large, work, out=large)
    np.sqrt(large, out=large)
    np.subtract(large, extra, out=large)
    np.maximum(large, 0.0, out=large)
    np.sqrt(large, out=large)
    _select(out, mask, large, work)


def _halley(x: Any, a: Any, large: Any, error: Any, work: Any, extra: Any, mask: Any) -> None:
    """One step of E. Halley's method for erf(x) = a; beyond 0.5 with erfc, where erf has no digits left."""
    _erfc_large(large, x, work, extra)
    np.subtract(1.0, a, out=work)
    np.subtract(work, large, out=large)
    _small(error, x, work, _SMALL_64)
    np.subtract(error, a, out=error)
    _select(error, mask, large, work)
    np.multiply(x, x, out=work)
    np.negative(work, out=work)
    np.exp(work, out=work)
    np.multiply(work, 2.0 / math.sqrt(math.pi), out=work)
    np.divide(error, work, out=error)
    np.multiply(error, x, out=work)
    np.add(work, 1.0, out=work)
    np.divide(error, work, out=error)
    np.subtract(x, error, out=x)


KERNELS = {
    "Erf": _kernel(5, _erf_64, _erf_32),
    "Erfc": _kernel(6, _erfc_64),
    "Erfinv": _kernel(7, _erfinv_64),
}
