"""Gathers and scatters by flat positions, which are worked out in declared workspaces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.passes import BLOCK, blocks
from gputrain.ir.spec import Spec
from gputrain.ops.precision import narrow, wide_scratch

Array = Any


def _count(line: Array) -> None:
    """0, 1, 2, ... into `line`."""
    line.fill(1)
    np.cumsum(line, dtype=line.dtype, out=line)
    np.subtract(line, 1, out=line)


# ------------------------------------------------------------------------------------------- whole slices


def _rows(op: Any, shape: tuple[int, ...], count: int) -> tuple[int, int, int]:
    """(before, indices, after): how many slices of how many elements `ct` holds."""
    before, total = math.prod(shape[: op.axis]), math.prod(shape)
    return before, count, total // (before * count) if total else 0


def _scatter_scratch(op: Any, ct: Spec, indices: Spec) -> tuple[Spec, ...]:
    p, m, d = _rows(op, ct.dims, indices.size)
    block = max(1, min(p * m, BLOCK // max(d, 1)))
    work = tuple(Spec(shape, "int64") for shape in [(p, m), (block, d), (block, d), (d,)])
    return (*work, *wide_scratch(op.infer(ct, indices)))


def _scatter(op: Any, out: Array, ct: Array, indices: Array, *, scratch: Any) -> Thunk:
    rows, flat, columns, line, *wide = scratch
    total = wide[0] if wide else out
    p, m, d = _rows(op, ct.shape, indices.size)
    table, parts, targets = total.reshape(-1), ct.reshape(p * m, d), rows.reshape(-1, 1)
    cuts = [(targets[s], flat[: s.stop - s.start], parts[s].reshape(-1)) for s in blocks(p * m, len(flat))]

    def find_rows() -> None:
        """Row of (p * size, d) to which each row of (p * m, d) goes."""
        np.copyto(rows[0].reshape(indices.shape), indices, casting="unsafe")
        np.remainder(rows[0], op.size, out=rows[0])
        for i in reversed(range(p)):
            np.add(rows[0], i * op.size, out=rows[i])
        np.multiply(rows, d, out=rows)

    def run() -> None:
        total.fill(0)
        _count(line)
        np.copyto(columns, line)
        find_rows()
        # Element by element, because NumPy adds whole rows at computed places six times slower.
        for starts, places, values in cuts:
            np.copyto(places, starts)
            np.add(places, columns[: len(places)], out=places)
            np.add.at(table, places.reshape(-1), values)
        narrow(np, total, out)

    return run


# ---------------------------------------------------------------------------------------- single elements


def _flat_scratch(indices: Spec, sizes: tuple[int, ...]) -> tuple[Spec, ...]:
    """Workspaces of `_flat_positions`: the positions, one part of them, a line of the longest axis."""
    flat = indices.with_dtype("int64")
    return flat, flat, Spec((max(sizes, default=0),), "int64")


def _flat_positions(indices: Array, shape: tuple[int, ...], axis: int, scratch: Any) -> Thunk:
    """Positions in an array of `shape` that `indices` along `axis` name, into the first workspace."""
    flat, part, line = scratch
    others = [
        (line[:size].reshape((-1,) + (1,) * (len(shape) - 1 - i)), math.prod(shape[i + 1 :]))
        for i, size in enumerate(shape)
        if i != axis and size > 1
    ]

    def run() -> None:
        _count(line)
        np.copyto(flat, indices, casting="unsafe")
        np.remainder(flat, shape[axis], out=flat)
        np.multiply(flat, math.prod(shape[axis + 1 :]), out=flat)
        for positions, step in others:
            np.copyto(part, positions)
            np.multiply(part, step, out=part)
            np.add(flat, part, out=flat)

    return run


def _take_along(op: Any, out: Array, x: Array, indices: Array, *, scratch: Any) -> Thunk:
    find = _flat_positions(indices, x.shape, op.axis, scratch)

    def run() -> None:
        find()
        np.take(x, scratch[0], out=out, mode="wrap")  # without a mode NumPy copies through a buffer

    return run


def _along_scratch(op: Any, ct: Spec, indices: Spec) -> tuple[Spec, ...]:
    return (*_flat_scratch(indices, (*ct.dims, op.size)), *wide_scratch(op.infer(ct, indices)))


def _scatter_along(op: Any, out: Array, ct: Array, indices: Array, *, scratch: Any) -> Thunk:
    total = scratch[3] if len(scratch) > 3 else out
    find = _flat_positions(indices, out.shape, op.axis, scratch[:3])
    table, places, values = total.reshape(-1), scratch[0].reshape(-1), ct.reshape(-1)

    def run() -> None:
        total.fill(0)
        find()
        np.add.at(table, places, values)
        narrow(np, total, out)

    return run


# ------------------------------------------------------------------------------------------------ one hot


def _one_hot_scratch(op: Any, indices: Spec) -> tuple[Spec, ...]:
    each, flag = Spec((indices.size,), "int64"), Spec((indices.size,), "bool")
    return each, each, flag, flag, Spec((indices.size * op.classes + 1,), "bool")


def _one_hot(op: Any, out: Array, indices: Array, *, scratch: Any) -> Thunk:
    places, row, outside, wrong, hits = scratch
    size = len(hits) - 1  # one more, for the indices outside
    rows = np.moveaxis(hits[:size].reshape(*indices.shape, op.classes), -1, op.axis)

    def run() -> None:
        np.copyto(places.reshape(indices.shape), indices, casting="unsafe")
        np.less(places, 0, out=outside)
        np.greater_equal(places, op.classes, out=wrong)
        np.logical_or(outside, wrong, out=outside)
        _count(row)
        np.multiply(row, op.classes, out=row)
        np.add(places, row, out=places)
        np.copyto(places, size, where=outside)
        hits.fill(False)
        hits[places] = True
        np.copyto(out, rows)

    return run


def _some(op: Any, x: Spec, indices: Spec) -> bool:
    return x.size > 0 and indices.size > 0


KERNELS = {
    "ScatterAdd": Kernel(_scatter, _scatter_scratch, accepts=_some),
    "TakeAlongAxis": Kernel(
        _take_along, lambda op, x, indices: _flat_scratch(indices, x.dims), accepts=_some
    ),
    "ScatterAddAlongAxis": Kernel(_scatter_along, _along_scratch, accepts=_some),
    "OneHot": Kernel(_one_hot, _one_hot_scratch),
}
