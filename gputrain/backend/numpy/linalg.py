"""Matrix products on the CPU: the largest in blocks of rows or columns, shared out among threads.

Each block is one call of BLAS with one thread. After a product, BLAS's own threads wait for the next one
without letting go of their cores, which slows the threads of other operations; smaller products are left to
them, as our threads take longer to wake.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Named, Thunk
from gputrain.backend.numpy.threads import cores, one_blas_thread, shares, together
from gputrain.ir.spec import Spec

LARGE = 1 << 27  # multiplications, from which on a product is cut into blocks
BLOCK = 1 << 24  # multiplications of a block
MULTIPLE = 64  # rows or columns, of which BLAS computes several at a time
MOST_BLOCKS = 64


def _matmul(op: Any, out: Any, a: Any, b: Any, *, scratch: Any) -> Thunk:
    left = a.swapaxes(-1, -2) if op.transpose_a else a
    right = b.swapaxes(-1, -2) if op.transpose_b else b
    name = type(op).__name__
    if left.ndim == right.ndim == 2 and min(*left.shape, *right.shape) > 1:
        tasks = _blocks(left, right, out)
        return Named(tasks[0] if len(tasks) == 1 else _at_once(tasks), name)
    return Named(partial(np.matmul, left, right, out=out), name)


def _blocks(left: Any, right: Any, out: Any) -> list[Thunk]:
    """The product of two matrices, in one or several calls."""
    rows, columns = out.shape
    by_rows = rows >= columns and left.flags.c_contiguous  # a few rows of a transposed one are slow
    size, multiplications = rows if by_rows else columns, rows * columns * left.shape[1]
    count = min(multiplications // BLOCK, MOST_BLOCKS) if multiplications >= LARGE else 1
    length = -(-size // count // MULTIPLE) * MULTIPLE
    if length >= size:
        return [partial(np.dot, left, right, out)]  # as matmul, called with less ado
    blocks = [slice(start, start + length) for start in range(0, size, length)]
    if by_rows:
        return [partial(np.dot, left[block], right, out[block]) for block in blocks]
    return [partial(np.matmul, left, right[:, block], out=out[:, block]) for block in blocks]


def _at_once(tasks: Sequence[Thunk]) -> Thunk:
    runs = together([partial(_one_by_one, run) for run in shares(tasks, cores())])

    def run() -> None:
        with one_blas_thread:
            runs()

    return run


def _one_by_one(tasks: Sequence[Thunk]) -> None:
    for task in tasks:
        task()


def _accepts(op: Any, a: Spec, b: Spec) -> bool:
    return a.static and a.size > 0


KERNELS = {"MatMul": Kernel(_matmul, accepts=_accepts)}
