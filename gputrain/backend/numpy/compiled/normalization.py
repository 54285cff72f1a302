"""Batch normalization by compiled kernels: two passes over memory, for every number of channels."""

from __future__ import annotations

import math
from typing import Any

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, LANES, Library
from gputrain.ir.spec import Spec

Array = Any

TILE = 8 * LANES  # elements that are best taken together
LONGEST = 1 << 11  # elements of a line, to be whole tiles
BLOCK = 1 << 13  # elements of a block of lines, which stays in the cache
TASK = 1 << 15  # elements of a task: less does not pay for waking a thread
ROWS = 64  # of a task, at least: its sums are little beside them


class _Lines:
    """Rows of channels as lines of whole vectors: the same for every instruction set."""

    def __init__(self, x: Any) -> None:
        self.channels = x.shape[-1]
        self.rows = math.prod(x.shape[:-1])
        even = math.lcm(self.channels, TILE)
        length = even if even <= LONGEST else math.lcm(self.channels, LANES)
        self.length = min(length, -(-self.rows * self.channels // LANES) * LANES)
        self.shared = max(-(-TASK // self.length), -(-ROWS * self.channels // self.length))
        self.block = max(8, BLOCK // self.length)

    @property
    def slots(self) -> tuple[int, ...]:
        """As a kernel takes them."""
        return self.rows, self.channels, self.length, self.shared, self.block

    def scratch(self, library: Library, dtype: str, spread: int) -> tuple[Spec, ...]:
        """So many lines of weights, the sums of each thread, and those of each task."""
        tasks = -(-self.rows * self.channels // (self.length * self.shared))
        return (
            Spec((spread, self.length), dtype),
            Spec((library.threads, 2, self.length), dtype),
            Spec((tasks + 1, 2, self.channels), "float64"),
        )


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of batch normalization by the operation's name."""

    def forward(op: Any, out: Any, x: Array, gamma: Array, beta: Array, *, scratch: Any) -> Thunk:
        slots = _Lines(x).slots
        return library.bind(
            "BatchNorm", x.dtype.name, x, gamma, beta, *out, *scratch, slots, float(op.epsilon)
        )

    def backward(op: Any, out: Any, ct: Array, x: Array, *weights: Array, scratch: Any) -> Thunk:
        slots = _Lines(x).slots
        return library.bind(
            "BatchNormGrad", x.dtype.name, ct, x, *weights, *out, *scratch, slots, float(op.epsilon)
        )

    def of_weights(op: Any, out: Any, ct: Array, x: Array, *weights: Array, scratch: Any) -> Thunk:
        return backward(op, (None, *out), ct, x, None, *weights, scratch=scratch)

    def accepts(op: Any, *specs: Spec) -> bool:
        return all(s.static and s.size > 0 and s.dtype == specs[0].dtype for s in specs) and (
            specs[0].dtype in FLOATS
        )

    def lines(spread: int) -> Any:
        return lambda op, x, *others: _Lines(x).scratch(library, x.dtype, spread)

    return {
        "BatchNorm": Kernel(forward, lines(3), accepts=accepts),
        "BatchNormGrad": Kernel(backward, lines(4), accepts=accepts),
        "BatchNormWeightGrad": Kernel(of_weights, lines(1), accepts=accepts),
    }
