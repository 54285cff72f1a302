"""Pooling and its gradients by compiled kernels: for every position, what it meets along each axis.

Sequences, images and volumes are volumes here: axes that are missing have one element.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, Library
from gputrain.ir.spec import Spec
from gputrain.ops.window import Ints

Array = Any

TASK = 1 << 15  # elements of a task: less does not pay for waking a thread


class _Axis:
    """A window along one axis."""

    def __init__(self, size: int, kernel: int, stride: int, before: int, out: int) -> None:
        self.size, self.kernel, self.stride, self.out = size, kernel, stride, out
        self._before = before

    def elements(self) -> np.ndarray:
        """(first element, its tap, how many) inside the image of the window at each position."""
        start = np.arange(self.out) * self.stride - self._before
        tap = np.maximum(-start, 0)
        count = np.minimum(self.kernel, self.size - start) - tap
        return np.stack([start + tap, tap, count], axis=1)

    def windows(self) -> np.ndarray:
        """(last window, the tap that meets it, how many) of each element."""
        place = np.arange(self.size) + self._before
        last = np.minimum(place // self.stride, self.out - 1)
        first = np.maximum(-((self.kernel - 1 - place) // self.stride), 0)
        count = np.maximum(last - first + 1, 0)
        return np.stack([np.where(count > 0, last, 0), place - last * self.stride, count], axis=1)


class _Geometry:
    """A window as it slides over volumes.

    Args:
        op: the operation.
        images: how many.
        size: of an image, without its channels.
        channels: of an image.
    """

    def __init__(self, op: Any, images: int, size: Ints, channels: int) -> None:
        window = op.window(size)
        given = zip(
            window.size, window.kernel, window.strides, (before for before, _ in window.pads), window.out,
            strict=True,
        )  # fmt: skip
        self.axes = [_Axis(1, 1, 1, 0, 1)] * (3 - window.rank) + [_Axis(*each) for each in given]
        self.images, self.channels = images, channels

    @property
    def serves(self) -> bool:
        """Whether there are windows, and every one of them sees something."""
        return all(axis.out > 0 and axis.elements()[:, 2].min() > 0 for axis in self.axes)

    @property
    def tiled(self) -> bool:
        """Whether each element is in one window."""
        return all(
            axis.kernel <= axis.stride and axis.elements()[:, 2].sum() == axis.size for axis in self.axes
        )

    def shares(self) -> tuple[np.ndarray, ...]:
        """For each window along an axis, the part of an element in its mean."""
        return tuple(1.0 / axis.elements()[:, 2] for axis in self.axes)

    def forward(self) -> tuple[Any, ...]:
        """What a kernel takes: each window and its elements."""
        to, source = [axis.out for axis in self.axes], [axis.size for axis in self.axes]
        return self._slots([axis.elements() for axis in self.axes], to, source, 1, [1, 1, 1])

    def backward(self) -> tuple[Any, ...]:
        """What a kernel takes: each element and its windows."""
        to, source = [axis.size for axis in self.axes], [axis.out for axis in self.axes]
        strides = [axis.stride for axis in self.axes]
        return self._slots([axis.windows() for axis in self.axes], to, source, -1, strides)

    def _slots(
        self, met: list[np.ndarray], to: list[int], source: list[int], step: int, taps: list[int]
    ) -> tuple[Any, ...]:
        tables = tuple(np.ascontiguousarray(each, "int64") for each in met)
        kernels = (self.axes[1].kernel, self.axes[2].kernel)
        work = max(math.prod(to), math.prod(source)) * self.channels // (to[0] * to[1])
        shared = max(1, TASK // work)
        return *tables, self.images, self.channels, *to, *source, step, *taps, *kernels, shared


def _of(op: Any, first: Any) -> _Geometry:
    """The geometry of an operation whose first input, an array or a spec, is this one."""
    images, *size, channels = first.shape
    return _Geometry(op, images, tuple(getattr(op, "size", size)), channels)


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of pooling by the operation's name."""

    def max_pool(op: Any, out: Any, x: Array, *, scratch: Any) -> Thunk:
        return library.bind("MaxPool", x.dtype.name, x, *out, _of(op, x).forward())

    def max_pool_grad(op: Any, out: Array, dy: Array, winner: Array, *, scratch: Any) -> Thunk:
        g = _of(op, dy)
        name, slots = ("MaxPoolSpread", g.forward()) if g.tiled else ("MaxPoolGrad", g.backward())
        return library.bind(name, dy.dtype.name, dy, winner, out, slots)

    def average_pool(op: Any, out: Array, x: Array, *, scratch: Any) -> Thunk:
        return library.bind("AveragePool", x.dtype.name, x, out, _of(op, x).forward())

    def average_pool_grad(op: Any, out: Array, dy: Array, *, scratch: Any) -> Thunk:
        g = _of(op, dy)
        return library.bind("AveragePoolGrad", dy.dtype.name, dy, out, g.shares(), g.backward())

    def accepts(op: Any, first: Spec, *others: Spec) -> bool:
        known = first.static and first.size > 0 and first.dtype in FLOATS
        return known and _of(op, first).serves

    def accepts_bytes(op: Any, first: Spec, *others: Spec) -> bool:
        return op.winner_dtype == "uint8" and accepts(op, first)

    return {
        "AveragePool": Kernel(average_pool, accepts=accepts),
        "AveragePoolGrad": Kernel(average_pool_grad, accepts=accepts),
        "MaxPool": Kernel(max_pool, accepts=accepts_bytes),
        "MaxPoolGrad": Kernel(max_pool_grad, accepts=accepts_bytes),
    }
