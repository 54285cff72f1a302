"""Matrix products on the CPU: large ones in blocks of rows or columns, shared out among threads.

Each block is one call of BLAS with one thread. Between large products BLAS's own threads wait for the next one
without letting go of their cores, which the threads of other operations need; and their sums depend on how many
they are, while the blocks are the same for every number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Named, Thunk
from gputrain.backend.numpy.threads import cores, one_blas_thread, shares, together
from gputrain.ir.spec import Spec

WORTH = 1 << 21  # multiplications of a block: with fewer, waking a thread takes as long
MULTIPLE = 32  # rows or columns, of which BLAS computes several at a time
MOST_BLOCKS = 64


def _matmul(op: Any, out: Any, a: Any, b: Any, *, scratch: Any) -> Thunk:
    left = a.swapaxes(-1, -2) if op.transpose_a else a
    right = b.swapaxes(-1, -2) if op.transpose_b else b
    name = type(op).__name__
    if left.ndim == right.ndim == 2 and min(*left.shape, *right.shape) > 1:
        return Named(_product(left, right, out), name)
    return Named(partial(np.matmul, left, right, out=out), name)


def _product(left: Any, right: Any, out: Any) -> Thunk:
    """The product of two matrices."""
    rows, columns = out.shape
    longest = max(rows, columns)
    count = min(rows * columns * left.shape[1] // WORTH, MOST_BLOCKS)
    length = -(-longest // max(count, 1) // MULTIPLE) * MULTIPLE
    if length >= longest:
        return partial(np.dot, left, right, out)  # as matmul, called with less ado
    blocks = [slice(start, start + length) for start in range(0, longest, length)]
    if rows >= columns:
        tasks = [partial(np.dot, left[block], right, out[block]) for block in blocks]
    else:
        tasks = [partial(np.matmul, left, right[:, block], out=out[:, block]) for block in blocks]
    runs = together([partial(_each, run) for run in shares(tasks, cores())])

    def run() -> None:
        with one_blas_thread:
            runs()

    return run


def _each(tasks: Sequence[Thunk]) -> None:
    for task in tasks:
        task()


def _accepts(op: Any, a: Spec, b: Spec) -> bool:
    return a.static and a.size > 0


KERNELS = {"MatMul": Kernel(_matmul, accepts=_accepts)}
