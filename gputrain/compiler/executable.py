"""Executable: a planned graph bound to memory, run as a list of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import Device, current_device
from ..errors import ShapeError, explain
from ..ir import Graph, Node, Spec, Value
from ..ops.base import Constant, run_once
from .plan import Buffer, Plan, make_plan


class Arena:
    """The memory that all executables of one model share; only one of them runs at a time."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.generation = 0
        self.memory = device.empty((0,), "uint8")

    def reserve(self, nbytes: int) -> None:
        """Make room for a plan. Growing moves the memory, so executables bind anew before they run again."""
        if nbytes > self.memory.size:
            self.memory = self.device.empty((nbytes,), "uint8")
            self.generation += 1


class Executable:
    """A graph ready to run again and again on batches of one shape.

    Args:
        graph: what to compute.
        device: where.
        arena: memory to share with other executables; None makes one of its own.

    Example:
        >>> exe = Executable(graph, current_device())
        >>> exe.run([x])          # copies of the outputs, as NumPy arrays
    """

    def __init__(self, graph: Graph, device: Device, arena: Arena | None = None) -> None:
        self.graph, self.device = graph, device
        self.arena = arena if arena is not None else Arena(device)
        self.plan: Plan = make_plan(graph, device)
        self.arena.reserve(self.plan.nbytes)
        self._generation = -1
        self._constants: dict[Buffer, Any] = {}
        self._arrays: dict[Value, Any] = {}
        self._thunks: list[Callable[[], None]] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def bind(self) -> None:
        """Cut this plan's arrays out of the arena; done again only when the arena has moved."""
        if self._generation == self.arena.generation:
            return
        self._arrays = {value: self._array(value) for value in self.plan.places}
        self._thunks = [self._thunk(node) for node in self.graph.nodes if self._runs(node)] + self._copies()
        self.inputs = [self._arrays[v] for v in self.graph.inputs]
        self.outputs = [self._arrays[v] for v in self.graph.outputs]
        self._generation = self.arena.generation

    def step(self) -> None:
        """Run once on what the input buffers hold; results stay in the output buffers."""
        with self.device.quiet():
            for thunk in self._thunks:
                thunk()

    def run(self, feeds: Sequence[Any]) -> list[np.ndarray]:
        """Copy `feeds` into the input buffers, run, and return copies of the outputs on the host.

        Raises:
            ShapeError: a feed has another shape than the graph was traced for.
        """
        self.bind()
        for value, buffer, feed in zip(self.graph.inputs, self.inputs, feeds, strict=True):
            if tuple(np.shape(feed)) != value.spec.dims:
                raise ShapeError(
                    explain("This executable takes one batch shape.", expected=value.spec, received=np.shape(feed))
                )
            self.device.upload(feed, buffer)
        self.step()
        return self.fetch()

    def fetch(self) -> list[np.ndarray]:
        """Copies of the outputs of the last run, on the host."""
        return [self.device.download(array) for array in self.outputs]

    def poison(self) -> None:
        """Fill the arena with bytes that are NaN as floats: anything read before it is written shows."""
        self.arena.memory[...] = 0xFF

    def array(self, value: Value) -> Any:
        """The buffer of a value of the graph, as the last run left it (later values may have replaced it)."""
        return self._arrays[value]

    def _array(self, value: Value) -> Any:
        place = self.plan.places[value]
        return self._cut(place.buffer, place.offset, value.spec)

    def _cut(self, buffer: Buffer, offset: int, spec: Spec) -> Any:
        if buffer.variable is not None:
            return buffer.variable.array.reshape(spec.dims)
        if buffer.constant is not None:
            return self._constant(buffer).reshape(spec.dims)
        assert buffer.offset is not None
        return self.device.view(self.arena.memory, buffer.offset + offset, spec)

    def _constant(self, buffer: Buffer) -> Any:
        assert buffer.constant is not None
        if buffer not in self._constants:
            self._constants[buffer] = run_once(buffer.constant, (), self.device)[0]
        return self._constants[buffer]

    def _runs(self, node: Node) -> bool:
        return not node.op.view and not isinstance(node.op, Constant)

    def _thunk(self, node: Node) -> Callable[[], None]:
        specs = [v.spec for v in node.inputs]
        scratch = [
            self._cut(buffer, 0, spec)
            for buffer, spec in zip(self.plan.scratch[node], self.device.scratch(node.op, specs), strict=True)
        ]
        outs = [self._arrays[v] for v in node.outputs]
        return self.device.prepare(node.op, specs, outs, [self._arrays[v] for v in node.inputs], scratch)

    def _copies(self) -> list[Callable[[], None]]:
        """States that could not be written in place: copied at the end, all reads before all writes."""
        pairs = [(variable.array, self._arrays[value]) for variable, value in self.plan.copies]
        homes = {id(variable.array) for variable, _ in self.plan.copies}
        copyto, first, second = self.device.xp.copyto, [], []
        for (target, source), (_, value) in zip(pairs, self.plan.copies, strict=True):
            buffer = self.plan.places[value].buffer
            if buffer.variable is not None and id(buffer.variable.array) in homes:
                staged = self.device.empty(value.spec.dims, value.dtype)
                first.append(_copy(copyto, staged, source))
                source = staged
            second.append(_copy(copyto, target, source))
        return first + second


def _copy(copyto: Callable[..., None], target: Any, source: Any) -> Callable[[], None]:
    return lambda: copyto(target, source)


def interpret(
    graph: Graph,
    feeds: Sequence[Any],
    device: Device | None = None,
    observe: Callable[[Node, tuple[Any, ...]], None] | None = None,
    commit: bool = True,
) -> list[Any]:
    """Run a graph node by node in fresh memory, showing each result to `observe`.

    Args:
        graph: what to compute.
        feeds: one array per graph input.
        device: where; None means the current one.
        observe: called with each node and its output arrays, in order.
        commit: whether new states are written to their variables.

    Returns:
        the output arrays.
    """
    device = device if device is not None else current_device()
    arrays: dict[Value, Any] = {s.before: s.variable.array for s in graph.states}
    for value, feed in zip(graph.inputs, feeds, strict=True):
        arrays[value] = device.asarray(feed, value.dtype)
    for node in graph.nodes:
        outs = run_once(node.op, [arrays[v] for v in node.inputs], device)
        arrays.update(zip(node.outputs, outs, strict=True))
        if observe is not None:
            observe(node, outs)
    if commit:
        written = [(s.variable.array, device.download(arrays[s.after])) for s in graph.states if s.written]
        for array, host in written:
            device.upload(host, array)
    return [arrays[v] for v in graph.outputs]
