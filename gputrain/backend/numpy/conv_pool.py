"""Convolution followed by max pooling, a few images at a time: nothing larger leaves the cache.

For images of few channels the columns of the im2col matrix are ordered by position inside the pooling window,
so that the product gives one contiguous plane per position and pooling is contiguous passes over planes. In
all other cases convolution and pooling run one after the other on each block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.conv import loops
from gputrain.backend.numpy.threads import one_blas_thread
from gputrain.ir.spec import Spec

BLOCK_BYTES = 1 << 20  # of convolution output: half of a core's L2 cache
MAX_CHANNELS = 8  # with more, rows of the im2col matrix copy faster than its columns

Array = Any
Way = tuple[Callable[..., Callable[[], None]], Callable[..., tuple[Spec, ...]]]


# ---------------------------------------------------------------------------------------- one after the other


def _block(spec: Spec, images: int) -> Spec:
    return spec.with_shape((images, *spec.dims[1:]))


def _block_images(y: Spec) -> int:
    """Images whose convolution output fits BLOCK_BYTES."""
    per_image = _block(y, 1).nbytes
    return max(1, min(y.dims[0], BLOCK_BYTES // max(1, per_image)))


def _slices(images: int, step: int) -> list[slice]:
    return [slice(i, min(i + step, images)) for i in range(0, images, step)]


def _blocks_scratch(op: Any, x: Spec, w: Spec) -> tuple[Spec, ...]:
    """A block's convolution, and what the two need."""
    y = op.conv.infer(x, w)
    images = _block_images(y)
    y, x = _block(y, images), _block(x, images)
    return y, *op.pool.scratch(y), *loops(op.conv, x, w).scratch(summed=False)


def _blocks(op: Any, out: Any, x: Array, w: Array, *, scratch: Any) -> Callable[[], None]:
    (best, winner), (y, padded, better, *of_conv) = out, scratch
    convolve = loops(op.conv, x[: len(y)], w).fprop

    def run() -> None:
        for images in _slices(len(x), len(y)):
            n = images.stop - images.start
            convolve(y[:n], x[images], w, of_conv)
            op.pool.compute(np, (best[images], winner[images]), y[:n], scratch=(padded[:n], better[:n]))

    return run


def _blocks_grad_scratch(op: Any, x: Spec, dy: Spec, winner: Spec) -> tuple[Spec, ...]:
    """A block's gradient before pooling, the sum over it, and what the two need."""
    y = op.conv_output(x, dy)
    images = _block_images(y)
    partial = op.infer(x, dy, winner)
    y, x, dy, winner = (_block(spec, images) for spec in (y, x, dy, winner))
    of_conv = loops(op.wgrad, x, y).scratch(summed=False)
    return y, partial, *op.spread(y).scratch(dy, winner), *of_conv


def _blocks_grad(
    op: Any, out: Array, x: Array, dy: Array, winner: Array, *, scratch: Any
) -> Callable[[], None]:
    y, partial, padded, won, share, *of_conv = scratch
    spread = op.spread(Spec(y.shape))
    wgrad = loops(op.wgrad, x[: len(y)], y).wgrad

    def run() -> None:
        out[...] = 0
        for images in _slices(len(x), len(y)):
            n = images.stop - images.start
            workspace = (padded[:n], won[:n], share[:n])
            spread.compute(np, y[:n], dy[images], winner[images], scratch=workspace)
            wgrad(partial, x[images], y[:n], of_conv)
            np.add(out, partial, out=out)

    return run


# --------------------------------------------------------------------------------------------- plane by plane


class _Geometry:
    """Sizes of one convolution with pooling, and which pixels each tap of it meets.

    An image patch that one pooled element depends on has TH x TW pixels; each is gathered once, as one
    row of `taps` (TH*TW*C, rows), and copied from there to the rows of the im2col matrix that use it.
    """

    def __init__(self, op: Any, x: Spec, kernel: tuple[int, ...], filters: int) -> None:
        self.images, self.height, self.width, self.channels = x.dims
        self.kh, self.kw = kernel
        self.ph, self.pw = op.pool.pool
        pooled = op.pool.infer(op.conv.infer(x, Spec((self.kh, self.kw, self.channels, filters), x.dtype)))[0]
        self.oh, self.ow = pooled.dims[1:3]
        self.filters, self.dtype = filters, x.dtype
        self.positions = self.ph * self.pw
        self.th, self.tw = self.ph + self.kh - 1, self.pw + self.kw - 1
        self.patch = self.kh * self.kw * self.channels
        per_image = self.oh * self.ow * self.positions * filters * x.itemsize
        self.block = max(1, min(self.images, BLOCK_BYTES // max(1, per_image)))

    @property
    def rows(self) -> int:
        """Pooled elements per channel in a full block."""
        return self.block * self.oh * self.ow

    def blocks(self) -> list[slice]:
        return [slice(i, min(i + self.block, self.images)) for i in range(0, self.images, self.block)]

    def taps_spec(self) -> Spec:
        return Spec((self.th, self.tw, self.channels, self.rows), self.dtype)

    def cols_spec(self) -> Spec:
        return Spec((self.kh, self.kw, self.channels, self.positions, self.rows), self.dtype)

    def planes_spec(self) -> Spec:
        return Spec((self.positions, self.rows, self.filters), self.dtype)

    def gather(self, x: Array, taps: Array, cols: Array) -> Callable[[], Array]:
        """A function that fills the im2col matrix (patch, positions * rows) for images `x` and returns it."""
        n = len(x)
        rows = n * self.oh * self.ow
        flat_taps = taps.reshape(-1)[: self.th * self.tw * self.channels * rows]
        taps = flat_taps.reshape(self.th, self.tw, self.channels, rows)
        cols = cols.reshape(-1)[: self.patch * self.positions * rows]
        matrix = cols.reshape(self.patch, self.positions * rows)
        cols = cols.reshape(self.kh, self.kw, self.channels, self.positions, rows)
        copies = [*self._pixels(x, taps, n), *self._spread(taps, cols)]

        def run() -> Array:
            for target, source in copies:
                np.copyto(target, source)
            return matrix

        return run

    def _pixels(self, x: Array, taps: Array, n: int) -> list[tuple[Array, Array]]:
        """(row of taps, pixels) for each pixel of a patch."""
        found = []
        for i in range(self.th):
            for j in range(self.tw):
                pixels = x[
                    :,
                    i : i + (self.oh - 1) * self.ph + 1 : self.ph,
                    j : j + (self.ow - 1) * self.pw + 1 : self.pw,
                ]
                for c in range(self.channels):
                    found.append((taps[i, j, c].reshape(n, self.oh, self.ow), pixels[..., c]))
        return found

    def _spread(self, taps: Array, cols: Array) -> list[tuple[Array, Array]]:
        """(rows of the matrix, rows of taps): for each window position, whole filter rows at a time."""
        return [
            (cols[i, :, :, a * self.pw + b], taps[i + a, b : b + self.kw])
            for a in range(self.ph)
            for b in range(self.pw)
            for i in range(self.kh)
        ]


def _by_planes(op: Any, x: Any) -> bool:
    """Whether planes, which know plain convolutions of images alone, serve and are faster."""
    plain = op.conv.how == ((1, 1), "valid", (1, 1), 1)
    few = x.shape[-1] <= MAX_CHANNELS
    return plain and few and op.pool.tiled and op.pool.winner_dtype == "uint8"


# -------------------------------------------------------------------------------------------------- forward


def _forward_scratch(op: Any, x: Spec, w: Spec) -> tuple[Spec, ...]:
    g = _Geometry(op, x, w.dims[:2], w.dims[3])
    plane = Spec((g.rows, g.filters), x.dtype)
    flags = (plane.with_dtype("bool"), plane.with_dtype("uint8"))
    return g.taps_spec(), g.cols_spec(), g.planes_spec(), *flags


def _forward(op: Any, out: Any, x: Array, w: Array, *, scratch: Any) -> Callable[[], None]:
    (best, winner), (taps, cols, planes, better, index) = out, scratch
    g = _Geometry(op, Spec(x.shape, x.dtype.name), w.shape[:2], w.shape[3])
    filters = w.reshape(g.patch, g.filters)
    steps = []
    for block in g.blocks():
        gather = g.gather(x[block], taps, cols)
        rows = (block.stop - block.start) * g.oh * g.ow
        product = planes.reshape(-1)[: g.positions * rows * g.filters].reshape(g.positions * rows, g.filters)
        target = (best[block].reshape(rows, g.filters), winner[block].reshape(rows, g.filters))
        pool = _pool(product.reshape(g.positions, rows, g.filters), *target, better[:rows], index[:rows])
        steps.append((gather, product, pool))

    def run() -> None:
        with one_blas_thread:
            for gather, product, pool in steps:
                np.matmul(gather().T, filters, out=product)
                pool()

    return run


def _pool(planes: Array, best: Array, winner: Array, better: Array, index: Array) -> Callable[[], None]:
    """Maximum over planes (P, rows, F) and which of them won; the first of equals, as in the reference."""
    flags = better.view(np.uint8)
    first, later = planes[0], list(enumerate(planes))[1:]

    def run() -> None:
        champion = first
        if not later:
            np.copyto(best, first)
            winner[...] = 0
        for i, plane in later:
            np.greater(plane, champion, out=better)
            np.maximum(champion, plane, out=best)
            if i == 1:
                np.copyto(winner, flags)
            else:
                # winner = i where better, else as it was, in byte arithmetic: masked copies are slow.
                np.subtract(i, winner, out=index)
                np.multiply(index, flags, out=index)
                np.add(winner, index, out=winner)
            champion = best

    return run


# ------------------------------------------------------------------------------------------------- backward


def _backward_scratch(op: Any, x: Spec, dy: Spec, winner: Spec) -> tuple[Spec, ...]:
    g = _Geometry(op, x, op.kernel, dy.dims[3])
    won = Spec((g.rows, g.filters), "bool")
    return g.taps_spec(), g.cols_spec(), g.planes_spec(), won, Spec((g.patch, g.filters), x.dtype)


def _backward(op: Any, out: Array, x: Array, dy: Array, winner: Array, *, scratch: Any) -> Callable[[], None]:
    taps, cols, planes, won, partial = scratch
    whole = f"i{planes.itemsize}"
    g = _Geometry(op, Spec(x.shape, x.dtype.name), op.kernel, dy.shape[3])
    total = out.reshape(g.patch, g.filters)
    steps = []
    for block in g.blocks():
        rows = (block.stop - block.start) * g.oh * g.ow
        spread = planes.reshape(-1)[: g.positions * rows * g.filters].reshape(g.positions, rows, g.filters)
        gradient = dy[block].reshape(rows, g.filters).view(whole)
        source = (gradient, winner[block].reshape(rows, g.filters), won[:rows])
        steps.append((g.gather(x[block], taps, cols), spread, list(spread.view(whole)), source))

    def run() -> None:
        total[...] = 0
        with one_blas_thread:
            for gather, spread, planes_as_bits, (gradient, winners, mask) in steps:
                for i, bits in enumerate(planes_as_bits):  # the gradient's bits times 1 or 0
                    np.equal(winners, i, out=mask)
                    np.copyto(bits, mask)  # a product of numbers and booleans would allocate a buffer
                    np.multiply(bits, gradient, out=bits)
                np.matmul(gather(), spread.reshape(-1, g.filters), out=partial)
                np.add(total, partial, out=total)

    return run


# ------------------------------------------------------------------------------------------------- the choice


def _kernel(planes: Way, blocks: Way) -> Kernel:
    """(prepare, scratch) of planes where they serve, else of blocks."""

    def way(op: Any, x: Any) -> Way:
        return planes if _by_planes(op, x) else blocks

    def prepare(op: Any, out: Any, x: Array, *others: Array, scratch: Any) -> Callable[[], None]:
        return way(op, x)[0](op, out, x, *others, scratch=scratch)

    def workspaces(op: Any, x: Spec, *others: Spec) -> tuple[Spec, ...]:
        return way(op, x)[1](op, x, *others)

    return Kernel(prepare, workspaces, accepts=lambda op, x, *others: x.static and x.size > 0)


KERNELS = {
    "ConvMaxPool": _kernel((_forward, _forward_scratch), (_blocks, _blocks_scratch)),
    "ConvMaxPoolFilterGrad": _kernel((_backward, _backward_scratch), (_blocks_grad, _blocks_grad_scratch)),
}
