"""Batch normalization of float16: blocks are widened to float32, in which all statistics are.

Weights are repeated for each row of a block: NumPy takes three times as long for a broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.passes import BLOCK, blocks
from gputrain.ir.spec import Spec
from gputrain.ops.statistics import inverse_root

Array = Any


def _lines(x: Spec, weight: Spec, count: int) -> tuple[Spec, ...]:
    """Workspaces for a block of whole rows, one after the other."""
    channels = weight.dims[0]
    rows = max(1, min(x.size // channels, BLOCK // channels))
    return (weight.with_shape((rows * channels,)),) * count


def _cut(arrays: tuple[Array, ...], lines: tuple[Array, ...]) -> list[tuple[Array, ...]]:
    """Blocks of the arrays, each with as much of the lines."""
    flat, step = [array.reshape(-1) for array in arrays], len(lines[0])
    return [
        (*(array[s] for array in flat), *(line[: s.stop - s.start] for line in lines))
        for s in blocks(flat[0].size, step)
    ]


def _spread(weight: Array, line: Array) -> None:
    """A weight for each channel, for each row of a block."""
    np.copyto(line.reshape(-1, len(weight)), weight)


def _fold(line: Array, out: Array) -> None:
    """The sum of a block's rows."""
    np.sum(line.reshape(-1, len(out)), axis=0, out=out)


def _sum_rows(x: Array, out: Array) -> None:
    np.sum(x, axis=tuple(range(x.ndim - 1)), dtype=out.dtype, out=out)


def _centred(block: Array, mean: Array, work: Array) -> None:
    np.copyto(work, block)
    np.subtract(work, mean, out=work)


# -------------------------------------------------------------------------------------------------- forward


def _forward_scratch(op: Any, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, ...]:
    return *_lines(x, gamma, 4), gamma


def _forward(op: Any, out: Any, x: Array, gamma: Array, beta: Array, *, scratch: Any) -> Callable[[], None]:
    (y, mean, variance), (*lines, factor) = out, scratch
    _, middle, total, shift = lines
    parts, count = _cut((x, y), tuple(lines)), x.size // len(mean)

    def measure() -> None:
        _sum_rows(x, mean)
        np.divide(mean, count, out=mean)
        _spread(mean, middle)
        total.fill(0)
        for block, _, work, means, squares, _ in parts:
            _centred(block, means, work)
            np.multiply(work, work, out=work)
            np.add(squares, work, out=squares)
        _fold(total, variance)
        np.divide(variance, count, out=variance)

    def run() -> None:
        measure()
        inverse_root(np, variance, op.epsilon, factor)
        np.multiply(factor, gamma, out=factor)
        _spread(factor, total)
        _spread(beta, shift)
        for block, result, work, means, factors, shifts in parts:
            _centred(block, means, work)
            np.multiply(work, factors, out=work)
            np.add(work, shifts, out=work)
            np.copyto(result, work, casting="unsafe")

    return run


# ------------------------------------------------------------------------------------------------- backward


def _weights_scratch(op: Any, g: Spec, x: Spec, mean: Spec, variance: Spec) -> tuple[Spec, ...]:
    return *_lines(x, mean, 4), mean


def _weights(
    op: Any, out: Any, g: Array, x: Array, mean: Array, variance: Array, *, scratch: Any
) -> Callable[[], None]:
    """The gradients of gamma and beta; 1 / deviation is left in the last workspace."""
    (d_gamma, d_beta), (*lines, r) = out, scratch
    _, _, middle, total = lines
    parts = _cut((x, g), tuple(lines))

    def run() -> None:
        _sum_rows(g, d_beta)
        _spread(mean, middle)
        total.fill(0)
        for block, cotangents, h, wide, means, products in parts:
            np.copyto(wide, cotangents)
            _centred(block, means, h)
            np.multiply(h, wide, out=h)
            np.add(products, h, out=products)
        _fold(total, d_gamma)
        inverse_root(np, variance, op.epsilon, r)
        np.multiply(d_gamma, r, out=d_gamma)

    return run


def _backward_scratch(op: Any, g: Spec, x: Spec, gamma: Spec, *others: Spec) -> tuple[Spec, ...]:
    return *_lines(x, gamma, 6), gamma, gamma


def _backward(
    op: Any, out: Any, g: Array, x: Array, gamma: Array, mean: Array, variance: Array, *, scratch: Any
) -> Callable[[], None]:
    (dx, d_gamma, d_beta), (*lines, r, small) = out, scratch
    slope, factor, constant = lines[3:]
    weights = _weights(op, (d_gamma, d_beta), g, x, mean, variance, scratch=(*lines[:4], r))
    parts, count = _cut((x, g, dx), tuple(lines)), x.size // len(mean)

    def run() -> None:
        weights()
        np.multiply(d_gamma, r, out=small)
        np.divide(small, count, out=small)
        _spread(small, slope)
        np.multiply(r, gamma, out=r)
        _spread(r, factor)
        np.divide(d_beta, count, out=small)
        _spread(small, constant)
        for block, cotangents, result, h, wide, means, slopes, factors, constants in parts:
            np.copyto(wide, cotangents)
            _centred(block, means, h)
            np.multiply(h, slopes, out=h)
            np.subtract(wide, h, out=h)
            np.subtract(h, constants, out=h)
            np.multiply(h, factors, out=h)
            np.copyto(result, h, casting="unsafe")

    return run


FORWARD = Kernel(_forward, _forward_scratch)
BACKWARD = Kernel(_backward, _backward_scratch)
WEIGHTS = Kernel(_weights, _weights_scratch)
