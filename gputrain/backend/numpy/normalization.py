"""Batch normalization in blocks that stay in cache, down columns of rows that are made long.

NumPy broadcasts a weight (channels,) over rows one short row at a time, which takes three times as long as a
pass over equal shapes. So a few rows lie side by side as one long row, a lane for each element, and weights
are repeated along it once. Lanes are added up by products with ones, and lanes of one channel at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.spec import Spec
from ..base import Kernel
from .passes import BLOCK
from .threads import one_blas_thread

LANES = 1024  # of a long row, where channels are fewer: weights of this length stay in the first cache
LEAST_ROWS = 16  # of a block, so that what is kept of each block is little beside it

Array = Any


class _Layout:
    """How an array (..., channels) is cut: blocks of long rows, and a last row that may be shorter."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.channels, self.dtype = shape[-1], dtype
        self.size = int(np.prod(shape, dtype=np.int64))
        self.lanes = min(self.size, max(1, LANES // self.channels) * self.channels)
        self.rows = max(LEAST_ROWS, BLOCK // self.lanes)
        self.even = self.size - self.size % self.lanes
        self.starts = [*range(0, self.even, self.rows * self.lanes)]

    @property
    def blocks(self) -> int:
        return len(self.starts) + (self.even < self.size)

    def cut(self, array: Array) -> list[Array]:
        """Blocks (rows, lanes) of the array, in order."""
        flat = array.reshape(-1)
        stops = [*self.starts[1:], self.even]
        whole = [flat[i:j].reshape(-1, self.lanes) for i, j in zip(self.starts, stops, strict=True)]
        return whole + ([flat[self.even :].reshape(1, -1)] if self.even < self.size else [])

    def line(self) -> Spec:
        return Spec((self.lanes,), self.dtype)

    def block(self) -> Spec:
        return Spec((self.rows, self.lanes), self.dtype)

    def within(self, work: Array, block: Array) -> Array:
        """The part of a workspace that has the shape of a block."""
        return work.reshape(-1)[: block.size].reshape(block.shape)

    def spread(self, weight: Array, line: Array) -> None:
        """A weight for each channel, for each lane."""
        np.copyto(line.reshape(-1, self.channels), weight)

    def fold(self, line: Array, out: Array) -> None:
        """Sums of lanes to sums of channels."""
        np.sum(line.reshape(-1, self.channels), axis=0, out=out)


def _accepts(op: Any, x: Spec, *others: Spec) -> bool:
    return x.dtype in ("float32", "float64") and x.size > 0


# -------------------------------------------------------------------------------------------------- forward


def _forward_scratch(op: Any, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, ...]:
    layout = _Layout(x.dims, x.dtype)
    means = Spec((layout.blocks, layout.lanes), x.dtype)
    return layout.block(), means, *[layout.line()] * 4, gamma


def _forward(op: Any, out: Any, x: Array, gamma: Array, beta: Array, *, scratch: Any) -> Callable[[], None]:
    """Each block's mean and squared differences in one pass over x, brought together as by Chan, Golub &
    LeVeque 1983: no digits are lost where a mean is large. A second pass writes y."""
    (y, mean, variance), (work, means, line, total, middle, shift, factor) = out, scratch
    layout = _Layout(x.shape, x.dtype.name)
    inputs, count = layout.cut(x), x.size // layout.channels
    ones = np.ones(layout.rows, x.dtype)
    heights = np.array([len(block) for block in inputs], x.dtype)
    measured = [
        (block, ones[: len(block)], 1 / len(block), row[: block.shape[1]], layout.within(work, block))
        for block, row in zip(inputs, means, strict=True)
    ]
    written = [
        (block, result, *(weights[: block.shape[1]] for weights in (middle, line, shift)))
        for block, result in zip(inputs, layout.cut(y), strict=True)
    ]
    missing = means[-1, inputs[-1].shape[1] :]  # lanes that the last row has not
    last = middle[inputs[-1].shape[1] :]

    def measure() -> None:
        total.fill(0)
        for block, each, share, row, differences in measured:
            np.matmul(each, block, out=row)
            np.multiply(row, share, out=row)
            if len(block) > 1:
                np.subtract(block, row, out=differences)
                np.multiply(differences, differences, out=differences)
                np.matmul(each, differences, out=line)
                np.add(total, line, out=total)
        missing.fill(0)
        np.matmul(heights, means, out=line)
        layout.fold(line, mean)
        np.divide(mean, count, out=mean)
        layout.spread(mean, middle)
        np.copyto(missing, last)
        np.subtract(means, middle, out=means)
        np.multiply(means, means, out=means)
        np.matmul(heights, means, out=line)
        np.add(total, line, out=total)
        layout.fold(total, variance)
        np.divide(variance, count, out=variance)

    def run() -> None:
        with one_blas_thread:
            measure()
        _inverse_root(variance, op.epsilon, factor)
        np.multiply(factor, gamma, out=factor)
        layout.spread(factor, line)
        layout.spread(beta, shift)
        for block, result, average, slope, constant in written:
            np.subtract(block, average, out=result)
            np.multiply(result, slope, out=result)
            np.add(result, constant, out=result)

    return run


def _inverse_root(variance: Array, epsilon: float, out: Array) -> None:
    np.add(variance, epsilon, out=out)
    np.sqrt(out, out=out)
    np.divide(1, out, out=out)


# ------------------------------------------------------------------------------------------------- backward


def _backward_scratch(
    op: Any, ct: Spec, x: Spec, gamma: Spec, mean: Spec, variance: Spec
) -> tuple[Spec, ...]:
    layout = _Layout(x.dims, x.dtype)
    return layout.block(), *[layout.line()] * 5, gamma, gamma


def _backward(
    op: Any,
    out: Any,
    ct: Array,
    x: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    *,
    scratch: Any,
) -> Callable[[], None]:
    """Sums of g and of g (x - mean) in one pass over both, dx in a second one."""
    (dx, d_gamma, d_beta), (work, line, middle, left, right, third, r, small) = out, scratch
    layout = _Layout(x.shape, x.dtype.name)
    inputs, cts, count = layout.cut(x), layout.cut(ct), x.size // layout.channels
    ones = np.ones(layout.rows, x.dtype)
    parts = []
    for block, g, result in zip(inputs, cts, layout.cut(dx), strict=True):
        width = block.shape[1]
        lines = [weights[:width] for weights in (middle, line, left, right, third)]
        parts.append((block, g, layout.within(work, block), result, ones[: len(block)], *lines))

    def add_up() -> None:
        layout.spread(mean, middle)
        left.fill(0)
        right.fill(0)
        for block, g, h, _, each, average, sums, by_g, by_gh, _ in parts:
            np.subtract(block, average, out=h)
            np.multiply(h, g, out=h)
            np.matmul(each, h, out=sums)
            np.add(by_gh, sums, out=by_gh)
            np.matmul(each, g, out=sums)
            np.add(by_g, sums, out=by_g)
        layout.fold(left, d_beta)
        layout.fold(right, d_gamma)

    def run() -> None:
        with one_blas_thread:
            add_up()
        _inverse_root(variance, op.epsilon, r)
        np.multiply(d_gamma, r, out=d_gamma)
        np.multiply(d_gamma, r, out=small)
        np.divide(small, count, out=small)
        layout.spread(small, right)
        np.divide(d_beta, count, out=small)
        layout.spread(small, left)
        np.multiply(r, gamma, out=r)
        layout.spread(r, third)
        # dx = gamma r (g - sum(g) / n - (x - mean) r sum(g h) / n), h = (x - mean) r
        for block, g, h, result, _, average, _, constant, slope, factor in parts:
            np.subtract(block, average, out=h)
            np.multiply(h, slope, out=h)
            np.subtract(g, h, out=h)
            np.subtract(h, constant, out=h)
            np.multiply(h, factor, out=result)

    return run


KERNELS = {
    "BatchNorm": Kernel(_forward, _forward_scratch, accepts=_accepts),
    "BatchNormGrad": Kernel(_backward, _backward_scratch, accepts=_accepts),
}
