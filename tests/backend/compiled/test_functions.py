"""Vector functions: how far they are from those of more digits, and what they give at the ends of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.backend.compiled.running import FLOATS, LEVELS, library, needs_library
from tests.selection import quick

pytestmark = needs_library

_erf = np.vectorize(math.erf, otypes=["float64"])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-abs(x))
    return np.where(x < 0, small, np.ones_like(x)) / (1 + small)


# (reference, largest error in units in the last place)
FUNCTIONS: dict[str, tuple[Callable[..., Any], float]] = {
    "Erf": (lambda x: _erf(x.astype("float64")), 1.5),
    "Exp": (np.exp, 1.0),
    "Expm1": (np.expm1, 2.0),
    "Log": (np.log, 1.0),
    "Log1p": (np.log1p, 1.0),
    "Rsqrt": (lambda x: 1 / np.sqrt(x), 1.5),
    "Sigmoid": (_sigmoid, 2.5),
    "Softplus": (lambda x: np.log1p(np.exp(-abs(x))) + np.maximum(x, 0), 2.0),
    "Sqrt": (np.sqrt, 0.501),
    "Tanh": (np.tanh, 1.5),
}
CASES = [(name, dtype) for name in FUNCTIONS for dtype in FLOATS]
ENDS = (
    0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, -2.0, 1e-45, -1e-45, 5e-324, -5e-324, 88.8, -103.9,
    709.7, -745.1, 1e30, -1e30, 1e300, -1e300,
)  # fmt: skip


def computed(level: str, name: str, x: np.ndarray) -> np.ndarray:
    """What the kernel of a function gives."""
    out = np.full_like(x, 77)
    library(level).bind(name, x.dtype.name, out, x, None, None, x.size, 0.0, 0.0)()
    return out


def _arguments(dtype: str, count: int = 30011) -> np.ndarray:
    """Numbers of all sizes, with the denormal ones, and more of them where functions bend."""
    rng, tiny = np.random.default_rng(3), float(np.finfo(dtype).tiny)
    reach = 110 if dtype == "float32" else 750
    sizes = np.exp(rng.uniform(math.log(tiny) * 0.9, -math.log(tiny) * 0.9, count))
    lines = [np.linspace(-end, end, count) for end in (1, 5, reach)]
    near = [1 + rng.uniform(-1e-3, 1e-3, count), rng.uniform(0.5, 2, count), rng.uniform(0, tiny, count)]
    return np.concatenate([*lines, sizes, -sizes, *near]).astype(dtype)


def _wider(x: np.ndarray) -> np.ndarray:
    return x.astype("float64" if x.dtype == np.float32 else np.longdouble)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="long double has no more digits here")
@pytest.mark.parametrize(("name", "dtype"), CASES)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_errors(level: str, name: str, dtype: str) -> None:
    reference, most = FUNCTIONS[name]
    x = _arguments(dtype)
    found = computed(level, name, x)
    with np.errstate(all="ignore"):
        expected = reference(_wider(x))
        rounded = expected.astype(dtype)
        units = abs((_wider(found) - expected) / np.spacing(abs(rounded)))
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    units = np.where(same, 0, np.where(np.isnan(units), np.inf, units))
    worst = int(np.argmax(units))
    assert units[worst] <= most, f"{name}({x[worst]!r}) is {found[worst]!r}, not {rounded[worst]!r}"


@pytest.mark.parametrize(("name", "dtype"), CASES)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_ends_of_numbers(level: str, name: str, dtype: str) -> None:
    with np.errstate(all="ignore"):
        x = np.array(ENDS, dtype)
        expected = FUNCTIONS[name][0](_wider(x)).astype(dtype)
        found = computed(level, name, x)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), ~known)
    np.testing.assert_array_equal(np.signbit(found[known]), np.signbit(expected[known]))
    np.testing.assert_allclose(
        found[known], expected[known], rtol=1e-6, atol=0 if dtype == "float64" else 1e-44
    )


@pytest.mark.parametrize("level", LEVELS)
def test_the_share_far_below_the_mean(level: str) -> None:
    x = np.linspace(-37, -0.5, 4001)
    expected = np.array([each * 0.5 * math.erfc(-each * math.sqrt(0.5)) for each in x])
    np.testing.assert_allclose(computed(level, "Gelu", x), expected, rtol=1e-12)
