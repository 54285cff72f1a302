"""Batch normalization and its gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, cast
from gputrain.ops.cotangents import in_dtype, scaled, total
from gputrain.ops.elementwise import add, divide, multiply, negative, rsqrt, subtract
from gputrain.ops.movement import broadcast_to
from gputrain.ops.pointwise import Gradients
from gputrain.ops.reduction import sum
from gputrain.ops.statistics import SHAPES, _Norm, check, inverse_root, scale, sum_rows, turn_back


class BatchNorm(_Norm):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over all axes but the last: y, mean, variance.

    The variance is divided by the count. Statistics, gamma and beta are float32 where x is float16.

    Source: Ioffe & Szegedy 2015, Batch Normalization.
    """

    def infer(self, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, Spec, Spec]:
        check("Batch normalization", x, gamma, beta, over=x.shape[:-1])
        return x, gamma, gamma

    def backward(self) -> Operation:
        return BatchNormGrad(self.epsilon)

    def through_statistics(self, ct: Gradients, statistics: Sequence[Value], x: Value) -> Value | None:
        (by_mean, by_variance), mean = ct, statistics[0]
        count = float(math.prod(x.spec.dims[:-1]))
        by_way = None if by_mean is None else broadcast_to(divide(by_mean, count), x.spec.dims)
        if by_variance is None:
            return by_way
        apart = subtract(cast(x, mean.dtype), mean)
        return total(by_way, multiply(apart, multiply(by_variance, 2.0 / count)))

    def compute(self, xp: Any, out: Any, x: Any, gamma: Any, beta: Any, *, scratch: Any = ()) -> None:
        (y, mean, variance), (apart, work, factor), rows = out, scratch, tuple(range(x.ndim - 1))
        xp.mean(x, axis=rows, dtype=mean.dtype, out=mean)
        xp.subtract(x, mean, out=apart)
        xp.multiply(apart, apart, out=work)
        xp.mean(work, axis=rows, out=variance)
        inverse_root(xp, variance, self.epsilon, factor)
        xp.multiply(factor, gamma, out=factor)
        scale(xp, y, apart, factor, beta)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, ...]:
            y, mean, variance = np.empty(x.shape), np.empty(x.shape[-1]), np.empty(x.shape[-1])
            for c in range(x.shape[-1]):
                part = x[..., c]
                mean[c] = part.mean()
                variance[c] = ((part - mean[c]) ** 2).mean()
                y[..., c] = (part - mean[c]) / np.sqrt(variance[c] + 1e-3) * gamma[c] + beta[c]
            return y, mean, variance

        return [
            Sample(cls(1e-3), (Spec(s), Spec(s[-1:]), Spec(s[-1:])), reference, label=str(s))
            for s in [*SHAPES, (1, 4), (4, 0)]
        ]


class BatchNormGrad(Operation):
    """Gradients of BatchNorm's y with respect to x, gamma and beta, given the batch's mean and variance."""

    epsilon: float
    n_outputs = 3
    overwrites = ((0, 0),)

    def infer(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, variance: Spec) -> tuple[Spec, Spec, Spec]:
        check("BatchNormGrad", x, gamma, mean, variance)
        return x, gamma, gamma

    def vjp(self, ct: Gradients, out: Sequence[Value], *inputs: Value) -> Gradients:
        g, x, gamma, mean, variance = inputs
        # dx = gamma r (g - G / n - h Q / n), G = sum(g), Q = sum(g h), h = (x - mean) r; sums over rows.
        dtype, dims, axes = mean.dtype, x.spec.dims, tuple(range(x.ndim - 1))
        a, b, c = in_dtype(ct[0], dtype), ct[1], ct[2]
        _, q_sum, g_sum = out
        wide_g, apart = cast(g, dtype), subtract(cast(x, dtype), mean)
        r = rsqrt(add(variance, self.epsilon))
        h = multiply(apart, r)
        share = 1.0 / math.prod(dims[:-1])
        d_g = [scaled(b, h), None if c is None else broadcast_to(c, dims)]
        d_h, d_gamma, d_r = [scaled(b, wide_g)], None, None
        if a is not None:
            a_sum, ah_sum = multiply(sum(a, axes), share), multiply(sum(multiply(a, h), axes), share)
            factor = multiply(gamma, r)
            d_g.append(multiply(factor, subtract(subtract(a, a_sum), multiply(h, ah_sum))))
            turned = add(multiply(wide_g, ah_sum), multiply(a, multiply(q_sum, share)))
            d_h.append(negative(multiply(factor, turned)))
            core = subtract(sum(multiply(a, wide_g), axes), multiply(g_sum, a_sum))
            core = subtract(core, multiply(q_sum, ah_sum))
            d_gamma, d_r = multiply(r, core), multiply(gamma, core)
        return _through_statistics(total(*d_g), total(*d_h), d_gamma, d_r, r, apart, axes, g.dtype)

    def scratch(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, variance: Spec) -> tuple[Spec, ...]:
        return x.with_dtype(gamma.dtype), x.with_dtype(gamma.dtype), gamma, gamma, gamma

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: Any = ()) -> None:
        (ct, x, gamma, mean, variance), (h, work, r, mean_g, mean_gh) = inputs, scratch
        (dx, d_gamma, d_beta), count = out, max(1, math.prod(x.shape[:-1]))
        _weight_gradients(xp, (d_gamma, d_beta), (ct, x, mean, variance), self.epsilon, (h, work, r))
        xp.divide(d_beta, count, out=mean_g)
        xp.divide(d_gamma, count, out=mean_gh)
        xp.multiply(r, gamma, out=r)
        turn_back(xp, dx, ct, h, (mean_g, mean_gh), r)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(ct: np.ndarray, x: np.ndarray, *weights: np.ndarray) -> tuple[np.ndarray, ...]:
            gamma, mean, variance = weights
            dx, d_gamma, d_beta = np.empty(x.shape), np.zeros(gamma.shape), np.zeros(gamma.shape)
            for c in range(x.shape[-1]):
                r = 1 / np.sqrt(variance[c] + 1e-3)
                h, g = (x[..., c] - mean[c]) * r, ct[..., c]
                d_gamma[c], d_beta[c] = (g * h).sum(), g.sum()
                dx[..., c] = gamma[c] * r * (g - g.mean() - h * (g * h).mean())
            return dx, d_gamma, d_beta

        return _gradient_samples(cls(1e-3), 3, reference)


class BatchNormWeightGrad(Operation):
    """BatchNormGrad where nobody needs the gradient for x: that of gamma, and that of beta."""

    epsilon: float
    n_outputs = 2

    def infer(self, ct: Spec, x: Spec, mean: Spec, variance: Spec) -> tuple[Spec, Spec]:
        check("BatchNormWeightGrad", x, mean, variance)
        return mean, mean

    def vjp(self, ct: Gradients, out: Sequence[Value], *inputs: Value) -> Gradients:
        # Gamma has no part in its own gradient; the mean stands in its place.
        g, x, mean, variance = inputs
        whole = BatchNormGrad(self.epsilon).vjp((None, *ct), (g, *out), g, x, mean, mean, variance)
        return *whole[:2], *whole[3:]

    def scratch(self, ct: Spec, x: Spec, mean: Spec, variance: Spec) -> tuple[Spec, ...]:
        return x.with_dtype(mean.dtype), x.with_dtype(mean.dtype), mean

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: Any = ()) -> None:
        _weight_gradients(xp, out, inputs, self.epsilon, scratch)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(ct: np.ndarray, x: np.ndarray, *weights: np.ndarray) -> tuple[np.ndarray, ...]:
            mean, variance = weights
            d_gamma, d_beta = np.zeros(mean.shape), np.zeros(mean.shape)
            for row in np.ndindex(x.shape[:-1]):
                d_gamma += ct[row] * (x[row] - mean) / np.sqrt(variance + 1e-3)
                d_beta += ct[row]
            return d_gamma, d_beta

        return _gradient_samples(cls(1e-3), 2, reference)


def _weight_gradients(xp: Any, out: Any, inputs: Any, epsilon: float, scratch: Any) -> None:
    """Gradients of gamma and beta; (x - mean) * r and r are left in the workspaces."""
    (ct, x, mean, variance), (h, work, r) = inputs, scratch
    inverse_root(xp, variance, epsilon, r)
    xp.subtract(x, mean, out=h)
    xp.multiply(h, r, out=h)
    sum_rows(xp, out, ct, h, work)


def _gradient_samples(op: Operation, weights: int, reference: Any) -> list[Sample]:
    """Samples of (ct, x) and so many vectors of a size for each channel."""
    return [
        Sample(op, (Spec(s), Spec(s), *[Spec(s[-1:])] * weights), reference, 0.5, 2.0, label=str(s))
        for s in SHAPES
    ]


def _through_statistics(
    d_g: Value | None,
    d_h: Value | None,
    d_gamma: Value | None,
    d_r: Value | None,
    r: Value,
    apart: Value,
    axes: tuple[int, ...],
    dtype: str,
) -> Gradients:
    """Gradients of (g, x, gamma, mean, variance) from those of h = apart * r, r = 1 / sqrt(variance + e)."""
    if d_h is None:
        return in_dtype(d_g, dtype), None, d_gamma, None, None
    by_r = total(d_r, sum(multiply(d_h, apart), axes))
    d_variance = scaled(by_r, multiply(multiply(r, multiply(r, r)), -0.5))
    d_x = multiply(d_h, r)
    return in_dtype(d_g, dtype), cast(d_x, dtype), d_gamma, negative(sum(d_x, axes)), d_variance
