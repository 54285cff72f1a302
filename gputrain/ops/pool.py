"""Pooling of sequences, images and volumes: maxima, with each window's winner as a byte, and averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Spec, Value
from gputrain.ops.base import Operation, Sample, apply, cast, convert, require_float, spec_of
from gputrain.ops.elementwise import keep_bits
from gputrain.ops.pointwise import as_float
from gputrain.ops.precision import wide_dtype
from gputrain.ops.window import (
    WORDS,
    Ints,
    Padding,
    Window,
    axis_padding,
    checked_padding,
    positions,
    positive,
    rank_of,
    require_channels_last,
)

__all__ = [
    "AveragePool",
    "AveragePoolGrad",
    "MaxPool",
    "MaxPoolGather",
    "MaxPoolGrad",
    "average_pool",
    "max_pool",
]

How = tuple[Ints, Ints, Padding]


class _Pooling:
    """Window parameters, and views of an image under each window position."""

    pool: Ints
    strides: Ints
    padding: Padding

    @property
    def how(self) -> How:
        return self.pool, self.strides, self.padding

    def window(self, size: Ints) -> Window:
        return Window(size, self.pool, self.strides, (1,) * len(self.pool), self.padding)

    def _summed(self, dy: Spec, size: Ints) -> Spec:
        """Room for gradients of images of some size, with their border."""
        return dy.with_shape((dy.dims[0], *self.window(size).padded_size, dy.dims[-1]))

    def _pooled(self, x: Spec, what: str) -> Shape:
        """Shape of the output, with the input checked."""
        require_float(x, what)
        words, rank = WORDS[len(self.pool)], len(self.pool)
        if x.ndim != rank + 2:
            raise ShapeError(explain(f"{what} needs {words.thing}s {words.layout()}.", received=x.shape))
        sizes = [
            positions(x.shape[1 + i], self.pool[i], self.strides[i], 1, axis_padding(self.padding, i))
            for i in range(rank)
        ]
        if any(s is not None and s < 1 for s in sizes) or 0 in x.shape[1:-1]:
            raise ShapeError(
                explain(
                    f"{what}: the window is larger than the {words.thing}.",
                    received=f"{words.thing} {x.shape[1:-1]}, window {self.pool}",
                    fix='Use padding="same" or a smaller pool_size.',
                )
            )
        return (x.shape[0], *sizes, x.shape[-1])

    @property
    def winner_dtype(self) -> str:
        return "uint8" if math.prod(self.pool) <= 256 else "int32"

    @property
    def tiled(self) -> bool:
        """True where windows neither overlap nor leave the image."""
        return self.pool == self.strides and self.padding == "valid"


class MaxPool(_Pooling, Operation):
    """(N, H, W, C) to the maxima (N, OH, OW, C) and which tap of its window won (first of equals).

    A NaN is the maximum of its window, and ends the search for a winner.
    """

    pool: Ints
    strides: Ints
    padding: Padding = "valid"
    n_outputs = 2

    def infer(self, x: Spec) -> tuple[Spec, Spec]:
        shape = self._pooled(x, "MaxPool")
        return Spec(shape, x.dtype), Spec(shape, self.winner_dtype)

    def vjp(self, ct: Sequence[Value | None], out: Sequence[Value], x: Value) -> Sequence[Value | None]:
        if ct[0] is None:
            return (None,)
        return (apply(MaxPoolGrad(x.spec.dims[1:-1], *self.how), ct[0], out[1]),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return self.window(x.dims[1:-1]).room(x), self.infer(x)[0].with_dtype("bool")

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (best, winner), (padded, better) = out, scratch
        window = self.window(x.shape[1:-1])
        x = window.bordered(xp, x, padded, -np.inf)
        for index, (_, met) in enumerate(window.taps()):
            tap = x[met]
            if index == 0:
                xp.copyto(best, tap)
                winner[...] = xp.asarray(window.first_inside()) if window.padded else 0
                continue
            xp.greater(tap, best, out=better)
            xp.copyto(winner, index, where=better)
            xp.maximum(best, tap, out=best)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(op, (Spec(shape),), pool_loops(op)) for op, shape in _cases()]


class MaxPoolGrad(_Pooling, Operation):
    """Gradient of MaxPool: (dy, winner) to (N, H, W, C); each winner gets its dy, overlaps add up."""

    size: Ints
    pool: Ints
    strides: Ints
    padding: Padding = "valid"

    def infer(self, dy: Spec, winner: Spec) -> Spec:
        return Spec((dy.shape[0], *self.size, dy.shape[-1]), dy.dtype)

    def vjp(self, ct: Value, out: Value, dy: Value, winner: Value) -> Sequence[Value | None]:
        return apply(MaxPoolGather(*self.how), ct, winner), None

    def scratch(self, dy: Spec, winner: Spec) -> tuple[Spec, ...]:
        return self._summed(dy, self.size), dy.with_dtype("bool"), dy

    def compute(self, xp: Any, out: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, won, share = scratch
        window = self.window(self.size)
        padded[...] = 0
        for index, (_, met) in enumerate(window.taps()):
            xp.equal(winner, index, out=won)
            keep_bits(xp, dy, won, share)
            spot = padded[met]
            xp.add(spot, share, out=spot)
        xp.copyto(out, padded[window.inner])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, shape in _cases():
            grad, winner = cls(shape[1:-1], *op.how), _some_winners(op, shape)
            found.append(Sample(grad, (Spec(winner.shape), winner), pool_grad_loops(op, shape)))
        return found


class MaxPoolGather(_Pooling, Operation):
    """The element of each window that `winner` names: the transpose of MaxPoolGrad."""

    pool: Ints
    strides: Ints
    padding: Padding = "valid"

    def infer(self, x: Spec, winner: Spec) -> Spec:
        return winner.with_dtype(x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, winner: Value) -> Sequence[Value | None]:
        return apply(MaxPoolGrad(x.spec.dims[1:-1], *self.how), ct, winner), None

    def scratch(self, x: Spec, winner: Spec) -> tuple[Spec, ...]:
        return self.window(x.dims[1:-1]).room(x), winner.with_dtype("bool")

    def compute(self, xp: Any, out: Any, x: Any, winner: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, won = scratch
        window = self.window(x.shape[1:-1])
        x = window.bordered(xp, x, padded)
        out[...] = 0
        for index, (_, met) in enumerate(window.taps()):
            xp.equal(winner, index, out=won)
            xp.copyto(out, x[met], where=won)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, shape in _cases():
            winner = _some_winners(op, shape)
            found.append(Sample(cls(*op.how), (Spec(shape), winner), pool_gather_loops(op, shape)))
        return found


class _Averaging(_Pooling):
    """How many elements inside the image a window averages over."""

    def _counts(self, xp: Any, size: Ints, dtype: Any) -> Any:
        """One number where no window leaves the image, else (OH, OW, 1)."""
        window = self.window(size)
        if not window.padded:
            return math.prod(self.pool)
        counts = np.ones(())
        for axis in range(window.rank):
            counts = np.multiply.outer(counts, _inside(window, axis))
        return xp.asarray(counts[..., None], dtype)


def _inside(window: Window, axis: int) -> np.ndarray:
    """Elements inside the image of the window at each position along one axis."""
    start = np.arange(window.out[axis]) * window.strides[axis] - window.pads[axis][0]
    return np.minimum(start + window.kernel[axis], window.size[axis]) - np.maximum(start, 0)


class AveragePool(_Averaging, Operation):
    """(N, H, W, C) to the means (N, OH, OW, C) over each window's elements inside the image."""

    pool: Ints
    strides: Ints
    padding: Padding = "valid"

    def infer(self, x: Spec) -> Spec:
        return Spec(self._pooled(x, "AveragePool"), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value) -> Sequence[Value | None]:
        return (apply(AveragePoolGrad(x.spec.dims[1:-1], *self.how), ct),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        sums = self.infer(x).with_dtype(wide_dtype(x.dtype))
        return (self.window(x.dims[1:-1]).room(x), *([sums] if sums.dtype != x.dtype else []))

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (padded, *wide), size = scratch, x.shape[1:-1]
        window, sums = self.window(size), wide[0] if wide else out
        x = window.bordered(xp, x, padded)
        for index, (_, met) in enumerate(window.taps()):
            if index == 0:
                xp.copyto(sums, x[met])
            else:
                xp.add(sums, x[met], out=sums)
        xp.divide(sums, self._counts(xp, size, sums.dtype), out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        ops = [(cls(*op.how), shape) for op, shape in _cases()]
        return [Sample(op, (Spec(shape),), average_loops(op)) for op, shape in ops]


class AveragePoolGrad(_Averaging, Operation):
    """Gradient of AveragePool: dy to (N, H, W, C); each element gets its share of dy, overlaps add up."""

    size: Ints
    pool: Ints
    strides: Ints
    padding: Padding = "valid"

    def infer(self, dy: Spec) -> Spec:
        return Spec((dy.shape[0], *self.size, dy.shape[-1]), dy.dtype)

    def vjp(self, ct: Value, out: Value, dy: Value) -> Sequence[Value | None]:
        return (apply(AveragePool(*self.how), ct),)

    def scratch(self, dy: Spec) -> tuple[Spec, ...]:
        return self._summed(dy, self.size).with_dtype(wide_dtype(dy.dtype)), dy

    def compute(self, xp: Any, out: Any, dy: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, share = scratch
        window = self.window(self.size)
        padded[...] = 0
        xp.divide(dy, self._counts(xp, self.size, dy.dtype), out=share)
        for _, met in window.taps():
            spot = padded[met]
            xp.add(spot, share, out=spot)
        xp.copyto(out, padded[window.inner])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, shape in _cases():
            grad = cls(shape[1:-1], *op.how)
            dy = op.infer(Spec(shape))[0]
            found.append(Sample(grad, (dy,), average_grad_loops(grad, shape)))
        return found


def max_pool(
    inputs: Any,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str | Sequence[Sequence[int]] = "valid",
    data_format: str | None = None,
) -> Any:
    """Maximum over windows of sequences, images or volumes, channels last.

    Args:
        inputs: sequences (N, T, C), images (N, H, W, C) or volumes (N, D, H, W, C).
        pool_size: one int, or one for each axis.
        strides: as pool_size; None means pool_size.
        padding: "valid", "same", for sequences "causal", or (before, after) for each axis, smaller than the
            window. Padding never wins.
        data_format: None or "channels_last".

    Returns:
        (N, OT, C), (N, OH, OW, C) or (N, OD, OH, OW, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not as above, or smaller than the window.

    Example:
        >>> max_pool(np.ones((1, 7, 3), "float32"), 2, padding="same").shape
        (1, 4, 3)
    """
    given = convert(inputs)
    x = as_float(given)
    pooled = apply(MaxPool(*_arguments("max_pool", x, pool_size, strides, padding, data_format)), x)[0]
    return cast(pooled, spec_of(given).dtype)


def average_pool(
    inputs: Any,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str | Sequence[Sequence[int]] = "valid",
    data_format: str | None = None,
) -> Any:
    """Mean over windows of sequences, images or volumes, channels last.

    Args:
        inputs: sequences (N, T, C), images (N, H, W, C) or volumes (N, D, H, W, C).
        pool_size: one int, or one for each axis.
        strides: as pool_size; None means pool_size.
        padding: as in `max_pool`. The mean is over the elements inside the input.
        data_format: None or "channels_last".

    Returns:
        (N, OT, C), (N, OH, OW, C) or (N, OD, OH, OW, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not as above, or smaller than the window.

    Example:
        >>> average_pool(np.ones((1, 4, 6, 3), "float32"), 2).shape
        (1, 2, 3, 3)
    """
    x = as_float(inputs)
    return apply(AveragePool(*_arguments("average_pool", x, pool_size, strides, padding, data_format)), x)


def _arguments(
    what: str, x: Any, pool_size: Any, strides: Any, padding: Any, data_format: str | None
) -> tuple[Ints, Ints, Padding]:
    """(pool size, strides, padding), checked, for as many axes as numbers are given, or the input has."""
    require_channels_last(data_format, what)
    given = next((len(v) for v in (pool_size, strides) if isinstance(v, Sequence)), len(x.shape) - 2)
    rank = rank_of(given, len(x.shape) - 2)
    pool = positive(pool_size, rank, "pool_size")
    steps = pool if strides is None else positive(strides, rank, "strides")
    border = checked_padding(padding, rank, what)
    if not isinstance(border, str) and any(max(pair) >= k for pair, k in zip(border, pool, strict=True)):
        rule = f"{what}: padding must be smaller than the window, which would see nothing else."
        raise ValueError(explain(rule, expected=f"less than {pool}", received=padding))
    return pool, steps, border


# ------------------------------------------------------------------------------- references, as plain loops


def _cases() -> list[tuple[MaxPool, Ints]]:
    return [
        (MaxPool((2, 2), (2, 2)), (2, 4, 6, 3)),
        (MaxPool((2, 2), (2, 2)), (1, 5, 7, 2)),
        (MaxPool((3, 2), (2, 1), "same"), (2, 5, 4, 2)),
        (MaxPool((3, 3), (1, 1)), (1, 4, 5, 1)),
        (MaxPool((2, 2), (3, 3), "same"), (1, 7, 7, 2)),
        (MaxPool((3, 2), (2, 1), ((2, 0), (1, 1))), (2, 4, 3, 2)),
        (MaxPool((17, 17), (17, 17)), (1, 17, 18, 1)),
        (MaxPool((1, 1), (1, 1)), (1, 1, 1, 1)),
        (MaxPool((2, 2), (2, 2)), (0, 4, 4, 3)),
        (MaxPool((2,), (2,)), (2, 7, 3)),
        (MaxPool((3,), (2,), "same"), (2, 6, 2)),
        (MaxPool((4,), (1,), "causal"), (2, 5, 1)),
        (MaxPool((3,), (2,), ((1, 2),)), (1, 6, 2)),
        (MaxPool((2,), (2,)), (0, 4, 3)),
        (MaxPool((2, 2, 2), (2, 2, 2)), (2, 4, 5, 2, 3)),
        (MaxPool((2, 3, 1), (1, 2, 3), "same"), (1, 3, 4, 5, 2)),
        (MaxPool((2, 2, 3), (1, 1, 2), ((0, 1), (1, 0), (2, 1))), (1, 2, 3, 3, 1)),
        (MaxPool((1, 1, 1), (2, 2, 2), "same"), (1, 1, 1, 1, 1)),
    ]


def _start(op: _Pooling, axis: int, size: int) -> int:
    """The element on which the first window begins."""
    if not isinstance(op.padding, str):
        return -op.padding[axis][0]
    if op.padding == "causal":
        return 1 - op.pool[axis]
    if op.padding == "valid":
        return 0
    missing = (math.ceil(size / op.strides[axis]) - 1) * op.strides[axis] + op.pool[axis] - size
    return -(missing // 2) if missing > 0 else 0


def _taps(op: _Pooling, shape: Ints, at: Ints) -> list[tuple[int, Ints]]:
    """(number of the tap, element of x) inside the image of the window at output position `at`."""
    n, *place, channel = at
    starts = [_start(op, axis, size) for axis, size in enumerate(shape[1:-1])]
    found = []
    for i, tap in enumerate(np.ndindex(*op.pool)):
        spans = zip(place, op.strides, tap, starts, strict=True)
        where = [o * stride + k + start for o, stride, k, start in spans]
        if all(0 <= j < size for j, size in zip(where, shape[1:-1], strict=True)):
            found.append((i, (n, *where, channel)))
    return found


def _some_winners(op: MaxPool, shape: Ints) -> np.ndarray:
    """Winners as random data would give them."""
    return pool_loops(op)(np.random.default_rng(0).normal(size=shape))[1]


def pool_loops(op: MaxPool) -> Any:
    """Pooling as loops."""

    def run(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spec, winner_spec = op.infer(Spec(x.shape))
        y, winner = np.zeros(spec.dims), np.zeros(spec.dims, winner_spec.dtype)
        for at in np.ndindex(*spec.dims):
            y[at], negative_index = max((x[where], -i) for i, where in _taps(op, x.shape, at))
            winner[at] = -negative_index
        return y, winner

    return run


def pool_grad_loops(op: MaxPool, shape: Ints) -> Any:
    """The gradient as loops."""

    def run(dy: np.ndarray, winner: np.ndarray) -> np.ndarray:
        dx = np.zeros(shape)
        for at in np.ndindex(*dy.shape):
            for i, where in _taps(op, shape, at):
                dx[where] += dy[at] if i == winner[at] else 0.0
        return dx

    return run


def pool_gather_loops(op: MaxPool, shape: Ints) -> Any:
    """The gather as loops."""

    def run(x: np.ndarray, winner: np.ndarray) -> np.ndarray:
        y = np.zeros(winner.shape)
        for at in np.ndindex(*winner.shape):
            for i, where in _taps(op, shape, at):
                if i == winner[at]:
                    y[at] = x[where]
        return y

    return run


def average_loops(op: AveragePool) -> Any:
    """Averages as loops."""

    def run(x: np.ndarray) -> np.ndarray:
        y = np.zeros(op.infer(Spec(x.shape)).dims)
        for at in np.ndindex(*y.shape):
            met = [x[where] for _, where in _taps(op, x.shape, at)]
            y[at] = sum(met) / len(met)
        return y

    return run


def average_grad_loops(op: AveragePoolGrad, shape: Ints) -> Any:
    """The gradient of averages as loops."""

    def run(dy: np.ndarray) -> np.ndarray:
        dx = np.zeros(shape)
        for at in np.ndindex(*dy.shape):
            met = _taps(op, shape, at)
            for _, where in met:
                dx[where] += dy[at] / len(met)
        return dx

    return run
