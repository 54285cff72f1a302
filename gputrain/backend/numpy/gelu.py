"""Gelu and its gradient, block by block, shared out among threads.

In float32 the share of the normal distribution below x is (1 + tanh(x * P(x * x))) / 2, as in the
approximation, but with P of degree 6, which was fitted so that the share is within 3e-8. P rises beyond all
bounds, and so does its product with x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.erf import _erfc_64, _polynomial
from gputrain.backend.numpy.passes import blocks
from gputrain.backend.numpy.threads import shares, together, workers
from gputrain.ir.spec import Spec
from gputrain.ops.activation import GELU_LEVEL, TANH_CUBE, TANH_SCALE

BLOCK = 8192  # elements: several such arrays are in use at once
ALONE = 1 << 15  # elements for which a second thread is not worth waking
SPACES = 8  # blocks that a pass needs: six, and two for operands of a narrower dtype
_EXACT = (
    0.7978849414652,
    3.633308454876e-02,
    -3.259494380720e-05,
    -5.530620874821e-05,
    3.964747485563e-06,
    -1.322636083896e-07,
    1.756178905459e-09,
)
_BY_TANH = (TANH_SCALE, TANH_SCALE * TANH_CUBE)

Array = Any


def _scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
    x = specs[-1]
    block = (workers() if x.size > ALONE else 1, SPACES, min(BLOCK, x.size))
    spec = Spec(block, "float64" if x.dtype == "float64" else "float32")
    return spec, spec.with_shape((block[0], block[2])).with_dtype("bool")


def _kernel(function: Callable[..., None]) -> Kernel:
    """A kernel that runs `function(op, operands, workspaces, flags)`; the first workspace has the result."""

    def prepare(op: Any, out: Array, *operands: Array, scratch: Any) -> Callable[[], None]:
        spaces, flags = scratch
        result, flat = out.reshape(-1), [x.reshape(-1) for x in operands]

        def task(mine: Sequence[slice], own: Array, flag: Array) -> Callable[[], None]:
            def run() -> None:
                for part in mine:
                    count = part.stop - part.start
                    work = [w[:count] for w in own]
                    given = [_widened(x[part], w) for x, w in zip(flat, reversed(work), strict=False)]
                    function(op, given, work, flag[:count])
                    np.copyto(result[part], work[0], casting="unsafe")

            return run

        parts = blocks(result.size, BLOCK)
        runs = shares(parts) if len(spaces) > 1 else [parts]
        return together([task(mine, spaces[i], flags[i]) for i, mine in enumerate(runs)])

    return Kernel(prepare, _scratch)


def _widened(x: Array, work: Array) -> Array:
    """Numbers in the dtype of the workspaces: themselves, or a copy."""
    if x.dtype == work.dtype:
        return x
    np.copyto(work, x)
    return work


def _gelu(op: Any, operands: Sequence[Array], work: Sequence[Array], flag: Array) -> None:
    (x,), (y, *more) = operands, work
    _share_below(op, x, y, more, flag)
    np.multiply(y, x, out=y)


def _gelu_grad(op: Any, operands: Sequence[Array], work: Sequence[Array], flag: Array) -> None:
    (ct, x), (slope, *more) = operands, work
    _share_below(op, x, slope, more, flag)
    density = more[0]
    if op.approximate:
        # share = (1 + tanh(u)) / 2, so its slope is 2 share (1 - share) u'.
        near, rest = more[1], more[2]
        np.clip(x, -GELU_LEVEL, GELU_LEVEL, out=near)
        np.multiply(near, near, out=density)
        np.multiply(density, 6 * TANH_SCALE * TANH_CUBE, out=density)
        np.add(density, 2 * TANH_SCALE, out=density)
        np.subtract(1, slope, out=rest)
        np.multiply(rest, slope, out=rest)
        np.multiply(density, rest, out=density)
        np.multiply(density, near, out=density)
    else:
        _normal(x, density)
        np.multiply(density, x, out=density)
        np.multiply(density, 1 / math.sqrt(2 * math.pi), out=density)
    np.add(slope, density, out=slope)
    np.multiply(slope, ct, out=slope)


def _normal(x: Array, out: Array) -> None:
    """exp(-x * x / 2)."""
    np.multiply(x, x, out=out)
    np.multiply(out, -0.5, out=out)
    np.exp(out, out=out)


def _share_below(op: Any, x: Array, out: Array, work: Sequence[Array], flag: Array) -> None:
    """The share of the normal distribution below x, or its approximation."""
    square, a, *more = work
    if x.dtype == np.float64 and not op.approximate:
        np.multiply(x, -math.sqrt(0.5), out=a)
        _erfc_64(a, out, square, more[0], more[1], more[2], flag)
        np.multiply(out, 0.5, out=out)
        return
    np.multiply(x, x, out=square)
    _polynomial(out, square, _BY_TANH if op.approximate else _EXACT)
    np.multiply(out, x, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)


KERNELS = {"Gelu": _kernel(_gelu), "GeluGrad": _kernel(_gelu_grad)}
