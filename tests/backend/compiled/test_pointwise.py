"""Compiled elementwise operations: sizes about those of vectors, blocks and tasks, every way to broadcast."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import ops
from gputrain.backend.numpy.compiled.pointwise import BLOCK, SINGLE, TASK, WIDEST, Site
from gputrain.ops.activation import ReluGrad
from gputrain.ops.base import REGISTRY, Operation, spec_of
from gputrain.ops.comparison import Greater
from gputrain.ops.elementwise import Add, Divide, Exp, Subtract, Where
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, run
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

SIZES = [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 127, BLOCK + 1, TASK, TASK + 1, 3 * TASK + 5]
SHAPES = [
    ((40, 16), (16,)), ((40, 16), (1,)), ((3, 700), (3, 1)), ((1, 5), (4, 1)), ((4, 1, 3), (2, 1)),
    ((6, 7, 5), (7, 1)), ((6, 7, 5), (6, 1, 5)), ((2, 3, 4, 5), (1, 3, 1, 5)),
    ((2, 3, 2, 3, 2), (2, 1, 2, 1, 2)),
    ((900, 77), (77,)), ((9, WIDEST + 5), (WIDEST + 5,)), ((70, 1000), (1000,)), ((3, 20011), (3, 1)),
    ((64, 9, 9, 16), (64, 1, 1, 16)), ((1, 1, 3), (1, 3)), ((), (5,)),
]  # fmt: skip


def _numbers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_sizes(level: str, size: int, dtype: str) -> None:
    x, y = _numbers((size,), dtype), _numbers((size,), dtype, 1)
    cases: list[tuple[Operation, list[np.ndarray], np.ndarray]] = [
        (Add(), [x, y], x + y),
        (Exp(), [x], np.exp(np.float64(x))),
        (Greater(), [x, y], x > y),
        (ReluGrad(), [x, y], np.where(y > 0, x, 0)),
        (Where(), [x > 0, x, y], np.where(x > 0, x, y)),
    ]
    for op, inputs, expected in cases:
        (found,) = run(device(level), op, inputs, skipped=1)
        assert_close(found, expected, "bool" if found.dtype == bool else dtype, str(op))


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_broadcasting(level: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], dtype: str) -> None:
    x, y = (_numbers(shape, dtype, i) for i, shape in enumerate(shapes))
    for a, b in ((x, y), (y, x)):
        (found,) = run(device(level), Subtract(), [a, b], skipped=1)
        np.testing.assert_array_equal(found, a - b)
        (found,) = run(device(level), Where(), [a > 0, b, a])
        np.testing.assert_array_equal(found, np.where(a > 0, b, a))
        (found,) = run(device(level), Greater(), [a, b])
        np.testing.assert_array_equal(found, a > b)


def test_sites_join_axes_that_move_alike() -> None:
    assert Site.of((16,), (4, 5, 16)) == Site((20, 16), (0, 1))
    assert Site.of((4, 1, 1), (4, 5, 16)) == Site((4, 80), (1, 0))
    assert Site.of((4, 5, 1), (4, 5, 16)) == Site((20, 16), (1, 0))
    assert Site.of((), (4, 5)) == Site((20,), (0,))
    assert [Site.of(s, (4, 5, 6)).period for s in ((), (6,), (5, 1), (4, 1, 1))] == [1, 6, 30, 120]


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_nan_and_infinity_are_as_in_the_reference(level: str, name: str) -> None:
    ends = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 300.0, -300.0, 1e-42, 0.3], "float32")
    arguments = {"Clip": (-0.5, 0.5), "Gelu": (True,), "GeluGrad": (True,)}
    op = REGISTRY[name](*arguments.get(name, ()))
    operands = op.compute.__code__.co_argcount - 3
    grid = np.meshgrid(*[ends] * operands, indexing="ij")
    inputs = [np.ascontiguousarray(x).reshape(-1) for x in grid]
    for flags in {"Kept": (1,), "Where": (0,)}.get(name, ()):
        inputs[flags] = inputs[flags] > 0
    (found,) = run(device(level), op, inputs)
    specs = op.output_specs(*(spec_of(x) for x in inputs))
    expected = np.empty(specs[0].dims, specs[0].dtype)
    scratch = tuple(np.empty(s.dims, s.dtype) for s in op.scratch(*(spec_of(x) for x in inputs)))
    with np.errstate(all="ignore"):
        op.compute(np, expected, *inputs, scratch=scratch)
    if expected.dtype == bool:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_zeros_keep_their_signs(level: str) -> None:
    x = np.array([0.0, -0.0], "float32")
    for op, expected in ((Add(), x + np.float32(-0.0)), (Divide(), x / np.float32(2))):
        other = np.array(-0.0 if isinstance(op, Add) else 2.0, "float32")
        (found,) = run(device(level), op, [x, other])
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_arrays_of_other_orders_of_bytes_and_axes() -> None:
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for given in (x.astype(">f4"), x.astype("<f4"), np.asfortranarray(x), x[:, ::-1], x[0, 0]):
        np.testing.assert_allclose(np.asarray(ops.exp(given)), np.exp(np.float64(given)), rtol=1e-6)
        np.testing.assert_allclose(np.asarray(ops.add(given, given)), given + given)
