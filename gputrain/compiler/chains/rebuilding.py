"""A graph made anew, value by value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gputrain.ir import Graph, Node, Value
from gputrain.ir.graph import State
from gputrain.ops.base import Operation


def copy_node(node: Node, inputs: Sequence[Value], op: Operation | None = None) -> Node:
    """A node like `node` on other inputs, with outputs of its own."""
    made = Node.like(node, op or node.op, tuple(inputs), tuple(v.spec for v in node.outputs))
    for old, new in zip(node.outputs, made.outputs, strict=True):
        new.name = old.name
    return made


class Rebuilt:
    """A graph made anew, value by value."""

    def __init__(self, graph: Graph) -> None:
        self.old = graph
        self.inputs, self.scales = list(graph.inputs), dict(graph.scales)
        self.known: dict[Value, Value] = {}

    def of(self, value: Value) -> Value:
        return self.known.get(value, value)

    def all(self, values: Iterable[Value]) -> list[Value]:
        return [self.of(v) for v in values]

    def keep(self, node: Node, inputs: Sequence[Value]) -> None:
        made = copy_node(node, inputs)
        self.known.update(zip(node.outputs, made.outputs, strict=True))

    def finished(self) -> Graph:
        states = [State(s.variable, s.before, self.of(s.after)) for s in self.old.states]
        outputs, effects = self.all(self.old.outputs), self.all(self.old.effects)
        return Graph(self.inputs, outputs, states, effects, scales=self.scales)
