"""Convolution and max pooling in one: the convolution's output exists only a few images at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, apply
from gputrain.ops.conv import Conv, ConvFilterGrad, ConvInputGrad, conv_loops, filter_grad_loops
from gputrain.ops.pool import MaxPool, MaxPoolGrad, pool_grad_loops, pool_loops

__all__ = ["ConvMaxPool", "ConvMaxPoolFilterGrad"]

BLOCK_BYTES = 1 << 20  # convolution output worked on at once


def _block_images(y: Spec) -> int:
    """Images whose convolution output fits BLOCK_BYTES."""
    per_image = y.with_shape(y.dims[1:]).nbytes
    return max(1, min(y.dims[0], BLOCK_BYTES // max(1, per_image)))


class ConvMaxPool(Operation):
    """MaxPool(Conv(x, w)): the maxima and which tap of each window won."""

    conv: Conv
    pool: MaxPool
    n_outputs = 2

    def infer(self, x: Spec, w: Spec) -> tuple[Spec, Spec]:
        return self.pool.infer(self.conv.infer(x, w))

    def vjp(
        self, ct: Sequence[Value | None], out: Sequence[Value], x: Value, w: Value
    ) -> Sequence[Value | None]:
        if ct[0] is None:
            return None, None
        y = self.conv.infer(x.spec, w.spec).dims
        how = (self.conv.strides, self.conv.padding, self.conv.dilation, self.conv.groups)
        spread = apply(
            MaxPoolGrad((y[1], y[2]), self.pool.pool, self.pool.strides, self.pool.padding), ct[0], out[1]
        )
        dx = apply(ConvInputGrad((x.spec.dims[1], x.spec.dims[2]), *how), spread, w)
        kernel = (w.spec.dims[0], w.spec.dims[1])
        return dx, apply(ConvMaxPoolFilterGrad(self.conv, self.pool, kernel), x, ct[0], out[1])

    def scratch(self, x: Spec, w: Spec) -> tuple[Spec, ...]:
        y = self.conv.infer(x, w)
        block = _block_images(y)
        y = y.with_shape((block, *y.shape[1:]))
        x = x.with_shape((block, *x.shape[1:]))
        return y, *self.pool.scratch(y), *self.conv.scratch(x, w)

    def compute(self, xp: Any, out: Any, x: Any, w: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (best, winner), (y, padded, better, *conv_scratch) = out, scratch
        for start in range(0, len(x), len(y)):
            stop = min(start + len(y), len(x))
            n = stop - start
            self.conv.compute(xp, y[:n], x[start:stop], w, scratch=tuple(conv_scratch))
            block = (best[start:stop], winner[start:stop])
            self.pool.compute(xp, block, y[:n], scratch=(padded[:n], better[:n]))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(op: ConvMaxPool) -> Any:
            return lambda x, w: pool_loops(op.pool)(conv_loops(op.conv)(x, w))

        return [Sample(op, (Spec(x), Spec(w)), reference(op), label=f"{x}*{w}") for op, x, w in _cases()]


class ConvMaxPoolFilterGrad(Operation):
    """Gradient of ConvMaxPool with respect to the filters: (x, dy, winner) to (KH, KW, C, F)."""

    conv: Conv
    pool: MaxPool
    kernel: tuple[int, int]

    @property
    def wgrad(self) -> ConvFilterGrad:
        how = (self.conv.strides, self.conv.padding, self.conv.dilation, self.conv.groups)
        return ConvFilterGrad(self.kernel, *how)

    def spread(self, y: Spec) -> MaxPoolGrad:
        return MaxPoolGrad((y.dims[1], y.dims[2]), self.pool.pool, self.pool.strides, self.pool.padding)

    def conv_output(self, x: Spec, dy: Spec) -> Spec:
        """What the convolution gave, before pooling."""
        return self.conv.infer(x, Spec((*self.kernel, x.dims[3], dy.dims[3]), x.dtype))

    def infer(self, x: Spec, dy: Spec, winner: Spec) -> Spec:
        return Spec((*self.kernel, x.dims[3], dy.shape[3]), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, dy: Value, winner: Value) -> Sequence[Value | None]:
        from gputrain.ops.pool import MaxPoolGather

        how = (self.conv.strides, self.conv.padding, self.conv.dilation, self.conv.groups)
        spread = apply(self.spread(self.conv_output(x.spec, dy.spec)), dy, winner)
        dx = apply(ConvInputGrad((x.spec.dims[1], x.spec.dims[2]), *how), spread, ct)
        gather = MaxPoolGather(self.pool.pool, self.pool.strides, self.pool.padding)
        return dx, apply(gather, apply(self.conv, x, ct), winner), None

    def scratch(self, x: Spec, dy: Spec, winner: Spec) -> tuple[Spec, ...]:
        y = self.conv_output(x, dy)
        block = _block_images(y)
        y = y.with_shape((block, *y.shape[1:]))
        x, dy, winner = (s.with_shape((block, *s.shape[1:])) for s in (x, dy, winner))
        partial = self.infer(x, dy, winner)
        return y, partial, *self.spread(y).scratch(dy, winner), *self.wgrad.scratch(x, y)

    def compute(
        self, xp: Any, out: Any, x: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...] = ()
    ) -> None:
        y, partial, padded, won, share, *conv_scratch = scratch
        spread, wgrad = self.spread(Spec(y.shape)), self.wgrad
        out[...] = 0
        for start in range(0, len(x), len(y)):
            stop = min(start + len(y), len(x))
            n = stop - start
            workspace = (padded[:n], won[:n], share[:n])
            spread.compute(xp, y[:n], dy[start:stop], winner[start:stop], scratch=workspace)
            wgrad.compute(xp, partial, x[start:stop], y[:n], scratch=tuple(conv_scratch))
            xp.add(out, partial, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(op: ConvMaxPool, x: tuple[int, ...], w: tuple[int, ...]) -> Any:
            y = op.conv.infer(Spec(x), Spec(w)).dims

            def run(images: np.ndarray, dy: np.ndarray, winner: np.ndarray) -> np.ndarray:
                return filter_grad_loops(op.conv, w)(images, pool_grad_loops(op.pool, y)(dy, winner))

            return run

        found = []
        for op, x, w in _cases():
            random = np.random.default_rng(0)
            y = conv_loops(op.conv)(random.normal(size=x), random.normal(size=w))
            winner = pool_loops(op.pool)(y)[1]
            grad = cls(op.conv, op.pool, (w[0], w[1]))
            found.append(
                Sample(grad, (Spec(x), Spec(winner.shape), winner), reference(op, x, w), label=f"{x}*{w}")
            )
        return found


def _cases() -> list[tuple[ConvMaxPool, tuple[int, ...], tuple[int, ...]]]:
    two, same = MaxPool((2, 2), (2, 2)), Conv((1, 1), "same")
    return [
        (ConvMaxPool(Conv(), two), (3, 8, 8, 1), (3, 3, 1, 4)),
        (ConvMaxPool(Conv(), two), (2, 7, 8, 3), (3, 2, 3, 5)),
        (ConvMaxPool(same, MaxPool((3, 2), (3, 2))), (2, 7, 7, 2), (3, 3, 2, 3)),
        (ConvMaxPool(Conv((2, 2), "same", (1, 1)), two), (1, 9, 9, 1), (3, 3, 1, 2)),
        (ConvMaxPool(Conv((1, 1), "valid", (2, 2)), two), (1, 9, 9, 2), (3, 3, 2, 2)),
        (ConvMaxPool(Conv(), two), (0, 6, 6, 1), (3, 3, 1, 2)),
    ]
