"""Elementwise operations in blocked passes: operands stay in cache between the steps of one operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ir.spec import Spec
from ...random import philox
from ..base import Kernel
from .threads import shares, together, workers

BLOCK = 16384  # elements: a 64 KiB block of each float32 operand, a few of which fit the L2 cache
DRAW = 8192  # elements for which random words are drawn at a time: 16 KiB of them in each thread
SHARED_SIZE = 1 << 18  # elements from which a second thread pays for waking it

Array = Any


def blocks(size: int, step: int = BLOCK) -> list[slice]:
    """0..size in slices of at most `step`."""
    return [slice(i, min(i + step, size)) for i in range(0, size, step)]


def _shared(
    size: int, task: Callable[[Sequence[slice], int], Callable[[], None]], step: int = BLOCK
) -> Callable[[], None]:
    """`task(blocks, thread)` on all blocks of 0..size, shared out among threads where that pays."""
    parts = blocks(size, step)
    groups = shares(parts) if size >= SHARED_SIZE else [parts]
    return together([task(group, i) for i, group in enumerate(groups) if group])


# ------------------------------------------------------------------------------------------------- dropout


def _dropout(op: Any, out: Any, x: Array, step: Array, *, scratch: Any) -> Callable[[], None]:
    inputs, y, keep = x.reshape(-1), out[0].reshape(-1), out[1].reshape(-1)
    threshold, scale = philox.keep_threshold(op.rate)
    words = DRAW // philox.LANES_PER_WORD

    def task(group: Sequence[slice], thread: int) -> Callable[[], None]:
        parts = [(inputs[s], y[s], keep[s]) for s in group]
        first = group[0].start // (philox.LANES_PER_WORD * philox.WORDS_PER_BLOCK)

        def run() -> None:
            source = philox.bit_stream(op.seed, op.stream, int(step), block=first)
            for values, outputs, kept in parts:
                lanes = source.random_raw(words).view(np.uint16)[: kept.size]
                np.less(lanes, threshold, out=kept)
                np.multiply(values, scale, out=outputs)
                np.multiply(outputs, kept, out=outputs)

        return run

    return _shared(y.size, task, DRAW)


def _dropout_grad(op: Any, out: Array, ct: Array, keep: Array, *, scratch: Any) -> Callable[[], None]:
    scale = philox.keep_threshold(op.rate)[1]
    gradient, kept, result = ct.reshape(-1), keep.reshape(-1), out.reshape(-1)

    def task(group: Sequence[slice], thread: int) -> Callable[[], None]:
        parts = [(gradient[s], kept[s], result[s]) for s in group]

        def run() -> None:
            for inputs, flags, outputs in parts:
                np.multiply(inputs, scale, out=outputs)
                np.multiply(outputs, flags, out=outputs)

        return run

    return _shared(result.size, task)


def _relu_grad(op: Any, out: Array, ct: Array, y: Array, *, scratch: Any) -> Callable[[], None]:
    gradient, activated, result = ct.reshape(-1), y.reshape(-1), out.reshape(-1)

    def task(group: Sequence[slice], thread: int) -> Callable[[], None]:
        flags = scratch[thread]
        parts = [(gradient[s], activated[s], flags[: s.stop - s.start], result[s]) for s in group]

        def run() -> None:
            for inputs, outputs, positive, target in parts:
                np.greater(outputs, 0, out=positive)
                np.multiply(inputs, positive, out=target)

        return run

    return _shared(result.size, task)


def _relu_grad_scratch(op: Any, ct: Spec, y: Spec) -> tuple[Spec, ...]:
    return (Spec((min(BLOCK, ct.size),), "bool"),) * workers()


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
    return (Spec((op.workspaces, BLOCK), specs[3].dtype),) * workers()


def _update(
    op: Any,
    out: Any,
    flag: Array,
    rate: Array,
    iterations: Array,
    gradient: Array,
    *states: Array,
    scratch: Any,
) -> Callable[[], None]:
    """Any fused optimizer step: its blocks, each with its views made once, shared out among threads."""
    outs = [a.reshape(-1) for a in (out if isinstance(out, tuple) else (out,))]
    copies = [(a, s.reshape(-1)) for a, s in zip(outs, states, strict=True) if not np.may_share_memory(a, s)]
    parts = [
        (part, start, slice(first, min(first + BLOCK, stop)), decays)
        for part, start, stop, decays in op.table()
        for first in range(start, stop, BLOCK)
    ]

    def task(group: Sequence[tuple[int, int, slice, bool]], work: Array) -> Callable[[], None]:
        bound = []
        for part, start, s, decays in group:
            weights = outs[op.slots + part][s.start - start : s.stop - start]
            slots = [slot[s] for slot in outs[: op.slots]]
            bound.append((weights, gradient[s], slots, [w[: weights.size] for w in work], decays))

        def run() -> None:
            scalars, keep = op.scalars(float(rate), int(iterations) + 1), op.kept(float(rate))
            for weights, g, slots, workspace, decays in bound:
                if decays:
                    np.multiply(weights, keep, out=weights)
                op.block(np, scalars, weights, g, slots, workspace)

        return run

    groups = shares(parts) if gradient.size >= SHARED_SIZE else [parts]
    step = together([task(group, scratch[i]) for i, group in enumerate(groups)])

    def run() -> None:
        for target, source in copies:
            np.copyto(target, source)
        if flag:
            step()

    return run


UPDATE = Kernel(_update, _update_scratch)

KERNELS = {
    **dict.fromkeys(("SGDUpdate", "RMSpropUpdate", "AdamUpdate"), UPDATE),
    "Dropout": Kernel(_dropout),
    "DropoutGrad": Kernel(_dropout_grad),
    "ReluGrad": Kernel(_relu_grad, _relu_grad_scratch),
    "AllFinite": Kernel(_all_finite, _all_finite_scratch, accepts=_all_finite_accepts),
}
