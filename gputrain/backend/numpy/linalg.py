"""Matrix products on the CPU: the transposed views are made once, when buffers are bound."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Named, Thunk
from gputrain.ir.spec import Spec


def _matmul(op: Any, out: Any, a: Any, b: Any, *, scratch: Any) -> Thunk:
    left = a.swapaxes(-1, -2) if op.transpose_a else a
    right = b.swapaxes(-1, -2) if op.transpose_b else b
    name = type(op).__name__
    if left.ndim == right.ndim == 2 and min(*left.shape, *right.shape) > 1:
        return Named(partial(np.dot, left, right, out), name)  # the same product, called with less ado
    return Named(partial(np.matmul, left, right, out=out), name)


def _accepts(op: Any, a: Spec, b: Spec) -> bool:
    return a.static and a.size > 0


KERNELS = {"MatMul": Kernel(_matmul, accepts=_accepts)}
