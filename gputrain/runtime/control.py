"""Operations that own body graphs: scan (a loop with carried state) and cond (a choice)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from gputrain.backend import Device, InOrder, current_device
from gputrain.compiler.autodiff import pull_back
from gputrain.compiler.plan import Plan, make_plan
from gputrain.errors import GraphError, ShapeError, explain
from gputrain.ir import Graph, Node, Spec, Trace, Value, current_trace
from gputrain.ops import broadcast_to, stack
from gputrain.ops.base import Operation, Sample, apply, constant, convert, is_symbolic, spec_of
from gputrain.runtime.executable import Arena, Executable
from gputrain.utils import tree

Thunk = Callable[[], None]


class Body:
    """A body graph with its memory plan. Values from around it are inputs of their own (`captured`).

    Args:
        graph: the body; its inputs are all brought by the operation that owns it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._plans: dict[str, Plan] = {}

    def plan(self, device: Device) -> Plan:
        """The memory plan on a device, made once."""
        if device.name not in self._plans:
            self._plans[device.name] = make_plan(self.graph, device, self.graph.inputs)
        return self._plans[device.name]

    def arena(self, device: Device) -> Spec:
        """Workspace that running the body needs."""
        return Spec((self.plan(device).nbytes,), "uint8")

    def bind(self, device: Device, memory: Any, inputs: Sequence[Any]) -> Executable:
        """The body on given arrays, ready to step."""
        given = dict(zip(self.graph.inputs, inputs, strict=True))
        exe = Executable(self.graph, device, Arena(device, memory), given, self.plan(device))
        exe.bind()
        return exe

    def inline(self, values: Sequence[Value]) -> list[Value]:
        """The body's nodes again, on other values; its outputs."""
        known = dict(zip(self.graph.inputs, values, strict=True))
        for node in self.graph.nodes:
            made = apply(node.op, *(known[v] for v in node.inputs)) if node.inputs else _again(node)
            known.update(zip(node.outputs, made if isinstance(made, tuple) else (made,), strict=True))
        return [known[v] for v in self.graph.outputs]


def _again(node: Node) -> tuple[Value, ...]:
    return Node(node.op, (), node.op.output_specs()).outputs


def trace_body(
    function: Callable[..., Any], specs: Sequence[Spec], repeats: bool = False
) -> tuple[Any, Body, list[Value]]:
    """(structure of the results, body, captured values) of a function of values with these specs.

    Raises:
        GraphError: the body adds a loss, assigns a variable or requires a value, which would be lost; or
            it draws random numbers although it `repeats`.
    """
    outer = current_trace()
    trace = Trace(training=outer.training if outer else False, parent=outer, repeats=repeats)
    inputs = [Value(spec) for spec in specs]
    with trace.active():
        results = function(*inputs)
        leaves = [x if isinstance(x, Value) else constant(x) for x in tree.flatten(results)]
    _check_losses(trace)
    stand_ins = _captured([*leaves, *trace.effects], inputs, trace)
    captured = [value for value, _ in stand_ins]
    known = dict(stand_ins)
    graph = Graph(
        [*inputs, *(inner for _, inner in stand_ins)],
        _replaced(leaves, known),
        effects=_replaced(trace.effects, known),
    )
    return results, Body(graph), [_from_outside(v, trace, outer) for v in captured]


def _check_losses(trace: Trace) -> None:
    """Losses added in a body are values of the body: the step around it cannot add them up."""
    if not trace.losses:
        return
    names = [layer.name for layer, _ in trace.losses]
    where = "/".join(part for part in (trace.whole_path, names[0]) if part)
    raise GraphError(
        explain(
            f"{where}: a loss (add_loss, activity_regularizer) cannot be added inside the body of a scan "
            "or cond.",
            fix="Return its value from the body and add it outside with add_loss.",
        )
    )


def _captured(leaves: Sequence[Value], inputs: Sequence[Value], trace: Trace) -> list[tuple[Value, Value]]:
    """(outer value, input that stands for it) of everything the body reads from around it."""
    found: dict[Value, Value] = {}
    own = set(inputs)

    def is_outer(value: Value) -> bool:
        return value not in own and (value.node is None or value.node.order < trace.start)

    inner: set[Node] = set()
    pending = [v for v in leaves if not is_outer(v)]
    while pending:
        node = pending.pop().node
        if node is None or node in inner:
            continue
        inner.add(node)
        pending.extend(v for v in node.inputs if not is_outer(v))
    reads = [v for node in sorted(inner, key=lambda n: n.order) for v in node.inputs]
    for value in (*reads, *leaves):
        if is_outer(value) and value not in found:
            found[value] = Value(value.spec, name=value.name)
    for node in inner:
        node.inputs = tuple(found.get(v, v) for v in node.inputs)
    return list(found.items())


def _keep_effects(outs: Sequence[Value], *bodies: Body) -> None:
    """An operation whose bodies do something (ops.print) stays, also where nobody reads its outputs."""
    trace = current_trace()
    if trace is not None and any(body.graph.effects for body in bodies):
        trace.effects.extend(outs[:1])


def _replaced(leaves: Sequence[Value], stand_ins: dict[Value, Value]) -> list[Value]:
    return [stand_ins.get(v, v) for v in leaves]


def _from_outside(value: Value, trace: Trace, outer: Trace | None) -> Value:
    """A captured value in the outer graph: variables are read there."""
    for variable, read in trace.before.items():
        if read is value:
            if outer is None:
                raise GraphError("A variable can be read in a body only inside a traced function.")
            return outer.read(variable)
    return value


# ---------------------------------------------------------------------------------------------------- scan


class Scan(Operation, eq=False):
    """carry, y_t = body(carry, x_t, captured) for t = 0, 1, ...: (carries, xs, captured) to (carries, ys).

    With `history` the carries before each step are further outputs; the gradient asks for them.

    Attributes:
        body: inputs carries, slices of xs, captured; outputs carries, slices of ys.
        carries, xs, ys: how many there are of each.
        length: number of steps.
        reverse: whether to go from the last slice to the first.
    """

    body: Body
    carries: int
    xs: int
    ys: int
    length: int
    reverse: bool = False
    history: bool = False

    @property
    def n_outputs(self) -> int:
        return self.carries + self.ys + (self.carries if self.history else 0)

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
        kept = [s.with_shape((self.length, *s.shape)) for s in carries] if self.history else []
        return (*carries, *stacked, *kept)

    def vjp(self, ct: Any, out: Any, *inputs: Value) -> Sequence[Value | None]:
        histories = self._keep_history(out if isinstance(out, tuple) else (out,))
        cts = list(ct) if isinstance(ct, list | tuple) else [ct]
        count = self.carries + self.ys
        cts = [
            c if c is not None else _zeros(s)
            for c, s in zip(cts[:count], self.infer(*(v.spec for v in inputs)), strict=False)
        ]
        carries, xs = inputs[: self.carries], inputs[self.carries : self.carries + self.xs]
        captured = inputs[self.carries + self.xs :]
        return _scan_gradient(self, cts, carries, xs, captured, histories)

    def _keep_history(self, out: Sequence[Value]) -> tuple[Value, ...]:
        """Let the forward scan keep its carries, if it does not yet, and return them."""
        node = out[0].node
        assert node is not None
        if not node.op.history:  # type: ignore[attr-defined]
            node.op = self.replace(history=True)
            specs = node.op.output_specs(*(v.spec for v in node.inputs))
            first = len(node.outputs)
            node.outputs += tuple(Value(s, node, first + i) for i, s in enumerate(specs[first:]))
        return node.outputs[self.carries + self.ys :]

    def scratch(self, *specs: Spec) -> tuple[Spec, ...]:
        slices = [v.spec for v in self.body.graph.inputs[self.carries : self.carries + self.xs]]
        carried = list(specs[: self.carries])
        return (self.body.arena(current_device()), *carried, *carried, *slices)

    def bind(self, device: Device, out: Any, ins: Sequence[Any], scratch: tuple[Any, ...]) -> Thunk:
        outs = list(out) if isinstance(out, tuple) else [out]
        n = self.carries
        memory, current, staged, slices = (
            scratch[0],
            scratch[1 : 1 + n],
            scratch[1 + n : 1 + 2 * n],
            scratch[1 + 2 * n :],
        )
        exe = self.body.bind(device, memory, [*current, *slices, *ins[n + self.xs :]])
        return self._loop(device, exe, outs, ins, current, staged, slices)

    def _loop(
        self,
        device: Device,
        exe: Executable,
        outs: list[Any],
        ins: Sequence[Any],
        current: Any,
        staged: Any,
        slices: Any,
    ) -> Thunk:
        n = self.carries
        xs, ys, kept = ins[n : n + self.xs], outs[n : n + self.ys], outs[n + self.ys :]
        order = range(self.length - 1, -1, -1) if self.reverse else range(self.length)

        def copies(targets: Sequence[Any], sources: Sequence[Any]) -> list[Thunk]:
            return [device.copy(t, s) for t, s in zip(targets, sources, strict=True)]

        # A step's outputs may lie where its carries are read, so they pass through `staged`.
        after = copies(staged, exe.outputs[:n]) + copies(current, staged)
        parts = copies(current, ins[:n])
        for t in order:
            parts += copies(slices, [_at(x, t) for x in xs])
            parts += copies([_at(k, t) for k in kept], current if kept else [])
            parts += exe.thunks
            parts += copies([_at(y, t) for y in ys], exe.outputs[n:])
            parts += after
        return InOrder([*parts, *copies(outs[:n], current)])

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


def _at(stack: Any, t: int) -> Any:
    """Slice t of the first axis, as an array also where it is a single number."""
    return stack[t : t + 1].reshape(stack.shape[1:])


def _zeros(spec: Spec) -> Value:
    return broadcast_to(constant(np.zeros((), spec.dtype)), spec.dims)


def _scan_gradient(
    op: Scan, cts: list[Value], carries: Any, xs: Any, captured: Any, histories: Sequence[Value]
) -> list[Value | None]:
    """The backward loop: it carries cotangents of carries and captured values, and stacks those of xs."""
    n, count = op.carries, len(captured)

    def body(*values: Value) -> list[Value]:
        cursor = iter(values)
        d_carry = [next(cursor) for _ in range(n)]
        d_captured = [next(cursor) for _ in range(count)]
        before = [next(cursor) for _ in range(n)]
        slices = [next(cursor) for _ in range(op.xs)]
        d_ys = [next(cursor) for _ in range(op.ys)]
        around = list(cursor)
        outputs = op.body.inline([*before, *slices, *around])
        wanted = [*before, *slices, *around]
        found = pull_back(outputs, [*d_carry, *d_ys], wanted)
        filled = [g if g is not None else _zeros(v.spec) for g, v in zip(found, wanted, strict=True)]
        sums = [d + g for d, g in zip(d_captured, filled[n + op.xs :], strict=True)]
        return [*filled[:n], *sums, *filled[n : n + op.xs]]

    specs = [
        *(v.spec for v in carries),
        *(v.spec for v in captured),
        *(v.spec for v in carries),
        *(v.spec.with_shape(v.shape[1:]) for v in xs),
        *(o.spec for o in op.body.graph.outputs[n:]),
        *(v.spec for v in captured),
    ]
    _, made, around = trace_body(body, specs, repeats=True)
    backward = Scan(made, n + count, n + op.xs + op.ys, op.xs, op.length, not op.reverse)
    starts = [*cts[:n], *(_zeros(v.spec) for v in captured)]
    results = apply(backward, *starts, *histories, *xs, *cts[n:], *captured, *around)
    results = results if isinstance(results, tuple) else (results,)
    d_xs = list(results[n + count :])
    return [*results[:n], *d_xs, *results[n : n + count]]


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
        init: the first carry: a value or a structure of values.
        xs: what to go through, (T, ...) each; None for `length` steps without input.
        length: number of steps, where it does not follow from `xs`.
        reverse: go from the last to the first.
        unroll: accepted for compatibility.

    Returns:
        (last carry, ys stacked along a new first axis).

    Raises:
        ShapeError: a carry changes shape, or lengths differ.

    Example:
        >>> scan(lambda total, x: (total + x, total), np.float32(0), np.arange(4, dtype="float32"))
        (6.0, array([0., 0., 1., 3.], dtype=float32))
    """
    slices = [] if xs is None else [convert(x) for x in tree.flatten(xs)]
    steps = _length(slices, length)
    carries = [convert(c) for c in tree.flatten(init)]
    if current_trace() is None and not any(is_symbolic(v) for v in (*carries, *slices)):
        return _eager_scan(f, init, xs, steps, reverse)
    structures: list[Any] = []

    def body(*values: Value) -> list[Any]:
        carry = tree.pack(init, values[: len(carries)])
        x = None if xs is None else tree.pack(xs, values[len(carries) :])
        carry, y = f(carry, x)
        structures.append(y)
        return [*tree.flatten(carry), *(v for v in tree.flatten(y) if v is not None)]

    specs = [*(spec_of(c) for c in carries), *(spec_of(x).with_shape(spec_of(x).shape[1:]) for x in slices)]
    results, made, captured = trace_body(body, specs, repeats=True)
    ys = len(results) - len(carries)
    op = Scan(made, len(carries), len(slices), ys, steps, reverse)
    values = [x if isinstance(x, Value) else constant(x) for x in (*carries, *slices)]
    outs = apply(op, *values, *captured)
    outs = outs if isinstance(outs, tuple) else (outs,)
    _keep_effects(outs, made)
    stacked = tree.pack(structures[-1], outs[len(carries) :]) if ys else None
    return tree.pack(init, outs[: len(carries)]), stacked


def _length(slices: Sequence[Any], length: int | None) -> int:
    sizes = {spec_of(x).shape[0] for x in slices} | ({length} if length is not None else set())
    if len(sizes) != 1 or None in sizes:
        raise ShapeError(
            explain(
                "scan: all xs, and length if given, must agree on one known number of steps.",
                received=sizes or None,
            )
        )
    return int(sizes.pop())  # type: ignore[arg-type]


def _eager_scan(f: Any, carry: Any, xs: Any, steps: int, reverse: bool) -> tuple[Any, Any]:
    ys: list[Any] = [None] * steps
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        row = None if xs is None else tree.pack(xs, [convert(x)[t] for x in tree.flatten(xs)])
        carry, ys[t] = f(carry, row)
    if not ys or ys[0] is None:
        return carry, None
    columns = zip(*(tree.flatten(y) for y in ys), strict=True)
    return carry, tree.pack(ys[0], [stack(column) for column in columns])


# ---------------------------------------------------------------------------------------------------- cond


class Cond(Operation, eq=False):
    """One of two bodies on the same values, by a flag: (flag, values) to the outputs of the chosen body."""

    if_true: Body
    if_false: Body
    on_host: ClassVar[str] = "the host reads its flag to choose a branch"

    @property
    def n_outputs(self) -> int:
        return len(self.if_true.graph.outputs)

    @cached_property
    def bodies(self) -> tuple[Body, Body]:
        return self.if_true, self.if_false

    def infer(self, flag: Spec, *specs: Spec) -> tuple[Spec, ...]:
        yes, no = ([v.spec for v in body.graph.outputs] for body in self.bodies)
        if yes != no:
            raise ShapeError(
                explain(
                    "cond: both branches must return the same shapes and dtypes.",
                    received=f"{[str(s) for s in yes]} and {[str(s) for s in no]}",
                )
            )
        if flag.shape != () or flag.dtype != "bool":
            raise ShapeError(explain("cond: the condition is one boolean.", expected="bool[]", received=flag))
        return tuple(yes)

    def vjp(self, ct: Any, out: Any, flag: Value, *values: Value) -> Sequence[Value | None]:
        cts = list(ct) if isinstance(ct, list | tuple) else [ct]
        known = [
            c if c is not None else _zeros(v.spec)
            for c, v in zip(cts, self.if_true.graph.outputs, strict=True)
        ]

        def backward(body: Body) -> Callable[..., list[Value]]:
            def run(*inputs: Value) -> list[Value]:
                inner, upstream = inputs[: len(values)], inputs[len(values) :]
                found = pull_back(body.inline(inner), upstream, inner)
                return [g if g is not None else _zeros(v.spec) for g, v in zip(found, inner, strict=True)]

            return run

        specs = [v.spec for v in (*values, *known)]
        (_, yes, _), (_, no, _) = (trace_body(backward(body), specs) for body in self.bodies)
        grads = apply(Cond(yes, no), flag, *values, *known) if values else ()
        return [None, *(grads if isinstance(grads, tuple) else (grads,))]

    def scratch(self, flag: Spec, *specs: Spec) -> tuple[Spec, ...]:
        return tuple(body.arena(current_device()) for body in self.bodies)

    def bind(self, device: Device, out: Any, ins: Sequence[Any], scratch: tuple[Any, ...]) -> Thunk:
        outs = out if isinstance(out, tuple) else (out,)
        flag, values = ins[0], ins[1:]
        yes, no = (
            body.bind(device, memory, values) for body, memory in zip(self.bodies, scratch, strict=True)
        )

        ways = [
            [*exe.thunks, *(device.copy(t, s) for t, s in zip(outs, exe.outputs, strict=True))]
            for exe in (no, yes)
        ]

        def run() -> None:
            for thunk in ways[bool(flag)]:
                thunk()

        return run

    def __str__(self) -> str:
        return f"Cond(bodies of {len(self.if_true.graph.nodes)} and {len(self.if_false.graph.nodes)} nodes)"

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def yes(x: Value, y: Value) -> Any:
            return x * y

        def no(x: Value, y: Value) -> Any:
            return x - y * y

        def reference(flag: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return x * y if flag else x - y * y

        specs = [Spec((3,), "float64"), Spec((3,), "float64")]
        op = cls(trace_body(yes, specs)[1], trace_body(no, specs)[1])
        return [
            Sample(op, (np.array(flag), *specs), reference, label=str(flag), dtype="float64")
            for flag in (True, False)
        ]


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """true_fn() where `pred` holds, false_fn() elsewhere; only the chosen one is computed.

    Args:
        pred: one boolean: a value, an array or a Python bool.
        true_fn, false_fn: functions without arguments that return values of the same shapes and dtypes.

    Raises:
        ShapeError: the branches differ in shape or dtype, or `pred` is not one boolean.
    """
    flag = convert(pred)
    if not isinstance(flag, Value):
        return true_fn() if bool(flag) else false_fn()
    structure, yes, from_yes = trace_body(true_fn, [])
    _, no, from_no = trace_body(false_fn, [])
    values = list(dict.fromkeys([*from_yes, *from_no]))
    op = Cond(_with_inputs(yes, from_yes, values), _with_inputs(no, from_no, values))
    outs = apply(op, flag, *values)
    outs = outs if isinstance(outs, tuple) else (outs,)
    _keep_effects(outs, yes, no)
    return tree.pack(structure, outs)


def _with_inputs(body: Body, captured: Sequence[Value], values: Sequence[Value]) -> Body:
    """The body with one input for each of `values`, used or not."""
    own = dict(zip(captured, body.graph.inputs, strict=True))
    inputs = [own[v] if v in own else Value(v.spec, name=v.name) for v in values]
    return Body(Graph(inputs, body.graph.outputs, effects=body.graph.effects))


__all__ = ["Body", "Cond", "Scan", "cond", "scan"]
