"""Elementwise operations in blocked passes: operands stay in cache between the steps of one operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.spec import Spec
from ...random import philox
from ..base import Kernel

BLOCK = 16384  # elements: a 64 KiB block of each float32 operand, a few of which fit the L2 cache

Array = Any


def blocks(size: int, step: int = BLOCK) -> list[slice]:
    """0..size in slices of at most `step`."""
    return [slice(i, min(i + step, size)) for i in range(0, size, step)]


# ------------------------------------------------------------------------------------------------- dropout


def _dropout(op: Any, out: Any, x: Array, step: Array, *, scratch: Any) -> Callable[[], None]:
    y, keep = (a.reshape(-1) for a in out)
    threshold, scale = philox.keep_threshold(op.rate)
    parts = [(x.reshape(-1)[s], y[s], keep[s]) for s in blocks(y.size)]
    words_per_block = BLOCK // philox.LANES_PER_WORD

    def run() -> None:
        source = philox.bit_stream(op.seed, op.stream, int(step))
        for inputs, outputs, kept in parts:
            lanes = source.random_raw(words_per_block).view(np.uint16)[: kept.size]
            np.less(lanes, threshold, out=kept)
            np.multiply(inputs, scale, out=outputs)
            np.multiply(outputs, kept, out=outputs)

    return run


def _dropout_grad(op: Any, out: Array, ct: Array, keep: Array, *, scratch: Any) -> Callable[[], None]:
    scale = philox.keep_threshold(op.rate)[1]
    gradient, kept, result = ct.reshape(-1), keep.reshape(-1), out.reshape(-1)
    parts = [(gradient[s], kept[s], result[s]) for s in blocks(result.size)]

    def run() -> None:
        for inputs, flags, outputs in parts:
            np.multiply(inputs, scale, out=outputs)
            np.multiply(outputs, flags, out=outputs)

    return run


def _relu_grad(op: Any, out: Array, ct: Array, y: Array, *, scratch: Any) -> Callable[[], None]:
    gradient, activated, result = ct.reshape(-1), y.reshape(-1), out.reshape(-1)
    parts = [
        (gradient[s], activated[s], scratch[0][: s.stop - s.start], result[s]) for s in blocks(result.size)
    ]

    def run() -> None:
        for inputs, outputs, positive, target in parts:
            np.greater(outputs, 0, out=positive)
            np.multiply(inputs, positive, out=target)

    return run


def _relu_grad_scratch(op: Any, ct: Spec, y: Spec) -> tuple[Spec, ...]:
    return (Spec((min(BLOCK, ct.size),), "bool"),)


# ---------------------------------------------------------------------------------------------- optimizers


def _all_finite(op: Any, out: Array, *inputs: Array, scratch: Any) -> Callable[[], None]:
    (zeros,) = scratch
    parts = [x.reshape(-1)[s] for x in inputs for s in blocks(x.size)]

    def run() -> None:
        zeros[...] = 0
        # 0 * x is 0 for finite x and NaN otherwise; a dot product adds them up in one fast pass.
        with np.errstate(invalid="ignore"):
            out[...] = all(np.dot(part, zeros[: part.size]) == 0 for part in parts)

    return run


def _all_finite_scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
    return (Spec((BLOCK,), specs[0].dtype),)


def _all_finite_accepts(op: Any, *specs: Spec) -> bool:
    return all(s.dtype in ("float32", "float64") for s in specs) and len({s.dtype for s in specs}) == 1


KERNELS = {
    "Dropout": Kernel(_dropout, overwrites=((0, 0),)),
    "DropoutGrad": Kernel(_dropout_grad, overwrites=((0, 0),)),
    "ReluGrad": Kernel(_relu_grad, _relu_grad_scratch, overwrites=((0, 0),)),
    "AllFinite": Kernel(_all_finite, _all_finite_scratch, accepts=_all_finite_accepts),
}
