"""A loop with carried state: one node whose body runs once for each step.

A step does only what depends on the steps before it. What no step changes is computed before the loop
(`bodies.trace_body`), products of slices with captured matrices are one product for all steps, and the
gradient of a captured matrix is one product over all steps after the backward loop.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Graph, Node, Spec, Trace, Value, current_trace
from gputrain.ops.base import Constant, Operation, Sample, apply, constant, convert, is_symbolic, spec_of
from gputrain.ops.bodies import Body, PullBack, add_losses, keep_effects, remembers, taken_losses, trace_body
from gputrain.ops.creation import zeros, zeros_of
from gputrain.ops.elementwise import Add, add
from gputrain.ops.movement import reshape, stack, transpose
from gputrain.ops.products import MatMul
from gputrain.ops.reduction import SumTo, sum, sum_to
from gputrain.utils import tree

__all__ = ["Scan", "scan"]


class Scan(Operation, eq=False):
    """carry, y_t = body(carry, x_t, captured) for t = 0, 1, ...: (carries, xs, captured) to (carries, ys).

    Attributes:
        body: inputs carries, slices of xs, captured; outputs carries, slices of ys.
        carries, xs, ys: how many there are of each.
        length: number of steps; None while only shapes matter.
        reverse: whether to go from the last slice to the first.
    """

    body: Body
    carries: int
    xs: int
    ys: int
    length: int | None
    reverse: bool = False

    @property
    def n_outputs(self) -> int:
        return self.carries + self.ys

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,)

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, i) for i in range(self.carries))

    @property
    def order(self) -> range:
        """The numbers of the slices, in the order in which they are gone through."""
        steps = range(self.length or 0)
        return steps[::-1] if self.reverse else steps

    def infer(self, *specs: Spec) -> tuple[Spec, ...]:
        carries = specs[: self.carries]
        outputs = [v.spec for v in self.body.graph.outputs]
        for i, (before, after) in enumerate(zip(carries, outputs, strict=False)):
            if before != after:
                raise ShapeError(
                    explain(
                        f"scan: carry {i} must keep its shape and dtype.", expected=before, received=after
                    )
                )
        stacked = [s.with_shape((self.length, *s.shape)) for s in outputs[self.carries :]]
        return (*carries, *stacked)

    def vjp(self, ct: Any, out: Any, *inputs: Value, pull_back: PullBack) -> Sequence[Value | None]:
        node = (out[0] if isinstance(out, tuple) else out).node
        cts = list(ct) if isinstance(ct, list | tuple) else [ct]
        return _Backward(node, cts, pull_back).run()

    @property
    def crosses(self) -> bool:
        """Whether a carry of the next step is memory of another of this one, as where two are exchanged."""
        graph, n = self.body.graph, self.carries
        carried, steps = set(graph.inputs[:n]), zip(graph.inputs[:n], graph.outputs[:n], strict=True)
        return any(_seen_through(after) in carried - {before} for before, after in steps)

    def scratch(self, *specs: Spec) -> tuple[Spec, ...]:
        """The carries of the next step, where they cross those of this one; a slice of each x."""
        slices = [v.spec for v in self.body.graph.inputs[self.carries : self.carries + self.xs]]
        return (*(specs[: self.carries] if self.crosses else ()), *slices)

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        n, outs = self.carries, out if isinstance(out, tuple) else (out,)
        carries: Sequence[Any] = inputs[:n]
        xs, captured = inputs[n : n + self.xs], inputs[n + self.xs :]
        for t in self.order:
            made = self.body.compute(xp, [*carries, *(x[t] for x in xs), *captured])
            carries = made[:n]
            for stacked, value in zip(outs[n:], made[n:], strict=True):
                stacked[t] = value
        for target, value in zip(outs[:n], carries, strict=True):
            target[...] = value

    def __str__(self) -> str:
        return (
            f"Scan(length={self.length}, reverse={self.reverse}, body of {len(self.body.graph.nodes)} nodes)"
        )

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def body(carry: Value, x: Value, w: Value) -> Any:
            new = carry * w + x
            return new, new * x

        def reference(reverse: bool) -> Any:
            def run(carry: np.ndarray, xs: np.ndarray, w: np.ndarray) -> Any:
                ys = np.zeros_like(xs)
                steps = range(len(xs))
                for t in reversed(steps) if reverse else steps:
                    carry = carry * w + xs[t]
                    ys[t] = carry * xs[t]
                return carry, ys

            return run

        found = []
        one = Spec((3,), "float64")
        for length, reverse in ((4, False), (3, True), (0, False), (1, False)):
            _, made, _ = trace_body(body, [one, one, one])
            op = cls(made, 1, 1, 1, length, reverse)
            specs = (one, one.with_shape((length, 3)), one)
            found.append(Sample(op, specs, reference(reverse), label=f"{length} {reverse}", dtype="float64"))
        return found


def _seen_through(value: Value) -> Value:
    """The value whose memory a view of it is."""
    while value.node is not None and value.node.op.view:
        value = value.node.inputs[0]
    return value


def keep(node: Node, values: Sequence[Value]) -> list[Value]:
    """Let a scan give values of its body too, stacked; returns them as values of the graph around it."""
    op: Scan = node.op
    known = op.body.graph.outputs[op.carries :]
    places = {v: i for i, v in reversed(list(enumerate(known)))}
    new = [v for v in dict.fromkeys(values) if v not in places]
    places |= {v: len(known) + i for i, v in enumerate(new)}
    if new:
        graph = op.body.graph
        body = Body(Graph(graph.inputs, [*graph.outputs, *new], effects=graph.effects))
        node.op = op.replace(body=body, ys=op.ys + len(new))
        specs, first = node.op.output_specs(*(v.spec for v in node.inputs)), len(node.outputs)
        node.outputs += tuple(Value(s, node, first + i) for i, s in enumerate(specs[first:]))
    return [node.outputs[op.carries + places[v]] for v in values]


@dataclass(frozen=True)
class _Total:
    """A sum over all steps: `combine` of its factors, each stacked over the steps."""

    factors: tuple[Value, ...]
    combine: Callable[..., Value]


def _total(term: Value, same: set[Value]) -> _Total | None:
    """The sum of `term` over all steps as one operation, where there is one and no factor is in `same`."""
    node = term.node
    if node is None or not term.spec.static or not same.isdisjoint(node.inputs):
        return None
    if isinstance(node.op, MatMul) and node.op == MatMul(True) and all(v.ndim == 2 for v in node.inputs):
        return _Total(node.inputs, _product_of_rows)
    if isinstance(node.op, SumTo):
        return _Total(node.inputs, lambda stacked: sum_to(stacked, term.spec.dims))
    parts = [_total(v, same) for v in node.inputs] if node.op.view or type(node.op) is Add else []
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts) or any(v.spec.size != term.spec.size for v in node.inputs):
        return None
    cuts = itertools.pairwise(itertools.accumulate((len(p.factors) for p in known), initial=0))
    pieces = list(zip(known, cuts, strict=True))

    def combine(*stacked: Value) -> Value:
        found = [part.combine(*stacked[start:stop]) for part, (start, stop) in pieces]
        return reshape(functools.reduce(add, found), term.spec.dims)

    return _Total(tuple(v for part in known for v in part.factors), combine)


def _product_of_rows(a: Value, b: Value) -> Value:
    """The sum of a_t' b_t over all steps: (T, N, P) and (T, N, Q) to (P, Q)."""
    return apply(MatMul(True), _rows(a), _rows(b))


def _rows(stacked: Value) -> Value:
    """(T, N, K) as (T * N, K)."""
    steps, rows, columns = stacked.spec.dims
    return reshape(stacked, (steps * rows, columns))


class _Backward:
    """The gradient of a scan: a loop the other way round, and what is summed over all steps after it.

    The backward body reads slices of what the forward body computed (`keep`) instead of computing it again.
    It carries the cotangents of the carries, and running sums of those gradients of captured values
    that are no `_Total`.

    Args:
        node: of the scan.
        cts: cotangents of its outputs; None where nobody differentiates one.
        pull_back: differentiates the body.
    """

    def __init__(self, node: Node, cts: Sequence[Value | None], pull_back: PullBack) -> None:
        self.node, self.op, self.pull_back = node, node.op, pull_back
        self.graph, n = self.op.body.graph, self.op.carries
        self.carries, xs = node.inputs[:n], node.inputs[n : n + self.op.xs]
        self.captured = node.inputs[n + self.op.xs :]
        self.d_carries, d_ys = cts[:n], cts[n:]
        self.stacks: dict[Value, Value] = {}  # a slice that the body reads: what it is a slice of
        self.kept: dict[Value, Value] = {}  # value of the forward body: its slice
        self.slices = [self._slice(x) for x in xs]
        self.d_ys = [None if ct is None else self._slice(ct) for ct in d_ys]

    def _slice(self, stacked: Value) -> Value:
        one = Value(stacked.spec.with_shape(stacked.shape[1:]))
        self.stacks[one] = stacked
        return one

    def _varying(self) -> list[Value]:
        return [*self.stacks, *self.kept.values()]

    def run(self) -> list[Value | None]:
        """Gradients of the carries, the xs and the captured values."""
        n = len(self.carries)
        specs = [v.spec for v in (*self.carries, *self.captured)]
        (*_, ys), body, around = trace_body(self._body, specs, repeats=True, varying=self._varying)
        needed = {*around, *(v for factors in self.factors_of for v in factors)}
        read = {one: origin for origin, one in self.kept.items() if one in needed}
        self.stacks |= dict(zip(read, keep(self.node, list(read.values())), strict=True))
        inner = dict(zip(around, body.graph.inputs[len(specs) :], strict=True))
        stacks = {v: self.stacks[v] for v in around if v in self.stacks}
        outer = [v for v in around if v not in stacks]
        running = [body.graph.inputs[n + i] for i in self.summed]
        inputs = [*body.graph.inputs[:n], *running, *(inner[v] for v in (*stacks, *outer))]
        made = Body(Graph(inputs, body.graph.outputs, effects=body.graph.effects))
        carried = n + len(running)
        made, xs, outer = _once_for_all_steps(made, carried, list(stacks.values()), outer)
        backward = Scan(made, carried, len(xs), len(ys), self.op.length, not self.op.reverse)
        starts = [
            zeros_of(v.spec) if ct is None else ct for v, ct in zip(self.carries, self.d_carries, strict=True)
        ]
        starts += [zeros_of(self.captured[i].spec) for i in self.summed]
        results = apply(backward, *starts, *xs, *outer)
        results = results if isinstance(results, tuple) else (results,)
        stacked = dict(zip(ys, results[carried:], strict=True))
        return [
            *results[:n],
            *(stacked[v] for v in self.d_slices),
            *self._of_captured(dict(zip(self.summed, results[n:], strict=False)), {**self.stacks, **stacked}),
        ]

    def _of_captured(self, sums: dict[int, Value], stacks: dict[Value, Value]) -> list[Value | None]:
        found = []
        for i, total in enumerate(self.totals):
            factors = [stacks[v] for v in self.factors_of[i]]
            found.append(sums.get(i) if total is None else total.combine(*factors))
        return found

    def _body(self, *inputs: Value) -> tuple[list[Value], ...]:
        """(gradients of carries, running sums, what is stacked) of one step."""
        n = len(self.carries)
        d_carries, running = inputs[:n], inputs[n:]
        before = [Value(v.spec) for v in self.carries]
        stand_ins = [Value(v.spec) for v in self.captured]
        wanted = [*before, *self.slices, *stand_ins]
        known = self.op.body.inline(wanted)
        outputs = [known[v] for v in self.graph.outputs]
        found = self.pull_back(outputs, [*d_carries, *self.d_ys], wanted)
        count = len(wanted) - len(stand_ins)
        own = [zeros_of(v.spec) if g is None else g for g, v in zip(found[:count], wanted, strict=False)]
        terms = found[count:]
        self.totals = [None if g is None else _total(g, set(stand_ins)) for g in terms]
        running_sums = (g is not None and t is None for g, t in zip(terms, self.totals, strict=True))
        self.summed = [i for i, is_sum in enumerate(running_sums) if is_sum]
        sums = [add(running[i], terms[i]) for i in self.summed]
        self.kept |= dict(zip(self.graph.inputs, before, strict=False))
        reads = _Reads(known, self.kept, dict(zip(stand_ins, self.captured, strict=True)))
        d_before, self.d_slices = reads.all(own[:n]), reads.all(own[n:])
        self.factors_of = [() if t is None else reads.all(t.factors) for t in self.totals]
        free = {*self.stacks, *self.kept.values()}
        factors = [v for factors in self.factors_of for v in factors if v not in free]
        return d_before, reads.all(sums), list(dict.fromkeys([*self.d_slices, *factors]))


class _Reads:
    """What the backward body reads in the place of the forward body's values: slices of what that kept.

    Args:
        known: what stands for each value of the forward body.
        kept: the slice of each value of the forward body that is read; filled here.
        others: further replacements.
    """

    def __init__(
        self, known: dict[Value, Value], kept: dict[Value, Value], others: dict[Value, Value]
    ) -> None:
        self.origins = {inner: value for value, inner in known.items() if inner.node is not None}
        self.kept, self.others = kept, others
        trace = current_trace()
        self.start = trace.start if trace is not None else 0
        self.seen: set[Node] = set()

    def all(self, values: Sequence[Value]) -> list[Value]:
        """The replacements of these values, in all that is computed for them."""
        made = [self._of(v) for v in values]
        pending = [v.node for v in made if self._is_own(v)]
        while pending:
            node = pending.pop()
            if node is None or node in self.seen:
                continue
            self.seen.add(node)
            node.inputs = tuple(self._of(v) for v in node.inputs)
            pending.extend(v.node for v in node.inputs if self._is_own(v))
        return made

    def _is_own(self, value: Value) -> bool:
        return value.node is not None and value.node.order >= self.start

    def _of(self, value: Value) -> Value:
        if value in self.others:
            return self.others[value]
        origin, node = self.origins.get(value), value.node
        if origin is None or node is None or node.op.view or isinstance(node.op, Constant):
            return value  # the backward body's own, or not worth a stack
        return self.kept.setdefault(origin, Value(value.spec))


def _once_for_all_steps(
    body: Body, carries: int, xs: Sequence[Value], captured: Sequence[Value]
) -> tuple[Body, list[Value], list[Value]]:
    """Products of slices with captured matrices, made for all steps at once: (body, xs, captured).

    Other products with a captured matrix get it the right way round, so that no step transposes it.

    Args:
        body: inputs carries, slices of `xs`, captured.
        carries: how many carries there are.
        xs: what the slices are of.
        captured: the captured values outside of the body.
    """
    graph = body.graph
    first = carries + len(xs)
    stacks = dict(zip(graph.inputs[carries:first], xs, strict=True))
    fixed = dict(zip(graph.inputs[first:], captured, strict=True))
    turned: dict[Value, Value] = {}
    for node in graph.nodes:
        if not isinstance(node.op, MatMul) or any(v.ndim != 2 or not v.spec.static for v in node.inputs):
            continue
        x, w = node.inputs
        if x in stacks and w in fixed and stacks[x].spec.static and not node.op.transpose_a:
            (one,) = node.outputs
            product = apply(node.op, _rows(stacks[x]), fixed[w])
            stacks[one] = reshape(product, (stacks[x].spec.dims[0], *one.spec.dims))
            one.node = None  # a slice from now on, whoever holds it
        elif w in fixed and node.op.transpose_b:
            if w not in turned:
                matrix = transpose(fixed[w])
                turned[w] = Value(matrix.spec)
                fixed[turned[w]] = matrix
            node.op, node.inputs = node.op.replace(transpose_b=False), (x, turned[w])
    made = Graph([], graph.outputs, effects=graph.effects)
    read = {*graph.outputs, *graph.effects, *(v for node in made.nodes for v in node.inputs)}
    if remembers(made.nodes):
        read.update(graph.inputs)
    stacks, fixed = ({v: o for v, o in part.items() if v in read} for part in (stacks, fixed))
    made.inputs = [*graph.inputs[:carries], *stacks, *fixed]
    return Body(made), list(stacks.values()), list(fixed.values())


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    """carry, y = f(carry, x) over the first axis of `xs`.

    Args:
        f: function of (carry, x) that returns (carry, y), traced once.
        init: the first carry: a value or a structure of values. None stands for nothing, here and in y.
        xs: what to go through, (T, ...) each; None for `length` steps without input.
        length: number of steps, where it does not follow from `xs`.
        reverse: go from the last to the first.
        unroll: how many steps Keras compiles at once, a positive int or a bool. Here the loop stays one; the
            results are the same.

    Returns:
        (last carry, ys stacked along a new first axis). What layers add to the loss within f counts as the
        sum over all steps.

    Raises:
        ShapeError: a carry changes shape, dtype or number of values, or lengths differ.
        ValueError: unroll is not as above.

    Example:
        >>> scan(lambda total, x: (total + x, total), np.float32(0), np.arange(4, dtype="float32"))
        (6.0, array([0., 0., 1., 3.], dtype=float32))
    """
    if not isinstance(unroll, int) or (not isinstance(unroll, bool) and unroll < 1):
        raise ValueError(explain("scan: unroll is a positive int or a bool.", received=repr(unroll)))
    slices = [convert(x) for x in _leaves(xs)]
    steps = _length(slices, length)
    carries = [convert(c) for c in _leaves(init)]
    symbolic = any(is_symbolic(v) for v in (*carries, *slices))
    if current_trace() is None and not symbolic and steps is not None:
        return _eager_scan(f, init, xs, steps, reverse)
    structures: list[Any] = []
    added: list[tuple[Any, Value]] = []

    def body(*values: Value) -> list[Any]:
        carry, y = f(_packed(init, values[: len(carries)]), _packed(xs, values[len(carries) :]))
        structures.append(y)
        added.extend(taken_losses())
        return [*_carries(carry, len(carries)), *_leaves(y), *(loss for _, loss in added)]

    specs = [*(spec_of(c) for c in carries), *(spec_of(x).with_shape(spec_of(x).shape[1:]) for x in slices)]
    results, made, captured = trace_body(body, specs, repeats=True)
    values = [x if isinstance(x, Value) else constant(x) for x in (*carries, *slices)]
    n, ys = len(carries), len(results) - len(carries)
    made, xs_of, captured = _once_for_all_steps(made, n, values[n:], captured)
    op = Scan(made, n, len(xs_of), ys, steps, reverse)
    outs = apply(op, *values[:n], *xs_of, *captured)
    outs = outs if isinstance(outs, tuple) else (outs,)
    keep_effects(outs, made)
    add_losses((layer, sum(outs[n + ys - len(added) + i], 0)) for i, (layer, _) in enumerate(added))
    return _packed(init, outs[:n]), _packed(structures[-1], outs[n:])


def _leaves(structure: Any) -> list[Any]:
    """The leaves of a structure in which None stands for nothing."""
    return [leaf for leaf in tree.flatten(structure) if leaf is not None]


def _packed(structure: Any, leaves: Sequence[Any]) -> Any:
    """A structure like `structure` with its `_leaves` replaced."""
    rest = iter(leaves)
    return tree.map_leaves(lambda leaf: None if leaf is None else next(rest), structure)


def _carries(carry: Any, count: int) -> list[Any]:
    """The leaves of the carry that a step returned.

    Raises:
        ShapeError: they are not as many as those that it got.
    """
    leaves = _leaves(carry)
    if len(leaves) != count:
        raise ShapeError(
            explain(
                "scan: f must return (carry, y), the carry with as many values as `init`.",
                expected=count,
                received=len(leaves),
            )
        )
    return leaves


def _length(slices: Sequence[Any], length: int | None) -> int | None:
    """The number of steps; None where only shapes matter, and all that is gone through has an unknown one."""
    sizes = {spec_of(x).shape[0] for x in slices} | ({length} if length is not None else set())
    if len(sizes) > 1:
        sizes.discard(None)
    if len(sizes) != 1:
        raise ShapeError(
            explain(
                "scan: all xs, and length if given, must agree on one known number of steps.",
                received=sizes or None,
            )
        )
    (steps,) = sizes
    return None if steps is None else int(steps)


def _eager_scan(f: Any, carry: Any, xs: Any, steps: int, reverse: bool) -> tuple[Any, Any]:
    count, ys = len(_leaves(carry)), [None] * steps
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        carry, ys[t] = f(carry, _packed(xs, [convert(x)[t] for x in _leaves(xs)]))
        _carries(carry, count)
    if not ys:
        return carry, _no_steps(f, carry, xs)
    columns = zip(*(_leaves(y) for y in ys), strict=True)
    return carry, _packed(ys[0], [stack(column) for column in columns])


def _no_steps(f: Any, carry: Any, xs: Any) -> Any:
    """What a loop without a step stacks: nothing of each y, whose shapes come from tracing one step."""
    trace = Trace(repeats=True)
    specs = [spec_of(convert(c)) for c in _leaves(carry)]
    slices = [spec_of(x).with_shape(spec_of(x).shape[1:]) for x in map(convert, _leaves(xs))]
    with trace.active():
        y = f(_packed(carry, list(map(Value, specs))), _packed(xs, list(map(Value, slices))))[1]
        made = [spec_of(convert(leaf)) for leaf in _leaves(y)]
    return _packed(y, [zeros((0, *spec.dims), spec.dtype) for spec in made])
