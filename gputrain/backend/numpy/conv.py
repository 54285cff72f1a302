"""Convolution on the CPU, in blocks of images that stay in cache, shared out among threads.

Filters that see several channels are products with an im2col matrix (positions, taps * channels). Those that
see one channel, where products would be a few columns wide, are sums of elementwise products over their taps.
Each thread has one BLAS thread; a single image is left to BLAS's own threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product as combinations
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.threads import one_blas_thread, shares, together, workers
from gputrain.ir.spec import Spec
from gputrain.ops.convolution import Conv, ConvFilterGrad, ConvInputGrad
from gputrain.ops.window import Ints, Pair

BLOCK_BYTES = 1 << 20  # im2col workspace: about half of a core's L2 cache
PIECE_BYTES = 1 << 18  # of a tap's products: a few such arrays are in use at once
LANES = 4096  # products in a row: NumPy copies filters that it broadcasts over shorter ones
MANY_FILTERS = 8  # for each channel: from here on matrix products are faster

Array = Any


def loops(op: Any, first: Any, second: Any) -> Any:
    """How to compute a Conv, ConvInputGrad or ConvFilterGrad of these arrays or specs."""
    x, w = first.shape, second.shape
    if isinstance(op, ConvInputGrad):
        x = (first.shape[0], *op.size, w[-2] * op.groups)
    elif isinstance(op, ConvFilterGrad):
        w = (*op.kernel, x[-1] // op.groups, second.shape[-1])
    single = op.groups > 1 and w[-2] == 1 and w[-1] < op.groups * MANY_FILTERS
    if isinstance(op, ConvInputGrad) and _turns(op, x, w):
        return _Turned(op, x, w, first.dtype)
    return (_PerChannel if single else _Im2col)(op, x, w, first.dtype)


def _cut(count: int, step: int) -> list[slice]:
    """0..count in slices of at most `step`."""
    return [slice(i, min(i + step, count)) for i in range(0, count, step)]


def _front(buffer: Array, shape: Ints) -> Array:
    """The first elements of a contiguous buffer under another shape."""
    return buffer.reshape(-1)[: math.prod(shape)].reshape(shape)


class _Im2col:
    """Patches of a block of images as rows of a matrix, and a product for each group."""

    def __init__(self, op: Any, x: Ints, w: Ints, dtype: Any) -> None:
        self.op, self.window = op, op.window(tuple(x[1:-1]), tuple(w[:-2]))
        self.images, self.channels, self.filters, self.dtype = x[0], x[-1], w[-1], np.dtype(dtype)
        self.of_group = (*w[:-1], w[-1] // op.groups)
        self.patch = math.prod(w[:-1])
        self.taps = list(self.window.taps())
        # Where neighbouring columns of a filter meet neighbouring elements, its rows are copied whole.
        self.by_rows = op.groups == 1 and self.window.dilation[-1] == 1
        self.rows_of_taps = [(tap[:-1], met[:-1]) for tap, met in self.taps if tap[-1] == 0]
        per_image = self.window.positions * self.patch * self.dtype.itemsize
        self.block = max(1, min(self.images, BLOCK_BYTES // max(per_image, 1)))

    def scratch(self, summed: bool) -> tuple[Spec, ...]:
        """A block's padded images, im2col matrix, product of one group, filters' product."""
        n, width, dtype = self.block, self.of_group[-1], self.dtype.name
        positions = n * self.window.positions
        padded = (n, *self.window.padded_size, self.channels) if summed or self.window.padded else (0,)
        return (
            Spec(padded, dtype),
            Spec((positions, self.patch), dtype),
            Spec((positions, width) if self.op.groups > 1 else (0, 0), dtype),
            Spec((self.patch, width), dtype),
        )

    def _blocks(self, outputs: Array) -> Iterator[tuple[slice, Array]]:
        """(images, rows of their outputs)."""
        positions = self.window.positions
        flat = outputs.reshape(len(outputs) * positions, self.filters)
        for images in _cut(len(outputs), self.block):
            yield images, flat[images.start * positions : images.stop * positions]

    def _patches(self, x: Array, cols: Array) -> Array:
        """Patches of padded images (n, ..., C) as rows of cols (positions, taps * C)."""
        n, c = len(x), x.shape[-1]
        rows = cols[: n * self.window.positions]
        if self.by_rows and x.flags.c_contiguous:
            wide = self._neighbours(x)
            patches = rows.reshape(n, *self.window.out, *self.window.kernel[:-1], wide.shape[-1])
            for tap, met in self.rows_of_taps:
                np.copyto(patches[(..., *tap, slice(None))], wide[met])
            return rows
        patches = rows.reshape(n, *self.window.out, *self.window.kernel, c)
        for tap, met in self.taps:
            np.copyto(patches[(..., *tap, slice(None))], x[met])
        return rows

    def _neighbours(self, x: Array) -> Array:
        """Padded images with all that a row of the filter meets, at each position of the last axis."""
        *outer, along, within = x.strides
        shape = (*x.shape[:-2], self.window.out[-1], self.window.kernel[-1] * x.shape[-1])
        return np.ndarray(shape, x.dtype, x, strides=(*outer, along * self.window.strides[-1], within))

    def _kernel(self, w: Array, chosen: slice, filters: Array) -> Array:
        """Filters of a group as a matrix (taps * C, F)."""
        if self.op.groups == 1:
            return w.reshape(self.patch, self.filters)
        np.copyto(filters.reshape(self.of_group), w[..., chosen])
        return filters

    def _columns(self, rows: Array, chosen: slice, product: Array) -> Array:
        """Columns of a group, contiguous."""
        if self.op.groups == 1:
            return rows
        part = product[: len(rows)]
        np.copyto(part, rows[:, chosen])
        return part

    def fprop(self, out: Array, x: Array, w: Array, scratch: Sequence[Array]) -> None:
        """The convolution of images x."""
        padded, cols, product, filters = scratch
        for images, target in self._blocks(out):
            block = self.window.bordered(np, x[images], padded)
            for channels, chosen in self.op.of_groups(self.channels, self.filters):
                patches = self._patches(block[..., channels], cols)
                kernel = self._kernel(w, chosen, filters)
                part = target if self.op.groups == 1 else product[: len(target)]
                np.matmul(patches, kernel, out=part)
                if part is not target:
                    np.copyto(target[:, chosen], part)

    def dgrad(self, out: Array, dy: Array, w: Array, scratch: Sequence[Array]) -> None:
        """The images' gradient."""
        padded, cols, product, filters = scratch
        window, inner = self.window, self.window.inner
        for images, rows in self._blocks(dy):
            n = images.stop - images.start
            block, patches = padded[:n], cols[: len(rows)]
            block[...] = 0
            for channels, chosen in self.op.of_groups(self.channels, self.filters):
                part, kernel = self._columns(rows, chosen, product), self._kernel(w, chosen, filters)
                np.matmul(part, kernel.T, out=patches)
                by_tap = patches.reshape(n, *window.out, *window.kernel, self.of_group[-2])
                target = block[..., channels]
                for tap, met in self.taps:
                    spot = target[met]
                    np.add(spot, by_tap[(..., *tap, slice(None))], out=spot)
            np.copyto(out[images], block[inner])

    def wgrad(self, out: Array, x: Array, dy: Array, scratch: Sequence[Array]) -> None:
        """The filters' gradient."""
        padded, cols, product, partial = scratch
        out[...] = 0
        for images, rows in self._blocks(dy):
            block = self.window.bordered(np, x[images], padded)
            for channels, chosen in self.op.of_groups(self.channels, self.filters):
                patches = self._patches(block[..., channels], cols)
                np.matmul(patches.T, self._columns(rows, chosen, product), out=partial)
                target = out[..., chosen]
                np.add(target, partial.reshape(target.shape), out=target)


def _around(op: Any, x: Ints, w: Ints) -> tuple[Pair, ...]:
    """Zeros around dy, so that each element of x has a window over all that it went into."""
    window = op.window(tuple(x[1:-1]), tuple(w[:-2]))
    reach = [(k - 1) * d for k, d in zip(window.kernel, window.dilation, strict=True)]
    return tuple((r - before, r - after) for r, (before, after) in zip(reach, window.pads, strict=True))


def _turns(op: Any, x: Ints, w: Ints) -> bool:
    """Whether dgrad is a convolution itself: every element of x is the first of a window."""
    return op.groups == 1 and set(op.strides) == {1} and min(map(min, _around(op, x, w))) >= 0


class _Turned:
    """dgrad as a convolution of dy with the filters turned around: products make the sums."""

    def __init__(self, op: Any, x: Ints, w: Ints, dtype: Any) -> None:
        filters = (*w[:-2], w[-1], w[-2])
        size = op.window(tuple(x[1:-1]), tuple(w[:-2])).out
        conv = Conv(op.strides, _around(op, x, w), op.dilation)
        self.turned = Spec(filters, np.dtype(dtype).name)
        self.inner = _Im2col(conv, (x[0], *size, w[-1]), filters, dtype)

    def scratch(self, summed: bool) -> tuple[Spec, ...]:
        """What the convolution needs, and the filters."""
        return *self.inner.scratch(False), self.turned

    def dgrad(self, out: Array, dy: Array, w: Array, scratch: Sequence[Array]) -> None:
        """The images' gradient."""
        *of_conv, turned = scratch
        np.copyto(turned, np.flip(w, tuple(range(w.ndim - 2))).swapaxes(-1, -2))
        self.inner.fprop(out, dy, turned, of_conv)


class _PerChannel:
    """Each channel has M filters of its own: sums over taps, for a piece of the positions at a time.

    A filter's number for each channel is repeated along the last axis, so that rows are long.
    """

    def __init__(self, op: Any, x: Ints, w: Ints, dtype: Any) -> None:
        self.window = op.window(tuple(x[1:-1]), tuple(w[:-2]))
        self.channels, self.multiplier = x[-1], w[-1] // x[-1]
        self.dtype = np.dtype(dtype)
        self.wide = np.dtype("float32") if self.dtype == np.float16 else self.dtype
        self.tap_count = math.prod(w[:-2])
        self.piece = self._piece(x[0])
        cuts = [_cut(n, step) for n, step in zip(self.window.out, self.piece[1:], strict=True)]
        self.parts = [(part, [met for _, met in self.window.taps(part)]) for part in combinations(*cuts)]
        self.ones = np.ones(math.prod(self.piece), self.wide)  # times rows: their sum
        self.line = np.empty(self.channels, self.wide)

    def _piece(self, images: int) -> Ints:
        """Images, and positions along each axis, that are worked on at once."""
        room = max(1, PIECE_BYTES // (self.channels * self.wide.itemsize))
        most = min(self.window.out[-1], max(1, LANES // self.channels))
        piece = [most]
        for count in (*self.window.out[-2::-1], images):
            room = max(1, room // piece[0])
            piece.insert(0, min(count, room))
        return tuple(piece)

    def scratch(self, summed: bool) -> tuple[Spec, ...]:
        """A block's padded images, filters along rows, a tap's products, their sums."""
        images, c, wide = self.piece[0], self.channels, self.wide.name
        padded = (images, *self.window.padded_size, c) if summed or self.window.padded else (0,)
        product = Spec((math.prod(self.piece), c), wide)
        return (
            Spec(padded, wide if summed else self.dtype.name),
            Spec((self.multiplier, self.tap_count, self.piece[-1], c), wide),
            product,
            product if self.multiplier > 1 or self.wide != self.dtype else Spec((0,), wide),
        )

    def _spread(self, w: Array, rows: Array) -> None:
        """Filters (taps, C, M) along rows (M, taps, positions, C)."""
        by_channel = w.reshape(self.tap_count, self.channels, self.multiplier)
        np.copyto(rows, by_channel.transpose(2, 0, 1)[:, :, None])

    def _by_channel(self, y: Array) -> Array:
        """(N, ..., C*M) as (N, ..., C, M)."""
        return y.reshape(*y.shape[:-1], self.channels, self.multiplier)

    def _contiguous(self, part: Array, room: Array) -> Array:
        """`part` itself where it is, else its values in `room`."""
        if not room.size:
            return part
        held = _front(room, part.shape)
        np.copyto(held, part)
        return held

    def fprop(self, out: Array, x: Array, w: Array, scratch: Sequence[Array]) -> None:
        """The convolution of images x."""
        padded, rows, product, total = scratch
        self._spread(w, rows)
        y = self._by_channel(out)
        for images in _cut(len(x), self.piece[0]):
            block = self.window.bordered(np, x[images], padded)
            for part, taps in self.parts:
                for j, filters in enumerate(rows[:, :, : part[-1].stop - part[-1].start]):
                    target = y[(images, *part, slice(None), j)]
                    sums = _front(total, target.shape) if total.size else target
                    self._sum(block, taps, filters, _front(product, target.shape), sums)
                    if sums is not target:
                        np.copyto(target, sums)

    def _sum(self, block: Array, taps: Sequence[Any], filters: Array, product: Array, sums: Array) -> None:
        """Sums over taps, at some positions."""
        for k, met in enumerate(taps):
            if k == 0:
                np.multiply(block[met], filters[k], out=sums)
            else:
                np.multiply(block[met], filters[k], out=product)
                np.add(sums, product, out=sums)

    def dgrad(self, out: Array, dy: Array, w: Array, scratch: Sequence[Array]) -> None:
        """The images' gradient."""
        padded, rows, product, held = scratch
        self._spread(w, rows)
        ct, inner = self._by_channel(dy), self.window.inner
        for images in _cut(len(dy), self.piece[0]):
            block = padded[: images.stop - images.start]
            block[...] = 0
            for part, taps in self.parts:
                for j, filters in enumerate(rows[:, :, : part[-1].stop - part[-1].start]):
                    source = self._contiguous(ct[(images, *part, slice(None), j)], held)
                    share = _front(product, source.shape)
                    for k, met in enumerate(taps):
                        np.multiply(source, filters[k], out=share)
                        spot = block[met]
                        np.add(spot, share, out=spot)
            np.copyto(out[images], block[inner])

    def wgrad(self, out: Array, x: Array, dy: Array, scratch: Sequence[Array]) -> None:
        """The filters' gradient: elementwise products, their rows added up by a product with ones."""
        padded, rows, product, held = scratch
        ct, sums = self._by_channel(dy), rows[:, :, 0]
        sums[...] = 0
        for images in _cut(len(x), self.piece[0]):
            block = self.window.bordered(np, x[images], padded)
            for part, taps in self.parts:
                for j in range(self.multiplier):
                    source = self._contiguous(ct[(images, *part, slice(None), j)], held)
                    share = _front(product, source.shape)
                    flat = share.reshape(-1, self.channels)
                    for k, met in enumerate(taps):
                        np.multiply(block[met], source, out=share)
                        np.matmul(self.ones[: len(flat)], flat, out=self.line)
                        np.add(sums[j, k], self.line, out=sums[j, k])
        np.copyto(out.reshape(self.tap_count, self.channels, self.multiplier), sums.transpose(1, 2, 0))


# --------------------------------------------------------------------------------------------------- threads


def _share(spec: Spec) -> Spec:
    """The largest share of a batch."""
    return spec.with_shape((-(-spec.dims[0] // workers()), *spec.dims[1:]))


def _slices(images: int) -> list[slice]:
    return [slice(part[0], part[-1] + 1) for part in shares(range(images))]


def _run(tasks: list[Callable[[], None]]) -> Callable[[], None]:
    run_all = together(tasks)
    if len(tasks) == 1:
        return run_all

    def run() -> None:
        with one_blas_thread:
            run_all()

    return run


def _accepts(op: Any, first: Spec, second: Spec) -> bool:
    return first.static and first.dims[0] > 0


def _per_image(way: str) -> Kernel:
    """fprop and dgrad: images are independent."""

    def scratch(op: Any, x: Spec, w: Spec) -> tuple[Spec, ...]:
        return loops(op, _share(x), w).scratch(summed=way == "dgrad") * workers()

    def prepare(op: Any, out: Array, x: Array, w: Array, *, scratch: Any) -> Callable[[], None]:
        size = len(scratch) // workers()

        def task(i: int, images: slice) -> Callable[[], None]:
            run = getattr(loops(op, x[images], w), way)
            return lambda: run(out[images], x[images], w, scratch[i * size : (i + 1) * size])

        return _run([task(i, images) for i, images in enumerate(_slices(len(x)))])

    return Kernel(prepare, scratch, accepts=_accepts)


def _summed_scratch(op: Any, x: Spec, dy: Spec) -> tuple[Spec, ...]:
    share = (_share(x), _share(dy))
    return (op.infer(*share), *loops(op, *share).scratch(summed=False)) * workers()


def _summed(op: Any, out: Array, x: Array, dy: Array, *, scratch: Any) -> Callable[[], None]:
    """wgrad: each thread sums over its images; the sums are added in order."""
    parts = _slices(len(x))
    size = len(scratch) // workers()
    partial = [scratch[i * size] for i in range(len(parts))]

    def task(i: int, images: slice) -> Callable[[], None]:
        run = loops(op, x[images], dy[images]).wgrad
        return lambda: run(partial[i], x[images], dy[images], scratch[i * size + 1 : (i + 1) * size])

    run_all = _run([task(i, images) for i, images in enumerate(parts)])

    def run() -> None:
        run_all()
        np.copyto(out, partial[0])
        for other in partial[1:]:
            np.add(out, other, out=out)

    return run


KERNELS = {
    "Conv": _per_image("fprop"),
    "ConvInputGrad": _per_image("dgrad"),
    "ConvFilterGrad": Kernel(_summed, _summed_scratch, accepts=_accepts),
}
