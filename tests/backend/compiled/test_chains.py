"""Compiled chains: one pass over memory for several elementwise operations, whatever their operands are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gputrain import ops
from gputrain.backend.numpy.compiled.pointwise import BLOCK, TASK, WIDEST, Program
from gputrain.compiler.chains.fused import Fused
from gputrain.compiler.lower import lower
from gputrain.ir import Graph, Spec, Value
from gputrain.ops.activation import ReluGrad
from gputrain.ops.base import apply, spec_of
from gputrain.runtime import Executable, interpret
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, plain
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

Build = Callable[..., list[Value]]
RNG = np.random.default_rng(5)


def fused(graph: Graph, level: str) -> list[Fused]:
    """The chains of a graph as the device runs it."""
    return [node.op for node in lower(graph, device(level)).nodes if isinstance(node.op, Fused)]


def check(level: str, build: Build, specs: list[Spec], chains: int = 1) -> None:
    """Run a graph as so many chains, each by the compiled kernel; compare with its nodes in float64."""
    inputs = [Value(s) for s in specs]
    graph = Graph(inputs, build(*inputs))
    on = device(level)
    found_chains = fused(graph, level)
    assert len(found_chains) == chains, str(lower(graph, on))
    for op in found_chains:
        assert on.compiled["Fused"].accepts(op, *(v.spec for v in op.inputs)), str(op)
    feeds = [_some(s) for s in specs]
    wide_inputs = [Value(s.with_dtype("float64") if s.dtype in FLOATS else s) for s in specs]
    wide = Graph(wide_inputs, build(*wide_inputs))
    with np.errstate(all="ignore"):
        expected = interpret(wide, [f.astype(v.dtype) for f, v in zip(feeds, wide_inputs, strict=True)])
    for _ in range(2):  # the second time in buffers that hold results
        found = Executable(graph, on).run(feeds, poison=True)
        for value, a, b in zip(graph.outputs, found, expected, strict=True):
            assert a.dtype == value.dtype
            assert_close(a, b, value.dtype)


def _some(spec: Spec) -> np.ndarray:
    if spec.dtype == "bool":
        return np.asarray(RNG.integers(0, 2, spec.dims), bool)
    return np.asarray(RNG.uniform(-2, 2, spec.dims), spec.dtype)


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize(
    "shape", [(), (1,), (7,), (3, 5), (BLOCK + 1,), (TASK,), (2, 4, 8192), (3 * TASK + 7,)], ids=str
)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_one_kernel_for_a_chain(level: str, shape: tuple[int, ...], dtype: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        total = ops.relu(x + y)
        return [total, ops.tanh(total * 0.5) - x, x > y, ops.where(total > y, x, y * y)]

    check(level, build, [Spec(shape, dtype)] * 2)


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((6, 5), (5,)), ((6, 5), (6, 1)), ((4, 1, 3), (2, 1)), ((2, 1, 4, 1), (3, 1, 5)),
        ((640, 128), (128,)), ((3, 1, 1), (1, 7, 4)), ((9, 11), ()), ((1, 1), (3, 2)), ((70, 999), (999,)),
        ((9, WIDEST + 3), (1, 1)), ((5, WIDEST + 1), (WIDEST + 1,)), ((64, 9, 9, 16), (64, 1, 1, 16)),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_inputs_broadcast(level: str, left: tuple[int, ...], right: tuple[int, ...], dtype: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        raised = ops.exp(x * y)
        return [raised + 1, (x - y) * raised]

    check(level, build, [Spec(left, dtype), Spec(right, dtype)])


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_numbers_and_rows_are_computed_once(level: str) -> None:
    def build(x: Value, row: Value, number: Value) -> list[Value]:
        scale = ops.exp(row) * ops.sqrt(ops.abs(number) + 1)
        return [x * scale + ops.sigmoid(number), ops.maximum(x, scale)]

    check(level, build, [Spec((200, 300)), Spec((300,)), Spec(())], chains=2)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_flags_in_and_out(level: str) -> None:
    def build(x: Value, keep: Value, drop: Value) -> list[Value]:
        both = ops.logical_and(keep, ops.logical_not(drop))
        return [both, ops.where(both, x, -x) * ops.cast(keep, "float32"), ops.logical_or(both, x > 0)]

    check(level, build, [Spec((300, 70)), Spec((300, 70), "bool"), Spec((300, 1), "bool")])


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_shapes_may_change_within_a_chain(level: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        flat = ops.reshape(x * 2, (-1,)) + ops.reshape(y, (-1,))
        return [ops.reshape(flat, (10, 21)), ops.reshape(y, (210,)), ops.exp(flat)]

    check(level, build, [Spec((30, 7)), Spec((2, 105))])


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_results_may_lie_on_inputs_that_are_read_later(level: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        a, b = x * 1.0, y * 1.0
        frozen_a, frozen_b = (
            ops.max(a, axis=0, keepdims=True),
            ops.max(b, axis=0, keepdims=True),
        )  # ends chains
        first = a + b + frozen_a
        second = a - b * frozen_b
        third = apply(ReluGrad(), first, second) + a
        return [first, second, third]

    inputs = [Value(Spec((50, 40))) for _ in range(2)]
    graph = Graph(inputs, build(*inputs))
    feeds = [_some(v.spec) for v in inputs]
    found, expected = (Executable(graph, on).run(feeds, poison=True) for on in (device(level), plain()))
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, "float32")


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
@pytest.mark.parametrize("seed", range(30))
def test_random_chains(level: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [(40, 33), (33,), (40, 1), (), (1, 33)]
    specs = [Spec(shapes[0]), *(Spec(shapes[i]) for i in rng.integers(0, len(shapes), 3))]
    unary = [ops.tanh, ops.sigmoid, ops.relu, ops.square, ops.abs, ops.negative, ops.softplus]
    binary = [ops.add, ops.subtract, ops.multiply, ops.maximum, ops.minimum]
    choices = rng.integers(0, 1 << 30, (12, 4))

    def build(*inputs: Value) -> list[Value]:
        known = list(inputs)
        for kind, which, i, j in choices.tolist():
            x, y = known[i % len(known)], known[j % len(known)]
            if kind % 3 == 0:
                known.append(unary[which % len(unary)](x))
            elif kind % 3 == 1:
                known.append(binary[which % len(binary)](x, y))
            else:
                known.append(ops.where(x > y, x, y))
        return [v for v in known[4:] if v.spec.size == known[0].spec.size][-4:] or [known[0] + 1.0]

    inputs = [Value(s) for s in specs]
    graph = Graph(inputs, build(*inputs))
    feeds = [_some(s) for s in specs]
    found, expected = (Executable(graph, on).run(feeds, poison=True) for on in (device(level), plain()))
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, "float32")


def test_other_dtypes_are_no_part_of_a_chain() -> None:
    x, count = Value(Spec((9,))), Value(Spec((9,), "int32"))
    graph = Graph([x, count], [ops.exp(x * 2), count + 1, ops.cast(count * 2, "float32") * x])
    for op in fused(graph, LEVELS[0]):
        assert all(v.dtype == "float32" for v in (*op.inputs, *op.outputs))


def test_what_no_program_computes_becomes_no_chain() -> None:
    x, wide = Value(Spec((9, 4))), Value(Spec((9, 4), "float64"))
    flags = ops.tanh(x) * 0.5 > 0.1  # would join chains of two dtypes
    y, spread = Value(Spec((2, 3) * 4)), Value(Spec((2, 1) * 4))
    graph = Graph([x, wide, y, spread], [ops.where(flags, wide, wide * 2.0), ops.exp((y + spread) * 2.0)])
    accepts = device(LEVELS[0]).compiled["Fused"].accepts
    for op in fused(graph, LEVELS[0]):
        assert accepts(op, *(v.spec for v in op.inputs)), str(op)


def test_blocks_are_used_again() -> None:
    program = Program("float32", 10)
    place, target = program.array(False), program.array(False)
    for _ in range(20):
        place = program.apply("Exp", (place,))
    program.write(place, target)
    program.finish()
    assert program.own == 1


def test_a_chain_of_other_shapes_than_its_own_is_not_taken() -> None:
    x = Value(Spec((9,)))
    (op,) = fused(Graph([x], [ops.exp(x * 2)]), LEVELS[0])
    accepts = device(LEVELS[0]).compiled["Fused"].accepts
    specs = [v.spec for v in op.inputs]
    assert accepts(op, *specs)
    assert not accepts(op, *(spec_of(np.zeros(7, "float32")) for _ in specs))
