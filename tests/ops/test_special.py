"""erf, erfc and erfinv, measured in units of the last place."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.ops.special import erf_reference, erfc_reference

RNG = np.random.default_rng(11)
WIDE = np.concatenate(
    [
        RNG.uniform(-5, 5, 60_000),
        RNG.uniform(-1.2, 1.2, 30_000),
        RNG.uniform(0.4, 0.6, 5_000),
        10.0 ** RNG.uniform(-44, 0, 5_000),
        [0.0, 1.0, -1.0, 0.5, -0.5, 4.0, 6.0, 100.0, -100.0],
    ]
)
TAIL = np.concatenate([WIDE, RNG.uniform(2, 10.4, 30_000)])


def ulps(found: Any, exact: Any) -> float:
    """Largest distance in units of the last place of the dtype of `found`."""
    unit = np.spacing(np.abs(exact).astype(found.dtype)).astype("float64")
    return float(np.max(np.abs(found.astype("float64") - exact) / unit))


def test_erf_in_float32() -> None:
    x = WIDE.astype("float32")
    assert ulps(ops.erf(x), erf_reference(x.astype("float64"))) <= 2


def test_erfc_in_float32() -> None:
    x = TAIL.astype("float32")
    assert ulps(ops.erfc(x), erfc_reference(x.astype("float64"))) <= 2


def test_in_float64() -> None:
    """math.erf and math.erfc are themselves exact to about one unit."""
    x = np.concatenate([WIDE, RNG.uniform(5, 26, 5_000)])
    exact = erf_reference(x)
    assert np.max(np.abs(ops.erf(x) - exact) / np.maximum(np.abs(exact), 1e-300)) < 1e-15
    exact = erfc_reference(x)
    normal = exact > 1e-290
    assert np.max(np.abs(ops.erfc(x) - exact)[normal] / exact[normal]) < 2e-15


def inverse(y: float) -> float:
    """erfinv by Newton's method on erf, or on erfc where erf has no digits left."""
    x = 0.0 if abs(y) < 0.5 else math.sqrt(-math.log(1 - abs(y)))
    for _ in range(60):
        error = math.erf(x) - abs(y) if abs(y) < 0.5 else float(1 - Fraction(abs(y))) - math.erfc(x)
        x -= error / (2 / math.sqrt(math.pi) * math.exp(-x * x))
    return math.copysign(x, y)


def test_erfinv() -> None:
    y = np.concatenate(
        [RNG.uniform(-1, 1, 2_000), 1 - 10.0 ** RNG.uniform(-15, -1, 500), 10.0 ** RNG.uniform(-300, 0, 300)]
    )
    exact = np.array([inverse(v) for v in y])
    assert np.max(np.abs(ops.erfinv(y) - exact) / np.abs(exact)) < 1e-14
    single = y.astype("float32")
    single = single[np.abs(single) < 1]
    exact = np.array([inverse(float(v)) for v in single])
    assert ulps(ops.erfinv(single), exact) <= 2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_special_values(dtype: str) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    np.testing.assert_array_equal(ops.erf(x), np.array([1, -1, np.nan, 0.0, -0.0], dtype))
    np.testing.assert_array_equal(np.signbit(ops.erf(x))[3:], [False, True])
    np.testing.assert_array_equal(ops.erfc(x), np.array([0, 2, np.nan, 1, 1], dtype))
    y = np.array([1, -1, 1.5, -2, np.inf, np.nan, 0.0, -0.0], dtype)
    expected = np.array([np.inf, -np.inf, *[np.nan] * 4, 0.0, -0.0], dtype)
    np.testing.assert_array_equal(ops.erfinv(y), expected)
    np.testing.assert_array_equal(np.signbit(ops.erfinv(y))[-2:], [False, True])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_smallest_numbers(dtype: str) -> None:
    tiny = np.array([np.finfo(dtype).smallest_subnormal * 1000, np.finfo(dtype).tiny], dtype)
    factor = 2 / math.sqrt(math.pi)
    np.testing.assert_allclose(ops.erf(tiny), tiny.astype("float64") * factor, rtol=1e-3)
    np.testing.assert_allclose(ops.erfinv(tiny), tiny.astype("float64") / factor, rtol=1e-3)


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv"])
def test_blocks_and_strides(name: str) -> None:
    """More than one block, with a short last one; the same bits from a strided array."""
    function = getattr(ops, name)
    x = RNG.uniform(-0.9, 0.9, 2 * 16384 + 5).astype("float32")
    whole = function(x)
    pieces = np.concatenate([function(part) for part in np.array_split(x, 7)])
    assert ulps(whole, pieces.astype("float64")) <= 1
    np.testing.assert_array_equal(function(x[::-1]), function(x[::-1].copy()))


def test_float16_is_rounded_once() -> None:
    x = RNG.uniform(-3, 3, 2_000).astype("float16")
    exact = erf_reference(x.astype("float64"))
    assert ops.erf(x).dtype == np.float16
    assert ulps(ops.erf(x), exact) < 0.51


def test_integers_become_floats() -> None:
    assert ops.erfc(0) == 1.0
    assert ops.erf(np.array([1])).dtype == np.float32
    assert ops.erfinv(np.zeros((0, 2))).shape == (0, 2)
