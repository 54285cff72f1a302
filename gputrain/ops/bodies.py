"""Body graphs: what scan and cond own, and how a function becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gputrain.errors import GraphError, explain
from gputrain.ir import Graph, Node, Spec, Trace, Value, current_trace
from gputrain.ops.base import as_value, evaluate, record_again
from gputrain.ops.custom import OwnGradient
from gputrain.utils import tree

__all__: list[str] = []

PullBack = Callable[[Sequence[Value], Sequence[Value | None], Sequence[Value]], list[Value | None]]


class Body:
    """A body graph. Values from around it are inputs of their own (`captured`).

    Args:
        graph: the body; its inputs are all brought by the operation that owns it.

    Attributes:
        plans: memory plans by the name of their device, made once (`compiler.plan.plan_body`).
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plans: dict[str, Any] = {}

    def compute(self, xp: Any, inputs: Sequence[Any]) -> list[Any]:
        """The outputs on arrays of `xp`, by the plain references of the body's operations."""
        known = dict(zip(self.graph.inputs, inputs, strict=True))
        for node in self.graph.nodes:
            made = evaluate(node.op, xp, [known[v] for v in node.inputs])
            known.update(zip(node.outputs, made, strict=True))
        return [known[v] for v in self.graph.outputs]

    def inline(self, values: Sequence[Value]) -> dict[Value, Value]:
        """The body's nodes again, on other values: what stands for each value of the body."""
        known = dict(zip(self.graph.inputs, values, strict=True))
        for node in self.graph.nodes:
            record_again(node, known)
        return known


def trace_body(
    function: Callable[..., Any],
    specs: Sequence[Spec],
    repeats: bool = False,
    varying: Callable[[], Iterable[Value]] = tuple,
) -> tuple[Any, Body, list[Value]]:
    """(structure of the results, body, captured values) of a function of values with these specs.

    What a body that repeats computes from captured values alone is computed once, around it.

    Args:
        function: what is traced.
        specs: of its arguments.
        repeats: whether it runs more than once in a step.
        varying: asked after the trace for captured values that are not the same each time.

    Raises:
        GraphError: the body adds a loss, assigns a variable or requires a value, which would be lost; or
            it draws random numbers although it `repeats`.
    """
    outer = current_trace()
    trace = Trace(training=outer.training if outer else None, parent=outer, repeats=repeats)
    inputs = [Value(spec) for spec in specs]
    with trace.active():
        results = function(*inputs)
        leaves = [as_value(leaf) for leaf in tree.flatten(results)]
    _check_losses(trace)
    roots = [*leaves, *trace.effects]
    fixed = _hoisted(roots, {*inputs, *varying()}, trace, outer) if repeats else set()
    stand_ins = _captured(roots, inputs, trace, fixed)
    captured = [value for value, _ in stand_ins]
    known = dict(stand_ins)
    graph = Graph(
        [*inputs, *(inner for _, inner in stand_ins)],
        _replaced(leaves, known),
        effects=_replaced(trace.effects, known),
    )
    return results, Body(graph), [_from_outside(v, trace, outer) for v in captured]


def taken_losses() -> list[tuple[Any, Value]]:
    """What layers added to the loss in the body that is being traced, as values of it; it has none then.

    They stay where nothing is traced around the body, to which they could be added.
    """
    trace = current_trace()
    if trace is None or trace.parent is None:
        return []
    taken, trace.losses = trace.losses, []
    return taken


def add_losses(losses: Iterable[tuple[Any, Value]]) -> None:
    """Add to the loss of the step that is being traced, what layers added in a body of it."""
    trace = current_trace()
    if trace is not None:
        trace.losses.extend(losses)


def _check_losses(trace: Trace) -> None:
    """Losses that are still in a body are values of the body: the step around it cannot add them up."""
    if not trace.losses:
        return
    names = [layer.name for layer, _ in trace.losses]
    where = "/".join(part for part in (trace.whole_path, names[0]) if part)
    raise GraphError(
        explain(
            f"{where}: a loss (add_loss, activity_regularizer) cannot be added inside a branch of a cond, or "
            "in a scan outside of a layer.",
            fix="Return its value from the body and add it outside with add_loss.",
        )
    )


def _outer_test(own: set[Value], trace: Trace, fixed: set[Node]) -> Callable[[Value], bool]:
    """Whether a value comes from around the body: none of its `own`, and made before it or moved out."""

    def is_outer(value: Value) -> bool:
        node = value.node
        return value not in own and (node is None or node.order < trace.start or node in fixed)

    return is_outer


def _needs_nothing(value: Value) -> bool:
    """Whether it is made of nothing else, as a constant is."""
    return value.node is not None and not value.node.inputs


def _inner_nodes(roots: Sequence[Value], is_outer: Callable[[Value], bool]) -> list[Node]:
    """The nodes under `roots` that were recorded in the body, in order."""
    inner: set[Node] = set()
    pending = [v for v in roots if not is_outer(v)]
    while pending:
        node = pending.pop().node
        if node is None or node in inner:
            continue
        inner.add(node)
        pending.extend(v for v in node.inputs if not is_outer(v))
    return sorted(inner, key=lambda n: n.order)


def _hoisted(roots: Sequence[Value], own: set[Value], trace: Trace, outer: Trace | None) -> set[Node]:
    """Nodes of the body whose results no step changes; they become nodes of the graph around it."""
    fixed: set[Node] = set()

    is_outer = _outer_test(own, trace, fixed)
    for node in _inner_nodes(roots, is_outer):
        moves = node.inputs and node.op.on_host is None and not node.op.bodies
        if moves and all(is_outer(v) or _needs_nothing(v) for v in node.inputs):
            fixed.add(node)
            node.inputs = tuple(_from_outside(v, trace, outer) for v in node.inputs)
    return fixed


def _captured(
    roots: Sequence[Value], inputs: Sequence[Value], trace: Trace, fixed: set[Node]
) -> list[tuple[Value, Value]]:
    """(outer value, input that stands for it) of everything the body reads from around it."""
    found: dict[Value, Value] = {}
    is_outer = _outer_test(set(inputs), trace, fixed)
    inner = _inner_nodes(roots, is_outer)
    reads = [v for node in inner for v in node.inputs]
    if remembers(inner):
        reads += trace.before.values()
    for value in (*reads, *roots):
        if is_outer(value) and value not in found:
            found[value] = Value(value.spec, name=value.name)
    for node in inner:
        node.op, node.inputs = node.op.moved(found), tuple(found.get(v, v) for v in node.inputs)
    return list(found.items())


def remembers(nodes: Iterable[Node]) -> bool:
    """Whether a gradient function among them may read values that no node does."""
    return any(isinstance(node.op, OwnGradient) for node in nodes)


def keep_effects(outs: Sequence[Value], *bodies: Body) -> None:
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
