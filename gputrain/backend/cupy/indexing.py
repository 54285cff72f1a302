"""Gathers, scatters and one-hot rows on the GPU: launches of `kernels/indexing.cu`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.ir import Spec

TILE, HEAVY = 1024, 256  # as in the kernels
FEW = 16  # additions along an axis that each output looks through by itself
PACK = 16  # bytes of the widest load


def _pack(d: int, *arrays: Any) -> int:
    """Elements of a slice of `d` that one load takes: all slices must begin at a multiple of them."""
    elements = max(1, PACK // arrays[0].dtype.itemsize)
    fits = d % elements == 0 and all(x.data.ptr % PACK == 0 for x in arrays)
    return elements if fits else 1


def _threads(packs: int) -> int:
    """Threads that work on one slice, a power of two."""
    threads = 1
    while threads < 256 and threads < packs:
        threads *= 2
    return threads


def _around(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """`shape` as (before, along, after) an axis."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


# ---------------------------------------------------------------------------------------------------- gathers


def _take(gpu: Any, op: Any, out: Any, x: Any, indices: Any, scratch: tuple[Any, ...]) -> Thunk:
    if out.size == 0:
        return InOrder(())
    p, n, d = _around(x.shape, op.axis)
    pack = _pack(d, x, out)
    threads = _threads(d // pack)
    types = str(x.dtype), str(indices.dtype), str(pack), str(threads)
    function = gpu.kernel_function("indexing", "take", "T U T i i i i", *types)
    m = indices.size
    bound: Thunk = function.bind(x, indices, out, p, n, m, d, threads=p * m * threads)
    return bound


def _take_along(gpu: Any, op: Any, out: Any, x: Any, indices: Any, scratch: tuple[Any, ...]) -> Thunk:
    a, n, b = _around(x.shape, op.axis)
    k = indices.shape[op.axis]
    function = gpu.kernel_function(
        "indexing", "take_along", "T U T i i i i", str(x.dtype), str(indices.dtype)
    )
    bound: Thunk = function.bind(x, indices, out, a, n, k, b, threads=out.size)
    return bound


def _one_hot(gpu: Any, op: Any, out: Any, indices: Any, scratch: tuple[Any, ...]) -> Thunk:
    a, classes, b = _around(out.shape, op.axis)
    function = gpu.kernel_function("indexing", "one_hot", "U T i i i", str(out.dtype), str(indices.dtype))
    bound: Thunk = function.bind(indices, out, a, classes, b, threads=out.size)
    return bound


# --------------------------------------------------------------------------------------------------- scatters


def _sort_scratch(count: int, rows: int) -> tuple[Spec, ...]:
    """Workspaces of `_sorted`: keys, keys again, where each row begins."""
    keys = Spec((count,), "uint64")
    return keys, keys, Spec((rows + 1,), "int64")


def _sorted(
    gpu: Any, indices: Any, sizes: tuple[int, int, int], rows: int, scratch: Sequence[Any]
) -> tuple[list[Thunk], Any]:
    """Launches that sort the indices, (A, K, B) into N: `sizes` is (N, K, B). Returns the sorted keys too."""
    count = indices.size
    keys, other, starts = scratch
    tiles = -(-count // TILE)
    sort = gpu.kernel_function("indexing", "sort_tiles", "T uint64 i i i i", str(indices.dtype))
    merge = gpu.kernel_function("indexing", "merge_runs", "uint64 uint64 i i")
    made = [sort.bind(indices, keys, count, *sizes, blocks=min(tiles, sort.blocks), block=256)]
    run = TILE
    while run < count:
        made.append(merge.bind(keys, other, count, run, threads=count))
        keys, other, run = other, keys, 2 * run
    find = gpu.kernel_function("indexing", "row_starts", "uint64 int64 i i")
    made.append(find.bind(keys, starts, count, rows, threads=rows + 1))
    return made, keys


def _add_sorted(gpu: Any, out: Any, ct: Any, keys: Any, starts: Any, sizes: Sequence[int]) -> list[Thunk]:
    """Launches that add slices of ct (P, M, D) to their rows of out (P, N, D); `sizes` is (P, N, M, D)."""
    p, n, m, d = sizes
    pack = _pack(d, ct, out)
    threads = _threads(d // pack)
    dtype, params = str(ct.dtype), "T uint64 int64 T i i i i"
    add = gpu.kernel_function("indexing", "add_rows", params, dtype, str(pack), str(threads))
    made = [add.bind(ct, keys, starts, out, *sizes, threads=p * n * threads)]
    if m >= HEAVY:
        heavy = gpu.kernel_function("indexing", "add_heavy_rows", params, dtype)
        blocks = -(-m // HEAVY) * p * -(-d // 32)
        made.append(
            heavy.bind(ct, keys, starts, out, *sizes, blocks=min(blocks, 8 * heavy.blocks), block=256)
        )
    return made


def _zeros(gpu: Any, out: Any) -> Thunk:
    function = gpu.kernel_function("indexing", "zeros", "T i", str(out.dtype))
    bound: Thunk = function.bind(out, out.size, threads=out.size)
    return bound


def _scatter_scratch(op: Any, ct: Spec, indices: Spec) -> tuple[Spec, ...]:
    return _sort_scratch(indices.size, op.size) if ct.size and op.size else ()


def _scatter(gpu: Any, op: Any, out: Any, ct: Any, indices: Any, scratch: tuple[Any, ...]) -> Thunk:
    if not scratch:
        return _zeros(gpu, out)
    p, n, d = _around(out.shape, op.axis)
    m = indices.size
    sort, keys = _sorted(gpu, indices, (n, m, 1), n, scratch)
    return InOrder([*sort, *_add_sorted(gpu, out, ct, keys, scratch[2], (p, n, m, d))])


def _along_scratch(op: Any, ct: Spec, indices: Spec) -> tuple[Spec, ...]:
    a, k, b = _around(ct.dims, op.axis)
    return _sort_scratch(ct.size, a * op.size * b) if k > FEW and ct.size and op.size else ()


def _scatter_along(gpu: Any, op: Any, out: Any, ct: Any, indices: Any, scratch: tuple[Any, ...]) -> Thunk:
    a, k, b = _around(ct.shape, op.axis)
    n = op.size
    if not scratch:
        types = str(ct.dtype), str(indices.dtype)
        function = gpu.kernel_function("indexing", "add_along", "T U T i i i i", *types)
        bound: Thunk = function.bind(ct, indices, out, a, n, k, b, threads=out.size)
        return bound
    rows = out.size
    sort, keys = _sorted(gpu, indices, (n, k, b), rows, scratch)
    return InOrder([*sort, *_add_sorted(gpu, out, ct, keys, scratch[2], (1, rows, ct.size, 1))])


KERNELS = {
    "Take": Kernel(_take),
    "TakeAlongAxis": Kernel(_take_along),
    "OneHot": Kernel(_one_hot),
    "ScatterAdd": Kernel(_scatter, _scatter_scratch),
    "ScatterAddAlongAxis": Kernel(_scatter_along, _along_scratch),
}
