"""Launches of `kernels/batch.cu`: a shuffled batch gathered on the device, for the data feed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.backend.base import Thunk
from gputrain.backend.cupy.launch import BLOCK
from gputrain.backend.cupy.optim import keeping

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

MOST_ARRAYS = 8
TASK = 1024  # units (words or elements) that a block copies at once
COPIED = -1  # instead of the number of a pair of dtypes


def gather_rows(
    gpu: CupyDevice,
    sources: Sequence[Any],
    order: Any,
    cursor: Any,
    outs: Sequence[Any],
    advance: int,
    scales: Sequence[tuple[float, float]] | None = None,
) -> Thunk:
    """One launch that copies the next rows of every source, and moves the cursor on.

    `outs[k][i] = sources[k][order[cursor + i]]`. Where the two differ in dtype, an element becomes
    `source * scale + offset`, computed in the output's dtype (float16 in float32). Behind the end of the
    order its last row is repeated.

    Args:
        sources: up to 8 arrays with the samples along the first axis.
        order: the samples of the epoch, int64, shape (samples,).
        cursor: how many samples were taken before, int64, shape ().
        outs: the batch's arrays; the rows of outs[k] have the shape of those of sources[k].
        advance: how many samples the cursor moves on.
        scales: for each array (scale, offset); None means (1, 0).
    """
    assert len(sources) == len(outs) <= MOST_ARRAYS
    pairs = _pairs(sources, outs)
    rows, tasks = _table(sources, outs, pairs)
    factors = [(1.0, 0.0)] * len(outs) if scales is None else scales
    ticket = gpu.zeroed((1,), "uint32")
    types = [name for pair in pairs or [("uint8", "uint8")] for name in pair]
    kernel = gpu.kernel_function("batch", "gather_rows", "int64 float64 i i int64 i int64 uint32 i", *types)
    launch = kernel.bind(
        gpu.asarray(np.array(rows, np.int64)), gpu.asarray(np.array(factors, np.float64).reshape(-1, 2)),
        len(rows), tasks if order.size else 0, order, order.size, cursor, ticket, advance,
        threads=max(1, tasks) * BLOCK,
    )  # fmt: skip
    return keeping(launch, (*sources, *outs))


def _pairs(sources: Sequence[Any], outs: Sequence[Any]) -> list[tuple[str, str]]:
    """The conversions that occur, each once."""
    found = [(s.dtype.name, o.dtype.name) for s, o in zip(sources, outs, strict=True) if s.dtype != o.dtype]
    return list(dict.fromkeys(found))


def _table(
    sources: Sequence[Any], outs: Sequence[Any], pairs: list[tuple[str, str]]
) -> tuple[list[tuple[int, ...]], int]:
    """A row for each array, as the kernel reads it, and the number of all tasks."""
    rows: list[tuple[int, ...]] = []
    tasks = 0
    for source, out in zip(sources, outs, strict=True):
        assert source.shape[1:] == out.shape[1:], f"rows of {source.shape} into rows of {out.shape}"
        elements, count = math.prod(out.shape[1:]), out.shape[0]
        converted = source.dtype != out.dtype
        pair = pairs.index((source.dtype.name, out.dtype.name)) if converted else COPIED
        unit = out.dtype.itemsize if converted else _word(source, out, elements)
        units = elements if converted else elements * out.dtype.itemsize // unit
        if units == 0 or len(source) == 0:
            count = 0
        # Short rows share a task, long ones are cut.
        per_task, of_row = max(1, TASK // max(units, 1)), min(max(units, 1), TASK)
        parts = max(1, -(-units // TASK))
        rows.append((source.data.ptr, out.data.ptr, unit, units, pair, per_task, of_row, parts, count, tasks))
        tasks += -(-count // per_task) * parts
    return rows, tasks


def _word(source: Any, out: Any, elements: int) -> int:
    """Bytes of the widest word that both arrays' rows consist of."""
    together = math.gcd(source.data.ptr, out.data.ptr, elements * out.dtype.itemsize)
    return next(word for word in (16, 4, 1) if together % word == 0)
