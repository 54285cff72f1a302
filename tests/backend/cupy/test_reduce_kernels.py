"""Reduction kernels: every dtype, groups of axes, parts of long axes, NaN, equal elements, no elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice, reduce
from gputrain.ops.base import Sample
from gputrain.ops.reduction import AllTrue, AnyTrue, ArgMax, ArgMin, Max, Mean, Min, Prod, Sum, SumTo
from tests.backend.cupy.running import FLOATS, check, run, samples
from tests.selection import quick
from tests.tolerances import assert_close

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool")


@pytest.mark.parametrize("sample", samples(reduce))
@pytest.mark.parametrize("dtype", quick(("float16", "float32"), FLOATS))
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((6, 1, 4), ()),
    ((3, 700), (1,)),
    ((700, 3), (0,)),
    ((5, 6, 7, 8), (0, 2)),
    ((5, 6, 7, 8), (1, 3)),
    ((2, 3, 4, 2, 3), (0, 2, 4)),
    ((9001,), (0,)),
    ((8192, 2), (0,)),
    ((2, 4500, 2), (1,)),
    ((2, 16384), (1,)),
]


@pytest.mark.parametrize("shape, axes", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", quick(("float16", "float32"), FLOATS))
@pytest.mark.parametrize("op", [Sum, Mean, Max, Min])
def test_floats(gpu: CupyDevice, op: Any, shape: tuple[int, ...], axes: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(1).uniform(-2, 2, shape).astype(dtype)
    expected = getattr(np, op.function)(x.astype("float64"), axis=axes)
    for skipped in (0, 1):
        (out,) = run(gpu, op(axes), [x], skipped=skipped)
        assert_close(out, expected, dtype, f"{op.__name__} {skipped}")


@pytest.mark.parametrize("dtype", quick(("int8", "bool"), INTEGERS))
@pytest.mark.parametrize("op", [Sum, Max, Min, Prod])
def test_integers(gpu: CupyDevice, op: Any, dtype: str) -> None:
    rng = np.random.default_rng(2)
    low, high = (0, 2) if dtype == "bool" else (max(-100, np.iinfo(dtype).min), 100)
    x = rng.integers(low, high, (3, 600, 5)).astype(dtype)
    for axes in [(), (1,), (0, 2), (0, 1, 2)]:
        (out,) = run(gpu, op(axes), [x])
        expected = (
            getattr(np, op.function)(x, axis=axes, dtype=out.dtype)
            if op in (Sum, Prod)
            else (getattr(np, op.function)(x, axis=axes))
        )
        np.testing.assert_array_equal(out, expected)
        assert out.dtype == expected.dtype


def test_integers_wrap_around(gpu: CupyDevice) -> None:
    x = np.full(3000, 2**30, "int32")
    (out,) = run(gpu, Sum((0,)), [x])
    assert out == np.sum(x, dtype="int32")


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_and_infinity(gpu: CupyDevice, dtype: str) -> None:
    x = np.random.default_rng(3).uniform(-2, 2, (6, 1200)).astype(dtype)
    x[0, 700], x[1, 3], x[2, 4], x[3], x[4] = np.nan, np.inf, -np.inf, -np.inf, np.inf
    x[0, 900], x[2, 5] = np.nan, -np.inf
    for op in (Max, Min):
        for axes in [(1,), (0,), (0, 1)]:
            np.testing.assert_array_equal(run(gpu, op(axes), [x])[0], getattr(np, op.function)(x, axis=axes))
    for arg in (ArgMax, ArgMin):
        for axis in (0, 1):
            np.testing.assert_array_equal(
                run(gpu, arg(axis), [x])[0], getattr(np, arg.function)(x, axis=axis)
            )


@pytest.mark.parametrize("op", [ArgMax, ArgMin])
@pytest.mark.parametrize("dtype", quick(("float16", "int64", "bool"), [*FLOATS, *INTEGERS]))
def test_the_first_of_equal_elements(gpu: CupyDevice, op: Any, dtype: str) -> None:
    x = np.random.default_rng(4).integers(0, 2 if dtype == "bool" else 5, (4, 4200)).astype(dtype)
    if dtype in ("int64", "uint64"):  # no float tells these apart
        x[0, 7:9] = np.iinfo(dtype).max - np.array([1, 0], dtype)
    for array in (x, x.T.copy()):
        for axis in (0, 1):
            expected = getattr(np, op.function)(array, axis=axis)
            np.testing.assert_array_equal(run(gpu, op(axis), [array])[0], expected)


@pytest.mark.parametrize("op", [AllTrue, AnyTrue])
@pytest.mark.parametrize("share", [0.0003, 0.5, 0.9997])
def test_flags(gpu: CupyDevice, op: Any, share: float) -> None:
    x = np.random.default_rng(5).random((5, 4200)) < share
    for axes in [(0,), (1,), (0, 1), ()]:
        np.testing.assert_array_equal(run(gpu, op(axes), [x])[0], getattr(np, op.function)(x, axis=axes))


@pytest.mark.parametrize(
    "shape, to",
    [
        ((8, 7, 7, 64), (64,)),
        ((3000, 3), (3,)),
        ((300, 130), (130,)),
        ((3, 4, 5, 6), (4, 1, 6)),
        ((9, 5), (1, 5)),
    ],
    ids=str,
)
def test_bias_gradients(gpu: CupyDevice, shape: tuple[int, ...], to: tuple[int, ...]) -> None:
    x = np.random.default_rng(6).uniform(-2, 2, shape)
    extra = len(shape) - len(to)
    axes = tuple(i for i in range(len(shape)) if i < extra or to[i - extra] == 1)
    for dtype in FLOATS:
        (out,) = run(gpu, SumTo(to), [x.astype(dtype)])
        assert_close(out, x.astype(dtype).astype("float64").sum(axis=axes).reshape(to), dtype)


def test_float16_is_added_up_in_float32(gpu: CupyDevice) -> None:
    x = np.full(40000, 7.0, "float16")  # the sum is beyond float16, the mean is not
    assert run(gpu, Mean((0,)), [x])[0] == 7
    assert np.isinf(run(gpu, Sum((0,)), [x])[0])


@pytest.mark.parametrize("shape, axes", SHAPES, ids=str)
def test_steps_cover_every_element(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    left = int(np.prod(shape))
    for step in reduce.steps(shape, axes):
        assert step.a * step.r * step.b == left
        assert step.chunk * (step.parts - 1) < step.r <= step.chunk * step.parts
        left = step.outputs
    assert left == np.prod([n for i, n in enumerate(shape) if i not in axes])
