"""Generated kernels: chains of elementwise operations and reductions, in all orders of threads and blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import ops
from gputrain.backend.cupy import CupyDevice
from gputrain.backend.cupy.elementwise import LIMITS
from gputrain.compiler.chains.analysis import analyse
from gputrain.compiler.chains.fused import Fused
from gputrain.compiler.lower import lower
from gputrain.ir import Graph, Spec, Value
from gputrain.ops.base import apply
from gputrain.ops.optim import Gate
from gputrain.ops.random import Dropout, DropoutGrad
from gputrain.ops.reduction import AllTrue, SumTo
from gputrain.runtime import Arena, Executable, Variable, interpret
from tests.backend.cupy.world import emulated

FLOATS = ("float32", "float64", "float16")
# Chains in float16 keep float32 in between, so they are compared by what one rounding at the end may cost,
# and sums of them by what the rounding of the inputs costs.
TOLERANCE = {"float16": 4e-3, "float32": 2e-6, "float64": 1e-13}
RNG = np.random.default_rng(11)

Build = Callable[..., list[Value]]


def fused(graph: Graph) -> list[Fused]:
    return [node.op for node in graph.nodes if isinstance(node.op, Fused)]


def check(gpu: CupyDevice, build: Build, specs: list[Spec], kernels: int = 1, scale: float = 1.0) -> None:
    """Run a graph as `kernels` chains and compare with its nodes computed one by one in float64."""
    inputs = [Value(s) for s in specs]
    graph = Graph(inputs, build(*inputs))
    assert len(fused(lower(graph, gpu))) == kernels, str(lower(graph, gpu))
    feeds = [some(s) for s in specs]
    wide_inputs = [Value(_wide(s)) for s in specs]
    wide = Graph(wide_inputs, build(*wide_inputs))
    with np.errstate(all="ignore"):
        expected = interpret(wide, [f.astype(v.dtype) for f, v in zip(feeds, wide_inputs, strict=True)])
    found = Executable(graph, gpu).run(feeds, poison=True)
    dtypes = [s.dtype for s in specs if s.dtype in TOLERANCE] or ["float64"]
    for value, a, b in zip(graph.outputs, found, expected, strict=True):
        assert a.dtype == value.dtype
        if a.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
            continue
        tolerance = max(TOLERANCE[d] for d in (*dtypes, a.dtype.name)) * scale
        largest = max(1.0, float(np.abs(b).max(initial=0)))
        np.testing.assert_allclose(np.float64(a), b, rtol=tolerance, atol=tolerance * largest)


def _wide(spec: Spec) -> Spec:
    return spec.with_dtype("float64") if spec.dtype.startswith("float") else spec


def some(spec: Spec) -> np.ndarray:
    if spec.dtype == "bool":
        return np.asarray(RNG.integers(0, 2, spec.dims), bool)
    if not spec.dtype.startswith("float"):
        return np.asarray(RNG.integers(1, 9, spec.dims), spec.dtype)
    return np.asarray(RNG.uniform(-2, 2, spec.dims), spec.dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (8, 4), (70001,), (2, 4, 8192)])
def test_one_launch_for_a_chain(gpu: CupyDevice, shape: tuple[int, ...], dtype: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        total = ops.relu(x + y)
        return [total, ops.tanh(total * 0.5) - x]

    check(gpu, build, [Spec(shape, dtype)] * 2)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((6, 5), (5,)),
        ((6, 5), (6, 1)),
        ((4, 1, 3), (2, 1)),
        ((2, 1, 4, 1), (3, 1, 5)),
        ((64, 128), (128,)),
        ((3, 1, 1), (1, 7, 4)),
        ((9, 11), ()),
        ((1, 1), (3, 2)),
    ],
)
def test_inputs_broadcast(gpu: CupyDevice, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        raised = ops.exp(x * y)
        return [raised + 1, (x - y) * raised]

    check(gpu, build, [Spec(left), Spec(right)], scale=20.0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("count", [1, 5, 1000, 4096, 4097, 70000, 70001])
def test_reductions_end_a_chain_and_numbers_follow(gpu: CupyDevice, count: int, dtype: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        square = ops.square(x - y)
        mean, largest = ops.mean(square), ops.max(x)
        return [square, ops.sqrt(mean) + 1, largest * mean, ops.isfinite(mean), ops.cast(mean, "float64") * 2]

    check(gpu, build, [Spec((count,), dtype)] * 2, scale=4.0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("rows", "columns"),
    [(1000, 2), (5, 10), (333, 32), (40, 512), (17, 513), (9, 1009), (6, 1024), (5, 5408), (2000, 7)],
)
def test_column_sums_ride_along(gpu: CupyDevice, rows: int, columns: int, dtype: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        product = ops.relu(x) * y
        return [product, apply(SumTo((columns,)), product)]

    scale = 1.0 if dtype == "float16" else rows**0.5
    check(gpu, build, [Spec((rows, columns), dtype)] * 2, scale=scale)


def test_columns_without_a_fitting_block_are_summed_apart(gpu: CupyDevice) -> None:
    def build(x: Value) -> list[Value]:
        product = ops.relu(x) * 2
        return [product, ops.sum(product, axis=0)]

    check(gpu, build, [Spec((5, 1031))], kernels=1, scale=4.0)  # 1031 is prime: no block holds whole rows


def test_sums_of_leading_axes_are_column_sums(gpu: CupyDevice) -> None:
    check(gpu, lambda x: [ops.sum(ops.square(x), axis=(0, 1, 2))], [Spec((3, 5, 7, 6))], scale=9.0)
    check(gpu, lambda x: [ops.sum(ops.square(x), axis=(0, 1))], [Spec((3, 5, 7, 6))], scale=9.0)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "bool"])
def test_integers(gpu: CupyDevice, dtype: str) -> None:
    def build(x: Value, y: Value) -> list[Value]:
        same = ops.equal(x, y)
        number = ops.cast(x, "int32") // ops.cast(y, "int32") if dtype != "bool" else ops.cast(x, "int32")
        return [same, number, ops.sum(number), ops.any(same), apply(AllTrue((0,), False), same)]

    check(gpu, build, [Spec((777,), dtype)] * 2)


def test_a_reshape_in_the_middle_moves_nothing(gpu: CupyDevice) -> None:
    def build(x: Value) -> list[Value]:
        return [ops.relu(ops.reshape(ops.exp(x), (12, 10))) * 2]

    check(gpu, build, [Spec((3, 4, 10))])


@pytest.mark.parametrize("shape", [(16,), (5, 7), (4, 32), (2, 1), (3, 5461)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_in_a_chain_draws_what_the_cpu_draws(
    gpu: CupyDevice, shape: tuple[int, ...], dtype: str
) -> None:
    def graph() -> tuple[Graph, list[np.ndarray]]:
        x, step = Value(Spec(shape, dtype)), Value(Spec((), "int64"))
        y, keep = apply(Dropout(0.3, 7, 11), ops.relu(x), step)
        return Graph([x, step], [y * 2, keep]), [some(x.spec), np.array(5)]

    made, feeds = graph()
    assert len(fused(lower(made, gpu))) == 1
    y, keep = Executable(made, gpu).run(feeds, poison=True)
    expected, mask = interpret(made, feeds)
    np.testing.assert_array_equal(keep, mask)
    np.testing.assert_allclose(np.float64(y), np.float64(expected), rtol=2 * TOLERANCE[dtype], atol=1e-6)


def test_two_draws_in_one_chain_differ(gpu: CupyDevice) -> None:
    x, step = Value(Spec((64,))), Value(Spec((), "int64"))
    first, one = apply(Dropout(0.5, 7, 1), x, step)
    second, two = apply(Dropout(0.5, 7, 2), first, step)
    graph = Graph([x, step], [second, one, two])
    feeds = [np.ones(64, "float32"), np.array(0)]
    found, expected = Executable(graph, gpu).run(feeds), interpret(graph, feeds)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gradient_through_a_mask_with_the_bias_gradient(gpu: CupyDevice) -> None:
    def build(ct: Value, keep: Value, y: Value) -> list[Value]:
        from gputrain.ops.activation import ReluGrad

        gradient = apply(ReluGrad(), apply(DropoutGrad(0.25), ct, keep), y)
        return [gradient, apply(SumTo((32,)), gradient)]

    check(gpu, build, [Spec((40, 32)), Spec((40, 32), "bool"), Spec((40, 32))], scale=6.0)


# -------------------------------------------------------------------------------------------------- the pass


def test_groups_never_wait_for_each_other(gpu: CupyDevice) -> None:
    """What lies between two parts of a chain keeps them apart."""

    def build(x: Value, w: Value) -> list[Value]:
        before = ops.relu(x) + 1
        after = ops.matmul(before, w)
        return [ops.sum(before * after), before - after]

    check(gpu, build, [Spec((6, 6)), Spec((6, 6))], kernels=2, scale=30.0)


def test_a_gate_is_a_choice_for_each_state(gpu: CupyDevice) -> None:
    with emulated() as world:
        a, b = Variable(np.ones(5, "float32")), Variable(np.zeros((), "int64"))
        flag, x = Value(Spec((), "bool")), Value(Spec((5,)))
        old_a, old_b = Value(a.spec), Value(b.spec)
        kept = apply(Gate(2), flag, x * 2, old_b + 1, old_a, old_b)
        from gputrain.ir.graph import State

        graph = Graph([flag, x], [], [State(a, old_a, kept[0]), State(b, old_b, kept[1])])
        executable = Executable(graph, world.device, Arena(world.device))
        for held, expected_a, expected_b in ((True, [6.0] * 5, 1), (False, [6.0] * 5, 1)):
            executable.run([np.array(held), np.full(5, 3.0 if held else 9.0, "float32")])
            np.testing.assert_array_equal(a.numpy(), expected_a)
            assert int(b.numpy()) == expected_b


def test_states_are_written_in_place(gpu: CupyDevice) -> None:
    with emulated() as world:
        total = Variable(np.zeros((), "float64"))
        x, old = Value(Spec((100,))), Value(total.spec)
        new = old + ops.cast(ops.sum(ops.square(x)), "float64")
        from gputrain.ir.graph import State

        executable = Executable(Graph([x], [new], [State(total, old, new)]), world.device)
        executable.run([np.ones(100, "float32")])
        executable.run([np.ones(100, "float32")])
        assert float(total) == 200.0
        assert len(executable.thunks) <= 2  # the kernel, and at most a copy of the result


def test_chains_have_a_limit(gpu: CupyDevice) -> None:
    x = value = Value(Spec((8,)))
    for _ in range(300):
        value = ops.sin(value)
    graph = lower(Graph([x], [value]), gpu)
    assert 2 < len(fused(graph)) < 10
    for op in fused(graph):
        assert analyse(op.nodes, set(op.outputs), LIMITS) is not None


def test_the_pass_can_be_switched_off(gpu: CupyDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    x = Value(Spec((8,)))
    graph = Graph([x], [ops.sin(ops.exp(x))])
    assert fused(lower(graph, gpu))
    monkeypatch.setenv("GPUTRAIN_DISABLE_PASSES", "fuse_elementwise")
    assert lower(graph, gpu) is graph


def test_a_large_graph_is_lowered_quickly(gpu: CupyDevice) -> None:
    """Two thousand steps of a recurrence: the time may not grow with the square of the nodes."""
    import time

    def seconds(steps: int) -> float:
        x, w = Value(Spec((4, 4))), Value(Spec((4, 4)))
        h: Any = x
        for _ in range(steps):
            h = ops.tanh(ops.matmul(h, w) + x)
        graph = Graph([x, w], [h])
        start = time.process_time()  # others do not count
        lower(graph, gpu)
        return time.process_time() - start

    seconds(100)
    small, large = (min(seconds(steps) for _ in range(2)) for steps in (250, 2000))
    assert large < 8 * 4 * max(small, 0.01)
