"""Pooling over (N, H, W, C): maxima, with the winner of each window kept as a byte, and averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Spec, Value
from gputrain.ops.base import Operation, Sample, apply, convert, require_float
from gputrain.ops.conv import Pair, Window, output_size, pair

__all__ = [
    "AveragePool",
    "AveragePoolGrad",
    "MaxPool",
    "MaxPoolGather",
    "MaxPoolGrad",
    "average_pool",
    "max_pool",
]


class _Pooling:
    """Window parameters, and views of an image under each window position."""

    pool: Pair
    strides: Pair
    padding: str

    def _window(self, size: Pair) -> Window:
        return Window(size, self.pool, self.strides, (1, 1), self.padding)

    def _pooled(self, x: Spec, what: str) -> Shape:
        """Shape of the output, with the input checked."""
        require_float(x, what)
        if x.ndim != 4:
            raise ShapeError(explain(f"{what} needs images (N, H, W, C).", received=x.shape))
        sizes = [output_size(x.shape[1 + i], self.pool[i], self.strides[i], 1, self.padding) for i in (0, 1)]
        if any(s is not None and s < 1 for s in sizes):
            raise ShapeError(
                explain(
                    f"{what}: the window is larger than the image.",
                    received=f"image {x.shape[1:3]}, window {self.pool}",
                    fix='Use padding="same" or a smaller pool_size.',
                )
            )
        return (x.shape[0], *sizes, x.shape[3])

    @property
    def winner_dtype(self) -> str:
        return "uint8" if self.pool[0] * self.pool[1] <= 256 else "int32"

    @property
    def tiled(self) -> bool:
        """True where windows neither overlap nor leave the image."""
        return self.pool == self.strides and self.padding == "valid"


class MaxPool(_Pooling, Operation):
    """(N, H, W, C) to the maxima (N, OH, OW, C) and which tap of its window won (first of equals)."""

    pool: Pair
    strides: Pair
    padding: str = "valid"
    n_outputs = 2

    def infer(self, x: Spec) -> tuple[Spec, Spec]:
        shape = self._pooled(x, "MaxPool")
        return Spec(shape, x.dtype), Spec(shape, self.winner_dtype)

    def vjp(self, ct: Sequence[Value | None], out: Sequence[Value], x: Value) -> Sequence[Value | None]:
        if ct[0] is None:
            return (None,)
        size = (x.spec.dims[1], x.spec.dims[2])
        return (apply(MaxPoolGrad(size, self.pool, self.strides, self.padding), ct[0], out[1]),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        window = self._window((x.dims[1], x.dims[2]))
        out = self.infer(x)[0]
        padded = (x.dims[0], *window.padded_size, x.dims[3]) if window.padded else (0, 0, 0, 0)
        return Spec(padded, x.dtype), out.with_dtype("bool")

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (best, winner), (padded, better) = out, scratch
        window = self._window((x.shape[1], x.shape[2]))
        if window.padded:
            rows, columns = window.inner()
            padded[...] = -np.inf
            xp.copyto(padded[:, rows, columns], x)
            x = padded
        for kh, kw, vertical, horizontal in window.taps():
            tap, index = x[:, vertical, horizontal], kh * self.pool[1] + kw
            if index == 0:
                xp.copyto(best, tap)
                winner[...] = 0
                continue
            # "not <=" rather than ">", so that a NaN wins and is seen.
            xp.less_equal(tap, best, out=better)
            xp.logical_not(better, out=better)
            xp.copyto(winner, index, where=better)
            xp.maximum(best, tap, out=best)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(op, (Spec(shape),), pool_loops(op)) for op, shape in _cases()]


class MaxPoolGrad(_Pooling, Operation):
    """Gradient of MaxPool: (dy, winner) to (N, H, W, C); each winner gets its dy, overlaps add up."""

    size: Pair
    pool: Pair
    strides: Pair
    padding: str = "valid"

    def infer(self, dy: Spec, winner: Spec) -> Spec:
        return Spec((dy.shape[0], *self.size, dy.shape[3]), dy.dtype)

    def vjp(self, ct: Value, out: Value, dy: Value, winner: Value) -> Sequence[Value | None]:
        return apply(MaxPoolGather(self.pool, self.strides, self.padding), ct, winner), None

    def scratch(self, dy: Spec, winner: Spec) -> tuple[Spec, ...]:
        padded = (dy.dims[0], *self._window(self.size).padded_size, dy.dims[3])
        return Spec(padded, dy.dtype), dy.with_dtype("bool"), dy

    def compute(self, xp: Any, out: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, won, share = scratch
        window = self._window(self.size)
        rows, columns = window.inner()
        padded[...] = 0
        for kh, kw, vertical, horizontal in window.taps():
            xp.equal(winner, kh * self.pool[1] + kw, out=won)
            xp.multiply(dy, won, out=share)
            spot = padded[:, vertical, horizontal]
            xp.add(spot, share, out=spot)
        xp.copyto(out, padded[:, rows, columns])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, shape in _cases():
            size, winner = (shape[1], shape[2]), _some_winners(op, shape)
            grad = cls(size, op.pool, op.strides, op.padding)
            found.append(Sample(grad, (Spec(winner.shape), winner), pool_grad_loops(op, shape)))
        return found


class MaxPoolGather(_Pooling, Operation):
    """The element of each window that `winner` names: the transpose of MaxPoolGrad."""

    pool: Pair
    strides: Pair
    padding: str = "valid"

    def infer(self, x: Spec, winner: Spec) -> Spec:
        return winner.with_dtype(x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, winner: Value) -> Sequence[Value | None]:
        size = (x.spec.dims[1], x.spec.dims[2])
        return apply(MaxPoolGrad(size, self.pool, self.strides, self.padding), ct, winner), None

    def scratch(self, x: Spec, winner: Spec) -> tuple[Spec, ...]:
        padded = (x.dims[0], *self._window((x.dims[1], x.dims[2])).padded_size, x.dims[3])
        return Spec(padded, x.dtype), winner.with_dtype("bool")

    def compute(self, xp: Any, out: Any, x: Any, winner: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, won = scratch
        window = self._window((x.shape[1], x.shape[2]))
        rows, columns = window.inner()
        padded[...] = 0
        xp.copyto(padded[:, rows, columns], x)
        out[...] = 0
        for kh, kw, vertical, horizontal in window.taps():
            xp.equal(winner, kh * self.pool[1] + kw, out=won)
            xp.copyto(out, padded[:, vertical, horizontal], where=won)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, shape in _cases():
            winner = _some_winners(op, shape)
            gather = cls(op.pool, op.strides, op.padding)
            found.append(Sample(gather, (Spec(shape), winner), pool_gather_loops(op, shape)))
        return found


class _Averaging(_Pooling):
    """How many elements inside the image a window averages over."""

    def _counts(self, xp: Any, size: Pair, dtype: Any) -> Any:
        """One number where no window leaves the image, else (OH, OW, 1)."""
        window = self._window(size)
        if not window.padded:
            return self.pool[0] * self.pool[1]
        rows, columns = (_inside(window, axis) for axis in (0, 1))
        return xp.asarray(np.outer(rows, columns)[:, :, None], dtype)


def _inside(window: Window, axis: int) -> np.ndarray:
    """Elements inside the image of the window at each position along one axis."""
    start = np.arange(window.out[axis]) * window.strides[axis] - window.pads[axis][0]
    return np.minimum(start + window.kernel[axis], window.size[axis]) - np.maximum(start, 0)


class AveragePool(_Averaging, Operation):
    """(N, H, W, C) to the means (N, OH, OW, C) over each window's elements inside the image."""

    pool: Pair
    strides: Pair
    padding: str = "valid"

    def infer(self, x: Spec) -> Spec:
        return Spec(self._pooled(x, "AveragePool"), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value) -> Sequence[Value | None]:
        size = (x.spec.dims[1], x.spec.dims[2])
        return (apply(AveragePoolGrad(size, self.pool, self.strides, self.padding), ct),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        window = self._window((x.dims[1], x.dims[2]))
        padded = (x.dims[0], *window.padded_size, x.dims[3]) if window.padded else (0, 0, 0, 0)
        return (Spec(padded, x.dtype),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (padded,), size = scratch, (x.shape[1], x.shape[2])
        window = self._window(size)
        if window.padded:
            rows, columns = window.inner()
            padded[...] = 0
            xp.copyto(padded[:, rows, columns], x)
            x = padded
        for kh, kw, vertical, horizontal in window.taps():
            tap = x[:, vertical, horizontal]
            if kh == kw == 0:
                xp.copyto(out, tap)
            else:
                xp.add(out, tap, out=out)
        xp.divide(out, self._counts(xp, size, out.dtype), out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        ops = [(cls(op.pool, op.strides, op.padding), shape) for op, shape in _cases()]
        return [Sample(op, (Spec(shape),), average_loops(op)) for op, shape in ops]


class AveragePoolGrad(_Averaging, Operation):
    """Gradient of AveragePool: dy to (N, H, W, C); each element gets its share of dy, overlaps add up."""

    size: Pair
    pool: Pair
    strides: Pair
    padding: str = "valid"

    def infer(self, dy: Spec) -> Spec:
        return Spec((dy.shape[0], *self.size, dy.shape[3]), dy.dtype)

    def vjp(self, ct: Value, out: Value, dy: Value) -> Sequence[Value | None]:
        return (apply(AveragePool(self.pool, self.strides, self.padding), ct),)

    def scratch(self, dy: Spec) -> tuple[Spec, ...]:
        padded = (dy.dims[0], *self._window(self.size).padded_size, dy.dims[3])
        return Spec(padded, dy.dtype), dy

    def compute(self, xp: Any, out: Any, dy: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, share = scratch
        window = self._window(self.size)
        rows, columns = window.inner()
        padded[...] = 0
        xp.divide(dy, self._counts(xp, self.size, dy.dtype), out=share)
        for _, _, vertical, horizontal in window.taps():
            spot = padded[:, vertical, horizontal]
            xp.add(spot, share, out=spot)
        xp.copyto(out, padded[:, rows, columns])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, shape in _cases():
            grad = cls((shape[1], shape[2]), op.pool, op.strides, op.padding)
            dy = op.infer(Spec(shape))[0]
            found.append(Sample(grad, (dy,), average_grad_loops(grad, shape)))
        return found


def max_pool(
    inputs: Any,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Maximum over windows of images (N, H, W, C), channels last.

    Args:
        inputs: (N, H, W, C).
        pool_size: one int or (vertical, horizontal).
        strides: as pool_size; None means pool_size.
        padding: "valid" or "same" (padding never wins).
        data_format: None or "channels_last".

    Returns:
        (N, OH, OW, C).
    """
    op = MaxPool(*_arguments("max_pool", pool_size, strides, data_format), padding)
    return apply(op, convert(inputs))[0]


def average_pool(
    inputs: Any,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Mean over windows of images (N, H, W, C), channels last.

    Args:
        inputs: (N, H, W, C).
        pool_size: one int or (vertical, horizontal).
        strides: as pool_size; None means pool_size.
        padding: "valid" or "same" (the mean is over the elements inside the image).
        data_format: None or "channels_last".

    Returns:
        (N, OH, OW, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the window.

    Example:
        >>> average_pool(np.ones((1, 4, 6, 3), "float32"), 2).shape
        (1, 2, 3, 3)
    """
    op = AveragePool(*_arguments("average_pool", pool_size, strides, data_format), padding)
    return apply(op, convert(inputs))


def _arguments(what: str, pool_size: Any, strides: Any, data_format: str | None) -> tuple[Pair, Pair]:
    """(pool size, strides), checked."""
    if data_format not in (None, "channels_last"):
        raise ValueError(
            explain(f"{what} works channels last.", expected='"channels_last"', received=data_format)
        )
    pool = pair(pool_size, "pool_size")
    return pool, pool if strides is None else pair(strides, "strides")


# ------------------------------------------------------------------------------- references, as plain loops


def _cases() -> list[tuple[MaxPool, tuple[int, ...]]]:
    return [
        (MaxPool((2, 2), (2, 2)), (2, 4, 6, 3)),
        (MaxPool((2, 2), (2, 2)), (1, 5, 7, 2)),
        (MaxPool((3, 2), (2, 1), "same"), (2, 5, 4, 2)),
        (MaxPool((3, 3), (1, 1)), (1, 4, 5, 1)),
        (MaxPool((2, 2), (3, 3), "same"), (1, 7, 7, 2)),
        (MaxPool((17, 17), (17, 17)), (1, 17, 18, 1)),
        (MaxPool((1, 1), (1, 1)), (1, 1, 1, 1)),
        (MaxPool((2, 2), (2, 2)), (0, 4, 4, 3)),
    ]


def _taps(
    op: _Pooling, shape: tuple[int, ...], out: tuple[int, ...], at: tuple[int, ...]
) -> list[tuple[int, int, int]]:
    """(tap index, row, column) inside the image of the window at output position `at`."""
    (top, _), (left, _) = op._window((shape[1], shape[2])).pads
    _, oh, ow, _ = at
    found = []
    for kh in range(op.pool[0]):
        for kw in range(op.pool[1]):
            row, column = oh * op.strides[0] + kh - top, ow * op.strides[1] + kw - left
            if 0 <= row < shape[1] and 0 <= column < shape[2]:
                found.append((kh * op.pool[1] + kw, row, column))
    return found


def _some_winners(op: MaxPool, shape: tuple[int, ...]) -> np.ndarray:
    """Winners as random data would give them."""
    return pool_loops(op)(np.random.default_rng(0).normal(size=shape))[1]


def pool_loops(op: MaxPool) -> Any:
    """Pooling as loops."""

    def run(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spec, winner_spec = op.infer(Spec(x.shape))
        y, winner = np.zeros(spec.dims), np.zeros(spec.dims, winner_spec.dtype)
        for at in np.ndindex(*spec.dims):
            taps = _taps(op, x.shape, spec.dims, at)
            y[at], negative_index = max((x[at[0], r, c, at[3]], -i) for i, r, c in taps)
            winner[at] = -negative_index
        return y, winner

    return run


def pool_grad_loops(op: MaxPool, shape: tuple[int, ...]) -> Any:
    """The gradient as loops."""

    def run(dy: np.ndarray, winner: np.ndarray) -> np.ndarray:
        dx = np.zeros(shape)
        for at in np.ndindex(*dy.shape):
            for i, r, c in _taps(op, shape, dy.shape, at):
                dx[at[0], r, c, at[3]] += dy[at] if i == winner[at] else 0.0
        return dx

    return run


def pool_gather_loops(op: MaxPool, shape: tuple[int, ...]) -> Any:
    """The gather as loops."""

    def run(x: np.ndarray, winner: np.ndarray) -> np.ndarray:
        y = np.zeros(winner.shape)
        for at in np.ndindex(*winner.shape):
            for i, r, c in _taps(op, shape, winner.shape, at):
                if i == winner[at]:
                    y[at] = x[at[0], r, c, at[3]]
        return y

    return run


def average_loops(op: AveragePool) -> Any:
    """Averages as loops."""

    def run(x: np.ndarray) -> np.ndarray:
        y = np.zeros(op.infer(Spec(x.shape)).dims)
        for at in np.ndindex(*y.shape):
            taps = [x[at[0], r, c, at[3]] for _, r, c in _taps(op, x.shape, y.shape, at)]
            y[at] = sum(taps) / len(taps)
        return y

    return run


def average_grad_loops(op: AveragePoolGrad, shape: tuple[int, ...]) -> Any:
    """The gradient of averages as loops."""

    def run(dy: np.ndarray) -> np.ndarray:
        dx = np.zeros(shape)
        for at in np.ndindex(*dy.shape):
            taps = _taps(op, shape, dy.shape, at)
            for _, r, c in taps:
                dx[at[0], r, c, at[3]] += dy[at] / len(taps)
        return dx

    return run
