"""The memory plan: where every value of a graph lies, decided once, before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gputrain.compiler.lower import lower
from gputrain.compiler.target import ALIGNMENT, Target
from gputrain.ir import Graph, Node, Spec, Stored, Value
from gputrain.ops.base import Constant, Operation
from gputrain.ops.optim import Pack, segments

PACKINGS = 6  # tries to pack an arena, for each order to begin with


@dataclass(eq=False, slots=True)
class Buffer:
    """A stretch of memory and the steps during which it is in use.

    Attributes:
        nbytes: its size.
        first, last: schedule positions of its first write and last read, inclusive.
        offset: where it lies in the arena; None for memory outside (variables, constants, given inputs).
        variable: the variable whose memory it is.
        constant: the constant whose memory it is.
        given: the graph input whose memory the caller brings.
    """

    nbytes: int
    first: int
    last: int
    offset: int | None = None
    variable: Stored | None = None
    constant: Constant | None = None
    given: Value | None = None

    @property
    def in_arena(self) -> bool:
        return self.variable is None and self.constant is None and self.given is None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies: `offset` bytes into a buffer."""

    buffer: Buffer
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """A move after all nodes have run: a new state into its variable, or a value out of a variable's way."""

    spec: Spec
    source: Place
    target: Place


@dataclass(slots=True)
class Plan:
    """Places of all values, workspaces of all nodes, and the size of the arena that holds them.

    Attributes:
        graph: what is planned: the graph as its device runs it.
        places: where each value lies while nodes run.
        scratch: the workspaces of each node.
        buffers: all of them.
        outputs: where the graph's outputs lie after a run.
        copies: made in this order after the last node.
        nbytes: size of the arena.
    """

    graph: Graph
    places: dict[Value, Place]
    scratch: dict[Node, list[Buffer]]
    buffers: list[Buffer]
    outputs: list[Place] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    nbytes: int = 0

    def unshared(self) -> int:
        """Bytes that would be needed if no two buffers shared memory."""
        return sum(_aligned(b.nbytes) for b in self.buffers if b.in_arena)


def _aligned(nbytes: int) -> int:
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT


def make_plan(graph: Graph, device: Target, given: Collection[Value] = ()) -> Plan:
    """Place every value of `graph`: views on their input, updates in place, the rest packed by lifetime.

    Args:
        graph: what is to be run.
        device: where; its kernels say what workspaces they need.
        given: graph inputs whose memory the caller brings, and nobody may write.
    """
    return _Planner(lower(graph, device, given), device, given).run()


def plan_body(body: Any, device: Target) -> Plan:
    """The memory plan of a body graph (`ops.bodies.Body`) on a device, made once."""
    if device.name not in body.plans:
        body.plans[device.name] = make_plan(body.graph, device, body.graph.inputs)
    plan: Plan = body.plans[device.name]
    return plan


def workspaces(op: Operation, specs: Sequence[Spec], device: Target) -> list[Spec]:
    """What running `op` needs beside inputs and outputs: an arena for each body, then its own."""
    arenas = [Spec((plan_body(body, device).nbytes,), "uint8") for body in op.bodies]
    return [*arenas, *device.scratch(op, specs)]


class _Planner:
    """One pass over the schedule decides sharing; a second packs the buffers into the arena."""

    def __init__(self, graph: Graph, device: Target, given: Collection[Value]) -> None:
        self.graph, self.device, self.given = graph, device, set(given)
        self.plan = Plan(graph, {}, {}, [])
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
            buffer = self._buffer(value.spec, -1)
            buffer.given = value if value in self.given else None
            self._place(value, buffer)
        for i, node in enumerate(self.graph.nodes):
            self._place_outputs(i, node)
            needed = workspaces(node.op, [v.spec for v in node.inputs], self.device)
            self.plan.scratch[node] = [self._buffer(s, i) for s in needed]
        self._finish()
        self.plan.nbytes = pack([b for b in self.plan.buffers if b.in_arena])
        return self.plan

    def _finish(self) -> None:
        """Move new states that lie elsewhere into their variables, once what is needed of the old is safe."""
        places, written = self.plan.places, [s for s in self.graph.states if s.written]
        moved = [s for s in written if places[s.after].buffer.variable is not s.variable]
        overwritten = {s.variable for s in moved}
        ends = dict(places)
        for value in dict.fromkeys([*self.graph.outputs, *(s.after for s in moved)]):
            if places[value].buffer.variable in overwritten:
                ends[value] = Place(self._buffer(value.spec, self.end))
                self.plan.copies.append(Copy(value.spec, places[value], ends[value]))
        for state in moved:
            self.plan.copies.append(Copy(state.variable.spec, ends[state.after], places[state.before]))
        self.plan.outputs = [ends[value] for value in self.graph.outputs]

    def _last_reads(self) -> dict[Value, int]:
        last = {v: i for i, node in enumerate(self.graph.nodes) for v in node.inputs}
        last.update(dict.fromkeys(self.graph.roots(), self.end))
        return last

    def _packed_inputs(self) -> dict[Value, tuple[Node, int]]:
        """Values that may be written straight into the vector packing them: (Pack, byte offset) of each."""
        found: dict[Value, tuple[Node, int]] = {}
        for node in self.graph.nodes:
            if type(node.op) is not Pack:
                continue
            places = segments([v.spec.size for v in node.inputs])
            for value, place in zip(node.inputs, places, strict=True):
                if value.node is not None and value not in found:
                    found[value] = (node, place.start * value.spec.itemsize)
        return found

    def _buffer(
        self, spec: Spec, first: int, variable: Stored | None = None, constant: Constant | None = None
    ) -> Buffer:
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
        if value in self.targets:
            home = self.plan.places[self.before[self.targets[value]]]
            if self._may_write(i, node, home.buffer, shareable):
                return home
        for j in shareable:
            place = self.plan.places[node.inputs[j]]
            fits = place.buffer.in_arena and place.buffer.nbytes == value.spec.nbytes and not place.offset
            if fits and place.buffer not in taken and self._may_write(i, node, place.buffer, shareable):
                return place
        return Place(self._buffer(value.spec, i))

    def _inside_pack(self, i: int, value: Value) -> Place:
        node, offset = self.packed[value]
        (vector,) = node.outputs
        if vector not in self.plan.places:
            self._place(vector, self._buffer(vector.spec, i))
        return Place(self.plan.places[vector].buffer, offset)

    def _may_write(self, i: int, node: Node, home: Buffer, shareable: list[int]) -> bool:
        """Whether node i may write this memory: nobody reads it later, and the node itself as it writes."""
        if any(self.last_read.get(old, -1) > i for old in self.residents[home]):
            return False
        return all(j in shareable for j, v in enumerate(node.inputs) if self.plan.places[v].buffer is home)


def pack(buffers: list[Buffer]) -> int:
    """Give each buffer an offset so that buffers in use at one time do not meet; returns the total bytes.

    Each at the lowest free offset, largest first (greedy by size; Pisarchyk & Lee 2020) or latest first.
    While that needs more than is in use at one time, the buffer that reached furthest goes first, and again.
    """
    least = _most_alive(buffers)
    by_size = sorted(buffers, key=lambda b: (-b.nbytes, b.first))
    by_end = sorted(buffers, key=lambda b: (-b.last, -b.nbytes))
    best: tuple[list[Buffer], np.ndarray, int] | None = None
    for order in (by_size, by_end):
        for _ in range(PACKINGS):
            offsets, nbytes = _offsets(order)
            if best is None or nbytes < best[2]:
                best = order, offsets, nbytes
            if best[2] <= least:
                break
            top = int(np.argmax(offsets + [_aligned(b.nbytes) for b in order]))
            order = [order[top], *order[:top], *order[top + 1 :]]
    assert best is not None
    for buffer, offset in zip(best[0], best[1], strict=True):
        buffer.offset = int(offset)
    return best[2]


def _most_alive(buffers: list[Buffer]) -> int:
    """The most bytes in use at one time, which no packing can undercut."""
    if not buffers:
        return 0
    change = np.zeros(max(b.last for b in buffers) + 3, np.int64)
    for b in buffers:
        change[b.first + 1] += _aligned(b.nbytes)
        change[b.last + 2] -= _aligned(b.nbytes)
    return int(change.cumsum().max())


def _offsets(buffers: Sequence[Buffer]) -> tuple[np.ndarray, int]:
    """(offset of each buffer, bytes in all) when they are placed one after the other."""
    first, last, start, stop = placed = np.zeros((4, len(buffers)), np.int64)
    for k, buffer in enumerate(buffers):
        nbytes = _aligned(buffer.nbytes)
        alive = np.flatnonzero((first[:k] <= buffer.last) & (last[:k] >= buffer.first))
        alive = alive[np.argsort(start[alive])]
        offset = _lowest_gap(start[alive], stop[alive], nbytes)
        placed[:, k] = buffer.first, buffer.last, offset, offset + nbytes
    return start, int(stop.max(initial=0))


def _lowest_gap(start: np.ndarray, stop: np.ndarray, nbytes: int) -> int:
    """The lowest offset with so much room between stretches of memory, given in the order of their starts."""
    free = np.append(0, np.maximum.accumulate(stop))
    fits = np.append(free[:-1] + nbytes <= start, True)
    return int(free[np.argmax(fits)])
