"""Compiled matrix products: sizes about those of tiles and blocks, operands as they are or transposed."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.ops.products import MatMul
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, run
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

SIZES = [
    (1, 1, 1), (2, 1, 3), (5, 7, 3), (13, 16, 17), (64, 33, 17), (128, 784, 512), (130, 600, 33),
    (3, 2000, 65), (200, 5, 10), (129, 513, 129), (1, 300, 64), (300, 1, 64), (97, 64, 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("transposed", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_products(level: str, size: tuple[int, int, int], transposed: tuple[bool, bool], dtype: str) -> None:
    m, k, n = size
    rng = np.random.default_rng(m + k + n)
    a, b = (rng.integers(-15, 16, shape) / 16 for shape in ((m, k), (k, n)))
    given = [(x.T if turned else x).astype(dtype) for x, turned in zip((a, b), transposed, strict=True)]
    given = [np.ascontiguousarray(x) for x in given]
    (found,) = run(device(level), MatMul(*transposed), given, skipped=1)
    assert_close(found, a @ b, dtype)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_stacks(level: str) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((3, 4, 9, 70)), rng.standard_normal((3, 4, 70, 35))
    (found,) = run(device(level), MatMul(), [a, b])
    np.testing.assert_allclose(found, a @ b, atol=1e-12)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_nan_and_infinity_reach_their_rows_and_columns_alone(level: str) -> None:
    a, b = np.ones((20, 40), "float32"), np.ones((40, 50), "float32")
    a[3, 5], a[7, 39], b[1, 49] = np.nan, np.inf, -np.inf
    (found,) = run(device(level), MatMul(), [a, b])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, a @ b)
