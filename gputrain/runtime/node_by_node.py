"""Running a graph node by node in fresh memory, to look at every result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gputrain.backend import Device, current_device
from gputrain.ir import Graph, Node, Value
from gputrain.runtime.eager import returned, run_once


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
        the output arrays, none of which is a feed or the memory of a variable: NumPy arrays, or arrays of the
        device where a feed was one.
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
    outputs = [arrays[v] if v.node is not None else _copied(device, arrays[v]) for v in graph.outputs]
    if commit:
        written = [(s.variable.array, _copied(device, arrays[s.after])) for s in graph.states if s.written]
        with device.running():
            for array, new in written:
                device.copy(array, new)()
    return list(returned(outputs, feeds, device))


def _copied(device: Device, array: Any) -> Any:
    """The contents of an array in memory of its own."""
    fresh = device.empty(array.shape, array.dtype.name)
    with device.running():
        device.copy(fresh, device.asarray(array))()
    return fresh
