"""Softmax and the crossentropies on the GPU: launches of `kernels/softmax.cu`."""

from __future__ import annotations

import math
from typing import Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.launch import Function

LONG = 1024  # classes; a longer row gets a block
EACH = 4  # elements of a short row for each lane, as long as a warp has lanes


def _team(rows: int, columns: int) -> tuple[str, dict[str, int]]:
    """Who works on one row, and the size of the launch."""
    if columns > LONG:
        return "Block", {"blocks": rows, "block": 256 if columns <= 16 * LONG else 512}
    lanes = 1
    while lanes < 32 and lanes * EACH < columns:
        lanes *= 2
    return f"Lanes<{lanes}>", {"threads": rows * lanes}


def _bound(function: Function, launch: dict[str, int], args: tuple[Any, ...]) -> Thunk:
    if "blocks" in launch:  # rows beyond what the device holds at a time are left to the loop over rows
        launch = {**launch, "blocks": min(launch["blocks"], function.blocks)}
    return function.bind(*args, **launch)


def _rows(array: Any) -> tuple[int, int]:
    """(rows, columns) of an array whose last axis is the columns."""
    return math.prod(array.shape[:-1]), array.shape[-1]


def _elementwise(name: str) -> Kernel:
    """Softmax and its like: rows to rows, in place where wanted."""

    def prepare(gpu: Any, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
        if out.size == 0:
            return InOrder(())
        rows, columns = _rows(x)
        team, launch = _team(rows, columns)
        function = gpu.kernel_function("softmax", name, "T T i i", str(x.dtype), team)
        return _bound(function, launch, (x, out, rows, columns))

    return Kernel(prepare, overwrites=((0, 0),))


def _loss_and_gradient(name: str, smooths: bool = False) -> Kernel:
    """Crossentropies of logits: (target or label, logits) to (loss, gradient)."""

    def prepare(gpu: Any, op: Any, out: Any, target: Any, logits: Any, scratch: tuple[Any, ...]) -> Thunk:
        rows, columns = _rows(logits)
        team, launch = _team(rows, columns)
        types = str(logits.dtype), str(target.dtype), team
        params, tail = ("U T T T i i d", (op.smoothing,)) if smooths else ("U T T T i i", ())
        function = gpu.kernel_function("softmax", name, params, *types)
        return _bound(function, launch, (target, logits, *out, rows, columns, *tail))

    return Kernel(prepare, overwrites=((1, 1),))


def _categorical(gpu: Any, op: Any, out: Any, target: Any, output: Any, scratch: tuple[Any, ...]) -> Thunk:
    rows, columns = _rows(output)
    team, launch = _team(rows, columns)
    types = str(output.dtype), str(target.dtype), team
    function = gpu.kernel_function("softmax", "categorical_crossentropy", "U T T i i d d", *types)
    args = (target, output, out, rows, columns, op.epsilon, 1.0 - op.epsilon)
    return _bound(function, launch, args)


KERNELS = {
    "Softmax": _elementwise("softmax"),
    "LogSoftmax": _elementwise("log_softmax"),
    "SoftmaxCrossentropy": _loss_and_gradient("softmax_crossentropy", smooths=True),
    "SparseSoftmaxCrossentropy": _loss_and_gradient("sparse_softmax_crossentropy"),
    "CategoricalCrossentropy": Kernel(_categorical),
}
