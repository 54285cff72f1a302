"""Launches of `kernels/movement.cu`: operations that move elements and compute nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.launch import BLOCK
from gputrain.ir import Spec

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

MOST_DIMS = 8
WORDS = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64", 16: "Word16"}
TILE = 32  # side of a tile of the transpose
SMALLEST_TILED = 8  # elements along both axes, from which tiles pay
LAYOUT = " i" * MOST_DIMS

Shape = tuple[int, ...]


# ---------------------------------------------------------------------------------------------------- layouts


@dataclass(frozen=True)
class Axis:
    """One dimension of a copy: how many elements, and how far apart in source and target, in bytes."""

    size: int
    source: int
    target: int


@dataclass(frozen=True)
class Walk:
    """A copy of elements of `item` bytes between two layouts.

    Attributes:
        axes: the dimensions, outermost first.
        item: bytes of an element.
        source, target: place of the first element, in bytes from the array's start.
    """

    axes: tuple[Axis, ...]
    item: int
    source: int = 0
    target: int = 0

    @property
    def count(self) -> int:
        return math.prod(a.size for a in self.axes)

    def forward(self) -> Walk:
        """The same copy with all of the target's strides positive."""
        target, source, axes = self.target, self.source, []
        for a in self.axes:
            if a.target < 0:
                target, source = target + (a.size - 1) * a.target, source + (a.size - 1) * a.source
                a = Axis(a.size, -a.source, -a.target)
            axes.append(a)
        return Walk(tuple(axes), self.item, source, target)

    def collapsed(self) -> Walk:
        """The same copy with axes joined that lie behind each other on both sides."""
        axes: list[Axis] = []
        for a in self.axes:
            if a.size == 1:
                continue
            if axes and axes[-1].source == a.size * a.source and axes[-1].target == a.size * a.target:
                axes[-1] = Axis(axes[-1].size * a.size, a.source, a.target)
            else:
                axes.append(a)
        return Walk(tuple(axes), self.item, self.source, self.target)

    def widened(self, *addresses: int) -> Walk:
        """The same copy in the widest words that layouts and the arrays' addresses allow."""
        *outer, inner = self.axes or (Axis(1, self.item, self.item),)
        if (inner.source, inner.target) != (self.item, self.item):
            return self
        run = inner.size * self.item
        strides = [s for a in outer for s in (a.source, a.target)]
        word = math.gcd(16, run, self.source, self.target, *strides, *addresses)
        return Walk((*outer, Axis(run // word, word, word)), word, self.source, self.target)


def _strides(shape: Sequence[int], item: int) -> list[int]:
    """Strides in bytes of a contiguous array."""
    return [item * math.prod(shape[i + 1 :]) for i in range(len(shape))]


def _walk(shape: Sequence[int], source: Sequence[int], target: Sequence[int], item: int) -> Walk:
    axes = [Axis(n, s, t) for n, s, t in zip(shape, source, target, strict=True)]
    return Walk(tuple(axes), item)


def _bytes(array: Any) -> Any:
    """The memory of an array."""
    return array.reshape(-1).view("uint8")


def _eight(numbers: Sequence[int], rest: int) -> tuple[int, ...]:
    """Parameters of a layout: as many as a kernel has, whatever the dimensions."""
    return (*numbers, *[rest] * (MOST_DIMS - len(numbers)))


def _index(count: int) -> str:
    """The dtype to divide indices below `count` in: 32 bits are several times faster."""
    return "uint32" if count < 2**32 else "int64"


def _layout(axes: Sequence[Axis], word: int) -> tuple[int, ...]:
    """Sizes and strides in words."""
    return (
        *_eight([a.size for a in axes], 1),
        *_eight([a.source // word for a in axes], 0),
        *_eight([a.target // word for a in axes], 0),
    )


# ----------------------------------------------------------------------------------------------------- copies


def _copy(gpu: CupyDevice, walk: Walk, source: Any, target: Any) -> Thunk:
    """A launch that copies elements of `source` to `target` as `walk` says."""
    if walk.count == 0:
        return InOrder(())
    walk = walk.forward().collapsed()
    rows = _contiguous_in_source(walk)
    if rows is not None:
        return _tiled(gpu, walk, rows, source, target)
    walk = walk.widened(source.data.ptr, target.data.ptr)
    kernel = gpu.kernel_function(
        "movement", "strided_copy", "uint8 uint8 i i i" + 3 * LAYOUT,
        WORDS[walk.item], _index(walk.count), str(len(walk.axes)),
    )  # fmt: skip
    word = walk.item
    return kernel.bind(
        _bytes(source), _bytes(target), walk.source // word, walk.target // word, walk.count,
        *_layout(walk.axes, word), threads=walk.count,
    )  # fmt: skip


def _contiguous_in_source(walk: Walk) -> int | None:
    """The axis to exchange with the last by tiles, if that is what the copy does."""
    *outer, last = walk.axes or (Axis(1, 1, 1),)
    if last.target != walk.item or abs(last.source) <= walk.item or last.size < SMALLEST_TILED:
        return None
    found = [i for i, a in enumerate(outer) if a.source == walk.item and a.size >= SMALLEST_TILED]
    return found[0] if found else None


def _tiled(gpu: CupyDevice, walk: Walk, rows: int, source: Any, target: Any) -> Thunk:
    word, across, down = walk.item, walk.axes[-1], walk.axes[rows]
    others = [a for i, a in enumerate(walk.axes[:-1]) if i != rows]
    tiles = -(-across.size // TILE) * -(-down.size // TILE) * math.prod(a.size for a in others)
    kernel = gpu.kernel_function(
        "movement", "tiled_transpose", "uint8 uint8 i i i i i i i" + 3 * LAYOUT,
        WORDS[word], _index(tiles), str(len(others)),
    )  # fmt: skip
    return kernel.bind(
        _bytes(source), _bytes(target), walk.source // word, walk.target // word, tiles,
        down.size, across.size, across.source // word, down.target // word,
        *_layout(others, word), threads=tiles * BLOCK,
    )  # fmt: skip


def _pattern(value: Any, dtype: Any) -> int:
    """Eight bytes that hold `value`, again and again, as NumPy fills an array with it."""
    filled = np.empty(8 // dtype.itemsize, dtype)
    filled[...] = value
    return int(filled.view(np.uint64)[0])


def _fill(gpu: CupyDevice, out: Any, pattern: int) -> Thunk:
    """A launch that fills an array with a pattern."""
    word = max(math.gcd(16, out.data.ptr, out.nbytes), out.dtype.itemsize)
    kernel = gpu.kernel_function("movement", "fill", "uint8 u i", WORDS[word])
    count = out.nbytes // word
    return kernel.bind(_bytes(out), pattern, count, threads=count) if count else InOrder(())


def _bordered(
    gpu: CupyDevice, x: Any, out: Any, widths: Sequence[tuple[int, int]], shape: Sequence[int], pattern: int
) -> Thunk:
    """A launch that writes x, of `shape`, with a border: (before, after) along each axis of the output."""
    if out.size == 0:
        return InOrder(())
    sizes, before, inner = [1], [0], [1]
    for n, (low, high) in zip(shape, widths, strict=True):
        if low == high == 0:  # joined to the axis before
            sizes[-1], before[-1], inner[-1] = sizes[-1] * n, before[-1] * n, inner[-1] * n
        else:
            sizes.append(low + n + high)
            before.append(low)
            inner.append(n)
    if (sizes[0], inner[0]) == (1, 1) and len(sizes) > 1:
        sizes, before, inner = sizes[1:], before[1:], inner[1:]
    item = out.dtype.itemsize
    lines = (sizes[-1] * item, before[-1] * item, inner[-1] * item)
    word = max(math.gcd(16, *lines, x.data.ptr, out.data.ptr), item)
    for numbers in (sizes, before, inner):
        numbers[-1] = numbers[-1] * item // word
    count = math.prod(sizes)
    kernel = gpu.kernel_function(
        "movement", "padded", "uint8 uint8 u i" + 3 * LAYOUT, WORDS[word], _index(count), str(len(sizes))
    )
    return kernel.bind(
        _bytes(x), _bytes(out), pattern, count, *_eight(sizes, 1), *_eight(before, 0), *_eight(inner, 1),
        threads=count,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- operations


def _transpose(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    item = x.dtype.itemsize
    strides = _strides(x.shape, item)
    walk = _walk(out.shape, [strides[a] for a in op.axes], _strides(out.shape, item), item)
    return _copy(gpu, walk, x, out)


def _broadcast_to(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    item = x.dtype.itemsize
    strides = [0 if n == 1 else s for n, s in zip(x.shape, _strides(x.shape, item), strict=True)]
    strides = [0] * (out.ndim - x.ndim) + strides
    return _copy(gpu, _walk(out.shape, strides, _strides(out.shape, item), item), x, out)


def _concatenate(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...]) -> Thunk:
    item = out.dtype.itemsize
    strides, parts, start = _strides(out.shape, item), [], 0
    for x in inputs:
        walk = _walk(x.shape, _strides(x.shape, item), strides, item)
        parts.append(_copy(gpu, Walk(walk.axes, item, 0, start * strides[op.axis]), x, out))
        start += x.shape[op.axis]
    return InOrder(parts)


def _split(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    item = x.dtype.itemsize
    strides, parts, start = _strides(x.shape, item), [], 0
    for part in out if isinstance(out, tuple) else (out,):
        walk = _walk(part.shape, strides, _strides(part.shape, item), item)
        parts.append(_copy(gpu, Walk(walk.axes, item, start * strides[op.axis], 0), x, part))
        start += part.shape[op.axis]
    return InOrder(parts)


def _pad(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    return _bordered(gpu, x, out, op.widths, x.shape, _pattern(op.value, out.dtype))


def _flip(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    item = x.dtype.itemsize
    strides = _strides(x.shape, item)
    turned = [-s if i in op.axes else s for i, s in enumerate(strides)]
    start = sum((n - 1) * s for i, (n, s) in enumerate(zip(x.shape, strides, strict=True)) if i in op.axes)
    return _copy(gpu, Walk(_walk(x.shape, turned, strides, item).axes, item, start), x, out)


def _roll(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    """Two copies: what moves towards the end, and what comes back at the start."""
    item, size = x.dtype.itemsize, x.shape[op.axis]
    strides = _strides(x.shape, item)
    cut = op.shift % size if size else 0
    parts = []
    for length, source, target in ((size - cut, 0, cut), (cut, size - cut, 0)):
        shape = (*x.shape[: op.axis], length, *x.shape[op.axis + 1 :])
        step = strides[op.axis]
        walk = Walk(_walk(shape, strides, strides, item).axes, item, source * step, target * step)
        parts.append(_copy(gpu, walk, x, out))
    return InOrder(parts)


def _selected(key: Sequence[Any], shape: Shape) -> list[tuple[int, int, int]]:
    """(start, step, length) of what a key takes of each axis; a length of -1 where the axis goes."""
    entries = [e for e in key if e is not None]
    entries += [(None, None, None)] * (len(shape) - len(entries))
    found = []
    for entry, n in zip(entries, shape, strict=True):
        if isinstance(entry, tuple):
            r = range(*slice(*entry).indices(n))
            found.append((r.start, r.step, len(r)))
        else:
            found.append((entry % n, 1, -1))
    return found


def _picked(key: Sequence[Any], shape: Shape, item: int) -> tuple[Shape, list[int], int]:
    """Shape, strides and start in bytes of the elements that a key takes; axes of integers are of size 1."""
    strides = _strides(shape, item)
    found = _selected(key, shape)
    sizes = tuple(abs(length) for _, _, length in found)
    steps = [step * s for (_, step, _), s in zip(found, strides, strict=True)]
    return sizes, steps, sum(start * s for (start, _, _), s in zip(found, strides, strict=True))


def _getitem(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    item = x.dtype.itemsize
    if out.size == 0:
        return InOrder(())
    sizes, strides, start = _picked(op.key, x.shape, item)
    walk = _walk(sizes, strides, _strides(sizes, item), item)
    return _copy(gpu, Walk(walk.axes, item, start), x, out)


def _getitem_grad(gpu: CupyDevice, op: Any, out: Any, ct: Any, scratch: tuple[Any, ...]) -> Thunk:
    """A border of zeros where the key leaves no gaps, else zeros and a copy into them."""
    item = ct.dtype.itemsize
    if ct.size == 0:
        return _fill(gpu, out, 0)
    found = _selected(op.key, out.shape)
    if all(step == 1 for _, step, _ in found):
        inner = [abs(length) for _, _, length in found]
        widths = [(start, n - start - m) for (start, _, _), m, n in zip(found, inner, out.shape, strict=True)]
        return _bordered(gpu, ct, out, widths, inner, 0)
    sizes, strides, start = _picked(op.key, out.shape, item)
    walk = _walk(sizes, _strides(sizes, item), strides, item)
    return InOrder([_fill(gpu, out, 0), _copy(gpu, Walk(walk.axes, item, 0, start), ct, out)])


def _full_like(gpu: CupyDevice, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
    return _fill(gpu, out, _pattern(op.value, out.dtype))


def _few_axes(op: Any, *specs: Spec) -> bool:
    """Whether all arrays have so few axes that the kernels can walk them."""
    return all(s.ndim <= MOST_DIMS for s in (*specs, *op.output_specs(*specs)))


KERNELS = {
    "Transpose": Kernel(_transpose, accepts=_few_axes),
    "BroadcastTo": Kernel(_broadcast_to, accepts=_few_axes),
    "Concatenate": Kernel(_concatenate, accepts=_few_axes),
    "Split": Kernel(_split, accepts=_few_axes),
    "Pad": Kernel(_pad, accepts=_few_axes),
    "Flip": Kernel(_flip, accepts=_few_axes),
    "Roll": Kernel(_roll, accepts=_few_axes),
    "GetItem": Kernel(_getitem, accepts=_few_axes),
    "GetItemGrad": Kernel(_getitem_grad, accepts=_few_axes),
    "FullLike": Kernel(_full_like),
}
