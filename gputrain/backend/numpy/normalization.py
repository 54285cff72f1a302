"""Batch normalization in blocks that stay in cache.

NumPy copies a weight that it broadcasts over rows shorter than half of its buffer of 8192 elements, which
takes as long as the operation itself. So many rows lie side by side as one long row, a lane for each element,
and weights are repeated along it once. Lanes are added up by products with ones, those of a channel last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy import half_normalization as half
from gputrain.backend.numpy.threads import one_blas_thread
from gputrain.ir.spec import Spec
from gputrain.ops.statistics import inverse_root

LANES = 8192  # of a long row at most, unless there are more channels
BLOCK_BYTES = 1 << 19  # half of a core's L2 cache: smaller blocks lose more to calls than they gain

Array = Any


class _Layout:
    """How arrays (..., channels) are cut: blocks of long rows, and one last row that may be shorter."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.channels, self.dtype = shape[-1], dtype
        self.size = int(np.prod(shape, dtype=np.int64))
        self.count = self.size // self.channels
        self.lanes = min(self.size, max(1, LANES // self.channels) * self.channels)
        most = max(1, BLOCK_BYTES // (self.lanes * np.dtype(dtype).itemsize))
        self.rows = min(most, self.size // self.lanes)
        self.ones = np.ones(max(self.rows, self.lanes // self.channels), dtype)

    def cut(self, array: Array) -> list[Array]:
        """Blocks (rows, lanes) of the array, in order."""
        flat, step = array.reshape(-1), self.rows * self.lanes
        even = self.size - self.size % self.lanes
        blocks = [flat[i : min(i + step, even)].reshape(-1, self.lanes) for i in range(0, even, step)]
        return blocks + ([flat[even:].reshape(1, -1)] if even < self.size else [])

    def workspaces(self, lines: int) -> tuple[Spec, ...]:
        """A block, and lines with an element for each lane."""
        block = Spec((self.rows, self.lanes), self.dtype)
        return block, *[block.with_shape((self.lanes,))] * lines

    def spread(self, weight: Array, line: Array) -> None:
        """A weight for each channel, for each lane."""
        np.copyto(line.reshape(-1, self.channels), weight)

    def fold(self, line: Array, out: Array) -> None:
        """Sums of lanes to sums of channels."""
        self.sum_rows(line.reshape(-1, self.channels), out)

    def sum_rows(self, block: Array, out: Array) -> None:
        """The sum of a block's rows."""
        np.matmul(self.ones[: len(block)], block, out=out)

    def add_rows(self, block: Array, line: Array, total: Array, first: bool) -> None:
        """Add the sum of a block's rows to `total`, or begin with it; `line` is workspace."""
        if first:  # never a shorter row, unless nothing follows
            self.sum_rows(block, total)
            return
        width = block.shape[1]
        self.sum_rows(block, line[:width])
        np.add(total[:width], line[:width], out=total[:width])


# -------------------------------------------------------------------------------------------------- forward


def _forward_scratch(op: Any, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, ...]:
    return *_Layout(x.dims, x.dtype).workspaces(3), gamma


def _forward(op: Any, out: Any, x: Array, gamma: Array, beta: Array, *, scratch: Any) -> Callable[[], None]:
    (y, mean, variance), (work, line, total, middle, factor) = out, scratch
    layout = _Layout(x.shape, x.dtype.name)
    inputs, results = layout.cut(x), layout.cut(y)
    works = [work[: len(block), : block.shape[1]] for block in inputs]
    kept = len(inputs) == 1  # then y holds the differences to the mean until they are scaled
    parts = list(zip(inputs, results if kept else works, works, strict=True))

    def measure() -> None:
        for i, block in enumerate(inputs):
            layout.add_rows(block, line, total, i == 0)
        layout.fold(total, mean)
        np.divide(mean, layout.count, out=mean)
        layout.spread(mean, middle)
        for i, (block, apart, squares) in enumerate(parts):
            np.subtract(block, middle[: block.shape[1]], out=apart)
            np.multiply(apart, apart, out=squares)
            layout.add_rows(squares, line, total, i == 0)
        layout.fold(total, variance)
        np.divide(variance, layout.count, out=variance)

    def run() -> None:
        with one_blas_thread:
            measure()
        inverse_root(np, variance, op.epsilon, factor)
        np.multiply(factor, gamma, out=factor)
        layout.spread(factor, total)
        layout.spread(beta, line)
        for block, result in zip(inputs, results, strict=True):
            width = block.shape[1]
            if not kept:
                np.subtract(block, middle[:width], out=result)
            np.multiply(result, total[:width], out=result)
            np.add(result, line[:width], out=result)

    return run


# -------------------------------------------------------------------------------------------------- backward


class _Products:
    """Sums over rows of g (x - mean) and of g, and the gradients of gamma and beta that come of them.

    Args:
        outs: gradients of gamma and beta.
        scratch: a block, four lines, and a workspace (channels,).
    """

    def __init__(
        self, op: Any, outs: Any, g: Array, x: Array, mean: Array, variance: Array, scratch: Any
    ) -> None:
        self.layout, self.epsilon = _Layout(x.shape, x.dtype.name), op.epsilon
        self.outs, self.mean, self.variance = outs, mean, variance
        self.work, self.line, self.middle, self.left, self.right, self.r = scratch
        cuts = zip(self.layout.cut(x), self.layout.cut(g), strict=True)
        self.parts = [(block, part, self.work[: len(block), : block.shape[1]]) for block, part in cuts]

    def run(self) -> None:
        """Fill the gradients; `r` is left with 1 / deviation, `middle` with the mean for each lane."""
        (d_gamma, d_beta), layout = self.outs, self.layout
        layout.spread(self.mean, self.middle)
        with one_blas_thread:
            for i, (block, g, h) in enumerate(self.parts):
                np.subtract(block, self.middle[: block.shape[1]], out=h)
                np.multiply(h, g, out=h)
                layout.add_rows(h, self.line, self.right, i == 0)
                layout.add_rows(g, self.line, self.left, i == 0)
            layout.fold(self.left, d_beta)
            layout.fold(self.right, d_gamma)
        inverse_root(np, self.variance, self.epsilon, self.r)
        np.multiply(d_gamma, self.r, out=d_gamma)


def _weights_scratch(op: Any, g: Spec, x: Spec, mean: Spec, variance: Spec) -> tuple[Spec, ...]:
    return *_Layout(x.dims, x.dtype).workspaces(4), mean


def _weights(
    op: Any, out: Any, g: Array, x: Array, mean: Array, variance: Array, *, scratch: Any
) -> Callable[[], None]:
    return _Products(op, out, g, x, mean, variance, scratch).run


def _backward_scratch(op: Any, g: Spec, x: Spec, gamma: Spec, *others: Spec) -> tuple[Spec, ...]:
    return *_Layout(x.dims, x.dtype).workspaces(4), gamma, gamma


def _backward(
    op: Any,
    out: Any,
    g: Array,
    x: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    *,
    scratch: Any,
) -> Callable[[], None]:
    (dx, d_gamma, d_beta), (*workspaces, small) = out, scratch
    products = _Products(op, (d_gamma, d_beta), g, x, mean, variance, workspaces)
    layout, middle, r = products.layout, products.middle, products.r
    factor, constant, slope = products.line, products.left, products.right
    parts = list(zip(products.parts, layout.cut(dx), strict=True))

    def prepare_lines() -> None:
        np.multiply(d_gamma, r, out=small)
        np.divide(small, layout.count, out=small)
        layout.spread(small, slope)
        np.divide(d_beta, layout.count, out=small)
        layout.spread(small, constant)
        np.multiply(r, gamma, out=small)
        layout.spread(small, factor)

    def run() -> None:
        products.run()
        prepare_lines()
        for (block, gradient, h), result in parts:
            width = block.shape[1]
            np.subtract(block, middle[:width], out=h)
            np.multiply(h, slope[:width], out=h)
            np.subtract(gradient, h, out=h)
            np.subtract(h, constant[:width], out=h)
            np.multiply(h, factor[:width], out=result)

    return run


def _of_any_float(kernel: Kernel, half: Kernel) -> Kernel:
    """The two as one: float16 has a kernel of its own. No elements are left to the reference."""

    def chosen(x: Any) -> Kernel:
        return half if x.dtype == "float16" else kernel

    return Kernel(
        lambda op, out, x, *others, scratch: chosen(x).prepare(op, out, x, *others, scratch=scratch),
        lambda op, x, *others: chosen(x).scratch(op, x, *others),
        accepts=lambda op, x, *others: x.size > 0,
    )


KERNELS = {
    "BatchNorm": _of_any_float(Kernel(_forward, _forward_scratch), half.FORWARD),
    "BatchNormGrad": _of_any_float(Kernel(_backward, _backward_scratch), half.BACKWARD),
    "BatchNormWeightGrad": _of_any_float(Kernel(_weights, _weights_scratch), half.WEIGHTS),
}
