"""A graph as chains see it: gates and broadcast numbers taken apart, integer inputs fed as floats."""

from __future__ import annotations

from collections.abc import Collection

from gputrain.compiler.chains.rebuilding import Rebuilt
from gputrain.ir import Graph, Node, Value, is_float
from gputrain.ops.base import Cast, Constant, Operation
from gputrain.ops.custom import OwnGradient
from gputrain.ops.elementwise import Add, Multiply, Where
from gputrain.ops.movement import BroadcastTo
from gputrain.ops.optim import Gate


class Simplified(Rebuilt):
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
        reads = [self.numbers.get(v, v) for v in inputs] if node.op.broadcasts else inputs
        self.keep(node, reads)
        out = self.of(node.outputs[0])
        if node.op.view or isinstance(node.op, BroadcastTo):
            source = self.numbers.get(inputs[0], inputs[0])
            if source.spec.size == 1 and out.spec.size > 1:
                self.numbers[out] = source
