"""Attention on the GPU: launches of `kernels/attention.cu`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.reduce import blocks_for
from gputrain.ir import Spec
from gputrain.ops.precision import wide_dtype
from gputrain.utils import philox

MOST_MASKS = 4  # as in the kernel
THREADS = 256
FURTHER = "d T bool bool bool bool int64 u u i d" + 11 * " i"  # scale, GPUTRAIN_FURTHER, GPUTRAIN_SIZES


def _tile(dtype: str) -> int:
    """Rows and columns of a square: as many as shared memory has room for."""
    return 32 if dtype == "float64" else 64


def _further(op: Any, q: Any, k: Any, v: Any, further: Sequence[Any]) -> tuple[Any, ...]:
    """What all kernels are told: scale, bias, masks, dropout, sizes."""
    bias, masks, step = op.split(further)
    arrays = [bias, *masks, *[None] * (MOST_MASKS - len(masks))]
    shapes = sum(_axes(array) << 4 * i for i, array in enumerate(arrays))
    threshold, factor = philox.keep_threshold(op.rate)
    (n, t, heads, d), (_, s, groups, e) = q.shape, v.shape
    limited = not masks and t <= s
    return (
        *(op.scale, *arrays, step, op.seed, op.stream),
        *(-1 if step is None else threshold, factor),
        *(n, t, s, heads, groups, d, e, op.causal, op.window, limited, shapes),
    )


def _axes(array: Any) -> int:
    """Bits of the axes that an array of four axes has with a size other than 1, the first one the highest."""
    return 0 if array is None else sum((size > 1) << (3 - axis) for axis, size in enumerate(array.shape))


def _launch(gpu: Any, name: str, params: str, args: Sequence[Any], dtype: str, items: int) -> Thunk:
    """A launch of a block to each item of work."""
    tile = _tile(dtype)
    function = gpu.kernel_function("attention", name, f"{params} {FURTHER}", dtype, str(tile))
    bound: Thunk = function.bind(*args, blocks=blocks_for(function, items), block=THREADS)
    return bound


def _forward(gpu: Any, op: Any, out: Any, q: Any, k: Any, v: Any, *further: Any, scratch: Any) -> Thunk:
    dtype, (y, lse) = str(q.dtype), out
    tile, wide = _tile(dtype), wide_dtype(q.dtype)
    items = math.prod((q.shape[0], q.shape[2], -(-q.shape[1] // tile), max(1, -(-v.shape[3] // tile))))
    args = (q, k, v, y, lse, *_further(op, q, k, v, further))
    return _launch(gpu, "attention", f"T T T T {wide}", args, dtype, items)


def _backward(
    gpu: Any, op: Any, out: Any, ct: Any, q: Any, k: Any, v: Any, *rest: Any, scratch: Any
) -> Thunk:
    dtype, (dq, dk, dv), (*further, lse, delta) = str(q.dtype), out, rest
    tile, wide = _tile(dtype), wide_dtype(q.dtype)
    shared, more = (ct, q, k, v, lse, delta), _further(op, q, k, v, further)
    params = f"T T T T {wide} {wide}"
    (n, t, heads, d), (_, s, groups, e) = q.shape, v.shape
    by_queries = math.prod((n, heads, -(-t // tile), -(-d // tile)))
    by_keys = math.prod((n, groups, -(-s // tile), -(-max(d, e) // tile)))
    return InOrder(
        (
            _launch(gpu, "attention_dq", f"{params} T", (*shared, dq, *more), dtype, by_queries),
            _launch(gpu, "attention_dkv", f"{params} T T", (*shared, dk, dv, *more), dtype, by_keys),
        )
    )


def _accepts(op: Any, *specs: Spec) -> bool:
    """Whether it is what the kernels take."""
    arrays = [spec for spec in specs if spec.ndim == 4]
    steps = not op.rate or any(spec.dtype == "int64" for spec in specs)
    return op.masks <= MOST_MASKS and steps and all(spec.static for spec in arrays)


KERNELS = {
    "DotProductAttention": Kernel(_forward, accepts=_accepts),
    "DotProductAttentionGrad": Kernel(_backward, accepts=_accepts),
}
