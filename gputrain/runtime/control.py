"""How the bodies of scan and cond run on a device: each is planned once and bound once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gputrain.backend import Device, InOrder, OnHost, Thunk
from gputrain.ops.base import Operation
from gputrain.ops.control import Cond, Scan

Arrays = Sequence[Any]


def inputs_of_bodies(op: Operation, ins: Arrays, scratch: Arrays) -> list[Arrays]:
    """The arrays that each body of `op` reads."""
    return _INPUTS[type(op)](op, ins, scratch)


def bind_bodies(op: Operation, device: Device, bodies: Sequence[Any], buffers: Sequence[Arrays]) -> Thunk:
    """What runs `op`, whose bodies are bound executables.

    Args:
        op: a Scan or a Cond.
        device: where it runs.
        bodies: an executable for each body.
        buffers: outputs, inputs, workspaces.
    """
    return _BINDERS[type(op)](op, device, bodies, *buffers)


def _inputs_of_scan(op: Scan, ins: Arrays, scratch: Arrays) -> list[Arrays]:
    n = op.carries
    return [[*scratch[:n], *scratch[2 * n :], *ins[n + op.xs :]]]


def _bind_scan(op: Scan, device: Device, bodies: Any, outs: Arrays, ins: Arrays, scratch: Arrays) -> Thunk:
    (exe,), n = bodies, op.carries
    current, staged, slices = scratch[:n], scratch[n : 2 * n], scratch[2 * n :]
    xs, ys, kept = ins[n : n + op.xs], outs[n : n + op.ys], outs[n + op.ys :]

    def copies(targets: Arrays, sources: Arrays) -> list[Thunk]:
        return [device.copy(t, s) for t, s in zip(targets, sources, strict=True)]

    # A step's outputs may lie where its carries are read, so they pass through `staged`.
    after = copies(staged, exe.outputs[:n]) + copies(current, staged)
    parts = copies(current, ins[:n])
    for t in op.order:
        parts += copies(slices, [_at(x, t) for x in xs])
        parts += copies([_at(k, t) for k in kept], current if kept else [])
        parts += exe.thunks
        parts += copies([_at(y, t) for y in ys], exe.outputs[n:])
        parts += after
    return InOrder([*parts, *copies(outs[:n], current)])


def _at(stack: Any, t: int) -> Any:
    """Slice t of the first axis, as an array also where it is a single number."""
    return stack[t : t + 1].reshape(stack.shape[1:])


def _inputs_of_cond(op: Cond, ins: Arrays, scratch: Arrays) -> list[Arrays]:
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
