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
    return Named(partial(np.matmul, left, right, out=out), type(op).__name__)


def _accepts(op: Any, a: Spec, b: Spec) -> bool:
    return a.static and a.size > 0


KERNELS = {"MatMul": Kernel(_matmul, accepts=_accepts)}
