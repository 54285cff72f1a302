"""The optimizer's step in blocked passes: gradient, weights and slots of a block stay in cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.passes import BLOCK, blocks
from gputrain.ir import FLOATS, Spec
from gputrain.ops.optim import gaps, segments, spans

Array = Any


# ---------------------------------------------------------------------------------------- gradients and flags


def _pack(op: Any, out: Array, *inputs: Array, scratch: Any) -> Thunk:
    sizes = [x.size for x in inputs]
    pairs = [(out[place], x.reshape(-1)) for place, x in zip(segments(sizes), inputs, strict=True)]
    moves = [(target, source) for target, source in pairs if not np.may_share_memory(target, source)]
    padding = [out[gap] for gap in gaps(sizes)]

    def run() -> None:
        for target, source in moves:
            np.copyto(target, source)
        for zeros in padding:
            zeros.fill(0)

    return run


def _float_dtypes(specs: Any) -> list[str]:
    """Float dtypes among the specs, each once; what is no float is finite."""
    return [dtype for dtype in FLOATS if any(s.dtype == dtype for s in specs)]


def _all_finite_scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
    return tuple(Spec((BLOCK,), dtype) for dtype in _float_dtypes(specs))


def _all_finite(op: Any, out: Array, *inputs: Array, scratch: Any) -> Thunk:
    zeros = {block.dtype: block for block in scratch}
    floats = [x.reshape(-1) for x in inputs if x.dtype in zeros]
    parts = [(x[s], zeros[x.dtype][: s.stop - s.start]) for x in floats for s in blocks(x.size)]

    def run() -> None:
        for block in scratch:
            block.fill(0)
        # 0 * x is 0 for finite x and NaN otherwise; a dot product adds them up in one fast pass.
        with np.errstate(invalid="ignore"):
            out[...] = all(np.dot(part, none) == 0 for part, none in parts)

    return run


# -------------------------------------------------------------------------------------------------- clipping


def _clip_factors(op: Any, out: Array, flat: Array, *, scratch: Any) -> Thunk:
    parts = [flat[place] for place in segments(op.sizes)]

    def run() -> None:
        for i, part in enumerate(parts):
            out[i] = np.dot(part, part)
        op.limited(np, out)

    return run


def _scale_segments(op: Any, out: Array, flat: Array, factors: Array, *, scratch: Any) -> Thunk:
    places = enumerate(spans(op.sizes))
    parts = [(flat[place], factors[i : i + 1], out[place]) for i, place in places]

    def run() -> None:
        for part, factor, target in parts:
            np.multiply(part, factor, out=target)

    return run


# ------------------------------------------------------------------------------------------------------ rules


def _sgd(op: Any, rate: float, w: Array, g: Array, slots: list[Array], work: list[Array]) -> None:
    (step,) = work
    np.multiply(g, rate, out=step)
    if not op.momentum:
        np.subtract(w, step, out=w)
        return
    (v,) = slots
    np.multiply(v, op.momentum, out=v)
    np.subtract(v, step, out=v)
    if op.nesterov:
        np.subtract(w, step, out=w)
        np.multiply(v, op.momentum, out=step)
        np.add(w, step, out=w)
    else:
        np.add(w, v, out=w)


def _rmsprop(op: Any, rate: float, w: Array, g: Array, slots: list[Array], work: list[Array]) -> None:
    square, step = work
    velocity = slots[0]
    _decayed_mean(velocity, np.multiply(g, g, out=square), op.rho)
    if op.centered:
        average = slots[-1]
        np.copyto(step, g)
        _decayed_mean(average, step, op.rho)
        np.multiply(average, average, out=square)
        np.subtract(velocity, square, out=square)
        np.add(square, op.epsilon, out=square)
    else:
        np.add(velocity, op.epsilon, out=square)
    np.sqrt(square, out=square)
    np.multiply(g, rate, out=step)
    np.divide(step, square, out=step)
    if op.momentum:
        m = slots[1]
        np.multiply(m, op.momentum, out=m)
        step = np.add(m, step, out=m)
    np.subtract(w, step, out=w)


def _decayed_mean(mean: Array, new: Array, keep: float) -> None:
    """mean = keep * mean + (1 - keep) * new; `new` is overwritten."""
    np.multiply(mean, keep, out=mean)
    np.multiply(new, 1.0 - keep, out=new)
    np.add(mean, new, out=mean)


def _adam(op: Any, rate: float, w: Array, g: Array, slots: list[Array], work: list[Array]) -> None:
    m, v = slots[:2]
    change, root = work
    np.subtract(g, m, out=change)
    np.multiply(change, 1 - op.beta_1, out=change)
    np.add(m, change, out=m)
    np.multiply(g, g, out=change)
    np.subtract(change, v, out=change)
    np.multiply(change, 1 - op.beta_2, out=change)
    np.add(v, change, out=v)
    if op.amsgrad:
        v = np.maximum(slots[2], v, out=slots[2])
    np.sqrt(v, out=root)
    np.add(root, op.epsilon, out=root)
    np.divide(m, root, out=root)
    np.multiply(root, rate, out=root)
    np.subtract(w, root, out=w)


# ---------------------------------------------------------------------------------------------------- updates


def _update(rule: Callable[..., None], workspaces: int) -> Kernel:
    """The kernel of a rule that updates the weights and slots of a block in place."""

    def prepare(
        op: Any, out: Any, flag: Array, rate: Array, step: Array, gradient: Array, *states: Array,
        scratch: Any,
    ) -> Thunk:  # fmt: skip
        outs = [a.reshape(-1) for a in (out if isinstance(out, tuple) else (out,))]
        pairs = [(a, s.reshape(-1)) for a, s in zip(outs, states, strict=True)]
        copies = [(target, source) for target, source in pairs if not np.may_share_memory(target, source)]
        parts = list(_parts(op, outs, gradient, scratch[0]))

        def run() -> None:
            for target, source in copies:
                np.copyto(target, source)
            if not flag:
                return
            size, kept = op.step_size(float(rate), int(step)), op.kept(float(rate))
            for decays, w, *block in parts:
                if decays:
                    np.multiply(w, kept, out=w)
                rule(op, size, w, *block)

        return run

    def scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
        return (Spec((workspaces, BLOCK), specs[3].dtype),)

    return Kernel(prepare, scratch)


def _parts(op: Any, outs: list[Array], gradient: Array, work: Array) -> Any:
    """(whether weight decay applies, weights, gradient, slots, workspaces) of each block of each variable."""
    for number, place, decays in op.table():
        weights = outs[op.slots + number]
        for s in blocks(weights.size):
            inside = slice(place.start + s.start, place.start + s.stop)
            slots = [slot[inside] for slot in outs[: op.slots]]
            yield decays, weights[s], gradient[inside], slots, [w[: s.stop - s.start] for w in work]


KERNELS = {
    "Pack": Kernel(_pack),
    "AllFinite": Kernel(_all_finite, _all_finite_scratch),
    "ClipFactors": Kernel(_clip_factors),
    "ScaleSegments": Kernel(_scale_segments),
    "SGDUpdate": _update(_sgd, 1),
    "RMSpropUpdate": _update(_rmsprop, 2),
    "AdamUpdate": _update(_adam, 2),
}
