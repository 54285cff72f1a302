"""Convolution and max pooling in one: the convolution's output need not exist as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, apply
from gputrain.ops.convolution import Conv, ConvFilterGrad, ConvInputGrad, conv_loops, filter_grad_loops
from gputrain.ops.pool import MaxPool, MaxPoolGather, MaxPoolGrad, pool_grad_loops, pool_loops
from gputrain.ops.window import Ints

__all__ = ["ConvMaxPool", "ConvMaxPoolFilterGrad"]


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
        y = self.conv.infer(x.spec, w.spec)
        spread = apply(MaxPoolGrad(y.dims[1:-1], *self.pool.how), ct[0], out[1])
        dx = apply(ConvInputGrad(x.spec.dims[1:-1], *self.conv.how), spread, w)
        return dx, apply(ConvMaxPoolFilterGrad(self.conv, self.pool, w.spec.dims[:-2]), x, ct[0], out[1])

    def scratch(self, x: Spec, w: Spec) -> tuple[Spec, ...]:
        y = self.conv.infer(x, w)
        return y, *self.pool.scratch(y), *self.conv.scratch(x, w)

    def compute(self, xp: Any, out: Any, x: Any, w: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        y, padded, better, *of_conv = scratch
        self.conv.compute(xp, y, x, w, scratch=tuple(of_conv))
        self.pool.compute(xp, out, y, scratch=(padded, better))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(op: ConvMaxPool) -> Any:
            return lambda x, w: pool_loops(op.pool)(conv_loops(op.conv)(x, w))

        return [Sample(op, (Spec(x), Spec(w)), reference(op), label=f"{x}*{w}") for op, x, w in _cases()]


class ConvMaxPoolFilterGrad(Operation):
    """Gradient of ConvMaxPool with respect to the filters: (x, dy, winner) to (KH, KW, C, F)."""

    conv: Conv
    pool: MaxPool
    kernel: Ints

    @property
    def wgrad(self) -> ConvFilterGrad:
        return ConvFilterGrad(self.kernel, *self.conv.how)

    def spread(self, y: Spec) -> MaxPoolGrad:
        return MaxPoolGrad(y.dims[1:-1], *self.pool.how)

    def conv_output(self, x: Spec, dy: Spec) -> Spec:
        """What the convolution gave, before pooling."""
        return self.conv.infer(x, Spec((*self.kernel, x.dims[-1], dy.dims[-1]), x.dtype))

    def infer(self, x: Spec, dy: Spec, winner: Spec) -> Spec:
        return Spec((*self.kernel, x.dims[-1], dy.shape[-1]), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, dy: Value, winner: Value) -> Sequence[Value | None]:
        spread = apply(self.spread(self.conv_output(x.spec, dy.spec)), dy, winner)
        dx = apply(ConvInputGrad(x.spec.dims[1:-1], *self.conv.how), spread, ct)
        return dx, apply(MaxPoolGather(*self.pool.how), apply(self.conv, x, ct), winner), None

    def scratch(self, x: Spec, dy: Spec, winner: Spec) -> tuple[Spec, ...]:
        y = self.conv_output(x, dy)
        return y, *self.spread(y).scratch(dy, winner), *self.wgrad.scratch(x, y)

    def compute(
        self, xp: Any, out: Any, x: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...] = ()
    ) -> None:
        y, padded, won, share, *of_conv = scratch
        self.spread(Spec(y.shape)).compute(xp, y, dy, winner, scratch=(padded, won, share))
        self.wgrad.compute(xp, out, x, y, scratch=tuple(of_conv))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(op: ConvMaxPool, x: Ints, w: Ints) -> Any:
            y = op.conv.infer(Spec(x), Spec(w)).dims

            def run(images: np.ndarray, dy: np.ndarray, winner: np.ndarray) -> np.ndarray:
                return filter_grad_loops(op.conv, w)(images, pool_grad_loops(op.pool, y)(dy, winner))

            return run

        found = []
        for op, x, w in _cases():
            random = np.random.default_rng(0)
            y = conv_loops(op.conv)(random.normal(size=x), random.normal(size=w))
            winner = pool_loops(op.pool)(y)[1]
            grad = cls(op.conv, op.pool, w[:-2])
            found.append(
                Sample(grad, (Spec(x), Spec(winner.shape), winner), reference(op, x, w), label=f"{x}*{w}")
            )
        return found


def _cases() -> list[tuple[ConvMaxPool, Ints, Ints]]:
    two, same = MaxPool((2, 2), (2, 2)), Conv((1, 1), "same")
    causal, cube = Conv((1,), "causal", (1,)), MaxPool((2, 2, 1), (2, 2, 1))
    return [
        (ConvMaxPool(Conv(), two), (3, 8, 8, 1), (3, 3, 1, 4)),
        (ConvMaxPool(Conv(), two), (2, 7, 8, 3), (3, 2, 3, 5)),
        (ConvMaxPool(same, MaxPool((3, 2), (3, 2))), (2, 7, 7, 2), (3, 3, 2, 3)),
        (ConvMaxPool(Conv((2, 2), "same", (1, 1)), two), (1, 9, 9, 1), (3, 3, 1, 2)),
        (ConvMaxPool(Conv((1, 1), "valid", (2, 2)), two), (1, 9, 9, 2), (3, 3, 2, 2)),
        (ConvMaxPool(Conv(), two), (0, 6, 6, 1), (3, 3, 1, 2)),
        (ConvMaxPool(Conv((1,), "valid", (1,)), MaxPool((3,), (3,))), (2, 9, 2), (2, 2, 3)),
        (ConvMaxPool(causal, MaxPool((2,), (2,))), (2, 5, 2), (3, 2, 3)),
        (ConvMaxPool(Conv((1, 1, 1), "valid", (1, 1, 1)), cube), (2, 3, 4, 3, 2), (2, 2, 2, 2, 2)),
    ]
