"""Elementwise operations in blocked passes: operands stay in cache between the steps of one operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.ir.spec import Spec
from gputrain.utils import philox

BLOCK = 16384  # elements: a 64 KiB block of each float32 operand, a few of which fit the L2 cache

Array = Any


def blocks(size: int, step: int = BLOCK) -> list[slice]:
    """0..size in slices of at most `step`."""
    return [slice(i, min(i + step, size)) for i in range(0, size, step)]


# ------------------------------------------------------------------------------------------------- masks


def _mask_scratch(op: Any, x: Spec, *others: Spec) -> tuple[Spec, ...]:
    """A block of floats: NumPy multiplies floats by booleans in a buffer it allocates."""
    return (Spec((min(BLOCK, x.size),), x.dtype),)


def _dropout(op: Any, out: Any, x: Array, step: Array, *, scratch: Any) -> Callable[[], None]:
    inputs, y, keep = x.reshape(-1), out[0].reshape(-1), out[1].reshape(-1)
    threshold, scale = philox.keep_threshold(op.rate)
    parts = [(inputs[s], y[s], keep[s], scratch[0][: s.stop - s.start]) for s in blocks(y.size)]

    def run() -> None:
        source = philox.bit_stream(op.seed, op.stream, int(step))
        for values, outputs, kept, factors in parts:
            _draw(source, threshold, kept)
            _masked(values, kept, scale, factors, outputs)

    return run


def _draw(source: Any, threshold: int, kept: Array) -> None:
    """Which elements of a block are kept; the words are freed before the next block draws its own."""
    lanes = source.random_raw(BLOCK // philox.LANES_PER_WORD).view(np.uint16)
    np.less(lanes[: kept.size], threshold, out=kept)


def _masked(values: Array, kept: Array, scale: float, factors: Array, out: Array) -> None:
    """values * scale where kept, else 0; `factors` is workspace."""
    np.copyto(factors, kept)
    np.multiply(values, scale, out=out)
    np.multiply(out, factors, out=out)


def _dropout_grad(op: Any, out: Array, ct: Array, keep: Array, *, scratch: Any) -> Callable[[], None]:
    scale = philox.keep_threshold(op.rate)[1]
    gradient, kept, result = ct.reshape(-1), keep.reshape(-1), out.reshape(-1)
    parts = [(gradient[s], kept[s], scratch[0][: s.stop - s.start], result[s]) for s in blocks(result.size)]

    def run() -> None:
        for inputs, flags, factors, outputs in parts:
            _masked(inputs, flags, scale, factors, outputs)

    return run


def _relu_grad_scratch(op: Any, ct: Spec, y: Spec) -> tuple[Spec, ...]:
    block = Spec((min(BLOCK, ct.size),), ct.dtype)
    return block, block.with_dtype("bool")


def _relu_grad(op: Any, out: Array, ct: Array, y: Array, *, scratch: Any) -> Callable[[], None]:
    gradient, activated, result = ct.reshape(-1), y.reshape(-1), out.reshape(-1)
    floats, flags = scratch
    parts = [
        (gradient[s], activated[s], floats[: s.stop - s.start], flags[: s.stop - s.start], result[s])
        for s in blocks(result.size)
    ]

    def run() -> None:
        for inputs, outputs, factors, positive, target in parts:
            np.greater(outputs, 0, out=positive)
            np.copyto(factors, positive)
            np.multiply(inputs, factors, out=target)

    return run


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


def _update_scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
    return (Spec((op.workspaces, BLOCK), specs[3].dtype),)


def _update(
    op: Any,
    out: Any,
    flag: Array,
    rate: Array,
    step: Array,
    gradient: Array,
    *states: Array,
    scratch: Any,
) -> Callable[[], None]:
    """Any fused optimizer step: blocks that stay in cache, each with its views made once."""
    outs = [a.reshape(-1) for a in (out if isinstance(out, tuple) else (out,))]
    copies = [(a, s.reshape(-1)) for a, s in zip(outs, states, strict=True) if not np.may_share_memory(a, s)]
    parts = []
    for number, start, stop, decays in op.table():
        for s in blocks(stop - start):
            inside = slice(start + s.start, start + s.stop)
            slots = [slot[inside] for slot in outs[: op.slots]]
            work = [w[: s.stop - s.start] for w in scratch[0]]
            parts.append((outs[op.slots + number][s], gradient[inside], slots, work, decays))

    def run() -> None:
        for target, source in copies:
            np.copyto(target, source)
        if not flag:
            return
        scalars, kept = op.scalars(float(rate), int(step)), op.kept(float(rate))
        for weights, g, slots, work, decays in parts:
            if decays:
                np.multiply(weights, kept, out=weights)
            op.block(np, scalars, weights, g, slots, work)

    return run


UPDATE = Kernel(_update, _update_scratch)

KERNELS = {
    **dict.fromkeys(("SGDUpdate", "RMSpropUpdate", "AdamUpdate"), UPDATE),
    "Dropout": Kernel(_dropout, _mask_scratch),
    "DropoutGrad": Kernel(_dropout_grad, _mask_scratch),
    "ReluGrad": Kernel(_relu_grad, _relu_grad_scratch),
    "AllFinite": Kernel(_all_finite, _all_finite_scratch, accepts=_all_finite_accepts),
}
