"""Convolution and its gradients by compiled kernels: geometry as tables of offsets.

Sequences, images and volumes are volumes here: axes that are missing have one element. A tap of a filter is
an offset in an image; where neighbouring columns of a filter meet neighbouring elements, they are one run.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, LANES, Library
from gputrain.ir.spec import Spec
from gputrain.ops.window import Ints, Window

Array = Any

MOST_BLOCKS = 16  # of images, whose sums are kept apart
PARTIAL_BYTES = 1 << 21  # of those sums
TASK = 1 << 19  # multiplications of a task: less does not pay for waking a thread
SHORT = 4  # positions of a line up to which tiles go across images
UNIT = 48  # rows of the filters' gradient that are worth a task
LINE = 48  # positions of a line, where that is free
COPIED = 1 << 12  # positions whose gradients are copied at once
PANEL = 2 * LANES  # columns of the widest panel


def _three(values: Any, rest: int) -> Ints:
    """Sizes of three axes."""
    given = tuple(values)
    return (rest,) * (3 - len(given)) + given


class _Geometry:
    """A window as it slides over volumes.

    Args:
        window: over sequences, images or volumes.
        images, channels, filters, groups: numbers of them.
        apart: whether images stay what they are; else they are cut, or taken together, as is best.
    """

    def __init__(
        self, window: Window, images: int, channels: int, filters: int, groups: int, apart: bool = False
    ) -> None:
        self.images, self.channels, self.filters, self.groups = images, channels, filters, groups
        self.apart = apart
        self.size, self.kernel = _three(window.size, 1), _three(window.kernel, 1)
        self.strides, self.dilation = _three(window.strides, 1), _three(window.dilation, 1)
        self.pads = ((0, 0),) * (3 - window.rank) + tuple(window.pads)
        self.out = _three(window.out, 1)
        plain = set(self.kernel + self.strides) == {1} and not window.padded
        if plain and not apart:  # a product: cut as is best
            count = images * math.prod(self.size)
            least = min(count, LINE)
            self.images = next(n for n in range(64, 0, -1) if count % n == 0 and count // n >= least)
            self.size = self.out = (1, 1, count // self.images)

    def border(self, size: Ints, pads: Any, channels: int) -> tuple[Ints, Ints]:
        """(size, channels, zeros before, size with the border) as a kernel takes them, and that size."""
        whole = tuple(n + sum(pair) for n, pair in zip(size, pads, strict=True))
        return (*size, channels, *(before for before, _ in pads), *whole), whole


def _steps(whole: Ints, channels: int) -> Ints:
    """Distances of elements along each axis."""
    return whole[1] * whole[2] * channels, whole[2] * channels, channels


def _room(size: Ints, channels: int, count: int, needed: bool, dtype: str) -> Spec:
    """So many images with their border."""
    return Spec((count, *size, channels) if needed else (0,), dtype)


def _panels(steps: int, columns: int, groups: int, dtype: str) -> Spec:
    """Filters in panels: whole vectors."""
    return Spec((groups, steps, -(-columns // PANEL) * PANEL), dtype)


class _Correlation:
    """The tables of one kernel call: phases of positions, and the runs of each.

    Args:
        g: the geometry.

    Attributes:
        depth, columns: channels of a group that are read, and written.
        border: around the images that are read.
        padded: whether there is one.
        run_length: steps of a run.
        step, column, group: distances of a step, a column and a group in the filters.
        image, result: distances of images that are read, and written.
        distances: of positions in an image that is read.
        step1, reach1: rows of axis 1 from a position to the next, and those read beyond its first.
        positions: along each axis.
    """

    depth: int
    columns: int
    border: tuple[Ints, Ints]
    padded: bool
    run_length: int
    step: int
    column: int
    group: int
    image: int
    result: int
    distances: Ints
    step1: int
    reach1: int
    positions: Ints

    def __init__(self, g: _Geometry) -> None:
        self.g = g
        self.runs: list[int] = []
        self.starts: list[int] = []  # of the runs in w
        self.phases: list[list[int]] = []

    def kernels(
        self, library: Library, dtype: str, out: Array, images: Array, w: Array, scratch: Any
    ) -> Thunk:
        """What brings the filters into panels and sums over windows."""
        calls, padded = [self.pack(library, dtype, w, scratch)], scratch[1]
        if self.across and self.padded:
            calls.append(library.bind("PadImages", dtype, images, padded, self.g.images, self.border[0]))
            images = padded
        arguments = self.arguments(out, images, scratch, *self._tasks())
        return InOrder([*calls, library.bind("Correlate", dtype, *arguments)])

    def _tasks(self) -> tuple[int, int]:
        """Tasks of an image, by rows and by panels: by size alone, so that nothing hangs on the threads."""
        work = math.prod(self.positions) * self.steps * self.columns * self.g.groups
        if self.across:
            return self.positions[2], min(-(-self.columns // PANEL), max(1, work * self.g.images // TASK))
        return max(1, min(self.positions[1], work // TASK, -(-64 // self.g.images))), 1

    @property
    def across(self) -> bool:
        """Whether tiles go across images: where lines are short and there are enough images."""
        return self.positions[0] == 1 and self.positions[2] <= SHORT < self.g.images and not self.g.apart

    @property
    def steps(self) -> int:
        """Of all phases together."""
        return len(self.starts) * self.run_length

    def pack(self, library: Library, dtype: str, w: Array, scratch: Any) -> Thunk:
        """What brings the filters into panels."""
        starts = np.array(self.starts, "int64")
        return library.bind(
            "PackFilters", dtype, w, scratch[0], starts, len(starts), self.run_length, self.step, self.column,
            self.columns, self.g.groups, self.group,
        )  # fmt: skip

    def arguments(self, out: Array, images: Array, scratch: Any, bands: int, shares: int) -> tuple[Any, ...]:
        """The members of `Correlate`."""
        runs, phases = np.array(self.runs, "int64"), np.array(self.phases, "int64")
        count, distances, padded = self.g.images, self.distances, scratch[1] if self.padded else None
        if self.across:  # images stand as the last axis
            whole = math.prod(self.border[1]) * self.g.groups * self.depth
            places = [*range(5), 6, 7, 5, 9, 10, 8]
            phases = np.ascontiguousarray(phases[:, places])
            phases[:, 7], phases[:, 10] = self.g.images, self.result
            count, distances, padded = 1, (distances[1], distances[2], whole), None
        return (
            images, out, scratch[0], padded, runs, phases, count, self.border[0], len(phases), self.steps,
            self.run_length, self.g.groups, self.depth, self.columns, self.image, self.result, *distances,
            self.step1, self.reach1, bands, shares,
        )  # fmt: skip

    def scratch(self, library: Library, dtype: str) -> tuple[Spec, ...]:
        """Filters in panels, and images with their border."""
        count = self.g.images if self.across else library.threads
        return (
            _panels(self.steps, self.columns, self.g.groups, dtype),
            _room(self.border[1], self.g.groups * self.depth, count, self.padded, dtype),
        )


class _Forward(_Correlation):
    """One phase; a run has a row of a filter where nothing lies between its columns."""

    def __init__(self, g: _Geometry) -> None:
        super().__init__(g)
        self.depth, self.columns = g.channels // g.groups, g.filters // g.groups
        self.border = g.border(g.size, g.pads, g.channels)
        whole = self.border[1]
        self.padded = whole != g.size
        distances = _steps(whole, g.channels)
        joined = g.groups == 1 and g.dilation[2] == 1
        taps = [range(k) for k in (*g.kernel[:2], 1 if joined else g.kernel[2])]
        self.run_length = self.depth * (g.kernel[2] if joined else 1)
        for tap in product(*taps):
            self.runs.append(sum(t * d * s for t, d, s in zip(tap, g.dilation, distances, strict=True)))
            flat = (tap[0] * g.kernel[1] + tap[1]) * g.kernel[2] + tap[2]
            self.starts.append(flat * self.depth * g.filters)
        self.step, self.column, self.group = g.filters, 1, self.columns
        self.image, self.result = math.prod(g.size) * g.channels, math.prod(g.out) * g.filters
        self.distances = tuple(s * d for s, d in zip(g.strides, distances, strict=True))
        self.step1, self.reach1 = g.strides[1], (g.kernel[1] - 1) * g.dilation[1]
        self.positions = g.out
        self.phases.append([0, len(self.runs), 0, 0, 0, *g.out, *_steps(g.out, g.filters)])


class _Backward(_Correlation):
    """A phase for each residue of the positions: an element of x meets the taps of its residue alone."""

    def __init__(self, g: _Geometry) -> None:
        super().__init__(g)
        self.depth, self.columns = g.filters // g.groups, g.channels // g.groups
        along = zip(g.size, g.kernel, g.strides, g.dilation, g.pads, strict=True)
        axes = [_residues(*axis) for axis in along]
        pads = [
            _reach([q for _, _, taps in axis for _, q in taps], [n for _, n, _ in axis], out)
            for axis, out in zip(axes, g.out, strict=True)
        ]
        self.border = g.border(g.out, pads, g.filters)
        whole = self.border[1]
        self.padded = whole != g.out
        distances, to = _steps(whole, g.filters), _steps(g.size, g.channels)
        self.run_length = self.depth
        for phase in product(*axes):
            first_run = len(self.runs)
            for taps in product(*(axis[2] for axis in phase)):
                (k0, q0), (k1, q1), (k2, q2) = taps
                places = zip((q0, q1, q2), pads, distances, strict=True)
                self.runs.append(sum((q + before) * step for q, (before, _), step in places))
                flat = (k0 * g.kernel[1] + k1) * g.kernel[2] + k2
                self.starts.append(flat * self.columns * g.filters)
            begin = sum(axis[0] * step for axis, step in zip(phase, to, strict=True))
            count = [axis[1] for axis in phase]
            steps = [stride * step for stride, step in zip(g.strides, to, strict=True)]
            run_count = len(self.runs) - first_run
            self.phases.append([first_run, run_count, first_run * self.run_length, 0, begin, *count, *steps])
        self.step, self.column, self.group = 1, g.filters, self.depth
        self.image, self.result = math.prod(g.out) * g.filters, math.prod(g.size) * g.channels
        self.distances = distances
        furthest = max((q for _, _, taps in axes[1] for _, q in taps), default=0)
        self.step1, self.reach1 = 1, furthest + pads[1][0]
        self.positions = g.size


def _residues(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """For each residue of positions by the stride: the residue, how many positions, (tap, offset in dy)."""
    found = []
    for residue in range(min(stride, size)):
        meets = [(k, residue + pads[0] - k * dilation) for k in range(kernel)]
        taps = [(k, reach // stride) for k, reach in meets if reach % stride == 0]
        found.append((residue, len(range(residue, size, stride)), taps))
    return found


def _reach(offsets: list[int], counts: list[int], out: int) -> tuple[int, int]:
    """Zeros before and after an axis of dy, so that all offsets stay inside."""
    if not offsets:
        return 0, 0
    return max(0, -min(offsets)), max(0, max(offsets) + max(counts) - out)


class _Filters:
    """The filters' gradient: rows of tiles are channels, and of neighbouring columns of the filter."""

    def __init__(self, g: _Geometry) -> None:
        self.g = g
        self.depth, self.columns = g.channels // g.groups, g.filters // g.groups
        self.border, self.whole = g.border(g.size, g.pads, g.channels)
        self.padded = self.whole != g.size
        distances = _steps(self.whole, g.channels)
        joined = g.groups == 1 and g.dilation[2] == 1
        self.rows = self.depth * (g.kernel[2] if joined else 1)
        taps = [range(k) for k in (*g.kernel[:2], 1 if joined else g.kernel[2])]
        self.starts = [
            sum(t * d * s for t, d, s in zip(tap, g.dilation, distances, strict=True))
            for tap in product(*taps)
        ]
        move = [s * d for s, d in zip(g.strides, distances, strict=True)]
        self.lines = [i * move[0] + j * move[1] for i, j in product(range(g.out[0]), range(g.out[1]))]
        self.a_step = move[2]
        self.size = len(self.starts) * self.rows * g.filters
        self.across = g.out[0] == 1 and g.out[2] <= SHORT < g.images and not g.apart
        if self.across:  # steps go across images
            self.lines = [i * move[1] + j * move[2] for i, j in product(range(g.out[1]), range(g.out[2]))]

    @property
    def blocks(self) -> int:
        """Of images, whose sums are kept apart."""
        if self.across:
            return 1
        return max(1, min(MOST_BLOCKS, self.g.images, PARTIAL_BYTES // (4 * max(self.size, 1))))

    @property
    def positions(self) -> int:
        """Of a line."""
        return self.g.images if self.across else self.g.out[2]

    @property
    def together(self) -> int:
        """Lines whose gradients are copied at once."""
        return max(1, min(len(self.lines), COPIED // self.positions))

    def scratch(self, library: Library, dtype: str) -> tuple[Spec, ...]:
        """Sums of blocks, images with their border, narrow gradients in whole vectors, turned gradients."""
        g, threads, copied = self.g, library.threads, self.together * self.positions
        steps = math.prod(g.out) * (g.images if self.across else 1)
        count = g.images if self.across else threads
        return (
            Spec((self.blocks, self.size), dtype),
            _room(self.whole, g.channels, count, self.padded, dtype),
            Spec((threads, copied, PANEL) if self.columns % LANES else (0,), dtype),
            Spec((steps, g.filters) if self.across else (0,), dtype),
        )

    def kernels(self, library: Library, dtype: str, out: Array, x: Array, dy: Array, scratch: Any) -> Thunk:
        """What sums over positions."""
        g, (_, padded, _, turned) = self.g, scratch
        calls = []
        if self.across:
            places = math.prod(g.out)
            calls.append(library.bind("PositionsFirst", dtype, dy, turned, g.images, places, g.filters))
            dy = turned
            if self.padded:
                calls.append(library.bind("PadImages", dtype, x, padded, g.images, self.border))
                x = padded
        calls.append(library.bind("FilterSums", dtype, *self.arguments(out, x, dy, scratch)))
        return InOrder(calls)

    def arguments(self, out: Array, x: Array, dy: Array, scratch: Any) -> tuple[Any, ...]:
        """The members of `FilterSums`."""
        g, (partial, padded, wide, _) = self.g, scratch
        starts, lines = np.array(self.starts, "int64"), np.array(self.lines, "int64")
        count, step, border = g.images, self.a_step, padded if self.padded else None
        if self.across:
            count, step, border = 1, math.prod(self.whole) * g.channels, None
        shares = min(len(starts) * -(-self.rows // UNIT), max(1, 16 // self.blocks))
        return (
            x, dy, out, partial, border, wide, lines, starts, count, self.blocks, self.border, len(starts),
            self.rows, len(lines), self.positions, g.groups, self.depth, self.columns,
            math.prod(g.size) * g.channels, step, shares, self.together,
        )  # fmt: skip


def _of(op: Any, first: Any, second: Any) -> Any:
    """The tables of a Conv, ConvInputGrad or ConvFilterGrad of these arrays or specs."""
    x, w, name = tuple(first.shape), tuple(second.shape), type(op).__name__
    if name == "ConvInputGrad":
        x = (x[0], *op.size, w[-2] * op.groups)
    elif name == "ConvFilterGrad":
        w = (*op.kernel, x[-1] // op.groups, w[-1])
    window = op.window(x[1:-1], w[:-2])
    by_itself = op.groups > 1 and _sizes(op, first, second) == (1, 1)
    geometry = _Geometry(window, x[0], x[-1], w[-1], op.groups, apart=by_itself)
    tables = {"Conv": _Forward, "ConvInputGrad": _Backward, "ConvFilterGrad": _Filters}[name](geometry)
    return _Each(tables) if by_itself else tables


class _WithPool:
    """ConvMaxPool, and its filters' gradient, of these arrays or specs."""

    def __init__(self, op: Any, x: Any, kernel: Ints, filters: int) -> None:
        size = tuple(x.shape)
        window = op.conv.window(size[1:-1], kernel)
        g = _Geometry(window, size[0], size[-1], filters, op.conv.groups, apart=True)
        before, pool = g.out, _three(op.pool.pool, 1)
        after = tuple(n // p for n, p in zip(before, pool, strict=True))
        self.geometry, self.tiles = g, (*before, *after, *pool, filters)

    def of_workers(self, library: Library, dtype: str) -> Spec:
        """An image's convolution for each worker."""
        return Spec((library.threads, math.prod(self.geometry.out) * self.geometry.filters), dtype)


def _conv_max_pool(library: Library) -> Kernel:
    def tables(op: Any, x: Any, w: Any) -> tuple[_WithPool, _Forward]:
        found = _WithPool(op, x, tuple(w.shape)[:-2], w.shape[-1])
        return found, _Forward(found.geometry)

    def prepare(op: Any, out: Any, x: Array, w: Array, *, scratch: Any) -> Thunk:
        (best, winner), (y, *of_conv), (found, conv) = out, scratch, tables(op, x, w)
        arguments = (*conv.arguments(y, x, of_conv, 1, 1), best, winner, found.tiles)
        run = library.bind("ConvMaxPool", x.dtype.name, *arguments)
        return InOrder([conv.pack(library, x.dtype.name, w, of_conv), run])

    def scratch(op: Any, x: Spec, w: Spec) -> tuple[Spec, ...]:
        found, conv = tables(op, x, w)
        return found.of_workers(library, x.dtype), *conv.scratch(library, x.dtype)

    return Kernel(prepare, scratch, accepts=_pools)


def _conv_max_pool_grad(library: Library) -> Kernel:
    def tables(op: Any, x: Any, dy: Any) -> tuple[_WithPool, _Filters]:
        found = _WithPool(op, x, op.kernel, dy.shape[-1])
        return found, _Filters(found.geometry)

    def prepare(op: Any, out: Array, x: Array, dy: Array, winner: Array, *, scratch: Any) -> Thunk:
        (y, *of_conv), (found, filters) = scratch, tables(op, x, dy)
        arguments = (*filters.arguments(out, x, y, of_conv), dy, winner, found.tiles)
        return library.bind("ConvMaxPoolFilterSums", x.dtype.name, *arguments)

    def scratch(op: Any, x: Spec, dy: Spec, winner: Spec) -> tuple[Spec, ...]:
        found, filters = tables(op, x, dy)
        return found.of_workers(library, x.dtype), *filters.scratch(library, x.dtype)

    return Kernel(prepare, scratch, accepts=_pools)


def _pools(op: Any, *specs: Spec) -> bool:
    """Windows side by side whose winners fit a byte; nothing is empty."""
    plain = op.pool.tiled and op.pool.winner_dtype == "uint8" and op.conv.groups == 1
    return plain and specs[0].dtype in FLOATS and all(s.static and s.size > 0 for s in specs)


class _Each:
    """Convolution of each channel by itself: the tables of the others, with runs of one step."""

    def __init__(self, tables: Any) -> None:
        self.tables = tables

    def kernels(
        self, library: Library, dtype: str, out: Array, first: Array, second: Array, scratch: Any
    ) -> Thunk:
        """What sums over taps, or over positions."""
        t, g = self.tables, self.tables.g
        starts = np.array(t.starts, "int64")
        if isinstance(t, _Filters):
            partial, padded = scratch
            return library.bind(
                "FilterSumsEach", dtype, first, second, out, partial, padded if t.padded else None,
                np.array(t.lines, "int64"), starts, g.images, t.blocks, t.border, len(starts), len(t.lines),
                g.out[2], math.prod(g.size) * g.channels, t.a_step,
            )  # fmt: skip
        return library.bind(
            "CorrelateEach", dtype, first, out, second, scratch[0] if t.padded else None,
            np.array(t.runs, "int64"), starts, np.array(t.phases, "int64"), g.images, t.border[0],
            len(t.phases), t.image, t.result, *t.distances,
        )  # fmt: skip

    def scratch(self, library: Library, dtype: str) -> tuple[Spec, ...]:
        """Images with their border, and sums of blocks."""
        t, threads = self.tables, library.threads
        if isinstance(t, _Filters):
            room = _room(t.whole, t.g.channels, threads, t.padded, dtype)
            return Spec((t.blocks, t.size), dtype), room
        return (_room(t.border[1], t.g.channels, threads, t.padded, dtype),)


def _sizes(op: Any, first: Any, second: Any) -> tuple[int, int]:
    """Channels of a group that are read, and columns of tiles."""
    if type(op).__name__ == "ConvInputGrad":
        return second.shape[-1] // op.groups, second.shape[-2]
    return first.shape[-1] // op.groups, second.shape[-1] // op.groups


def _accepts(op: Any, first: Spec, second: Spec) -> bool:
    """Whether tiles pay: a column or two leave most lanes idle, unless each channel is by itself."""
    if first.dtype not in FLOATS or not (first.static and second.static):
        return False
    if not (first.size and second.size and op.infer(first, second).size):
        return False
    depth, columns = _sizes(op, first, second)
    if op.groups > 1:
        return depth == columns == 1 or 1 not in (depth, columns)
    return columns > 2


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of convolution by the operation's name."""

    def prepare(op: Any, out: Array, first: Array, second: Array, *, scratch: Any) -> Thunk:
        return _of(op, first, second).kernels(library, first.dtype.name, out, first, second, scratch)

    def scratch(op: Any, first: Spec, second: Spec) -> tuple[Spec, ...]:
        return _of(op, first, second).scratch(library, first.dtype)

    kernel = Kernel(prepare, scratch, accepts=_accepts)
    return {
        **dict.fromkeys(("Conv", "ConvInputGrad", "ConvFilterGrad"), kernel),
        "ConvMaxPool": _conv_max_pool(library),
        "ConvMaxPoolFilterGrad": _conv_max_pool_grad(library),
    }
