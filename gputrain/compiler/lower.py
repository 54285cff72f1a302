"""A graph as a device runs it: elementwise chains, with the reductions they end in, become one node each.

The graph that was traced stays as it is: its nodes are what reports of NaN name. A device that generates
kernels says which nodes it can run as one (`Device.chain`); the others run what they are given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from gputrain.backend import Device
from gputrain.compiler.rewrite import enabled
from gputrain.ir import Graph, Node, Spec, Value, is_float
from gputrain.ir.graph import State
from gputrain.ops.activation import Relu
from gputrain.ops.base import Cast, Constant, Operation, Sample, evaluate
from gputrain.ops.custom import OwnGradient
from gputrain.ops.elementwise import Add, Multiply, Where
from gputrain.ops.optim import Gate
from gputrain.ops.reduction import Mean
from gputrain.ops.shape import BroadcastTo


class Fused(Operation, eq=False):
    """Several nodes in one: what they read from outside, to what is read outside.

    Attributes:
        nodes: in order.
        inputs, outputs: values of theirs that this operation's inputs and outputs stand for.
        pairs: (output, input) that may share memory.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def n_outputs(self) -> int:
        return len(self.outputs)

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return self.pairs

    def infer(self, *specs: Spec) -> tuple[Spec, ...]:
        return tuple(v.spec for v in self.outputs)

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        arrays = dict(zip(self.inputs, inputs, strict=True))
        for node in self.nodes:
            made = evaluate(node.op, xp, [arrays[v] for v in node.inputs])
            arrays.update(zip(node.outputs, made, strict=True))
        for target, value in zip(out if self.n_outputs > 1 else (out,), self.outputs, strict=True):
            xp.copyto(target, arrays[value])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def made(op: Operation, *inputs: Value) -> Node:
            return Node(op, inputs, op.output_specs(*(v.spec for v in inputs)))

        found = []
        for shape in ((), (7,), (3, 5), (2, 4, 128), (70001,)):
            x, y = Value(Spec(shape)), Value(Spec(shape[-1:]))
            total = made(Add(), x, y)
            positive = made(Relu(), *total.outputs)
            mean = made(Mean(tuple(range(len(shape)))), *positive.outputs)
            nodes = (total, positive, mean)
            op = cls(nodes, (x, y), (positive.outputs[0], mean.outputs[0]), ())
            inputs, label = (x.spec, y.spec), f"{shape}"
            sample = Sample(op, inputs, _positive_mean, dtype="float32", differentiable=(), label=label)
            found.append(sample)
        return found

    def __str__(self) -> str:
        return f"Fused({', '.join(type(node.op).__name__ for node in self.nodes)})"


def _positive_mean(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive = np.maximum(x + y, 0.0)
    return positive, positive.mean()


def lower(graph: Graph, device: Device, given: Collection[Value] = ()) -> Graph:
    """The graph as `device` runs it; the graph itself where the device fuses nothing.

    Args:
        graph: what was traced.
        device: where it will run.
        given: inputs that are read where the caller has them, in the dtype they have there.
    """
    if device.chain is None or not enabled("fuse_elementwise"):
        return graph
    simple = _Simplified(graph, given)
    return _Fusion(simple.graph, device).run()


def copy_node(node: Node, inputs: Sequence[Value], op: Operation | None = None) -> Node:
    """A node like `node` on other inputs, with outputs of its own."""
    made = Node.like(node, op or node.op, tuple(inputs), tuple(v.spec for v in node.outputs))
    for old, new in zip(node.outputs, made.outputs, strict=True):
        new.name = old.name
    return made


class _Rebuilt:
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


class _Simplified(_Rebuilt):
    """What chains see through: gates become choices of single states, broadcast numbers become numbers.

    Inputs of integers that are only read as scaled floats become floats, which whoever feeds them converts.
    """

    def __init__(self, graph: Graph, given: Collection[Value]) -> None:
        super().__init__(graph)
        self.numbers: dict[Value, Value] = {}  # values that hold one number everywhere, and that number
        self.readers = graph.consumers()
        self.roots = set(graph.roots())
        fixed = set(given)
        for i, value in enumerate(graph.inputs):
            if value not in fixed and value not in self.roots:
                self._convert_input(i, value)
        for node in graph.nodes:
            if not all(v in self.known for v in node.outputs):
                self._take(node)
        self.graph = self.finished()

    def _convert_input(self, i: int, value: Value) -> None:
        """Let an integer input be fed as the floats that it is cast to, scaled and moved as they are."""
        cast = self._only_reader(value)
        if cast is None or not isinstance(cast.op, Cast):
            return
        if is_float(value.dtype) or not is_float(cast.op.dtype):
            return
        found, scale, offset = cast.outputs[0], 1.0, 0.0
        times = self._by_number(found, Multiply)
        if times is not None:
            found, scale = times
        plus = self._by_number(found, Add)
        if plus is not None:
            found, offset = plus
        fed = Value(found.spec, name=value.name)
        self.inputs[i], self.known[found] = fed, fed
        self.scales[fed] = scale, offset

    def _only_reader(self, value: Value) -> Node | None:
        readers = self.readers.get(value, [])
        return readers[0] if len(readers) == 1 and value not in self.roots else None

    def _by_number(self, value: Value, kind: type[Operation]) -> tuple[Value, float] | None:
        """(result, number) where all that happens to a value is an operation with a constant number."""
        reader = self._only_reader(value)
        if reader is None or type(reader.op) is not kind:
            return None
        (other,) = [v for v in reader.inputs if v is not value] or [value]
        constant = other.node.op if other.node is not None else None
        if not isinstance(constant, Constant) or other.spec.size != 1 or reader.outputs[0].spec != value.spec:
            return None
        return reader.outputs[0], float(constant.array().reshape(()))

    def _take(self, node: Node) -> None:
        inputs = self.all(node.inputs)
        if isinstance(node.op, Gate):
            flag, count = inputs[0], node.op.count
            for i, out in enumerate(node.outputs):
                made = Node.like(node, Where(), (flag, inputs[1 + i], inputs[1 + count + i]), (out.spec,))
                made.order += i / count  # one after the other in the schedule
                self.known[out] = made.outputs[0]
            return
        if isinstance(node.op, OwnGradient):
            self.known.update(zip(node.outputs, inputs, strict=False))
            return
        reads = [self.numbers.get(v, v) for v in inputs] if _broadcasts(node) else inputs
        self.keep(node, reads)
        out = self.of(node.outputs[0])
        if node.op.view or isinstance(node.op, BroadcastTo):
            source = self.numbers.get(inputs[0], inputs[0])
            if source.spec.size == 1 and out.spec.size > 1:
                self.numbers[out] = source


def _broadcasts(node: Node) -> bool:
    """Whether the node computes elementwise on inputs that may be broadcast."""
    return node.op.broadcasts


class _Group:
    """Nodes that will be one."""

    def __init__(self, position: int, node: Node) -> None:
        self.nodes = {position: node}
        self.first = self.last = position

    def absorb(self, other: _Group) -> None:
        self.nodes.update(other.nodes)
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)

    def in_order(self, *others: _Group) -> list[Node]:
        together = dict(self.nodes)
        for other in others:
            together.update(other.nodes)
        return [together[i] for i in sorted(together)]


class _Fusion(_Rebuilt):
    """Groups grow along the edges of the graph, then sideways, as long as the device can run them as one."""

    def __init__(self, graph: Graph, device: Device) -> None:
        super().__init__(graph)
        assert device.chain is not None
        self.chain: Any = device.chain
        self.groups = {node: _Group(i, node) for i, node in enumerate(graph.nodes)}
        self.fusable = {node for node in graph.nodes if device.fusable(node)}
        self.readers: dict[Value, list[Node]] = {}
        for node in graph.nodes:
            for value in node.inputs:
                self.readers.setdefault(value, []).append(node)
        self.roots = set(graph.roots())
        self.wide: set[_Group] = set()  # groups of more than one node

    def run(self) -> Graph:
        self._along_edges()
        self._sideways()
        self._along_edges()
        for group in self._finished_groups():
            self._emit(group)
        return self.finished()

    def _along_edges(self) -> None:
        for node in self.old.nodes:
            if node in self.fusable:
                for value in node.inputs:
                    if value.node in self.fusable:
                        self._merge(self.groups[value.node], self.groups[node])

    def _sideways(self) -> None:
        """Join chains over equally many elements that end in reductions, and those of single numbers."""
        by_size: dict[int, list[_Group]] = {}
        for group in dict.fromkeys(self.groups[n] for n in self.old.nodes if n in self.fusable):
            chain = self.chain(group.in_order(), self._needed(group.in_order()))
            if chain is not None and (chain.folds or chain.n == 1):
                by_size.setdefault(chain.n, []).append(group)
        for groups in by_size.values():
            kept: list[_Group] = []
            for group in groups:
                if not any(self._merge(other, group) for other in reversed(kept)):
                    kept.append(group)

    def _merge(self, a: _Group, b: _Group) -> bool:
        """Make two groups one, if they may be; the second is gone then."""
        if a is b:
            return False
        nodes = a.in_order(b)
        if self._path_around(a, b) or self._path_around(b, a):
            return False
        if self.chain(nodes, self._needed(nodes)) is None:
            return False
        a.absorb(b)
        self.wide.discard(b)
        self.wide.add(a)
        for node in b.nodes.values():
            self.groups[node] = a
        return True

    def _needed(self, nodes: Collection[Node]) -> set[Value]:
        """Values of these nodes that are read elsewhere."""
        inside = set(nodes)
        return {
            v
            for node in nodes
            for v in node.outputs
            if v in self.roots or any(r not in inside for r in self.readers.get(v, ()))
        }

    def _path_around(self, a: _Group, b: _Group) -> bool:
        """Whether a third group lies on a way from `a` to `b`."""
        limit = self._horizon(b)
        pending = [g for g in self._after(a) if g is not b]
        seen = {a, *pending}
        while pending:
            for group in self._after(pending.pop()):
                if group is b:
                    return True
                if group not in seen and group.first <= limit:
                    seen.add(group)
                    pending.append(group)
        return False

    def _horizon(self, b: _Group) -> int:
        """The position behind which no way leads back to `b`: nodes read earlier ones, groups may span."""
        limit, before = b.last, -1
        while limit != before:
            before = limit
            limit = max([limit, *(g.last for g in self.wide if g.first <= limit)])
        return limit

    def _after(self, group: _Group) -> list[_Group]:
        outputs = [v for node in group.nodes.values() for v in node.outputs]
        found = dict.fromkeys(self.groups[r] for v in outputs for r in self.readers.get(v, ()))
        return [g for g in found if g is not group]

    def _finished_groups(self) -> list[_Group]:
        """All groups, each after those that it reads."""
        order: list[_Group] = []
        entered: set[_Group] = set()
        pending = [(g, False) for g in reversed(list(dict.fromkeys(self.groups.values())))]
        while pending:
            group, done = pending.pop()
            if done:
                order.append(group)
            elif group not in entered:
                entered.add(group)
                pending.append((group, True))
                before = [v.node for n in group.nodes.values() for v in n.inputs if v.node is not None]
                pending.extend((self.groups[n], False) for n in before if self.groups[n] not in entered)
        return order

    def _emit(self, group: _Group) -> None:
        nodes = group.in_order()
        first = nodes[0]
        if len(nodes) == 1 or all(node.op.view for node in nodes):
            for node in nodes:
                self.keep(node, self.all(node.inputs))
            return
        chain = self.chain(nodes, self._needed(nodes))
        assert chain is not None
        op = Fused(tuple(nodes), tuple(chain.inputs), tuple(chain.outputs), chain.overwrites())
        specs = tuple(v.spec for v in chain.outputs)
        made = Node.like(nodes[-1], op, tuple(self.all(chain.inputs)), specs)
        made.path = first.path
        self.known.update(zip(chain.outputs, made.outputs, strict=True))
