"""The memory plan: planned programs equal unplanned ones bit for bit, and the plan keeps its own rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.backend import current_device
from gputrain.compiler import Plan, make_plan
from gputrain.compiler.plan import Place
from gputrain.compiler.rewrite import optimize
from gputrain.compiler.target import ALIGNMENT
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.ops.base import Constant, Operation, apply
from gputrain.runtime import Executable, Variable, interpret
from tests.compiler.random_graphs import Program, random_program
from tests.compiler.reference_cnn import reference_cnn, train_program
from tests.on_device import fewer
from tests.tolerances import assert_close

SEEDS = range(40)


def assert_equal_bits(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], what: str) -> None:
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes(), (
            f"{what} {i} differs by {np.abs(np.subtract(a, b, dtype=float)).max()}"
        )


def assert_all_close(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, b.dtype.name)


def check_runs(program: Program) -> None:
    """Two steps of the planned program equal two unplanned ones, from a poisoned and from a dirty arena.

    Bit for bit those of the graph as the device runs it. Where the device runs chains of nodes as one, they
    agree with those of the nodes one by one.
    """
    start = program.contents()
    exe = Executable(program.graph, current_device())
    steps = [(interpret(exe.graph, program.feeds), program.contents()) for _ in range(2)]
    if exe.graph is not program.graph:
        program.restore(start)
        for outputs, states in steps:
            assert_all_close(interpret(program.graph, program.feeds), outputs)
            assert_all_close(program.contents(), states)
    for poison in (True, False):
        program.restore(start)
        for outputs, states in steps:
            assert_equal_bits(exe.run(program.feeds, poison=poison), outputs, "output")
            assert_equal_bits(program.contents(), states, "state")


@pytest.mark.parametrize("optimized", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", fewer(SEEDS, 10))
def test_planned_equals_unplanned(seed: int, dtype: str, optimized: bool) -> None:
    program = random_program(seed, 30, dtype)
    if optimized:
        optimize(program.graph)
    program.graph.verify()
    check_runs(program)


# ------------------------------------------------------------------------------------------- small programs


def traced(function: Any, *variables: Variable) -> Program:
    """The program of f(x, *variables) for x = (2, 3) ones."""
    trace, x = Trace(), Value(Spec((2, 3)), name="x")
    with trace.active():
        outputs = list(function(x, *variables))
    return Program(trace.graph([x], outputs), [np.ones((2, 3), "float32")], list(variables))


def variables(count: int) -> list[Variable]:
    return [Variable(np.full((2, 3), float(i + 1), "float32"), name=f"v{i}") for i in range(count)]


def test_an_output_that_is_an_old_state_keeps_its_old_contents() -> None:
    (v,) = variables(1)

    def counting(x: Value, v: Variable) -> list[Value]:
        old = v.value
        v.assign_add(x)
        return [old, ops.reshape(old, (6,)), v.value]

    program = traced(counting, v)
    check_runs(program)
    v.assign(np.full((2, 3), 5.0))
    old, view, new = Executable(program.graph, current_device()).run(program.feeds)
    np.testing.assert_array_equal(old, 5.0)
    np.testing.assert_array_equal(view, 5.0)
    np.testing.assert_array_equal(new, 6.0)


def test_variables_swap() -> None:
    a, b = variables(2)

    def swap(x: Value, a: Variable, b: Variable) -> list[Value]:
        old_a, old_b = a.value, b.value
        a.assign(old_b)
        b.assign(old_a)
        return [old_a]

    program = traced(swap, a, b)
    check_runs(program)
    before_a, before_b = a.numpy(), b.numpy()
    Executable(program.graph, current_device()).run(program.feeds)
    np.testing.assert_array_equal(a.numpy(), before_b)
    np.testing.assert_array_equal(b.numpy(), before_a)


def test_states_move_along_a_chain() -> None:
    a, b, c = variables(3)

    def chain(x: Value, a: Variable, b: Variable, c: Variable) -> list[Value]:
        olds = [a.value, b.value]
        for target, source in zip((c, b), reversed(olds), strict=True):
            target.assign(source)
        a.assign(ops.add(olds[0], x))
        return [olds[1]]

    check_runs(traced(chain, a, b, c))


def test_one_value_becomes_the_state_of_two_variables() -> None:
    a, b = variables(2)

    def both(x: Value, a: Variable, b: Variable) -> list[Value]:
        total = a.value + b.value
        a.assign(total)
        b.assign(total)
        return [total, total]

    check_runs(traced(both, a, b))


class MinusReversed(Operation):
    """x - y[::-1]: may write over x, which it reads element by element, never over y."""

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return ((0, 0),)

    def infer(self, x: Spec, y: Spec) -> Spec:
        return x

    def compute(self, xp: Any, out: Any, x: Any, y: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        for i in range(len(x)):
            out[i] = x[i] - y[len(x) - 1 - i]


def test_an_input_read_twice_is_written_over_only_where_both_readings_allow_it() -> None:
    def program(x: Value) -> list[Value]:
        y = ops.exp(x)
        z = apply(MinusReversed(), y, y)
        w = ops.add(z, z)
        return [ops.multiply(w, ops.reshape(ops.reshape(w, (6,)), (2, 3)))]

    traced_program = traced(program)
    traced_program.feeds[0] = np.arange(6, dtype="float32").reshape(2, 3)
    check_runs(traced_program)


def test_values_without_elements() -> None:
    def program(x: Value) -> list[Value]:
        empty = x[:0]
        return [ops.relu(empty), ops.sum(empty, axis=0), ops.concatenate([ops.exp(empty), x], 0)]

    check_runs(traced(program))


def test_updates_are_in_place() -> None:
    (v,) = variables(1)
    program = traced(lambda x, v: [v.assign_add(x)], v)
    plan = make_plan(program.graph, current_device())
    assert plan.copies == []
    assert plan.outputs[0].buffer.variable is v


# ------------------------------------------------------------------------------------------------ the rules


def span(place: Place, nbytes: int) -> tuple[Any, int, int]:
    """(memory, first byte, byte after the last): the arena, or the buffer of a variable or constant."""
    buffer = place.buffer
    if not buffer.in_arena:
        return buffer, place.offset, place.offset + nbytes
    assert buffer.offset is not None
    return "arena", buffer.offset + place.offset, buffer.offset + place.offset + nbytes


def meet(a: tuple[Any, int, int], b: tuple[Any, int, int]) -> bool:
    return a[0] is b[0] and a[1] < b[2] and b[1] < a[2]


def aliases(value: Value) -> Value:
    """The value that a chain of views looks at."""
    while value.node is not None and value.node.op.view:
        value = value.node.inputs[0]
    return value


def last_reads(graph: Graph) -> dict[Value, int]:
    last: dict[Value, int] = {}
    for i, node in enumerate(graph.nodes):
        if not node.op.view:
            last.update({aliases(v): i for v in node.inputs})
    last.update({aliases(v): len(graph.nodes) for v in graph.roots()})
    return last


def check_writes(plan: Plan) -> None:
    """No node writes over anything that is read later, nor over its own inputs unless it says that it may."""
    device, last = current_device(), last_reads(plan.graph)
    spans = {v: span(place, v.spec.nbytes) for v, place in plan.places.items()}
    packed = {v: node for node in plan.graph.nodes if type(node.op) is ops.Pack for v in node.inputs}
    alive = {*plan.graph.inputs, *(s.before for s in plan.graph.states)}
    for i, node in enumerate(plan.graph.nodes):
        if node.op.view or isinstance(node.op, Constant):
            continue
        allowed = device.overwrites(node.op, [v.spec for v in node.inputs])
        written = [(k, spans[v]) for k, v in enumerate(node.outputs)]
        written += [(-1, span(Place(b), b.nbytes)) for b in plan.scratch[node]]
        for n, (k, where) in enumerate(written):
            assert not any(meet(where, other) for _, other in written[n + 1 :]), f"{node}: outputs overlap"
            for value in alive:
                if not meet(where, spans[value]) or packed.get(value) is node:
                    continue
                assert last.get(value, -1) <= i, f"{node} writes over {value}, read at {last[value]}"
                read = [j for j, v in enumerate(node.inputs) if aliases(v) is value]
                assert all((k, j) in allowed for j in read), f"{node} writes over its input {value}"
        alive.update(node.outputs)


def check_buffers(plan: Plan) -> None:
    arena = [b for b in plan.buffers if b.in_arena]
    for n, a in enumerate(arena):
        assert a.offset is not None
        assert a.offset % ALIGNMENT == 0
        assert a.offset + a.nbytes <= plan.nbytes
        for b in arena[n + 1 :]:
            if a.first <= b.last and b.first <= a.last:
                assert not meet(span(Place(a), a.nbytes), span(Place(b), b.nbytes))
    assert plan.nbytes <= plan.unshared()


def check_views(plan: Plan) -> None:
    for node in plan.graph.nodes:
        if node.op.view:
            assert plan.places[node.outputs[0]] == plan.places[node.inputs[0]]


def check_packs(plan: Plan) -> int:
    """Computed inputs of a Pack lie inside it, each in the first Pack that reads it; returns how many do."""
    seen: set[Value] = set()
    for node in plan.graph.nodes:
        if type(node.op) is not ops.Pack:
            continue
        offset = 0
        for value in node.inputs:
            made = (
                value.node is not None and not value.node.op.view and not isinstance(value.node.op, Constant)
            )
            if made and value not in seen:
                seen.add(value)
                assert plan.places[value] == Place(plan.places[node.outputs[0]].buffer, offset)
            offset += value.spec.nbytes
            offset += -offset % (8 * value.spec.itemsize)
    return len(seen)


def aligned(nbytes: int) -> int:
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT


def most_at_once(plan: Plan) -> int:
    """Bytes in use at the fullest moment: no packing can do with less."""
    arena = [b for b in plan.buffers if b.in_arena]
    moments = range(-1, len(plan.graph.nodes) + 1)
    return max(sum(aligned(b.nbytes) for b in arena if b.first <= t <= b.last) for t in moments)


@pytest.mark.parametrize("optimized", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_keeps_its_rules(seed: int, optimized: bool) -> None:
    program = random_program(seed, 30)
    if optimized:
        optimize(program.graph)
    plan = make_plan(program.graph, current_device())
    check_buffers(plan)
    check_writes(plan)
    check_views(plan)
    check_packs(plan)


def test_the_reference_cnn_is_packed_well() -> None:
    graph = train_program(reference_cnn(), 128).graph
    plan = make_plan(graph, current_device())
    check_buffers(plan)
    check_writes(plan)
    check_views(plan)
    assert check_packs(plan) == 6, "all gradients are written straight into the flat vector"
    states = {s.variable.path: s for s in graph.states if s.written}
    moved = {c.target.buffer.variable.path for c in plan.copies if c.target.buffer.variable is not None}
    in_place = {path for path in states if "kernel" in path or "adam" in path}
    assert not moved & in_place
    least = most_at_once(plan)
    print(f"arena {plan.nbytes:,} bytes, at least {least:,}, without sharing {plan.unshared():,}")
    assert plan.nbytes <= 1.05 * least
