"""The memory plan: where every value of a graph lies, decided once, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..backend import ALIGNMENT, Device
from ..ir import Graph, Node, Spec, Value, Variable
from ..ops.base import Constant
from ..ops.optim import Pack


@dataclass(eq=False, slots=True)
class Buffer:
    """A stretch of memory and the steps during which it is in use.

    Attributes:
        nbytes: its size.
        first, last: schedule positions of its first write and last read, inclusive.
        offset: where it lies in the arena; None for memory outside (variables, constants).
        variable: the variable whose memory it is.
        constant: the constant whose memory it is.
    """

    nbytes: int
    first: int
    last: int
    offset: int | None = None
    variable: Variable | None = None
    constant: Constant | None = None

    @property
    def in_arena(self) -> bool:
        return self.variable is None and self.constant is None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies: `offset` bytes into a buffer."""

    buffer: Buffer
    offset: int = 0


@dataclass(slots=True)
class Plan:
    """Places of all values, workspaces of all nodes, and the size of the arena that holds them."""

    places: dict[Value, Place]
    scratch: dict[Node, list[Buffer]]
    buffers: list[Buffer]
    nbytes: int = 0
    copies: list[tuple[Variable, Value]] = field(default_factory=list)

    def unshared(self) -> int:
        """Bytes that would be needed if no two buffers shared memory."""
        return sum(_aligned(b.nbytes) for b in self.buffers if b.in_arena)


def _aligned(nbytes: int) -> int:
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT


def make_plan(graph: Graph, device: Device) -> Plan:
    """Place every value of `graph`: views on their input, updates in place, the rest packed by lifetime."""
    return _Planner(graph, device).run()


class _Planner:
    """One pass over the schedule decides sharing; a second packs the buffers into the arena."""

    def __init__(self, graph: Graph, device: Device) -> None:
        self.graph, self.device = graph, device
        self.plan = Plan({}, {}, [])
        self.end = len(graph.nodes)
        self.last_read = self._last_reads()
        self.packed = self._packed_inputs()
        self.targets = {s.after: s.variable for s in graph.states if s.written}
        self.before = {s.variable: s.before for s in graph.states}
        self.residents: dict[Buffer, list[Value]] = {}

    def run(self) -> Plan:
        for state in self.graph.states:
            self._place(state.before, self._buffer(state.before.spec, -1, variable=state.variable))
        for value in self.graph.inputs:
            self._place(value, self._buffer(value.spec, -1))
        for i, node in enumerate(self.graph.nodes):
            self._place_outputs(i, node)
            specs = [v.spec for v in node.inputs]
            self.plan.scratch[node] = [self._buffer(s, i) for s in self.device.scratch(node.op, specs)]
        for state in self.graph.states:
            if state.written and self.plan.places[state.after].buffer.variable is not state.variable:
                self.plan.copies.append((state.variable, state.after))
        self.plan.nbytes = pack([b for b in self.plan.buffers if b.in_arena])
        return self.plan

    def _last_reads(self) -> dict[Value, int]:
        last = {v: i for i, node in enumerate(self.graph.nodes) for v in node.inputs}
        last.update(dict.fromkeys(self.graph.roots(), self.end))
        return last

    def _packed_inputs(self) -> dict[Value, tuple[Node, int]]:
        """Values that may be written straight into the vector that packs them: value to (Pack, byte offset)."""
        found: dict[Value, tuple[Node, int]] = {}
        for node in self.graph.nodes:
            if type(node.op) is not Pack:
                continue
            offset = 0
            for value in node.inputs:
                if value.node is not None and node.inputs.count(value) == 1 and value not in found:
                    found[value] = (node, offset)
                offset += value.spec.nbytes
        return found

    def _buffer(self, spec: Spec, first: int, variable: Variable | None = None, constant: Constant | None = None) -> Buffer:
        buffer = Buffer(spec.nbytes, first, first, variable=variable, constant=constant)
        self.plan.buffers.append(buffer)
        return buffer

    def _place(self, value: Value, buffer: Buffer, offset: int = 0) -> None:
        self.plan.places[value] = Place(buffer, offset)
        buffer.last = max(buffer.last, self.last_read.get(value, buffer.first))
        self.residents.setdefault(buffer, []).append(value)

    def _place_outputs(self, i: int, node: Node) -> None:
        specs = [v.spec for v in node.inputs]
        shareable = dict.fromkeys(self.device.overwrites(node.op, specs))
        taken: set[Buffer] = set()
        for k, value in enumerate(node.outputs):
            place = self._choose(i, node, value, [j for out, j in shareable if out == k], taken)
            taken.add(place.buffer)
            place.buffer.last = max(place.buffer.last, i)
            self._place(value, place.buffer, place.offset)

    def _choose(self, i: int, node: Node, value: Value, shareable: list[int], taken: set[Buffer]) -> Place:
        if value in self.plan.places:  # a Pack whose inputs were placed inside it
            return self.plan.places[value]
        if node.op.view:
            return self.plan.places[node.inputs[0]]
        if isinstance(node.op, Constant):
            return Place(self._buffer(value.spec, i, constant=node.op))
        if value in self.packed:
            return self._inside_pack(i, value)
        variable = self.targets.get(value)
        if variable is not None and self._may_write(i, node, variable, shareable):
            return self.plan.places[self.before[variable]]
        for j in shareable:
            place = self.plan.places[node.inputs[j]]
            if place.buffer not in taken and self._dies_here(i, node, j, place, value):
                return place
        return Place(self._buffer(value.spec, i))

    def _inside_pack(self, i: int, value: Value) -> Place:
        node, offset = self.packed[value]
        (vector,) = node.outputs
        if vector not in self.plan.places:
            self._place(vector, self._buffer(vector.spec, i))
        return Place(self.plan.places[vector].buffer, offset)

    def _may_write(self, i: int, node: Node, variable: Variable, shareable: list[int]) -> bool:
        """Whether node i may write the variable's memory: nobody reads the old contents later."""
        home = self.plan.places[self.before[variable]].buffer
        for old in self.residents[home]:
            last = self.last_read.get(old, -1)
            if last > i or (last == i and not all(v is not old or j in shareable for j, v in enumerate(node.inputs))):
                return False
        return True

    def _dies_here(self, i: int, node: Node, j: int, place: Place, value: Value) -> bool:
        """Whether input j of node i fills a buffer of the arena that nobody reads afterwards."""
        buffer = place.buffer
        if not buffer.in_arena or buffer.nbytes != value.spec.nbytes or place.offset:
            return False
        for other in self.residents[buffer]:
            if self.last_read.get(other, -1) > i:
                return False
            if other is not node.inputs[j] and other in node.inputs:
                return False
        return node.inputs.count(node.inputs[j]) == 1 or all(v is node.inputs[j] for v in node.inputs)


def pack(buffers: list[Buffer]) -> int:
    """Give each buffer an offset so that buffers in use at one time do not meet; returns the total bytes.

    Largest first, each at the lowest free offset (greedy by size; Pisarchyk & Lee 2020).
    """
    placed: list[Buffer] = []
    total = 0
    for buffer in sorted(buffers, key=lambda b: (-b.nbytes, b.first)):
        neighbours = sorted(
            (b for b in placed if b.first <= buffer.last and buffer.first <= b.last), key=lambda b: b.offset or 0
        )
        offset = 0
        for other in neighbours:
            assert other.offset is not None
            if offset + _aligned(buffer.nbytes) <= other.offset:
                break
            offset = max(offset, other.offset + _aligned(other.nbytes))
        buffer.offset = offset
        placed.append(buffer)
        total = max(total, offset + _aligned(buffer.nbytes))
    return total
