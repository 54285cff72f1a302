"""Gradients at edges: zeros, kinks, ties, infinities, overflow. The rules stand in docs/gradients.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from gputrain import ops
from gputrain.compiler import gradients
from gputrain.compiler.chains.expressions import EXPRESSIONS
from gputrain.ir import Graph, Value
from gputrain.ops.base import Operation, Sample, spec_of
from gputrain.runtime import interpret
from tests.ops.test_operations import OPERATIONS, differentiable_inputs, gradient_graph, make_inputs, run

POINTS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -3.0, 6.0]
EDGES = [*POINTS, 1e-320, -1e-320, 1e-7, 1e150, -1e150, np.inf, -np.inf, np.nan]
STEP = 1e-6


def pointwise() -> list[Any]:
    """One sample of each elementwise operation with floats that something depends on smoothly."""
    found = []
    for name in EXPRESSIONS:
        sample = OPERATIONS[name].samples()[0]
        specs = [spec_of(x) for x in make_inputs(sample, "float64")]
        floats = [s for s in specs if s.dtype == "float64"]
        if floats and sample.op.output_specs(*specs)[0].dtype == "float64":
            found.append(pytest.param(sample, id=name))
    return found


def grid(sample: Sample, points: Sequence[float]) -> list[np.ndarray]:
    """All combinations of the points, as one long vector for each input; flags take both values."""
    kinds = [x.dtype.kind for x in make_inputs(sample, "float64")]
    columns = zip(*product(*(points if kind == "f" else [False, True] for kind in kinds)), strict=True)
    return [np.array(c, "float64" if kind == "f" else bool) for c, kind in zip(columns, kinds, strict=True)]


def slopes(
    op: Operation, inputs: Sequence[np.ndarray], checked: Sequence[int], ct: float
) -> list[np.ndarray]:
    """Gradients in some inputs, for a cotangent that is the same everywhere."""
    graph, cotangents = gradient_graph(op, inputs, checked)
    with np.errstate(all="ignore"):
        return [
            np.asarray(g)
            for g in interpret(graph, [*inputs, *(np.full(c.spec.dims, ct) for c in cotangents)])
        ]


def small(x: np.ndarray) -> np.ndarray:
    return np.abs(x) < 1e-100


def large(x: np.ndarray) -> np.ndarray:
    return np.abs(x) > 1e100


# Where the gradient is infinite, or too large for a float64, at finite inputs with a finite value; by the
# operation and the number of its input.
INFINITE: dict[tuple[str, int], tuple[Callable[..., np.ndarray], str]] = {
    ("Sqrt", 0): (lambda x: small(x), "1 / (2 sqrt(x)) at 0"),
    ("Rsqrt", 0): (lambda x: small(x), "-x ** -1.5 / 2 is beyond the largest number"),
    ("Log", 0): (lambda x: small(x), "1 / x is beyond the largest number"),
    ("Divide", 0): (lambda x, y: small(y), "1 / y at 0"),
    ("Divide", 1): (lambda x, y: small(y), "x / y ** 2 at 0"),
    ("Power", 0): (lambda x, y: small(x) | large(x) | large(y), "y x ** (y - 1) at 0 for y < 1"),
    ("Mod", 1): (lambda x, y: small(y), "x / y is beyond the largest number"),
}


EVERY_POINTWISE = pytest.mark.parametrize("sample", pointwise())


def exempt(sample: Sample, i: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
    test, _ = INFINITE.get((type(sample.op).__name__, i), (lambda *xs: np.zeros(len(xs[0]), bool), ""))
    return np.asarray(test(*inputs))


def listed(bad: np.ndarray, *columns: np.ndarray) -> list[list[float]]:
    """The first rows in which something is bad, for a message."""
    return [[float(column[k]) for column in columns] for k in np.flatnonzero(bad)[:8]]


@EVERY_POINTWISE
def test_a_finite_value_has_a_finite_gradient(sample: Sample) -> None:
    inputs = grid(sample, EDGES)
    with np.errstate(all="ignore"):
        value = run(sample.op, inputs)[0]
    finite = np.all([np.isfinite(x) for x in inputs], axis=0) & np.isfinite(value)
    checked = differentiable_inputs(sample, inputs)
    for i, slope in zip(checked, slopes(sample.op, inputs, checked, 1.0), strict=True):
        broken = finite & ~np.isfinite(slope)
        told = listed(broken & ~exempt(sample, i, inputs), *inputs, value, slope)
        assert not told, f"{sample.op}, input {i}: inputs, value and gradient are {told}"
        if (type(sample.op).__name__, i) in INFINITE:
            assert broken.any(), "is finite by now, though listed as infinite"


@EVERY_POINTWISE
def test_what_gets_no_cotangent_gives_none(sample: Sample) -> None:
    """Also where the value is infinite or NaN: as in a branch that was not taken."""
    inputs = grid(sample, EDGES)
    finite = np.all([np.isfinite(x) for x in inputs], axis=0)
    checked = differentiable_inputs(sample, inputs)
    for i, slope in zip(checked, slopes(sample.op, inputs, checked, 0.0), strict=True):
        told = listed(finite & (slope != 0), *inputs, slope)
        assert not told, f"{sample.op}, input {i}: inputs and gradient are {told}"


@EVERY_POINTWISE
def test_a_gradient_lies_between_the_slopes_on_both_sides(sample: Sample) -> None:
    """At a kink it is one of them or between; elsewhere they are equal, and it is the derivative."""
    inputs = grid(sample, POINTS)
    checked = differentiable_inputs(sample, inputs)
    with np.errstate(all="ignore"):
        here = run(sample.op, inputs)[0]
        for i, slope in zip(checked, slopes(sample.op, inputs, checked, 1.0), strict=True):
            sides = []
            for step in (STEP, -STEP):
                moved = [x + step if k == i else x for k, x in enumerate(inputs)]
                sides.append((run(sample.op, moved)[0] - here) / step)
            low, high = np.minimum(*sides), np.maximum(*sides)
            near = 1e-4 * (1 + np.minimum(np.abs(low), np.abs(high)))
            known = np.isfinite(low) & np.isfinite(high) & (np.maximum(np.abs(low), np.abs(high)) < 100)
            outside = known & ~((slope >= low - near) & (slope <= high + near))
            told = listed(outside, *inputs, low, high, slope)
            assert not told, f"{sample.op}, input {i}: inputs, slopes before and after, gradient are {told}"


def test_nothing_is_lost_for_second_derivatives() -> None:
    """Where a cotangent happens to be 0 among numbers that are finite, its own derivative counts."""
    x = np.array([1.0, 2.0])
    functions = [
        ops.log,
        ops.sqrt,
        ops.exp,
        ops.rsqrt,
        ops.log1p,
        lambda v: 1.0 / v,
        lambda v: ops.power(v, 1.5),
    ]
    for function in functions:
        value = Value(spec_of(x))
        made = function(value)
        (first,) = gradients(ops.sum(made), [value])
        # Least at x, where the slope is 0 and the curvature twice the square of the function's slope.
        error = ops.sum(ops.square(made - ops.stop_gradient(made)))
        (slope,) = gradients(error, [value])
        assert slope is not None
        (curvature,) = gradients(ops.sum(slope), [value])
        found, zero, expected = interpret(Graph([value], [curvature, slope, first]), [x])
        assert not zero.any()
        np.testing.assert_allclose(found, 2 * expected**2)


# --------------------------------------------------------------------------------------- all other operations

FILLED: dict[str, Callable[[tuple[int, ...]], np.ndarray]] = {
    "zeros": np.zeros,
    "ones": np.ones,
    "ties": lambda shape: np.arange(np.prod(shape)).reshape(shape) % 2 * 1.0,
    "signs": lambda shape: 1.0 - np.arange(np.prod(shape)).reshape(shape) % 2 * 2.0,
    "far": lambda shape: 1e4 * (np.arange(np.prod(shape)).reshape(shape) % 3 - 1.0),
}
SMALLEST = 1, 300  # elements
NOT_OF_VALUES = {"Scan", "Cond"}  # what they do is what their bodies do


def others() -> list[Any]:
    """A small sample of each other operation that has a gradient."""
    found = []
    for name, cls in OPERATIONS.items():
        if name in EXPRESSIONS or name in NOT_OF_VALUES:
            continue
        for sample in cls.samples():
            inputs = make_inputs(sample, "float64")
            outputs = sample.op.output_specs(*map(spec_of, inputs))
            size = sum(x.size for x in inputs) + sum(s.size for s in outputs)
            smooth = any(s.dtype == "float64" for s in outputs) and differentiable_inputs(sample, inputs)
            if smooth and all(x.size for x in inputs) and SMALLEST[0] < size <= SMALLEST[1]:
                found.append(pytest.param(sample, id=name))
                break
    return found


@pytest.mark.parametrize("filling", FILLED)
@pytest.mark.parametrize("sample", others())
def test_other_operations_have_finite_gradients(sample: Sample, filling: str) -> None:
    given = make_inputs(sample, "float64")
    checked = differentiable_inputs(sample, given)
    inputs = [FILLED[filling](x.shape) if i in checked else x for i, x in enumerate(given)]
    with np.errstate(all="ignore"):
        values = run(sample.op, inputs)
    if not all(np.isfinite(value).all() for value in values):
        return
    for ct in (1.0, 0.0):
        for slope in slopes(sample.op, inputs, checked, ct):
            assert np.isfinite(slope).all()
            assert ct or not slope.any()
