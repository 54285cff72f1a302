"""Compiled masks: sizes about those of vectors and blocks, and numbers that are none."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from gputrain.ir import Spec
from gputrain.ops.activation import ReluGrad
from gputrain.ops.elementwise import ChoiceGrad, Through
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, run

pytestmark = needs_library

SIZES = (1, 2, 3, 7, 8, 15, 16, 17, 33, 1009, 20000, 20001, 40009)
EDGES = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-30)


def expected(op: Any, a: Any, b: Any, c: Any = None) -> Any:
    """One element of the result."""
    if isinstance(op, ReluGrad):
        return a if b > 0 else 0.0
    if isinstance(op, Through):
        return 0.0 if a == 0 and np.isnan(b) else b
    return a if b > c else a / 2 if b == c else 0.0


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", [ReluGrad(), Through(), ChoiceGrad()], ids=str)
@pytest.mark.parametrize("level", LEVELS)
def test_every_pair_of_edges(level: str, op: Any, dtype: str) -> None:
    operands = 3 if isinstance(op, ChoiceGrad) else 2
    every = np.array(list(product(EDGES, repeat=operands)), dtype)
    columns = [np.ascontiguousarray(column) for column in every.T]
    (found,) = run(device(level), op, columns, skipped=1)
    np.testing.assert_array_equal(found, np.array([expected(op, *row) for row in every], dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", [ReluGrad(), Through(), ChoiceGrad()], ids=str)
@pytest.mark.parametrize("level", LEVELS)
def test_sizes(level: str, op: Any, dtype: str) -> None:
    on = device(level)
    for size in SIZES:
        a, b, c = np.random.default_rng(size).integers(-2, 3, (3, size)).astype(dtype)
        if isinstance(op, ChoiceGrad):
            for x, y in ((b, c), (b, np.array(1, dtype)), (np.ones(1, dtype), c)):
                (found,) = run(on, op, [a, x, y], skipped=1)
                np.testing.assert_array_equal(found, a * np.where(x > y, 1, np.where(x == y, 0.5, 0)))
            continue
        b[::3] = np.nan
        (found,) = run(on, op, [a, b], skipped=1)
        chosen = np.where(b > 0, a, 0) if isinstance(op, ReluGrad) else np.where((a == 0) & (b != b), 0, b)
        np.testing.assert_array_equal(found, chosen)
        (in_place,) = run(on, op, [a, b], 0, op.overwrites)
        np.testing.assert_array_equal(in_place, found)


def test_what_the_kernels_do_not_take() -> None:
    on = device(LEVELS[0]).compiled
    row, table = Spec((4,)), Spec((3, 4))
    assert on["ChoiceGrad"].accepts(ChoiceGrad(), table, Spec(()), table)
    assert not on["ChoiceGrad"].accepts(ChoiceGrad(), table, row, table)
    assert not on["ChoiceGrad"].accepts(ChoiceGrad(), row, table, Spec(()))
    assert not on["ReluGrad"].accepts(ReluGrad(), Spec((0,)), Spec((0,)))
    assert not on["ReluGrad"].accepts(ReluGrad(), Spec((None,)), Spec((None,)))
    assert not on["ReluGrad"].accepts(ReluGrad(), Spec((4,), "float16"), Spec((4,), "float16"))
