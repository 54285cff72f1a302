"""Layer normalization and its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, cast
from gputrain.ops.cotangents import in_dtype, scaled, total
from gputrain.ops.elementwise import add, divide, multiply, negative, subtract
from gputrain.ops.movement import broadcast_to, expand_dims
from gputrain.ops.pointwise import Gradients
from gputrain.ops.reduction import sum
from gputrain.ops.statistics import SHAPES, _Norm, check, inverse_root, scale, sum_rows, turn_back

_SHAPES = [*SHAPES, (3,), (0, 4)]


class LayerNorm(_Norm):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta along the last axis: y, mean, 1 / deviation.

    Statistics, gamma and beta are float32 where x is float16.

    Source: Ba, Kiros & Hinton 2016, Layer Normalization.
    """

    def infer(self, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, Spec, Spec]:
        check("Layer normalization", x, gamma, beta, over=x.shape[-1:])
        row = x.with_shape(x.shape[:-1]).with_dtype(gamma.dtype)
        return x, row, row

    def backward(self) -> Operation:
        return LayerNormGrad()

    def through_statistics(self, ct: Gradients, statistics: Sequence[Value], x: Value) -> Value | None:
        (by_mean, by_rstd), (mean, rstd), size = ct, statistics, float(x.spec.dims[-1])
        by_way = None
        if by_mean is not None:
            by_way = broadcast_to(expand_dims(divide(by_mean, size), -1), x.spec.dims)
        if by_rstd is None:
            return by_way
        cube = multiply(rstd, multiply(rstd, rstd))
        slope = expand_dims(multiply(multiply(by_rstd, cube), -1.0 / size), -1)
        return total(by_way, multiply(subtract(cast(x, mean.dtype), expand_dims(mean, -1)), slope))

    def compute(self, xp: Any, out: Any, x: Any, gamma: Any, beta: Any, *, scratch: Any = ()) -> None:
        (y, mean, rstd), (apart, work, _) = out, scratch
        xp.mean(x, axis=-1, dtype=mean.dtype, out=mean)
        xp.subtract(x, mean[..., None], out=apart)
        xp.multiply(apart, apart, out=work)
        xp.mean(work, axis=-1, out=rstd)
        inverse_root(xp, rstd, self.epsilon, rstd)
        xp.multiply(apart, rstd[..., None], out=apart)
        scale(xp, y, apart, gamma, beta)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, ...]:
            y, mean, rstd = np.empty(x.shape), np.empty(x.shape[:-1]), np.empty(x.shape[:-1])
            for row in np.ndindex(x.shape[:-1]):
                mean[row] = x[row].mean()
                rstd[row] = 1 / np.sqrt(((x[row] - mean[row]) ** 2).mean() + 1e-3)
                y[row] = (x[row] - mean[row]) * rstd[row] * gamma + beta
            return y, mean, rstd

        return [
            Sample(cls(1e-3), (Spec(s), Spec(s[-1:]), Spec(s[-1:])), reference, label=str(s)) for s in _SHAPES
        ]


class LayerNormGrad(Operation):
    """Gradients of LayerNorm's y with respect to x, gamma and beta, given its mean and 1 / deviation."""

    n_outputs = 3
    overwrites = ((0, 0),)

    def infer(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, rstd: Spec) -> tuple[Spec, Spec, Spec]:
        check("LayerNormGrad", x, gamma)
        return x, gamma, gamma

    def vjp(self, ct: Gradients, out: Sequence[Value], *inputs: Value) -> Gradients:
        g, x, gamma, mean, rstd = inputs
        # dx = r (u - mean(u) - h mean(u h)), u = g gamma, h = (x - mean) r; each a mean over the last axis.
        dtype, dims, axes = mean.dtype, x.spec.dims, tuple(range(x.ndim - 1))
        a, b, c = in_dtype(ct[0], dtype), ct[1], ct[2]
        wide_g, r = cast(g, dtype), expand_dims(rstd, -1)
        apart = subtract(cast(x, dtype), expand_dims(mean, -1))
        h, u = multiply(apart, r), multiply(wide_g, gamma)

        def average(z: Value) -> Value:
            return multiply(sum(z, axis=-1, keepdims=True), 1.0 / dims[-1])

        d_g = [scaled(b, h), None if c is None else broadcast_to(c, dims)]
        d_h, d_gamma, d_r = [scaled(b, wide_g)], None, None
        if a is not None:
            ah, uh = average(multiply(a, h)), average(multiply(u, h))
            core = subtract(subtract(a, average(a)), multiply(h, ah))
            d_u = multiply(r, core)
            d_g.append(multiply(d_u, gamma))
            d_gamma = sum(multiply(d_u, wide_g), axes)
            d_h.append(negative(multiply(r, add(multiply(u, ah), multiply(a, uh)))))
            d_r = sum(multiply(core, u), axis=-1)
        by_g, by_h = in_dtype(total(*d_g), g.dtype), total(*d_h)
        if by_h is None:
            return by_g, None, d_gamma, None, None
        d_x = multiply(by_h, r)
        by_r = total(d_r, sum(multiply(by_h, apart), axis=-1))
        return by_g, cast(d_x, g.dtype), d_gamma, negative(sum(d_x, axis=-1)), by_r

    def scratch(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, rstd: Spec) -> tuple[Spec, ...]:
        wide = x.with_dtype(gamma.dtype)
        return wide, wide, wide, mean, mean

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: Any = ()) -> None:
        (ct, x, gamma, mean, rstd), (h, u, work, *means), dx = inputs, scratch, out[0]
        xp.subtract(x, mean[..., None], out=h)
        xp.multiply(h, rstd[..., None], out=h)
        sum_rows(xp, out[1:], ct, h, work)
        xp.multiply(ct, gamma, out=u)
        xp.multiply(u, h, out=work)
        xp.mean(u, axis=-1, out=means[0])
        xp.mean(work, axis=-1, out=means[1])
        turn_back(xp, dx, u, h, [one[..., None] for one in means], rstd[..., None])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(ct: np.ndarray, x: np.ndarray, *weights: np.ndarray) -> tuple[np.ndarray, ...]:
            gamma, mean, rstd = weights
            dx, d_gamma, d_beta = np.empty(x.shape), np.zeros(gamma.shape), np.zeros(gamma.shape)
            for row in np.ndindex(x.shape[:-1]):
                h, u = (x[row] - mean[row]) * rstd[row], ct[row] * gamma
                dx[row] = rstd[row] * (u - u.mean() - h * (u * h).mean())
                d_gamma += ct[row] * h
                d_beta += ct[row]
            return dx, d_gamma, d_beta

        inputs = [(Spec(s), Spec(s), Spec(s[-1:]), Spec(s[:-1]), Spec(s[:-1])) for s in _SHAPES]
        return [Sample(cls(), each, reference, 0.5, 2.0, label=str(each[0].shape)) for each in inputs]
