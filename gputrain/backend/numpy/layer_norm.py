"""Layer normalization in blocks of rows that stay in cache, shared out among threads.

Sums along rows and down columns are products with vectors: NumPy takes several times as long for sums of
short rows, and of columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.passes import blocks
from gputrain.backend.numpy.threads import one_blas_thread, shares, together, workers
from gputrain.ir.spec import Spec
from gputrain.ops.statistics import inverse_root

Array = Any
BLOCK = 1 << 16  # elements of a block; of smaller ones the calls take a third of the time
ALONE = 1 << 19  # elements for which a second thread is not worth waking


def _sizes(x: Any) -> tuple[int, int, int, int]:
    """Rows, columns, rows of a block, threads."""
    rows, columns = math.prod(x.shape[:-1]), x.shape[-1]
    of_block = max(1, min(rows, BLOCK // max(1, columns)))
    return rows, columns, of_block, workers() if rows * columns > ALONE else 1


def _spaces(x: Spec, weight: Spec, count: int) -> tuple[Spec, ...]:
    """For each thread, so many blocks of whole rows and columns of them, in the dtype of the statistics."""
    _, columns, rows, threads = _sizes(x)
    block, column = (threads, count, rows, columns), (threads, count, rows, 1)
    return Spec(block, weight.dtype), Spec(column, weight.dtype)


def _shared_out(
    x: Array, spaces: Sequence[Array], work: Callable[[slice, int, Sequence[Array]], None]
) -> Callable[[], None]:
    """A function that does the work of all blocks: of rows, with a number and a thread's workspaces."""
    rows, _, of_block, threads = _sizes(x)
    parts = list(enumerate(blocks(rows, of_block)))

    def task(mine: Sequence[tuple[int, slice]], own: Sequence[Array]) -> Callable[[], None]:
        def run() -> None:
            for number, part in mine:
                work(part, number, [w[: part.stop - part.start] for kind in own for w in kind])

        return run

    runs = shares(parts) if threads > 1 else [parts]
    return together([task(mine, [kind[i] for kind in spaces]) for i, mine in enumerate(runs)])


def _widened(rows: Array, work: Array) -> Array:
    """Rows in the dtype of the statistics: themselves, or a copy in `work`."""
    if rows.dtype == work.dtype:
        return rows
    np.copyto(work, rows)
    return work


def _centred(rows: Array, mean: Array, work: Array) -> None:
    """Rows without their mean, in `work`."""
    np.subtract(_widened(rows, work), mean, out=work)


def _written(function: Any, left: Array, right: Array, out: Array) -> None:
    """function(left, right) into `out`, by way of `left` where dtypes differ: NumPy would take a buffer."""
    target = out if out.dtype == left.dtype else left
    function(left, right, out=target)
    if target is not out:
        np.copyto(out, target, casting="unsafe")


# -------------------------------------------------------------------------------------------------- forward


def _forward_scratch(op: Any, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, ...]:
    return *_spaces(x, gamma, 2), gamma


def _forward(op: Any, out: Any, x: Array, gamma: Array, beta: Array, *, scratch: Any) -> Callable[[], None]:
    (y, means, rstds), (*spaces, weights) = out, scratch
    rows, results = (array.reshape(-1, x.shape[-1]) for array in (x, y))
    columns, share = [array.reshape(-1, 1) for array in (means, rstds)], weights[:, None]

    def work(part: slice, number: int, own: Sequence[Array]) -> None:
        (centred, squares, *_), given = own, rows[part]
        mean, rstd = (column[part] for column in columns)
        np.matmul(_widened(given, centred), share, out=mean)
        _centred(given, mean, centred)
        np.multiply(centred, centred, out=squares)
        np.matmul(squares, share, out=rstd)
        inverse_root(np, rstd, op.epsilon, rstd)
        np.multiply(centred, rstd, out=centred)
        np.multiply(centred, gamma, out=centred)
        _written(np.add, centred, beta, results[part])

    every = _shared_out(x, spaces, work)

    def run() -> None:
        weights.fill(1 / x.shape[-1])
        with one_blas_thread:
            every()

    return run


# ------------------------------------------------------------------------------------------------- backward


def _backward_scratch(op: Any, ct: Spec, x: Spec, gamma: Spec, *others: Spec) -> tuple[Spec, ...]:
    rows, columns, of_block, _ = _sizes(x)
    sums = Spec((2, -(-rows // of_block), columns), gamma.dtype)
    return *_spaces(x, gamma, 3), Spec((of_block,), gamma.dtype), gamma, sums


def _backward(
    op: Any, out: Any, ct: Array, x: Array, gamma: Array, mean: Array, rstd: Array, *, scratch: Any
) -> Callable[[], None]:
    (dx, d_gamma, d_beta), (*spaces, ones, weights, sums) = out, scratch
    inputs, cts, results = (array.reshape(-1, max(1, x.shape[-1])) for array in (x, ct, dx))
    means, rstds, share = mean.reshape(-1, 1), rstd.reshape(-1, 1), weights[:, None]

    def work(part: slice, number: int, own: Sequence[Array]) -> None:
        """dx = r u - r mean(u) - (x - mean) r^3 mean(u (x - mean)), u being the gradient times gamma."""
        (centred, u, product, constant, slope, cube), r = own, rstds[part]
        g = _widened(cts[part], u)
        _centred(inputs[part], means[part], centred)
        np.multiply(g, centred, out=product)
        np.matmul(ones[: len(g)], g, out=sums[0, number])
        np.matmul(r[:, 0], product, out=sums[1, number])
        np.matmul(g, share, out=constant)
        np.matmul(product, share, out=slope)
        np.multiply(g, gamma, out=u)
        np.multiply(u, r, out=u)
        np.multiply(constant, r, out=constant)
        np.multiply(r, r, out=cube)
        np.multiply(cube, r, out=cube)
        np.multiply(slope, cube, out=slope)
        np.multiply(centred, slope, out=centred)
        np.subtract(u, centred, out=u)
        _written(np.subtract, u, constant, results[part])

    every = _shared_out(x, spaces, work)

    def run() -> None:
        ones.fill(1)
        np.divide(gamma, max(1, x.shape[-1]), out=weights)
        with one_blas_thread:
            every()
        np.sum(sums[0], axis=0, out=d_beta)
        np.sum(sums[1], axis=0, out=d_gamma)

    return run


KERNELS = {
    "LayerNorm": Kernel(_forward, _forward_scratch),
    "LayerNormGrad": Kernel(_backward, _backward_scratch),
}
