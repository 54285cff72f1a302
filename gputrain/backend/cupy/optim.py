"""Launches of `kernels/optim.cu`: the optimizer's step over a table of chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.launch import BLOCK, Launch
from gputrain.ir import FLOATS, Spec
from gputrain.ops.optim import ALIGNED, gaps, segments, spans
from gputrain.ops.precision import wide_dtype

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

CHUNK = 4096  # elements that a block works on at once
COPIED = 32768  # bytes of a chunk of a copy
MOST_SLOTS = 3
COLUMNS = 6  # of the table of an update


class Keeping:
    """A launch whose kernel finds arrays by addresses in a table, and these arrays, which must live as long.

    Attributes:
        name: of the launch.
        kept: the arrays.
        stale: whether nobody will run it again, so that what was recorded with it may go.
    """

    __slots__ = ("_launch", "kept", "name", "stale")

    def __init__(self, launch: Launch, kept: Iterable[Any]) -> None:
        self._launch, self.name, self.kept = launch, launch.name, tuple(kept)
        self.stale = False

    def __call__(self) -> None:
        self._launch()


def keeping(thunk: Thunk, arrays: Iterable[Any]) -> Thunk:
    """The thunk with the arrays that it needs; nothing is kept for one that launches nothing."""
    return Keeping(thunk, arrays) if isinstance(thunk, Launch) else thunk


def chunks(sizes: Sequence[int], length: int) -> Iterator[tuple[int, int, int]]:
    """(segment, first element within it, elements) of the chunks of segments of these sizes."""
    for segment, size in enumerate(sizes):
        for start in range(0, size, length):
            yield segment, start, min(length, size - start)


def table(gpu: CupyDevice, rows: Sequence[Sequence[int]], columns: int) -> Any:
    """A table in the device's memory, int64 of shape (rows, columns)."""
    return gpu.asarray(np.array(rows, np.int64).reshape(len(rows), columns))


def _float(spec: Spec) -> bool:
    return spec.dtype in FLOATS


# ------------------------------------------------------------------------------------------ copies and flags


def _copies(gpu: CupyDevice, moves: Sequence[tuple[Any, Any, Any, int]], flag: Any) -> Thunk:
    """One launch for copies (target, source, source without the flag, bytes), all as addresses."""
    rows = [
        (target + start, source + start, other + start, count)
        for segment, start, count in chunks([move[3] for move in moves], COPIED)
        for target, source, other, _ in (moves[segment],)
    ]
    kernel = gpu.kernel_function("optim", "copy_chunks", "int64 i bool")
    return kernel.bind(table(gpu, rows, 4), len(rows), flag, threads=len(rows) * BLOCK)


def _pack(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...]) -> Thunk:
    sizes = [x.size for x in inputs]
    zeros = gpu.zeroed((ALIGNED,), out.dtype.name)
    pieces = [*zip(segments(sizes), inputs, strict=True), *((gap, zeros) for gap in gaps(sizes))]
    size, moves = out.itemsize, []
    for place, source in pieces:
        target, address = out.data.ptr + place.start * size, source.data.ptr
        if target != address:
            moves.append((target, address, address, (place.stop - place.start) * size))
    return keeping(_copies(gpu, moves, None), (out, zeros, *inputs))


def _gate(gpu: CupyDevice, op: Any, out: Any, flag: Any, *states: Any, scratch: tuple[Any, ...]) -> Thunk:
    outs = out if op.count > 1 else (out,)
    moves = [
        (target.data.ptr, new.data.ptr, old.data.ptr, target.nbytes)
        for target, new, old in zip(outs, states[: op.count], states[op.count :], strict=True)
    ]
    return keeping(_copies(gpu, moves, flag), (*outs, *states))


def _count_chunks(specs: Iterable[Spec]) -> int:
    """Chunks of all floats; what is no float is finite."""
    return sum(-(-s.size // CHUNK) for s in specs if _float(s))


def _finite_scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
    return (Spec((_count_chunks(specs),), "bool"),)


def _all_finite(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...]) -> Thunk:
    """Flags of the chunks, one launch for each dtype; the last launch finds whether all hold."""
    (flags,) = scratch
    arrays = {dtype: [x for x in inputs if x.dtype == dtype and x.size] for dtype in FLOATS}
    there = [dtype for dtype in FLOATS if arrays[dtype]]
    if not there:
        return gpu.kernel_function("optim", "always_finite", "bool").bind(out, blocks=1, block=1)
    parts: list[Thunk] = []
    first = 0
    for dtype in there:
        ends = [out, gpu.zeroed((1,), "uint32")] if dtype == there[-1] else [None, None]
        rows = _finite_rows(arrays[dtype])
        kernel = gpu.kernel_function("optim", "finite_chunks", "int64 i i bool bool uint32", dtype)
        launch = kernel.bind(table(gpu, rows, 2), len(rows), first, flags, *ends, threads=len(rows) * BLOCK)
        parts.append(keeping(launch, arrays[dtype]))
        first += len(rows)
    return InOrder(parts)


def _finite_rows(arrays: Sequence[Any]) -> list[tuple[int, int]]:
    """(address, elements) of each chunk of arrays of one dtype."""
    return [
        (arrays[i].data.ptr + start * arrays[i].dtype.itemsize, count)
        for i, start, count in chunks([x.size for x in arrays], CHUNK)
    ]


# --------------------------------------------------------------------------------------------------- clipping


def _segment_rows(sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first element of the flat vector, elements, segment) of each chunk."""
    places = segments(sizes)
    return [(places[segment].start + start, count, segment) for segment, start, count in chunks(sizes, CHUNK)]


def _clip_scratch(op: Any, flat: Spec) -> tuple[Spec, ...]:
    return (Spec((sum(-(-size // CHUNK) for size in op.sizes),), wide_dtype(flat.dtype)),)


def _clip_factors(gpu: CupyDevice, op: Any, out: Any, flat: Any, scratch: tuple[Any, ...]) -> Thunk:
    (partial,) = scratch
    rows, dtype = _segment_rows(op.sizes), flat.dtype.name
    of_segment = np.bincount([row[2] for row in rows], minlength=len(op.sizes))
    starts = [0, len(rows)] if op.together else [0, *np.cumsum(of_segment).tolist()]
    limit = float(np.dtype(dtype).type(op.limit))
    sums = gpu.kernel_function("optim", "square_sums", "T int64 i U", dtype, wide_dtype(dtype))
    factors = gpu.kernel_function("optim", "clip_factors", "U int64 i i d T", dtype, wide_dtype(dtype))
    groups, first = len(starts) - 1, gpu.asarray(np.array(starts, np.int64))
    return InOrder(
        [
            sums.bind(flat, table(gpu, rows, 3), len(rows), partial, threads=len(rows) * BLOCK),
            factors.bind(partial, first, groups, out.size, limit, out, threads=groups * BLOCK),
        ]
    )


def _scale_segments(
    gpu: CupyDevice, op: Any, out: Any, flat: Any, factors: Any, scratch: tuple[Any, ...]
) -> Thunk:
    rows = _segment_rows([span.stop - span.start for span in spans(op.sizes)])
    kernel = gpu.kernel_function("optim", "scale_segments", "T T T int64 i", flat.dtype.name)
    return kernel.bind(flat, factors, out, table(gpu, rows, 3), len(rows), threads=len(rows) * BLOCK)


# ---------------------------------------------------------------------------------------------------- updates


def _accepts_update(op: Any, flag: Spec, rate: Spec, step: Spec, gradient: Spec, *states: Spec) -> bool:
    """Every variable and slot in the gradient's dtype, and scalars as the optimizers have them."""
    same = all(s.dtype == gradient.dtype for s in states)
    return same and _float(gradient) and _float(rate) and (flag.dtype, step.dtype) == ("bool", "int64")


def _update_rows(op: Any, weights: Sequence[Any], targets: Sequence[Any]) -> list[tuple[int, ...]]:
    """Addresses of old and new weights, place in flat vectors, elements, padding and decay of each chunk."""
    variables, ends = op.table(), [span.stop for span in spans(op.sizes)]
    rows: list[tuple[int, ...]] = []
    for variable, start, count in chunks(op.sizes, CHUNK):
        _, place, decays = variables[variable]
        skipped = start * weights[variable].dtype.itemsize
        old, new = weights[variable].data.ptr + skipped, targets[variable].data.ptr + skipped
        offset = place.start + start
        padding = ends[variable] - place.stop if offset + count == place.stop else 0
        rows.append((old, new, offset, count, padding, int(decays)))
    return rows


def _update(
    name: str, variant: Callable[[Any], tuple[int, ...]], numbers: Callable[[Any], tuple[float, ...]]
) -> Kernel:
    """The kernel `name`, of a variant of integers, with numbers that follow weight decay."""

    def prepare(
        gpu: CupyDevice, op: Any, out: Any, flag: Any, rate: Any, step: Any, gradient: Any,
        *states: Any, scratch: tuple[Any, ...],
    ) -> Thunk:  # fmt: skip
        outs = out if isinstance(out, tuple) else (out,)
        rows = _update_rows(op, states[op.slots :], outs[op.slots :])
        in_place = all(a.data.ptr == b.data.ptr for a, b in zip(outs, states, strict=True))
        slots: list[Any] = [None] * (2 * MOST_SLOTS)
        slots[: 2 * op.slots] = [a for pair in zip(states, outs[: op.slots], strict=False) for a in pair]
        values = (op.weight_decay, *numbers(op))
        kernel = gpu.kernel_function(
            "optim", name, "int64 i i bool U int64 T T T T T T T" + " d" * len(values),
            gradient.dtype.name, rate.dtype.name, *map(str, variant(op)),
        )  # fmt: skip
        launch = kernel.bind(
            table(gpu, rows, COLUMNS), len(rows), in_place, flag, rate, step, gradient, *slots, *values,
            threads=len(rows) * BLOCK,
        )  # fmt: skip
        return keeping(launch, (*outs, *states))

    return Kernel(prepare, accepts=_accepts_update)


def _momentum(op: Any) -> int:
    """Which momentum SGD has, as the kernel counts them."""
    return (2 if op.nesterov else 1) if op.momentum else 0


KERNELS = {
    "Pack": Kernel(_pack),
    "AllFinite": Kernel(_all_finite, _finite_scratch),
    "Gate": Kernel(_gate),
    "ClipFactors": Kernel(_clip_factors, _clip_scratch),
    "ScaleSegments": Kernel(_scale_segments),
    "SGDUpdate": _update("sgd", lambda op: (_momentum(op),), lambda op: (op.momentum,)),
    "RMSpropUpdate": _update(
        "rmsprop",
        lambda op: (int(bool(op.momentum)), int(bool(op.centered))),
        lambda op: (op.rho, op.momentum, op.epsilon),
    ),
    "AdamUpdate": _update(
        "adam", lambda op: (int(op.amsgrad),), lambda op: (op.beta_1, op.beta_2, op.epsilon)
    ),
}
