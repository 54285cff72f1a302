"""Layer normalization by compiled kernels: a row at a time, and sums of rows by blocks of fixed size."""

from __future__ import annotations

import math
from typing import Any

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, LANES, Library
from gputrain.ir.spec import Spec

Array = Any

TASK = 1 << 15  # elements of a task: less does not pay for waking a thread
ROWS = 16  # of a task, at least: its sums are little beside them


def _rows(x: Any) -> tuple[int, int, int]:
    """Rows, columns, and rows of a task."""
    columns = x.shape[-1]
    return math.prod(x.shape[:-1]), columns, max(ROWS, TASK // columns)


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of layer normalization by the operation's name."""

    def forward(op: Any, out: Any, x: Array, *weights: Array, scratch: Any) -> Thunk:
        return library.bind("LayerNorm", x.dtype.name, x, *weights, *out, _rows(x), float(op.epsilon))

    def backward(op: Any, out: Any, ct: Array, x: Array, *others: Array, scratch: Any) -> Thunk:
        line = scratch[0].shape[-1]
        return library.bind("LayerNormGrad", x.dtype.name, ct, x, *others, *out, *scratch, line, _rows(x))

    def sums(op: Any, ct: Spec, *others: Spec) -> tuple[Spec, ...]:
        rows, columns, shared = _rows(ct)
        return (Spec((-(-rows // shared), 2, -(-columns // LANES) * LANES), ct.dtype),)

    def accepts(op: Any, x: Spec, *others: Spec) -> bool:
        known = all(s.static and s.dtype == x.dtype for s in (x, *others))
        return known and x.dtype in FLOATS and x.size > 0

    return {
        "LayerNorm": Kernel(forward, accepts=accepts),
        "LayerNormGrad": Kernel(backward, sums, accepts=accepts),
    }
