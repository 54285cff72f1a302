"""Matrix products by a compiled kernel: blocks of rows, columns in panels."""

from __future__ import annotations

from typing import Any

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, Library
from gputrain.ir.spec import Spec

Array = Any

ROWS = 32  # of a block, about
WIDE = 32  # columns of the widest panel


class _Shape:
    """Sizes and distances of a product, of arrays or specs."""

    def __init__(self, op: Any, a: Any, b: Any) -> None:
        left, right = tuple(a.shape), tuple(b.shape)
        m, k = left[-2:] if not op.transpose_a else left[:-3:-1]
        self.rows, self.steps = m, k
        self.columns = right[-2] if op.transpose_b else right[-1]
        self.a = (1, m) if op.transpose_a else (k, 1)
        self.b = (1, k) if op.transpose_b else (self.columns, 1)
        self.batches = 1
        for n in left[:-2]:
            self.batches *= n
        self.blocks = max(1, round(m / ROWS))


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of products by the operation's name."""

    def prepare(op: Any, out: Array, a: Array, b: Array, *, scratch: Any) -> Thunk:
        s = _Shape(op, a, b)
        return library.bind(
            "Product", a.dtype.name, a, b, out, scratch[0], s.rows, s.steps, s.columns, *s.a, *s.b, s.columns,
            s.batches, s.rows * s.steps, s.steps * s.columns, s.rows * s.columns, s.blocks,
        )  # fmt: skip

    def scratch(op: Any, a: Spec, b: Spec) -> tuple[Spec, ...]:
        s = _Shape(op, a, b)
        return (Spec((s.steps, -(-s.columns // WIDE) * WIDE), a.dtype),)

    def accepts(op: Any, a: Spec, b: Spec) -> bool:
        known = a.static and b.static and a.size > 0 and b.size > 0
        return known and a.dtype in FLOATS and a.dims[:-2] == b.dims[:-2] and a.ndim >= 2

    return {"MatMul": Kernel(prepare, scratch, accepts=accepts)}
