"""Matrix products on the GPU: cuBLAS for floats, a kernel of our own for integers and booleans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.cublas import batches
from gputrain.ir.spec import is_float

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

TILE = 16  # as in kernels/matmul.cu


def _matmul(gpu: CupyDevice, op: Any, out: Any, a: Any, b: Any, *, scratch: tuple[Any, ...] = ()) -> Thunk:
    if is_float(out.dtype.name):
        return gpu.blas.matmul(a, b, out, op.transpose_a, op.transpose_b)
    return _integer_matmul(gpu, op, out, a, b)


def _integer_matmul(gpu: CupyDevice, op: Any, out: Any, a: Any, b: Any) -> Thunk:
    kernel = gpu.kernel_function("matmul", "matmul_tiled", "T T T" + " i" * 12, out.dtype.name)
    m, n = out.shape[-2:]
    k = a.shape[-2] if op.transpose_a else a.shape[-1]
    if out.size == 0:
        return InOrder(())
    plan = batches(a.shape, b.shape, out.shape)
    tiles = plan.size * math.ceil(m / TILE) * math.ceil(n / TILE)
    return InOrder(
        kernel.bind(
            *(a, b, out, m, n, k, plan.size, *plan.strides, *start),
            *(op.transpose_a, op.transpose_b),
            blocks=min(tiles, kernel.blocks),
            block=TILE * TILE,
        )
        for start in plan.starts
    )


KERNELS = {"MatMul": Kernel(_matmul)}
