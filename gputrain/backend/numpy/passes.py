"""Elementwise operations in blocked passes: operands stay in cache between the steps of one operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.ir.spec import Spec
from gputrain.utils import philox

BLOCK = 16384  # elements: a 64 KiB block of each float32 operand, a few of which fit the L2 cache

Array = Any


def blocks(size: int, step: int = BLOCK) -> list[slice]:
    """0..size in slices of at most `step`."""
    return [slice(i, min(i + step, size)) for i in range(0, size, step)]


# ------------------------------------------------------------------------------------------------- masks


def _mask_scratch(op: Any, x: Spec, *others: Spec) -> tuple[Spec, ...]:
    """A block of floats: NumPy multiplies floats by booleans in a buffer it allocates."""
    return (Spec((min(BLOCK, x.size),), x.dtype),)


def _dropout(op: Any, out: Any, x: Array, step: Array, *, scratch: Any) -> Callable[[], None]:
    inputs, y, keep = x.reshape(-1), out[0].reshape(-1), out[1].reshape(-1)
    threshold, scale = philox.keep_threshold(op.rate)
    parts = [(inputs[s], y[s], keep[s], scratch[0][: s.stop - s.start]) for s in blocks(y.size)]

    def run() -> None:
        source = philox.bit_stream(op.seed, op.stream, int(step))
        for values, outputs, kept, factors in parts:
            _draw(source, threshold, kept)
            _masked(values, kept, scale, factors, outputs)

    return run


def _draw(source: Any, threshold: int, kept: Array) -> None:
    """Which elements of a block are kept; the words are freed before the next block draws its own."""
    lanes = source.random_raw(BLOCK // philox.LANES_PER_WORD).view(np.uint16)
    np.less(lanes[: kept.size], threshold, out=kept)


def _masked(values: Array, kept: Array, scale: float, factors: Array, out: Array) -> None:
    """values * scale where kept, else 0; `factors` is workspace."""
    np.copyto(factors, kept)
    np.multiply(values, scale, out=out)
    np.multiply(out, factors, out=out)


def _dropout_grad(op: Any, out: Array, ct: Array, keep: Array, *, scratch: Any) -> Callable[[], None]:
    scale = philox.keep_threshold(op.rate)[1]
    gradient, kept, result = ct.reshape(-1), keep.reshape(-1), out.reshape(-1)
    parts = [(gradient[s], kept[s], scratch[0][: s.stop - s.start], result[s]) for s in blocks(result.size)]

    def run() -> None:
        for inputs, flags, factors, outputs in parts:
            _masked(inputs, flags, scale, factors, outputs)

    return run


def _relu_grad_scratch(op: Any, ct: Spec, y: Spec) -> tuple[Spec, ...]:
    block = Spec((min(BLOCK, ct.size),), "bool")
    return block, block.with_dtype(f"int{8 * ct.itemsize}")


def _relu_grad(op: Any, out: Array, ct: Array, y: Array, *, scratch: Any) -> Callable[[], None]:
    flags, factors = scratch
    gradient, activated, result = ct.reshape(-1), y.reshape(-1), out.reshape(-1)
    gradient, result = gradient.view(factors.dtype), result.view(factors.dtype)  # bits times 1 or 0
    parts = [
        (gradient[s], activated[s], flags[: s.stop - s.start], factors[: s.stop - s.start], result[s])
        for s in blocks(result.size)
    ]

    def run() -> None:
        for inputs, outputs, positive, ones, target in parts:
            np.greater(outputs, 0, out=positive)
            np.copyto(ones, positive)
            np.multiply(inputs, ones, out=target)

    return run


def _choice_grad_scratch(op: Any, ct: Spec, x: Spec, y: Spec) -> tuple[Spec, ...]:
    block = Spec((min(BLOCK, ct.size),), "bool")
    return block, block.with_dtype(f"int{8 * ct.itemsize}")


def _choice_grad(op: Any, out: Array, ct: Array, x: Array, y: Array, *, scratch: Any) -> Callable[[], None]:
    flags, factors = scratch
    gradient, one, other, result = (a.reshape(-1) for a in (ct, x, y, out))
    bits = gradient.view(factors.dtype), result.view(factors.dtype)  # times 1 or 0, as in ReluGrad
    parts = []
    for s in blocks(result.size):
        n = s.stop - s.start
        left, right = (operand[s] if operand.size > 1 else operand for operand in (one, other))
        parts.append((left, right, gradient[s], result[s], *(b[s] for b in bits), flags[:n], factors[:n]))

    def run() -> None:
        for left, right, given, target, given_bits, target_bits, chosen, ones in parts:
            np.greater(left, right, out=chosen)
            np.copyto(ones, chosen)
            np.multiply(given_bits, ones, out=target_bits)
            np.equal(left, right, out=chosen)
            if chosen.any():  # seldom
                np.multiply(given, 0.5, out=target, where=chosen)

    return run


def _through_scratch(op: Any, factor: Spec, product: Spec) -> tuple[Spec, ...]:
    block = Spec((min(BLOCK, product.size),), "bool")
    return block, block


def _through(op: Any, out: Array, factor: Array, product: Array, *, scratch: Any) -> Callable[[], None]:
    factors, products, result = factor.reshape(-1), product.reshape(-1), out.reshape(-1)
    moves = out.ctypes.data != product.ctypes.data
    nothing, lost = scratch
    parts = [
        (factors[s], products[s], result[s], nothing[: s.stop - s.start], lost[: s.stop - s.start])
        for s in blocks(result.size)
    ]

    def run() -> None:
        for known, given, target, zero, nan in parts:
            if moves:
                np.copyto(target, given)
            least = np.minimum.reduce(given)  # NaN where there is one
            if least != least:  # seldom
                np.equal(known, 0, out=zero)
                np.not_equal(given, given, out=nan)
                np.logical_and(nan, zero, out=nan)
                np.copyto(target, 0, where=nan)

    return run


def _of_one_shape(op: Any, factor: Spec, product: Spec) -> bool:
    return product.static and factor.shape == product.shape


def _one_by_one(op: Any, ct: Spec, x: Spec, y: Spec) -> bool:
    """Whether each of the two is of the gradient's shape, or a single number."""
    return ct.static and all(operand.shape in (ct.shape, ()) for operand in (x, y))


KERNELS = {
    "ChoiceGrad": Kernel(_choice_grad, _choice_grad_scratch, accepts=_one_by_one),
    "Dropout": Kernel(_dropout, _mask_scratch),
    "DropoutGrad": Kernel(_dropout_grad, _mask_scratch),
    "ReluGrad": Kernel(_relu_grad, _relu_grad_scratch),
    "Through": Kernel(_through, _through_scratch, accepts=_of_one_shape),
}
