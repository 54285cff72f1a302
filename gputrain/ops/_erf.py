"""The error functions, which NumPy lacks, computed block by block in array functions only.

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

from gputrain.ir import Spec

erf_reference = np.vectorize(math.erf, otypes=[np.float64])
erfc_reference = np.vectorize(math.erfc, otypes=[np.float64])

_BLOCK = 16384  # elements per pass: the workspaces stay in cache

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


def erf_scratch(x: Spec) -> tuple[Spec, ...]:
    """Workspaces of `erf_into`."""
    return _workspaces(x, "float64" if x.dtype == "float64" else "float32", 5)


def erfc_scratch(x: Spec) -> tuple[Spec, ...]:
    """Workspaces of `erfc_into`."""
    return _workspaces(x, "float64", 6)


def erfinv_scratch(x: Spec) -> tuple[Spec, ...]:
    """Workspaces of `erfinv_into`."""
    return _workspaces(x, "float64", 7)


def _workspaces(x: Spec, dtype: str, count: int) -> tuple[Spec, ...]:
    """Blocks of the dtype computed in, the first for the argument and the second for the result; a mask."""
    block = (min(x.size, _BLOCK),)
    return (*[Spec(block, dtype)] * count, Spec(block, "bool"))


def erf_into(xp: Any, out: Any, x: Any, scratch: Sequence[Any]) -> None:
    """erf(x) into `out`: within 2 ulp in float32, 4e-16 of the value in float64."""
    _by_blocks(xp, out, x, scratch, _erf_64 if scratch and scratch[0].dtype == np.float64 else _erf_32)


def erfc_into(xp: Any, out: Any, x: Any, scratch: Sequence[Any]) -> None:
    """1 - erf(x) into `out`, to full relative precision also where it is tiny."""
    _by_blocks(xp, out, x, scratch, _erfc_64)


def erfinv_into(xp: Any, out: Any, x: Any, scratch: Sequence[Any]) -> None:
    """The inverse of erf into `out`: infinite at -1 and 1, NaN outside."""
    _by_blocks(xp, out, x, scratch, _erfinv_64)


def _by_blocks(xp: Any, out: Any, x: Any, scratch: Sequence[Any], function: Callable[..., None]) -> None:
    """Run `function(xp, argument, result, *workspaces, mask)` on one block after another."""
    flat, target = x.reshape(-1), out.reshape(-1)
    for start in range(0, x.size, _BLOCK):
        size = min(_BLOCK, x.size - start)
        blocks = [w[:size] for w in scratch]
        xp.copyto(blocks[0], flat[start : start + size])
        function(xp, *blocks)
        xp.copyto(target[start : start + size], blocks[1], casting="unsafe")


def _polynomial(xp: Any, out: Any, x: Any, coefficients: Sequence[float]) -> None:
    """sum(coefficients[i] * x ** i) into `out`, by Horner's rule."""
    xp.multiply(x, coefficients[-1], out=out)
    for c in coefficients[-2:0:-1]:
        xp.add(out, c, out=out)
        xp.multiply(out, x, out=out)
    xp.add(out, coefficients[0], out=out)


def _select(xp: Any, out: Any, mask: Any, other: Any, work: Any) -> None:
    """`other` into `out` where the mask holds; overwrites `other`.

    Both are finite, or NaN together: products with 0 and 1 are exact, and much faster than a masked copy.
    """
    xp.copyto(work, mask)
    xp.multiply(other, work, out=other)
    xp.subtract(1.0, work, out=work)
    xp.multiply(out, work, out=out)
    xp.add(out, other, out=out)


def _copy_sign(xp: Any, out: Any, x: Any, work: Any) -> None:
    """The sign of x for `out`, which is not negative: an or of the sign bits."""
    word = "uint32" if x.dtype == np.float32 else "uint64"
    sign = work.view(word)
    xp.bitwise_and(x.view(word), np.dtype(word).type(1 << (8 * x.dtype.itemsize - 1)), out=sign)
    xp.bitwise_or(out.view(word), sign, out=out.view(word))


def _small(xp: Any, out: Any, a: Any, work: Any, coefficients: Sequence[float]) -> None:
    """erf(a) for 0 <= a <= 1, as a + a * p(a * a): the rounding errors of p hardly count."""
    xp.multiply(a, a, out=work)
    _polynomial(xp, out, work, coefficients)
    xp.multiply(out, a, out=out)
    xp.add(out, a, out=out)


def _erf_32(xp: Any, x: Any, out: Any, a: Any, large: Any, work: Any, mask: Any) -> None:
    xp.abs(x, out=a)
    xp.minimum(a, 4.0, out=a)  # erf(4) is 1 in float32
    _small(xp, out, a, work, _SMALL_32)
    _polynomial(xp, large, a, _LOG_ERFC_32)
    xp.exp(large, out=large)
    xp.subtract(1.0, large, out=large)
    xp.greater(a, 1.0, out=mask)
    _select(xp, out, mask, large, work)
    _copy_sign(xp, out, x, work)


def _erf_64(xp: Any, x: Any, out: Any, a: Any, large: Any, work: Any, mask: Any) -> None:
    xp.abs(x, out=a)
    xp.minimum(a, 6.0, out=a)  # erf(6) is 1 in float64
    _erfc_large(xp, large, a, out, work)
    _small(xp, out, a, work, _SMALL_64)
    xp.subtract(1.0, large, out=large)
    xp.greater(a, 1.0, out=mask)
    _select(xp, out, mask, large, work)
    _copy_sign(xp, out, x, work)


def _erfc_64(xp: Any, x: Any, out: Any, a: Any, large: Any, work: Any, extra: Any, mask: Any) -> None:
    xp.abs(x, out=a)
    xp.minimum(a, 30.0, out=a)  # erfc(30) is 0 in float64
    _erfc_large(xp, large, a, work, extra)
    _small(xp, out, a, work, _SMALL_64)
    _copy_sign(xp, out, x, work)
    xp.subtract(1.0, out, out=out)
    xp.subtract(2.0, large, out=extra)
    xp.greater(x, 0.5, out=mask)
    _select(xp, out, mask, large, work)
    xp.less(x, -0.5, out=mask)
    _select(xp, out, mask, extra, work)


def _erfc_large(xp: Any, out: Any, a: Any, work: Any, extra: Any) -> None:
    """erfc(a) for a >= 0.45; exp(-a * a) by a rounded part whose square is exact, and the rest."""
    xp.add(a, 3.0, out=work)
    xp.divide(-6.9, work, out=extra)
    xp.add(extra, 1.0, out=extra)
    _polynomial(xp, out, extra, _SCALED_ERFC_64)
    xp.divide(out, work, out=out)
    xp.multiply(a, 16.0, out=work)
    xp.rint(work, out=work)
    xp.divide(work, 16.0, out=work)
    xp.multiply(work, work, out=extra)
    _times_exp(xp, out, xp.negative(extra, out=extra))
    xp.subtract(work, a, out=extra)
    xp.add(work, a, out=work)
    _times_exp(xp, out, xp.multiply(extra, work, out=extra))


def _times_exp(xp: Any, out: Any, x: Any) -> None:
    """`out` times exp(x); x is overwritten."""
    xp.exp(x, out=x)
    xp.multiply(out, x, out=out)


def _erfinv_64(
    xp: Any, y: Any, out: Any, a: Any, large: Any, error: Any, work: Any, extra: Any, mask: Any
) -> None:
    xp.abs(y, out=a)
    xp.minimum(a, 1.0 - 2.0**-53, out=a)
    xp.greater_equal(a, 0.5, out=mask)
    _erfinv_start(xp, out, a, large, work, extra, mask)
    for _ in range(2):  # each step cubes the error
        _halley(xp, out, a, large, error, work, extra, mask)
    xp.abs(y, out=a)
    xp.copyto(out, np.inf, where=xp.equal(a, 1.0, out=mask))
    xp.copyto(out, np.nan, where=xp.greater(a, 1.0, out=mask))
    _copy_sign(xp, out, y, work)


def _erfinv_start(xp: Any, out: Any, a: Any, large: Any, work: Any, extra: Any, mask: Any) -> None:
    """The inverse to three digits: its power series below 0.5, the formula of S. Winitzki (2008) above."""
    xp.multiply(a, a, out=work)
    _polynomial(xp, out, work, _SERIES)
    xp.multiply(out, a, out=out)
    xp.subtract(1.0, a, out=work)
    xp.add(a, 1.0, out=extra)
    xp.multiply(work, extra, out=work)
    xp.log(work, out=work)
    xp.multiply(work, 0.5, out=extra)
    xp.add(extra, 2.0 / (math.pi * _WINITZKI), out=extra)
    xp.divide(work, _WINITZKI, out=work)
    xp.multiply(extra, extra, out=large)
    xp.subtract(large, work, out=large)
    xp.sqrt(large, out=large)
    xp.subtract(large, extra, out=large)
    xp.maximum(large, 0.0, out=large)
    xp.sqrt(large, out=large)
    _select(xp, out, mask, large, work)


def _halley(xp: Any, x: Any, a: Any, large: Any, error: Any, work: Any, extra: Any, mask: Any) -> None:
    """One step of E. Halley's method for erf(x) = a; beyond 0.5 with erfc, where erf has no digits left."""
    _erfc_large(xp, large, x, work, extra)
    xp.subtract(1.0, a, out=work)
    xp.subtract(work, large, out=large)
    _small(xp, error, x, work, _SMALL_64)
    xp.subtract(error, a, out=error)
    _select(xp, error, mask, large, work)
    xp.multiply(x, x, out=work)
    xp.negative(work, out=work)
    xp.exp(work, out=work)
    xp.multiply(work, 2.0 / math.sqrt(math.pi), out=work)
    xp.divide(error, work, out=error)
    xp.multiply(error, x, out=work)
    xp.add(work, 1.0, out=work)
    xp.divide(error, work, out=error)
    xp.subtract(x, error, out=x)
