"""The optimizer's step by compiled kernels: all variables by one call, over a table of runs of elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, Library
from gputrain.ir import FLOATS as ALL_FLOATS
from gputrain.ir import Spec
from gputrain.ops.optim import gaps, segments, spans

Array = Any
Numbers = tuple[float, ...]

TASK = 16384  # elements of a task
SMALL = 20000  # elements that are one task
STEP = 16  # elements: runs are cut at multiples, so that vectors stay aligned
MOST_SLOTS = 3


class _Runs:
    """Arrays cut into runs of elements, and runs shared out to tasks; by sizes alone.

    Args:
        sizes: of the arrays.
        task: elements of a task.

    Attributes:
        rows: (array, its first element of the run, elements) of each run.
        starts: the first row of each task, and the end of the last.
    """

    def __init__(self, sizes: Sequence[int], task: int = TASK) -> None:
        self.rows: list[tuple[int, int, int]] = []
        starts, taken = [0], 0
        whole = task if sum(sizes) > SMALL * task // TASK else sum(sizes) + STEP * len(sizes)
        for number, size in enumerate(sizes):
            first = 0
            while first < size:
                count = min(size - first, whole - taken)
                self.rows.append((number, first, count))
                first += count
                taken += -(-count // STEP) * STEP
                if taken >= whole:
                    starts.append(len(self.rows))
                    taken = 0
        if starts[-1] < len(self.rows):
            starts.append(len(self.rows))
        self.starts = np.array(starts, np.int64)

    @property
    def tasks(self) -> int:
        return len(self.starts) - 1


def _table(rows: Sequence[Sequence[int]]) -> Array:
    """Rows of a table as a kernel reads them."""
    return np.array(rows, np.int64)


def _address(array: Array) -> int:
    return int(array.ctypes.data)


def _known(*specs: Spec) -> bool:
    return all(spec.static for spec in specs)


# ------------------------------------------------------------------------------------------- copies and flags


def _pack(library: Library, op: Any, out: Array, *inputs: Array, scratch: Any) -> Thunk:
    sizes, size = [x.size for x in inputs], out.itemsize
    pieces = [(place, _address(x)) for place, x in zip(segments(sizes), inputs, strict=True)]
    pieces += [(gap, 0) for gap in gaps(sizes)]
    moves = [
        (_address(out) + place.start * size, source, place.stop - place.start) for place, source in pieces
    ]
    moves = [(target, source, count * size) for target, source, count in moves if source != target]
    runs = _Runs([count for _, _, count in moves], TASK * size)
    rows = []
    for number, first, count in runs.rows:
        target, source, _ = moves[number]
        rows.append((target + first, source and source + first, count))
    return library.bind("PackSegments", "", _table(rows), runs.starts, runs.tasks, keeps=(out, *inputs))


def _all_finite(library: Library, op: Any, out: Array, *inputs: Array, scratch: Any) -> Thunk:
    floats = [x for x in inputs if x.dtype.name in FLOATS]
    runs = _Runs([x.size for x in floats])
    rows = [(_address(floats[i]) + first * floats[i].itemsize, count) for i, first, count in runs.rows]
    dtype = floats[0].dtype.name if floats else FLOATS[0]
    return library.bind("AllFinite", dtype, _table(rows), runs.starts, out, runs.tasks, keeps=inputs)


def _one_float(op: Any, *specs: Spec) -> bool:
    """Whether all floats have one dtype that kernels are there for; what is no float is finite."""
    dtypes = {s.dtype for s in specs if s.dtype in ALL_FLOATS}
    return _known(*specs) and len(dtypes) <= 1 and dtypes <= {*FLOATS}


# --------------------------------------------------------------------------------------------------- clipping


def _segment_table(places: Sequence[slice]) -> tuple[Array, _Runs]:
    """(first element, elements, segment) of runs of a flat vector."""
    runs = _Runs([place.stop - place.start for place in places])
    return _table([(places[i].start + first, count, i) for i, first, count in runs.rows]), runs


def _clip_factors(library: Library, op: Any, out: Array, flat: Array, *, scratch: Any) -> Thunk:
    rows, runs = _segment_table(segments(op.sizes))
    return library.bind(
        "ClipFactors", flat.dtype.name, rows, runs.starts, flat, out, scratch[0], runs.tasks, len(op.sizes),
        int(op.together), float(op.limit),
    )  # fmt: skip


def _clip_scratch(op: Any, flat: Spec) -> tuple[Spec, ...]:
    return (Spec((len(_Runs(op.sizes).rows),), flat.dtype),)


def _scale_segments(
    library: Library, op: Any, out: Array, flat: Array, factors: Array, *, scratch: Any
) -> Thunk:
    rows, runs = _segment_table(spans(op.sizes))
    return library.bind("ScaleSegments", flat.dtype.name, rows, runs.starts, flat, factors, out, runs.tasks)


def _flat_floats(op: Any, *specs: Spec) -> bool:
    return _known(*specs) and specs[0].dtype in FLOATS and {s.dtype for s in specs} == {specs[0].dtype}


# ---------------------------------------------------------------------------------------------------- updates


def _sgd(op: Any) -> tuple[str, Numbers]:
    name = "Sgd" if not op.momentum else "SgdNesterov" if op.nesterov else "SgdMomentum"
    return name, (op.momentum,)


def _rmsprop(op: Any) -> tuple[str, Numbers]:
    name = "Rmsprop" + "Centered" * bool(op.centered) + "Momentum" * bool(op.momentum)
    return name, (op.rho, op.momentum, op.epsilon)


def _adam(op: Any) -> tuple[str, Numbers]:
    return "Amsgrad" if op.amsgrad else "Adam", (op.beta_1, op.beta_2, op.epsilon)


RULES: dict[str, Callable[[Any], tuple[str, Numbers]]] = {
    "AdamUpdate": _adam,
    "RMSpropUpdate": _rmsprop,
    "SGDUpdate": _sgd,
}


def _update(
    library: Library, op: Any, out: Any, flag: Array, rate: Array, step: Array, gradient: Array,
    *states: Array, scratch: Any,
) -> Thunk:  # fmt: skip
    outs = out if isinstance(out, tuple) else (out,)
    runs, size, table, rows = _Runs(op.sizes), gradient.itemsize, op.table(), []
    ends = [span.stop for span in spans(op.sizes)]
    for i, first, count in runs.rows:
        number, place, decays = table[i]
        old, new = (_address(group[op.slots + number]) + first * size for group in (states, outs))
        end = place.start + first + count
        rows.append((old, new, end - count, count, ends[i] - end if end == place.stop else 0, int(decays)))
    in_place = all(_address(a) == _address(b) for a, b in zip(outs, states, strict=True))
    none = (None,) * (MOST_SLOTS - op.slots)
    name, numbers = RULES[type(op).__name__](op)
    numbers = (*map(float, numbers), 0.0, 0.0)[:3]
    return library.bind(
        name, gradient.dtype.name, _table(rows), runs.starts, flag, rate, step, gradient,
        (*states[: op.slots], *none), (*outs[: op.slots], *none), runs.tasks, int(in_place),
        int(rate.dtype == np.float64), float(op.weight_decay), numbers, keeps=(*outs, *states),
    )  # fmt: skip


def _updates(op: Any, flag: Spec, rate: Spec, step: Spec, gradient: Spec, *states: Spec) -> bool:
    numbers = flag.dtype == "bool" and rate.dtype in FLOATS and step.dtype == "int64"
    return numbers and _flat_floats(op, gradient, *states)


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of the optimizer's step by the operation's name."""

    def kernel(prepare: Any, accepts: Any, scratch: Any = lambda op, *specs: ()) -> Kernel:
        return Kernel(partial(prepare, library), scratch, accepts=accepts)

    update = kernel(_update, _updates)
    return {
        "AllFinite": kernel(_all_finite, _one_float),
        "ClipFactors": kernel(_clip_factors, _flat_floats, _clip_scratch),
        "Pack": kernel(_pack, lambda op, *specs: _known(*specs)),
        "ScaleSegments": kernel(_scale_segments, _flat_floats),
        **dict.fromkeys(RULES, update),
    }
