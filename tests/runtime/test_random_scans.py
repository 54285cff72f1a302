"""Random loops: planned, interpreted and as plain Python loops, with gradients by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gputrain import backend, ops
from gputrain.compiler import gradients
from gputrain.compiler.rewrite import optimize
from gputrain.ir import Spec, Trace, Value
from gputrain.ops.base import constant
from gputrain.runtime import Arena, Executable, Variable, interpret

F64 = "float64"
ROWS, COLUMNS = 3, 4
SHAPE = (ROWS, COLUMNS)
PROGRAMS = 40

Array = np.ndarray


# Ways to make a value of SHAPE out of others of SHAPE: (arity, recorded, plain). `m` is a captured matrix,
# `s` the whole stack that the loop goes through.


def _cond(a: Any, b: Any, m: Any, s: Any) -> Any:
    return ops.cond(ops.sum(a) > 0.05, lambda: ops.tanh(a * b) @ m, lambda: a - b)


def _plain_cond(a: Array, b: Array, m: Array, s: Array) -> Array:
    return np.tanh(a * b) @ m if a.sum() > 0.05 else a - b


def _inner(a: Any, b: Any, m: Any, s: Any) -> Any:
    last, ys = ops.scan(lambda c, row: (ops.tanh(c + row @ m), c * row), a[0], b, reverse=True)
    return ys + last


def _plain_inner(a: Array, b: Array, m: Array, s: Array) -> Array:
    c, ys = a[0], np.empty_like(b)
    for i in reversed(range(len(b))):
        ys[i], c = c * b[i], np.tanh(c + b[i] @ m)
    return ys + c


def _gradient(a: Any, b: Any, m: Any, s: Any) -> Any:
    (found,) = gradients(ops.sum(ops.tanh(a @ m)), [a])
    assert found is not None
    return found * b


def _plain_gradient(a: Array, b: Array, m: Array, s: Array) -> Array:
    return ((1 - np.tanh(a @ m) ** 2) @ m.T) * b


WAYS: dict[str, tuple[int, Callable[..., Any], Callable[..., Array]]] = {
    "add": (2, lambda a, b, m, s: a + b, lambda a, b, m, s: a + b),
    "product": (2, lambda a, b, m, s: ops.tanh(a * b), lambda a, b, m, s: np.tanh(a * b)),
    "tanh": (1, lambda a, m, s: ops.tanh(a), lambda a, m, s: np.tanh(a)),
    "matmul": (1, lambda a, m, s: a @ m, lambda a, m, s: a @ m),
    "transposed": (1, lambda a, m, s: a @ ops.transpose(m), lambda a, m, s: a @ m.T),
    "gram": (
        2,
        lambda a, b, m, s: ops.tanh(a @ ops.transpose(b) @ a),
        lambda a, b, m, s: np.tanh(a @ b.T @ a),
    ),
    "centered": (
        1,
        lambda a, m, s: a - ops.mean(a, axis=-1, keepdims=True),
        lambda a, m, s: a - a.mean(-1, keepdims=True),
    ),
    "bias": (1, lambda a, m, s: a + m[0], lambda a, m, s: a + m[0]),
    "rolled": (
        1,
        lambda a, m, s: ops.concatenate([a[:, 1:], a[:, :1]], axis=1),
        lambda a, m, s: np.roll(a, -1, 1),
    ),
    "view": (
        1,
        lambda a, m, s: ops.reshape(ops.reshape(a, (-1,)), SHAPE),
        lambda a, m, s: a,
    ),
    "stack": (1, lambda a, m, s: ops.sum(s * a, axis=0), lambda a, m, s: (s * a).sum(0)),
    "fixed": (1, lambda a, m, s: a + ops.tanh(ops.sum(s, axis=0)), lambda a, m, s: a + np.tanh(s.sum(0))),
    "constant": (1, lambda a, m, s: a * np.full(SHAPE, 0.5), lambda a, m, s: a * 0.5),
    "zero": (1, lambda a, m, s: ops.zeros_like(a), lambda a, m, s: np.zeros_like(a)),
    "cond": (2, _cond, _plain_cond),
    "inner": (2, _inner, _plain_inner),
    "gradient": (2, _gradient, _plain_gradient),
}


@dataclass
class Program:
    """A random loop over `length` steps.

    A step knows its carries, its slices, then the captured values, and makes further values one after the
    other: (way, numbers of the operands, number of the matrix). Its carries and ys are numbers of values.
    """

    seed: int
    carries: int = 0
    length: int = 0
    reverse: bool = False
    steps: list[tuple[str, tuple[int, ...], int]] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    ys: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.carries, xs, captured = (int(rng.integers(1, 4)), int(rng.integers(1, 3)), 2)
        self.length, self.reverse = int(rng.choice([0, 1, 2, 5])), bool(rng.integers(2))
        known = self.carries + xs + captured
        for _ in range(int(rng.integers(1, 8))):
            way = str(rng.choice(list(WAYS)))
            operands = tuple(int(i) for i in rng.integers(0, known, WAYS[way][0]))
            self.steps.append((way, operands, int(rng.integers(2))))
            known += 1
        self.after = [int(i) for i in rng.integers(0, known, self.carries)]
        self.ys = [int(i) for i in rng.integers(0, known, rng.integers(0, 4))]
        shapes = [SHAPE] * self.carries + [(self.length, *SHAPE)] * xs + [SHAPE] * captured
        shapes += [(COLUMNS, COLUMNS)] * 2
        self.arrays = [rng.normal(size=shape) * 0.5 for shape in shapes]

    def parts(self, values: Sequence[Any]) -> tuple[Sequence[Any], ...]:
        """The carries, the stacks, the captured values and the matrices among the arguments."""
        return values[: self.carries], values[self.carries : -4], values[-4:-2], values[-2:]

    def step(self, table: int, known: list[Any], matrices: Sequence[Any], stack: Any) -> tuple[Any, ...]:
        """(carries, ys) of a step; `table` is 1 to record it, 2 to compute it with NumPy."""
        for way, operands, m in self.steps:
            function: Any = WAYS[way][table]
            known.append(function(*(known[i] for i in operands), m=matrices[m], s=stack))
        return [known[i] for i in self.after], [known[i] for i in self.ys]

    def recorded(self, values: Sequence[Any]) -> list[Any]:
        carries, stacks, captured, matrices = self.parts(values)

        def body(c: list[Any], x: list[Any]) -> tuple[Any, ...]:
            return self.step(1, [*c, *x, *captured], matrices, stacks[0])

        last, ys = ops.scan(body, list(carries), list(stacks), reverse=self.reverse)
        return [*last, *(ys or [])]

    def plain(self, values: Sequence[Array]) -> list[Array]:
        carries, stacks, captured, matrices = self.parts(values)
        ys = [np.zeros((self.length, *SHAPE)) for _ in self.ys]
        order = range(self.length)
        for t in reversed(order) if self.reverse else order:
            slices = [stack[t] for stack in stacks]
            carries, made = self.step(2, [*carries, *slices, *captured], matrices, stacks[0])
            for stacked, value in zip(ys, made, strict=True):
                stacked[t] = value
        return [*carries, *ys]


def differentiated(program: Program) -> tuple[Any, list[Array], list[Array]]:
    """(graph of outputs and gradients, feeds, cotangents); the last matrix is a variable."""
    rng = np.random.default_rng(program.seed + 1000)
    cotangents = [rng.normal(size=out.shape) for out in program.plain(program.arrays)]
    feeds = program.arrays[:-1]
    inputs = [Value(Spec(a.shape, F64)) for a in feeds]
    weight = Variable(program.arrays[-1], dtype=F64, name="weight")
    trace = Trace()
    with trace.active():
        outputs = program.recorded([*inputs, weight])
        loss = sum((ops.sum(out * ct) for out, ct in zip(outputs, cotangents, strict=True)), start=0.0)
        found = gradients(loss, [*inputs, weight])
        found = [
            constant(np.zeros(a.shape)) if g is None else g
            for g, a in zip(found, program.arrays, strict=True)
        ]
    graph = trace.graph(inputs, [*outputs, *found])
    graph.verify()
    return graph, feeds, cotangents


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_loops(seed: int) -> None:
    program = Program(seed)
    graph, feeds, cotangents = differentiated(program)
    expected = program.plain(program.arrays)
    found = interpret(graph, feeds)
    for got, want in zip(found, expected, strict=False):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    for ready in (graph, optimize(differentiated(program)[0])):
        device = backend.current_device()
        exe = Executable(ready, device, Arena(device))
        for poison in (True, False, False, False):  # a GPU records the second of the last, and replays it
            for got, want in zip(exe.run(feeds, poison=poison), found, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    _check_gradients(program, found[len(expected) :], cotangents)


def _check_gradients(program: Program, found: Sequence[Array], cotangents: Sequence[Array]) -> None:
    rng = np.random.default_rng(program.seed + 2000)

    def loss(arrays: Sequence[Array]) -> float:
        return float(sum((out * ct).sum() for out, ct in zip(program.plain(arrays), cotangents, strict=True)))

    for i, gradient in enumerate(found):
        direction, moved = rng.normal(size=gradient.shape), list(program.arrays)
        ends = []
        for sign in (1, -1):
            moved[i] = program.arrays[i] + sign * 1e-6 * direction
            ends.append(loss(moved))
        slope = (ends[0] - ends[1]) / 2e-6
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-6), f"argument {i}"
