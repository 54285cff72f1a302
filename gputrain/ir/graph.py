"""Graph: values and nodes between inputs and outputs, with the state it reads and writes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gputrain.errors import GraphError, explain
from gputrain.ir.interpreter import Stored
from gputrain.ir.value import Node, Value


@dataclass(frozen=True, slots=True)
class State:
    """A variable a graph reads (`before`) and, if `after` is another value, writes."""

    variable: Stored
    before: Value
    after: Value

    @property
    def written(self) -> bool:
        return self.after is not self.before


@dataclass(slots=True)
class Graph:
    """A pure program: `outputs` and new states from `inputs` and old states.

    `nodes` is a schedule: every node stands after those it reads from. Nodes that no output, state or
    effect needs are not in it.

    Attributes:
        inputs: values to be fed.
        outputs: values to be returned.
        states: variables read or written.
        effects: values kept only because making them does something (ops.print).
        scales: (scale, offset) of inputs that are fed in another dtype: element * scale + offset is theirs.
    """

    inputs: list[Value]
    outputs: list[Value]
    states: list[State] = field(default_factory=list)
    effects: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    scales: dict[Value, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh()

    def roots(self) -> list[Value]:
        """What must be computed: outputs, written states, effects."""
        return [*self.outputs, *(s.after for s in self.states if s.written), *self.effects]

    def refresh(self) -> None:
        """Schedule the nodes anew after a pass changed them; dead nodes fall out here."""
        self.nodes = schedule(self.roots())

    def consumers(self) -> dict[Value, list[Node]]:
        """The nodes that read each value, once for each time they read it."""
        return readers_of(self.nodes)

    def verify(self) -> None:
        """Check that nodes read what is known, in order, and that all specs agree with `infer`.

        Raises:
            GraphError: they do not, or the graph has a cycle.
        """
        schedule(self.roots())
        known = {*self.inputs, *(s.before for s in self.states)}
        for node in self.nodes:
            for value in node.inputs:
                if value not in known:
                    raise GraphError(_unknown_value(node, value))
            _verify_outputs(node)
            known.update(node.outputs)
        for value in self.roots():
            if value not in known:
                raise GraphError(_unknown_value(None, value))
        for state in self.states:
            _verify_state(state)

    def dump(self) -> str:
        """The graph as readable text, one node a line."""
        names = _names(self)
        lines = [f"input   {names[v]}: {v.spec} {v.name}" for v in self.inputs]
        lines += [f"state   {names[s.before]}: {s.before.spec} {s.variable.path}" for s in self.states]
        for node in self.nodes:
            outs = ", ".join(f"{names[v]}: {v.spec}" for v in node.outputs)
            args = ", ".join(names.get(v, "?") for v in node.inputs)
            lines.append(f"{outs} = {node.op}({args})" + (f"   # {node.path}" if node.path else ""))
        lines += [f"write   {s.variable.path} <- {names[s.after]}" for s in self.states if s.written]
        lines += [f"keep    {names[v]}" for v in self.effects]
        lines.append("return  " + ", ".join(names[v] for v in self.outputs))
        return "\n".join(line.rstrip() for line in lines)

    __str__ = dump


def _names(graph: Graph) -> dict[Value, str]:
    values = [*graph.inputs, *(s.before for s in graph.states)]
    values += [v for node in graph.nodes for v in node.outputs]
    return {value: f"%{i}" for i, value in enumerate(values)}


def _where(node: Node) -> str:
    return f"{node.op} ({node.path or node.source})"


def _verify_outputs(node: Node) -> None:
    inferred = node.op.output_specs(*(v.spec for v in node.inputs))
    claimed = tuple(v.spec for v in node.outputs)
    if claimed != inferred:
        raise GraphError(
            explain(
                f"{_where(node)}: its outputs must be what the operation infers from its inputs.",
                expected=", ".join(map(str, inferred)),
                received=", ".join(map(str, claimed)),
            )
        )
    for i, value in enumerate(node.outputs):
        if value.node is not node or value.index != i:
            raise GraphError(
                explain(
                    f"{_where(node)}: its output {i} says that another node makes it.", received=repr(value)
                )
            )


def _verify_state(state: State) -> None:
    specs = {state.variable.spec, state.before.spec, state.after.spec}
    if len(specs) != 1:
        raise GraphError(
            explain(
                f"{state.variable.path}: a state must keep its variable's shape and dtype.",
                expected=state.variable.spec,
                received=f"{state.before.spec} before and {state.after.spec} after",
            )
        )


def _unknown_value(node: Node | None, value: Value) -> str:
    reader = _where(node) if node is not None else "An output"
    return explain(
        f"{reader} reads a value that is neither an input of this graph nor computed in it.",
        received=repr(value),
        fix="Pass it as an input, or build it inside the traced function.",
    )


def readers_of(nodes: Iterable[Node]) -> dict[Value, list[Node]]:
    """The nodes that read each value, once for each time they read it."""
    readers: dict[Value, list[Node]] = {}
    for node in nodes:
        for value in node.inputs:
            readers.setdefault(value, []).append(node)
    return readers


def reachable(roots: Iterable[Value]) -> set[Node]:
    """All nodes the roots depend on."""
    seen: set[Node] = set()
    pending = [v.node for v in roots if v.node is not None]
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            pending.extend(v.node for v in node.inputs if v.node is not None)
    return seen


def schedule(roots: Sequence[Value]) -> list[Node]:
    """Topological order of the nodes under `roots`, as near to creation order as dependencies allow."""
    live = reachable(roots)
    waiting = {node: len({v.node for v in node.inputs if v.node is not None}) for node in live}
    readers: dict[Node, list[Node]] = {node: [] for node in live}
    for node in live:
        for producer in {v.node for v in node.inputs if v.node is not None}:
            readers[producer].append(node)
    ready = [(node.order, node) for node in live if waiting[node] == 0]
    heapq.heapify(ready)
    order: list[Node] = []
    while ready:
        _, node = heapq.heappop(ready)
        order.append(node)
        for reader in readers[node]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, (reader.order, reader))
    if len(order) != len(live):
        stuck = min(live.difference(order), key=lambda node: node.order)
        raise GraphError(
            explain(
                f"{_where(stuck)}: a node cannot depend on its own output, directly or through others.",
                fix="Carry the value through ops.scan, or keep it in a variable.",
            )
        )
    return order
