"""Executable: a planned graph bound to memory, run as a list of calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gputrain.backend import Device, Named, Thunk
from gputrain.compiler.plan import Buffer, Place, Plan, make_plan, plan_body, workspaces
from gputrain.errors import ShapeError, explain
from gputrain.ir import Graph, Node, Spec, Value
from gputrain.ops.base import Constant, Operation
from gputrain.runtime.arena import Arena

POISON = 0xFF  # bytes that are NaN as floats
UNSCALED = (1.0, 0.0)
KEPT_PROGRAMS = 4  # ways to fill the inputs whose programs are kept


class Executable:
    """A graph ready to run again and again on batches of one shape.

    Args:
        graph: what to compute.
        device: where.
        arena: memory to share with other executables; None makes one of its own.
        given: arrays that hold some of the graph's inputs, read where they are.
        plan: the memory plan, if it was made before.

    Example:
        >>> exe = Executable(graph, current_device())
        >>> exe.run([x])          # copies of the outputs, as NumPy arrays
    """

    def __init__(
        self,
        graph: Graph,
        device: Device,
        arena: Arena | None = None,
        given: Mapping[Value, Any] | None = None,
        plan: Plan | None = None,
    ) -> None:
        self.device = device
        self.arena = arena if arena is not None else Arena(device)
        self.given = given or {}
        self.plan: Plan = plan if plan is not None else make_plan(graph, device, self.given)
        self.graph = self.plan.graph
        self.scales = [self.graph.scales.get(v, UNSCALED) for v in self.graph.inputs]
        self.arena.reserve(self.plan.nbytes)
        self._generation = -1
        self._constants: dict[Buffer, Any] = {}
        self._arrays: dict[Value, Any] = {}
        self._programs: OrderedDict[Thunk | None, Thunk] = OrderedDict()
        self.thunks: list[Thunk] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def bind(self) -> bool:
        """Cut this plan's arrays out of the arena, if that has moved since; whether it had."""
        if self._generation == self.arena.generation:
            return False
        self._arrays = {value: self._cut(place, value.spec) for value, place in self.plan.places.items()}
        with self.device.running():
            self.thunks = [self._thunk(n) for n in self.graph.nodes if self._runs(n)] + self._copies()
        self._programs.clear()
        self.inputs = [self._arrays[v] for v in self.graph.inputs]
        ends = zip(self.plan.outputs, self.graph.outputs, strict=True)
        self.outputs = [self._cut(place, value.spec) for place, value in ends]
        self._generation = self.arena.generation
        self.arena.users.add(self)
        return True

    def unbind(self) -> None:
        """Let go of the arena's memory, as it is about to move."""
        self._arrays, self.thunks, self.inputs, self.outputs = {}, [], [], []
        self._programs.clear()
        self._generation = -1

    def step(self, load: Thunk | None = None) -> None:
        """Run once on what the input buffers hold; results stay in the output buffers.

        Args:
            load: fills the input buffers. The device may record it with the step, so it is one of few objects
                that are used again and again.
        """
        if load not in self._programs:
            for old in [old for old in self._programs if getattr(old, "stale", False)]:
                del self._programs[old]
            thunks = self.thunks if load is None else [load, *self.thunks]
            self._programs[load] = self.device.program(thunks)
            if len(self._programs) > KEPT_PROGRAMS:
                self._programs.popitem(last=False)
        self._programs.move_to_end(load)
        with self.device.running():
            self._programs[load]()

    def step_poisoned(self) -> None:
        """Like `step`, but memory that the plan calls free is overwritten, so that its faults show."""
        ending: dict[int, list[Buffer]] = {}
        for buffer in self.plan.buffers:
            if buffer.in_arena:
                ending.setdefault(buffer.last, []).append(buffer)
        thunks = iter(self.thunks)
        with self.device.running():
            for i, node in enumerate(self.graph.nodes):
                if self._runs(node):
                    next(thunks)()
                for buffer in ending.get(i, ()):
                    self._cut(Place(buffer), Spec((buffer.nbytes,), "uint8")).fill(POISON)
            for copy in thunks:
                copy()

    def run(self, feeds: Sequence[Any], poison: bool = False) -> list[np.ndarray]:
        """Copy `feeds` into the input buffers, run, and return copies of the outputs on the host.

        Args:
            feeds: one array per graph input.
            poison: run by `step_poisoned`, from a poisoned arena.

        Raises:
            ShapeError: a feed has another shape than the graph was traced for.
        """
        self.bind()
        self._check(feeds)
        if poison:
            self.poison()
        for buffer, feed, (scale, offset) in zip(self.inputs, feeds, self.scales, strict=True):
            plain = (scale, offset) == UNSCALED
            self.device.upload(feed if plain else np.asarray(feed, buffer.dtype) * scale + offset, buffer)
        if poison:
            self.step_poisoned()
        else:
            self.step()
        return self.fetch()

    def _check(self, feeds: Sequence[Any]) -> None:
        expected = [v.spec.dims for v in self.graph.inputs]
        received = [tuple(np.shape(feed)) for feed in feeds]
        if received != expected:
            raise ShapeError(
                explain(
                    "An executable takes the shapes it was planned for.",
                    expected=", ".join(map(str, expected)) or "no feeds",
                    received=", ".join(map(str, received)) or "no feeds",
                    fix="Trace the function for these shapes.",
                )
            )

    def fetch(self) -> list[np.ndarray]:
        """Copies of the outputs of the last run, on the host."""
        return [self.device.download(array) for array in self.outputs]

    def poison(self) -> None:
        """Overwrite the arena, so that anything read before it is written shows."""
        with self.device.running():
            self.arena.memory.fill(POISON)

    def array(self, value: Value) -> Any:
        """The buffer of a value of the graph, as the last run left it (later values may have replaced it)."""
        return self._arrays[value]

    def _cut(self, place: Place, spec: Spec) -> Any:
        buffer = place.buffer
        if buffer.variable is not None:
            return buffer.variable.array.reshape(spec.dims)
        if buffer.constant is not None:
            return self._constant(buffer).reshape(spec.dims)
        if buffer.given is not None:
            return self.given[buffer.given].reshape(spec.dims)
        assert buffer.offset is not None
        return self.device.view(self.arena.memory, buffer.offset + place.offset, spec)

    def _constant(self, buffer: Buffer) -> Any:
        assert buffer.constant is not None
        if buffer not in self._constants:
            host = buffer.constant.array()
            self._constants[buffer] = self.device.empty(host.shape, host.dtype.name)
            self.device.upload(host, self._constants[buffer])
        return self._constants[buffer]

    def _runs(self, node: Node) -> bool:
        return not node.op.view and not isinstance(node.op, Constant)

    def _thunk(self, node: Node) -> Thunk:
        specs = [v.spec for v in node.inputs]
        needed = workspaces(node.op, specs, self.device)
        scratch = [
            self._cut(Place(buffer), spec)
            for buffer, spec in zip(self.plan.scratch[node], needed, strict=True)
        ]
        outs, ins = ([self._arrays[v] for v in values] for values in (node.outputs, node.inputs))
        thunk = prepare(node.op, self.device, specs, outs, ins, scratch)
        if isinstance(thunk, Named) and node.path:
            thunk.name = f"{thunk.name} of {node.path}"
        return thunk

    def _copies(self) -> list[Thunk]:
        ends = [(self._cut(c.target, c.spec), self._cut(c.source, c.spec)) for c in self.plan.copies]
        return [self.device.copy(target, source) for target, source in ends]


def prepare(
    op: Operation,
    device: Device,
    specs: Sequence[Spec],
    outs: Sequence[Any],
    ins: Sequence[Any],
    scratch: Sequence[Any],
) -> Thunk:
    """Bind `op` to its buffers, its bodies included; calling the result runs it.

    Args:
        scratch: arrays of the specs that `workspaces` names.
    """
    if not op.bodies:
        return device.prepare(op, specs, outs, ins, scratch)
    from gputrain.runtime.control import bind_bodies, inputs_of_bodies

    memories, own = scratch[: len(op.bodies)], scratch[len(op.bodies) :]
    bound = []
    for body, memory, inputs in zip(op.bodies, memories, inputs_of_bodies(op, outs, ins, own), strict=True):
        given = dict(zip(body.graph.inputs, inputs, strict=True))
        exe = Executable(body.graph, device, Arena(device, memory), given, plan_body(body, device))
        exe.bind()
        bound.append(exe)
    return bind_bodies(op, device, bound, (outs, ins, own))
