"""How the bodies of scan and cond run on a device: each is planned once and bound once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gputrain.backend import Device, InOrder, Loop, Named, OnHost, Thunk
from gputrain.ops.base import Operation
from gputrain.ops.choice import Cond
from gputrain.ops.loop import Scan

Arrays = Sequence[Any]


def inputs_of_bodies(op: Operation, outs: Arrays, ins: Arrays, scratch: Arrays) -> list[Arrays]:
    """The arrays that each body of `op` reads. A loop keeps its carries where its results will be."""
    return _INPUTS[type(op)](op, outs, ins, scratch)


def bind_bodies(op: Operation, device: Device, bodies: Sequence[Any], buffers: Sequence[Arrays]) -> Thunk:
    """What runs `op`, whose bodies are bound executables.

    Args:
        op: a Scan or a Cond.
        device: where it runs.
        bodies: an executable for each body.
        buffers: outputs, inputs, workspaces.
    """
    return _BINDERS[type(op)](op, device, bodies, *buffers)


def _inputs_of_scan(op: Scan, outs: Arrays, ins: Arrays, scratch: Arrays) -> list[Arrays]:
    n = op.carries
    return [[*outs[:n], *scratch[n if op.crosses else 0 :], *ins[n + op.xs :]]]


def _bind_scan(op: Scan, device: Device, bodies: Any, outs: Arrays, ins: Arrays, scratch: Arrays) -> Thunk:
    (exe,), n = bodies, op.carries
    carries = outs[:n]
    staged, slices = (scratch[:n], scratch[n:]) if op.crosses else (exe.outputs[:n], scratch)

    def copies(targets: Arrays, sources: Arrays) -> list[Thunk]:
        pairs = zip(targets, sources, strict=True)
        return [device.copy(t, s) for t, s in pairs if not device.xp.may_share_memory(t, s)]

    reads = [device.read_row(x, one) for x, one in zip(ins[n : n + op.xs], slices, strict=True)]
    writes = [device.write_row(y, one) for y, one in zip(outs[n:], exe.outputs[n:], strict=True)]
    body = [thunk.run if type(thunk) is Named else thunk for thunk in exe.thunks]
    after = [*(copies(staged, exe.outputs[:n]) if op.crosses else ()), *copies(carries, staged)]
    return InOrder([*copies(carries, ins[:n]), Loop(str(op), op.order, reads, body, writes, after)])


def _inputs_of_cond(op: Cond, outs: Arrays, ins: Arrays, scratch: Arrays) -> list[Arrays]:
    return [ins[1:], ins[1:]]


def _bind_cond(op: Cond, device: Device, bodies: Any, outs: Arrays, ins: Arrays, scratch: Arrays) -> Thunk:
    yes, no = (
        [*exe.thunks, *(device.copy(t, s) for t, s in zip(outs, exe.outputs, strict=True))] for exe in bodies
    )
    flag = ins[0]

    def run() -> None:
        for thunk in yes if bool(flag) else no:
            thunk()

    return OnHost(run, type(op).__name__, op.on_host)


_INPUTS: dict[type, Callable[..., list[Arrays]]] = {Scan: _inputs_of_scan, Cond: _inputs_of_cond}
_BINDERS: dict[type, Callable[..., Thunk]] = {Scan: _bind_scan, Cond: _bind_cond}
