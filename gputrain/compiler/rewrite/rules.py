"""The table of rules, and what they are written with.

A rule is a function of a node of one kind: where its pattern stands there, it changes the node in place and
returns True. A value keeps its identity, whoever holds it. Rules run before differentiation, so that the
gradient is that of the better form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gputrain.compiler.rewrite.switches import PASSES, enabled
from gputrain.ir import Node, Value, schedule
from gputrain.ir.graph import readers_of
from gputrain.ops.base import Operation
from gputrain.ops.movement import Reshape


@dataclass(slots=True)
class Uses:
    """Who needs the values of a program.

    Attributes:
        readers: the nodes that read each value.
        roots: values needed for their own sake.
        kept: values that gradients are wanted for, so that the way to the roots must lead through them.
    """

    readers: dict[Value, list[Node]]
    roots: frozenset[Value]
    kept: frozenset[Value]

    def count(self, value: Value) -> int:
        """How many need the value."""
        return len(self.readers.get(value, ())) + (value in self.roots) + (value in self.kept)


Replace = Callable[[Node, Uses], bool]
RULES: dict[type[Operation], list[Replace]] = {}  # by the kind of node that the pattern ends in


def rule(kind: type[Operation]) -> Callable[[Replace], Replace]:
    """Put a function into the table, under its own name as the name of its switch."""

    def add(replace: Replace) -> Replace:
        RULES.setdefault(kind, []).append(replace)
        PASSES.append(replace.__name__)
        return replace

    return add


def rewrite(roots: Sequence[Value], kept: Iterable[Value] = ()) -> None:
    """Apply the rules to everything under `roots` until none applies.

    Nodes that were differentiated are left alone: their gradients read the outputs they have. So are the
    ways through `kept`, the values that gradients are wanted for.
    """
    active = {kind: [f for f in rules if enabled(f.__name__)] for kind, rules in RULES.items()}
    needed, kept = frozenset(roots), frozenset(kept)
    changed = any(active.values())
    while changed:
        nodes = schedule(roots)
        uses = Uses(readers_of(nodes), needed, kept)
        changes = [any(f(n, uses) for f in active.get(type(n.op), ())) for n in nodes if not n.frozen]
        changed = any(changes)


def made_by(value: Value, kind: type[Operation]) -> Node | None:
    """The node that makes `value`, if it is of that kind."""
    return value.node if value.node is not None and type(value.node.op) is kind else None


def make(op: Operation, like: Node, *inputs: Value) -> tuple[Value, ...]:
    """A new node that stands where `like` stood in the user's code."""
    node = Node(op, inputs, op.output_specs(*(v.spec for v in inputs)), like.path)
    node.source, node.order = like.source, like.order
    return node.outputs


def become(node: Node, op: Operation, *inputs: Value) -> None:
    """Compute the outputs of `node` by another operation with the same output specs."""
    node.op, node.inputs = op, inputs


def forward(node: Node, value: Value) -> None:
    """Let the single output of `node` be `value` under its old identity (a view of it)."""
    become(node, Reshape(value.spec.dims), value)
