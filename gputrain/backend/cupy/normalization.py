"""Batch and layer normalization on the GPU: launches of `kernels/normalization.cu`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.reduce import BLOCKS, PACK, blocks_for, columns_of, cut, lanes_for
from gputrain.ir import Spec
from gputrain.ops.precision import wide_dtype

LONG = 1024  # elements; a longer row gets a block


def _table(shape: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of a shape whose last axis is the columns."""
    return math.prod(shape[:-1]), shape[-1]


# ----------------------------------------------------------------------------------------- sums down columns


def _partial(x: Spec, words: int) -> tuple[Spec, ...]:
    """The workspace for sums over parts of the rows of x, where they are cut."""
    rows, columns = _table(x.dims)
    parts, _ = cut(1, rows, columns)
    return (Spec((parts * columns * words,), wide_dtype(x.dtype)),) if parts > 1 else ()


def _columns(
    gpu: Any,
    names: tuple[str, str],
    params: str,
    sources: Sequence[Any],
    outs: Sequence[Any],
    scratch: Sequence[Any],
    variant: tuple[str, ...] = (),
    tail: tuple[float, ...] = (),
) -> list[Thunk]:
    """Launches that sum down the columns of sources[-1] into `outs`, in one step or two."""
    (first, second), x = names, sources[0]
    rows, columns = _table(x.shape)
    parts, chunk = cut(1, rows, columns)
    width = columns_of(columns, rows)
    wide = wide_dtype(x.dtype)
    sum_up = gpu.kernel_function("normalization", first, params, str(x.dtype), str(width), *variant)
    partial = scratch[0] if scratch else None
    args = (*sources, partial, *outs, rows, columns, parts, chunk, *tail)
    made = [sum_up.bind(*args, blocks=blocks_for(sum_up, parts * -(-columns // width)), block=256)]
    if partial is not None:
        width = columns_of(columns, parts)
        merge = gpu.kernel_function("normalization", second, f"{wide} {wide} {wide} i i", wide, str(width))
        blocks = blocks_for(merge, -(-columns // width))
        made.append(merge.bind(partial, *outs, parts, columns, blocks=blocks, block=256))
    return made


def _elementwise(
    gpu: Any, name: str, params: str, arrays: Sequence[Any], packed: Sequence[Any], epsilon: float
) -> Thunk:
    """A launch over all elements of packed[0]; all of `packed` are read or written in packs of columns."""
    x = packed[0]
    rows, columns = _table(x.shape)
    pack = PACK // x.dtype.itemsize
    if columns % pack or any(array.data.ptr % PACK for array in packed):
        pack = 1
    packs = columns // pack
    width = columns_of(packs, rows)
    groups, height = -(-packs // width), 256 // width
    parts = max(1, min(4 * BLOCKS // groups, -(-rows // (4 * height))))
    chunk = -(-rows // parts)
    parts = -(-rows // chunk)
    function = gpu.kernel_function("normalization", name, params, str(x.dtype), str(pack), str(width))
    blocks = blocks_for(function, parts * groups)
    bound: Thunk = function.bind(*arrays, rows, columns, parts, chunk, epsilon, blocks=blocks, block=256)
    return bound


# ------------------------------------------------------------------------------------------------------ batch


def _batch_norm(
    gpu: Any, op: Any, out: Any, x: Any, gamma: Any, beta: Any, scratch: tuple[Any, ...]
) -> Thunk:
    y, mean, variance = out
    if y.size == 0:
        return InOrder(())
    wide = wide_dtype(x.dtype)
    names, params = ("column_moments", "merge_moments"), f"T {wide} {wide} {wide} i i i i"
    statistics = _columns(gpu, names, params, [x], [mean, variance], scratch)
    params = f"T {wide} {wide} {wide} {wide} T i i i i d"
    arrays = x, gamma, beta, mean, variance, y
    normalize = _elementwise(gpu, "batch_normalize", params, arrays, (x, y), op.epsilon)
    return InOrder([*statistics, normalize])


def _batch_norm_grad(
    gpu: Any,
    op: Any,
    out: Any,
    ct: Any,
    x: Any,
    gamma: Any,
    mean: Any,
    variance: Any,
    scratch: tuple[Any, ...],
) -> Thunk:
    dx, d_gamma, d_beta = out
    if dx.size == 0:
        return InOrder(())
    wide = wide_dtype(x.dtype)
    sums = _products(gpu, [ct, x, mean, variance], [d_gamma, d_beta], scratch, by_row=0, epsilon=op.epsilon)
    params = f"T T {' '.join([wide] * 5)} T i i i i d"
    arrays = ct, x, gamma, mean, variance, d_gamma, d_beta, dx
    return InOrder([*sums, _elementwise(gpu, "batch_normalize_dx", params, arrays, (ct, x, dx), op.epsilon)])


def _batch_norm_weight_grad(
    gpu: Any, op: Any, out: Any, ct: Any, x: Any, mean: Any, variance: Any, scratch: tuple[Any, ...]
) -> Thunk:
    if out[0].size == 0:
        return InOrder(())
    return InOrder(_products(gpu, [ct, x, mean, variance], out, scratch, by_row=0, epsilon=op.epsilon))


def _products(
    gpu: Any, sources: Sequence[Any], outs: Sequence[Any], scratch: Sequence[Any], by_row: int, epsilon: float
) -> list[Thunk]:
    """Launches that make the gradients of gamma and beta; the statistics are those of rows or of columns."""
    wide = wide_dtype(sources[0].dtype)
    names, params = ("column_products", "merge_products"), f"T T {' '.join([wide] * 5)} i i i i d"
    return _columns(gpu, names, params, sources, outs, scratch, (str(by_row),), (epsilon,))


# ------------------------------------------------------------------------------------------------------ layer


def _rows(gpu: Any, name: str, params: str, args: Sequence[Any], x: Any, tail: Sequence[float] = ()) -> Thunk:
    """A launch with some lanes of a warp, or a block, to each row of x."""
    rows, columns = _table(x.shape)
    lanes = lanes_for(columns)
    team = "Block" if columns > LONG else f"Lanes<{lanes}>"
    function = gpu.kernel_function("normalization", name, params, str(x.dtype), team)
    bound: Thunk
    if columns > LONG:
        bound = function.bind(*args, rows, columns, *tail, blocks=blocks_for(function, rows), block=256)
    else:
        bound = function.bind(*args, rows, columns, *tail, threads=rows * lanes)
    return bound


def _layer_norm(
    gpu: Any, op: Any, out: Any, x: Any, gamma: Any, beta: Any, scratch: tuple[Any, ...]
) -> Thunk:
    wide = wide_dtype(x.dtype)
    params = f"T {wide} {wide} T {wide} {wide} i i d"
    return _rows(gpu, "layer_normalize", params, (x, gamma, beta, *out), x, (op.epsilon,))


def _layer_norm_grad(
    gpu: Any,
    op: Any,
    out: Any,
    ct: Any,
    x: Any,
    gamma: Any,
    mean: Any,
    rstd: Any,
    scratch: tuple[Any, ...],
) -> Thunk:
    dx, d_gamma, d_beta = out
    if d_gamma.size == 0:
        return InOrder(())
    wide = wide_dtype(x.dtype)
    # The sums first: dx may lie where ct does.
    sums = _products(gpu, [ct, x, mean, rstd], [d_gamma, d_beta], scratch, by_row=1, epsilon=0.0)
    params = f"T T {wide} {wide} {wide} T i i"
    return InOrder([*sums, _rows(gpu, "layer_normalize_dx", params, (ct, x, gamma, mean, rstd, dx), x)])


KERNELS = {
    "BatchNorm": Kernel(_batch_norm, lambda op, x, *rest: _partial(x, 3)),
    "BatchNormGrad": Kernel(_batch_norm_grad, lambda op, ct, x, *rest: _partial(x, 2)),
    "BatchNormWeightGrad": Kernel(_batch_norm_weight_grad, lambda op, ct, x, *rest: _partial(x, 2)),
    "LayerNorm": Kernel(_layer_norm),
    "LayerNormGrad": Kernel(_layer_norm_grad, lambda op, ct, x, *rest: _partial(x, 2)),
}
