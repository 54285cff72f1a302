"""Batch and layer normalization, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value, normalize_axes, normalize_axis
from gputrain.ir.spec import Shape
from gputrain.ops.base import Operation, Sample, apply, cast, convert, require_float, spec_of
from gputrain.ops.creation import ones, zeros
from gputrain.ops.elementwise import add, divide, maximum, multiply, negative, rsqrt, square, subtract
from gputrain.ops.pointwise import as_float
from gputrain.ops.reduction import _sum_into as sum_into
from gputrain.ops.reduction import _sum_scratch as sum_scratch
from gputrain.ops.reduction import sum
from gputrain.ops.shape import broadcast_to, expand_dims, reshape, transpose

__all__ = [
    "BatchNorm",
    "BatchNormGrad",
    "BatchNormWeightGrad",
    "LayerNorm",
    "LayerNormGrad",
    "batch_normalization",
    "layer_normalization",
    "normalize",
]

Gradients = Sequence[Value | None]

_BLOCK = 16384  # elements of a workspace that should stay in cache


def _wide(dtype: str) -> str:
    """Dtype of statistics and of the weights that go with them: float32 for float16."""
    return "float32" if dtype == "float16" else dtype


def _check_weights(what: str, x: Spec, *weights: Spec) -> None:
    """Refuse weights that are not (channels,), or of another dtype than the statistics."""
    require_float(x, what)
    if x.ndim < 1:
        raise ShapeError(explain(f"{what} needs at least one dimension.", received=x))
    for weight in weights:
        if weight.ndim != 1 or x.shape[-1] not in (None, weight.shape[0]):
            raise ShapeError(
                explain(f"{what}: one weight for each channel.", expected=(x.shape[-1],), received=weight)
            )
        if weight.dtype != _wide(x.dtype):
            raise DTypeError(
                explain(
                    f"{what}: gamma and beta have the dtype of the statistics.",
                    expected=_wide(x.dtype),
                    received=weight,
                    fix="Convert with ops.cast.",
                )
            )


def _require_elements(what: str, x: Spec, sizes: Shape) -> None:
    if 0 in sizes:
        raise ShapeError(
            explain(
                f"{what} of no elements has no value.",
                expected="at least one element for each mean",
                received=x,
            )
        )


# ------------------------------------------------------------------------------------ rows, a block at a time


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _rows_of_block(x: Spec) -> int:
    columns = x.dims[-1]
    return max(1, min(math.prod(x.dims[:-1]), _BLOCK // max(1, columns)))


def _flat_block(x: Spec) -> Spec:
    """A workspace for a block of whole rows, one after the other.

    Weights are repeated for each row of it: NumPy takes three times as long for a broadcast.
    """
    return Spec((_rows_of_block(x) * x.dims[-1],), _wide(x.dtype))


def _repeated(xp: Any, weight: Any, block: Any) -> Any:
    """A weight (channels,) for each row of a block."""
    xp.copyto(block.reshape(-1, len(weight)), weight)
    return block


def _written(xp: Any, function: Any, left: Any, right: Any, out: Any) -> None:
    """function(left, right) into `out`, by way of `left` where dtypes differ: NumPy would take a buffer."""
    target = out if out.dtype == left.dtype else left
    function(left, right, out=target)
    if target is not out:
        xp.copyto(out, target, casting="unsafe")


def _rows_scratch(x: Spec, total: Spec) -> tuple[Spec, ...]:
    """Workspaces of `_sum_rows`."""
    return sum_scratch(x, tuple(range(x.ndim - 1)), total)


def _sum_rows(xp: Any, total: Any, x: Any, scratch: Sequence[Any]) -> None:
    """Sum of x over all axes but the last into `total`, in the dtype of the statistics."""
    axes = tuple(range(x.ndim - 1))
    if x.dtype == total.dtype:
        sum_into(xp, total, x, axes, tuple(scratch))
    else:
        xp.sum(x, axis=axes, dtype=total.dtype, out=total)


def _folded(xp: Any, block: Any, out: Any) -> None:
    """The sum of the rows of a block."""
    xp.sum(block.reshape(-1, len(out)), axis=0, out=out)


def _widened(xp: Any, rows: Any, work: Any) -> Any:
    """Rows in the dtype of the statistics: themselves, or a copy in `work`."""
    if rows.dtype == work.dtype:
        return rows
    xp.copyto(work[: len(rows)], rows)
    return work[: len(rows)]


def _centred(xp: Any, rows: Any, mean: Any, work: Any) -> Any:
    """Rows without their mean, in `work`."""
    target = work[: len(rows)]
    xp.subtract(_widened(xp, rows, work), mean, out=target)
    return target


def _add_columns(xp: Any, total: Any, rows: Any, row_of_ones: Any, line: Any) -> None:
    """Add the sum of the rows to `total`: a product takes a fifth of the time of a sum down columns."""
    xp.matmul(row_of_ones[: len(rows)], rows, out=line)
    xp.add(total, line, out=total)


def _inverse_root(xp: Any, variance: Any, epsilon: float, out: Any) -> None:
    xp.add(variance, epsilon, out=out)
    xp.sqrt(out, out=out)
    xp.divide(1, out, out=out)


def _total(parts: Sequence[Value | None]) -> Value | None:
    """Sum of the parts there are."""
    total: Value | None = None
    for part in parts:
        if part is not None:
            total = part if total is None else add(total, part)
    return total


def _scaled(x: Value | None, factor: Value) -> Value | None:
    return None if x is None else multiply(x, factor)


def _cast(x: Value | None, dtype: str) -> Value | None:
    return None if x is None else cast(x, dtype)


# ------------------------------------------------------------------------------------------------------ batch


class BatchNorm(Operation):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over all axes but the last: y, mean, variance.

    The variance is divided by the count. Statistics, gamma and beta are float32 where x is float16.

    Source: Ioffe & Szegedy 2015, Batch Normalization.
    """

    epsilon: float
    n_outputs = 3

    def infer(self, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, Spec, Spec]:
        _check_weights("Batch normalization", x, gamma, beta)
        _require_elements("Batch normalization", x, x.shape[:-1])
        return x, gamma, gamma

    def vjp(
        self, ct: Sequence[Value | None], out: Sequence[Value], x: Value, gamma: Value, beta: Value
    ) -> Gradients:
        by_y, by_mean, by_variance = ct
        _, mean, variance = out
        dx = d_gamma = d_beta = None
        if by_y is not None:
            grad = BatchNormGrad(self.epsilon)
            dx, d_gamma, d_beta = apply(grad, by_y, x, gamma, mean, variance)
        count = float(math.prod(x.spec.dims[:-1]))
        wide = None if by_mean is None else broadcast_to(divide(by_mean, count), x.spec.dims)
        if by_variance is not None:
            difference = subtract(cast(x, mean.dtype), mean)
            wide = _total([wide, multiply(difference, multiply(by_variance, 2.0 / count))])
        return _total([dx, _cast(wide, x.dtype)]), d_gamma, d_beta

    def scratch(self, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, ...]:
        return (*[_flat_block(x)] * 4, gamma, *_rows_scratch(x, gamma))

    def compute(
        self, xp: Any, out: Any, x: Any, gamma: Any, beta: Any, *, scratch: tuple[Any, ...] = ()
    ) -> None:
        (y, mean, variance), (work, middle, total, shift, factor, *sums) = out, scratch
        if not x.size:
            return
        inputs, results, count = x.reshape(-1), y.reshape(-1), x.size // len(mean)
        parts = tuple(_blocks(x.size, len(work)))
        kept = y.dtype == mean.dtype  # y may hold the differences to the mean
        _sum_rows(xp, mean, x, sums)
        xp.divide(mean, count, out=mean)
        _repeated(xp, mean, middle)
        total.fill(0)
        for part in parts:
            size = part.stop - part.start
            centred = _centred(xp, inputs[part], middle[:size], results[part] if kept else work)
            xp.multiply(centred, centred, out=work[:size])
            xp.add(total[:size], work[:size], out=total[:size])
        _folded(xp, total, variance)
        xp.divide(variance, count, out=variance)
        _inverse_root(xp, variance, self.epsilon, factor)
        xp.multiply(factor, gamma, out=factor)
        _repeated(xp, factor, total)
        _repeated(xp, beta, shift)
        for part in parts:
            size = part.stop - part.start
            centred = results[part] if kept else _centred(xp, inputs[part], middle[:size], work)
            xp.multiply(centred, total[:size], out=centred)
            _written(xp, xp.add, centred, shift[:size], results[part])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(
            x: np.ndarray, gamma: np.ndarray, beta: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            y, mean, variance = np.empty(x.shape), np.empty(x.shape[-1]), np.empty(x.shape[-1])
            for c in range(x.shape[-1]):
                part = x[..., c]
                mean[c] = part.mean()
                variance[c] = ((part - mean[c]) ** 2).mean()
                y[..., c] = (part - mean[c]) / np.sqrt(variance[c] + 1e-3) * gamma[c] + beta[c]
            return y, mean, variance

        return [
            Sample(cls(1e-3), (Spec(s), Spec(s[-1:]), Spec(s[-1:])), reference, label=str(s))
            for s in [*_SHAPES, (1, 4), (4, 0)]
        ]


_SHAPES: list[tuple[int, ...]] = [(4, 3), (2, 3, 5), (5, 2, 3, 4), (7, 1), (9, 8), (301, 2), (40, 1030)]


class BatchNormGrad(Operation):
    """Gradients of BatchNorm's y with respect to x, gamma and beta, given the batch's mean and variance."""

    epsilon: float
    n_outputs = 3
    overwrites = ((0, 0),)

    def infer(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, variance: Spec) -> tuple[Spec, Spec, Spec]:
        _check_weights("BatchNormGrad", x, gamma, mean, variance)
        return x, gamma, gamma

    def vjp(
        self,
        ct: Sequence[Value | None],
        out: Sequence[Value],
        g: Value,
        x: Value,
        gamma: Value,
        mean: Value,
        variance: Value,
    ) -> Gradients:
        # dx = gamma r (g - G / n - h Q / n), G = sum(g), Q = sum(g h), h = (x - mean) r; sums over rows.
        dtype, dims, axes = mean.dtype, x.spec.dims, tuple(range(x.ndim - 1))
        a, b, c = _cast(ct[0], dtype), ct[1], ct[2]
        _, q_sum, g_sum = out
        wide_g, apart = cast(g, dtype), subtract(cast(x, dtype), mean)
        r = rsqrt(add(variance, self.epsilon))
        h = multiply(apart, r)
        share = 1.0 / math.prod(dims[:-1])
        d_g = [_scaled(b, h), None if c is None else broadcast_to(c, dims)]
        d_h, d_gamma, d_r = [_scaled(b, wide_g)], None, None
        if a is not None:
            a_sum, ah_sum = multiply(sum(a, axes), share), multiply(sum(multiply(a, h), axes), share)
            factor = multiply(gamma, r)
            d_g.append(multiply(factor, subtract(subtract(a, a_sum), multiply(h, ah_sum))))
            turned = add(multiply(wide_g, ah_sum), multiply(a, multiply(q_sum, share)))
            d_h.append(negative(multiply(factor, turned)))
            core = subtract(sum(multiply(a, wide_g), axes), multiply(g_sum, a_sum))
            core = subtract(core, multiply(q_sum, ah_sum))
            d_gamma, d_r = multiply(r, core), multiply(gamma, core)
        return _through_statistics(_total(d_g), _total(d_h), d_gamma, d_r, r, apart, axes, g.dtype)

    def scratch(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, variance: Spec) -> tuple[Spec, ...]:
        return (*[_flat_block(x)] * 6, gamma, gamma, *_rows_scratch(ct, gamma))

    def compute(
        self,
        xp: Any,
        out: Any,
        ct: Any,
        x: Any,
        gamma: Any,
        mean: Any,
        variance: Any,
        *,
        scratch: tuple[Any, ...] = (),
    ) -> None:
        dx, d_gamma, d_beta = out
        work, other, middle, total, factor, constant, r, small, *sums = scratch
        if not x.size:
            d_gamma.fill(0)
            d_beta.fill(0)
            return
        inputs, cts, results = x.reshape(-1), ct.reshape(-1), dx.reshape(-1)
        count, parts = x.size // len(mean), tuple(_blocks(x.size, len(work)))
        _sum_products(xp, (d_gamma, d_beta), ct, x, mean, (work, other, middle, total, *sums))
        _inverse_root(xp, variance, self.epsilon, r)
        xp.multiply(d_gamma, r, out=d_gamma)
        xp.multiply(d_gamma, r, out=small)
        xp.divide(small, count, out=small)
        slope = _repeated(xp, small, total)
        xp.multiply(r, gamma, out=r)
        _repeated(xp, r, factor)
        xp.divide(d_beta, count, out=small)
        _repeated(xp, small, constant)
        for part in parts:
            g = _widened(xp, cts[part], other)
            size = len(g)
            h = _centred(xp, inputs[part], middle[:size], work)
            xp.multiply(h, slope[:size], out=h)
            xp.subtract(g, h, out=h)
            xp.subtract(h, constant[:size], out=h)
            _written(xp, xp.multiply, h, factor[:size], results[part])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(
            ct: np.ndarray, x: np.ndarray, gamma: np.ndarray, mean: np.ndarray, variance: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            dx, d_gamma, d_beta = np.empty(x.shape), np.zeros(gamma.shape), np.zeros(gamma.shape)
            for c in range(x.shape[-1]):
                r = 1 / np.sqrt(variance[c] + 1e-3)
                h, g = (x[..., c] - mean[c]) * r, ct[..., c]
                d_gamma[c], d_beta[c] = (g * h).sum(), g.sum()
                dx[..., c] = gamma[c] * r * (g - g.mean() - h * (g * h).mean())
            return dx, d_gamma, d_beta

        return [
            Sample(cls(1e-3), (Spec(s), Spec(s), *[Spec(s[-1:])] * 3), reference, 0.5, 2.0, label=str(s))
            for s in _SHAPES
        ]


def _sum_products(xp: Any, out: Sequence[Any], ct: Any, x: Any, mean: Any, scratch: Sequence[Any]) -> None:
    """Sums of ct * (x - mean) and of ct over rows; the mean repeated for a block is left in scratch[2]."""
    (products, plain), (work, other, middle, total, *sums) = out, scratch
    inputs, cts = x.reshape(-1), ct.reshape(-1)
    _sum_rows(xp, plain, ct, sums)
    _repeated(xp, mean, middle)
    total.fill(0)
    for part in _blocks(x.size, len(work)):
        g = _widened(xp, cts[part], other)
        h = _centred(xp, inputs[part], middle[: len(g)], work)
        xp.multiply(h, g, out=h)
        xp.add(total[: len(g)], h, out=total[: len(g)])
    _folded(xp, total, products)


class BatchNormWeightGrad(Operation):
    """BatchNormGrad where nobody needs the gradient for x: that of gamma, and that of beta."""

    epsilon: float
    n_outputs = 2

    def infer(self, ct: Spec, x: Spec, mean: Spec, variance: Spec) -> tuple[Spec, Spec]:
        _check_weights("BatchNormWeightGrad", x, mean, variance)
        return mean, mean

    def vjp(
        self,
        ct: Sequence[Value | None],
        out: Sequence[Value],
        g: Value,
        x: Value,
        mean: Value,
        variance: Value,
    ) -> Gradients:
        # Gamma has no part in its own gradient; the mean stands in its place.
        whole = BatchNormGrad(self.epsilon).vjp((None, *ct), (g, *out), g, x, mean, mean, variance)
        return *whole[:2], *whole[3:]

    def scratch(self, ct: Spec, x: Spec, mean: Spec, variance: Spec) -> tuple[Spec, ...]:
        return (*[_flat_block(x)] * 4, mean, *_rows_scratch(ct, mean))

    def compute(
        self,
        xp: Any,
        out: Any,
        ct: Any,
        x: Any,
        mean: Any,
        variance: Any,
        *,
        scratch: tuple[Any, ...] = (),
    ) -> None:
        (d_gamma, d_beta), (work, other, middle, total, r, *sums) = out, scratch
        if not x.size:
            d_gamma.fill(0)
            d_beta.fill(0)
            return
        _sum_products(xp, out, ct, x, mean, (work, other, middle, total, *sums))
        _inverse_root(xp, variance, self.epsilon, r)
        xp.multiply(d_gamma, r, out=d_gamma)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(
            ct: np.ndarray, x: np.ndarray, mean: np.ndarray, variance: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            d_gamma, d_beta = np.zeros(mean.shape), np.zeros(mean.shape)
            for row in np.ndindex(x.shape[:-1]):
                d_gamma += ct[row] * (x[row] - mean) / np.sqrt(variance + 1e-3)
                d_beta += ct[row]
            return d_gamma, d_beta

        return [
            Sample(cls(1e-3), (Spec(s), Spec(s), *[Spec(s[-1:])] * 2), reference, 0.5, 2.0, label=str(s))
            for s in _SHAPES
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
        return _cast(d_g, dtype), None, d_gamma, None, None
    by_r = _total([d_r, sum(multiply(d_h, apart), axes)])
    d_variance = _scaled(by_r, multiply(multiply(r, multiply(r, r)), -0.5))
    d_x = multiply(d_h, r)
    return _cast(d_g, dtype), cast(d_x, dtype), d_gamma, negative(sum(d_x, axes)), d_variance


# ------------------------------------------------------------------------------------------------------ layer


class LayerNorm(Operation):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta along the last axis: y, mean, 1 / deviation.

    Statistics, gamma and beta are float32 where x is float16.

    Source: Ba, Kiros & Hinton 2016, Layer Normalization.
    """

    epsilon: float
    n_outputs = 3

    def infer(self, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, Spec, Spec]:
        _check_weights("Layer normalization", x, gamma, beta)
        _require_elements("Layer normalization", x, x.shape[-1:])
        row = x.with_shape(x.shape[:-1]).with_dtype(gamma.dtype)
        return x, row, row

    def vjp(
        self, ct: Sequence[Value | None], out: Sequence[Value], x: Value, gamma: Value, beta: Value
    ) -> Gradients:
        by_y, by_mean, by_rstd = ct
        _, mean, rstd = out
        dx = d_gamma = d_beta = None
        if by_y is not None:
            dx, d_gamma, d_beta = apply(LayerNormGrad(), by_y, x, gamma, mean, rstd)
        size = float(x.spec.dims[-1])
        wide = None if by_mean is None else broadcast_to(expand_dims(divide(by_mean, size), -1), x.spec.dims)
        if by_rstd is not None:
            cube = multiply(rstd, multiply(rstd, rstd))
            slope = expand_dims(multiply(multiply(by_rstd, cube), -1.0 / size), -1)
            apart = subtract(cast(x, mean.dtype), expand_dims(mean, -1))
            wide = _total([wide, multiply(apart, slope)])
        return _total([dx, _cast(wide, x.dtype)]), d_gamma, d_beta

    def scratch(self, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, ...]:
        block = Spec((_rows_of_block(x), x.dims[-1]), _wide(x.dtype))
        return block, block

    def compute(
        self, xp: Any, out: Any, x: Any, gamma: Any, beta: Any, *, scratch: tuple[Any, ...] = ()
    ) -> None:
        (y, means, rstds), (work, squares) = out, scratch
        size = x.shape[-1]
        rows, results = x.reshape(-1, size), y.reshape(-1, size)
        for part in _blocks(len(rows), len(work)):
            mean, rstd = means.reshape(-1, 1)[part], rstds.reshape(-1, 1)[part]
            xp.sum(_widened(xp, rows[part], work), axis=-1, keepdims=True, out=mean)
            xp.divide(mean, size, out=mean)
            centred = _centred(xp, rows[part], mean, work)
            xp.multiply(centred, centred, out=squares[: len(centred)])
            xp.sum(squares[: len(centred)], axis=-1, keepdims=True, out=rstd)
            xp.divide(rstd, size, out=rstd)
            _inverse_root(xp, rstd, self.epsilon, rstd)
            xp.multiply(centred, rstd, out=centred)
            xp.multiply(centred, gamma, out=centred)
            _written(xp, xp.add, centred, beta, results[part])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(
            x: np.ndarray, gamma: np.ndarray, beta: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            y, mean, rstd = np.empty(x.shape), np.empty(x.shape[:-1]), np.empty(x.shape[:-1])
            for row in np.ndindex(x.shape[:-1]):
                mean[row] = x[row].mean()
                rstd[row] = 1 / np.sqrt(((x[row] - mean[row]) ** 2).mean() + 1e-3)
                y[row] = (x[row] - mean[row]) * rstd[row] * gamma + beta
            return y, mean, rstd

        return [
            Sample(cls(1e-3), (Spec(s), Spec(s[-1:]), Spec(s[-1:])), reference, label=str(s))
            for s in [*_SHAPES, (3,), (0, 4)]
        ]


class LayerNormGrad(Operation):
    """Gradients of LayerNorm's y with respect to x, gamma and beta, given its mean and 1 / deviation."""

    n_outputs = 3
    overwrites = ((0, 0),)

    def infer(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, rstd: Spec) -> tuple[Spec, Spec, Spec]:
        _check_weights("LayerNormGrad", x, gamma)
        return x, gamma, gamma

    def vjp(
        self,
        ct: Sequence[Value | None],
        out: Sequence[Value],
        g: Value,
        x: Value,
        gamma: Value,
        mean: Value,
        rstd: Value,
    ) -> Gradients:
        # dx = r (u - mean(u) - h mean(u h)), u = g gamma, h = (x - mean) r; each a mean over the last axis.
        dtype, dims, axes = mean.dtype, x.spec.dims, tuple(range(x.ndim - 1))
        a, b, c = _cast(ct[0], dtype), ct[1], ct[2]
        wide_g, r = cast(g, dtype), expand_dims(rstd, -1)
        apart = subtract(cast(x, dtype), expand_dims(mean, -1))
        h, u = multiply(apart, r), multiply(wide_g, gamma)

        def average(z: Value) -> Value:
            return multiply(sum(z, axis=-1, keepdims=True), 1.0 / dims[-1])

        d_g = [_scaled(b, h), None if c is None else broadcast_to(c, dims)]
        d_h, d_gamma, d_r = [_scaled(b, wide_g)], None, None
        if a is not None:
            ah, uh = average(multiply(a, h)), average(multiply(u, h))
            core = subtract(subtract(a, average(a)), multiply(h, ah))
            d_u = multiply(r, core)
            d_g.append(multiply(d_u, gamma))
            d_gamma = sum(multiply(d_u, wide_g), axes)
            d_h.append(negative(multiply(r, add(multiply(u, ah), multiply(a, uh)))))
            d_r = sum(multiply(core, u), axis=-1)
        by_g, by_h = _cast(_total(d_g), g.dtype), _total(d_h)
        if by_h is None:
            return by_g, None, d_gamma, None, None
        d_x = multiply(by_h, r)
        by_r = _total([d_r, sum(multiply(by_h, apart), axis=-1)])
        return by_g, cast(d_x, g.dtype), d_gamma, negative(sum(d_x, axis=-1)), by_r

    def scratch(self, ct: Spec, x: Spec, gamma: Spec, mean: Spec, rstd: Spec) -> tuple[Spec, ...]:
        rows = _rows_of_block(x)
        block = Spec((rows, x.dims[-1]), _wide(x.dtype))
        row = block.with_shape((rows, 1))
        return block, block, block, row.with_shape((rows,)), gamma, row, row

    def compute(
        self,
        xp: Any,
        out: Any,
        ct: Any,
        x: Any,
        gamma: Any,
        mean: Any,
        rstd: Any,
        *,
        scratch: tuple[Any, ...] = (),
    ) -> None:
        (dx, d_gamma, d_beta), (work, other, third, row_of_ones, line, left, right) = out, scratch
        size = x.shape[-1]
        inputs, cts, results = (array.reshape(-1, max(1, size)) for array in (x, ct, dx))
        row_of_ones.fill(1)
        d_gamma.fill(0)
        d_beta.fill(0)
        for part in _blocks(len(inputs), len(work)):
            r = rstd.reshape(-1, 1)[part]
            g, h = _widened(xp, cts[part], other), _centred(xp, inputs[part], mean.reshape(-1, 1)[part], work)
            u, product, constant, slope = (array[: len(h)] for array in (other, third, left, right))
            xp.multiply(h, r, out=h)
            _add_columns(xp, d_beta, g, row_of_ones, line)
            xp.multiply(g, h, out=product)
            _add_columns(xp, d_gamma, product, row_of_ones, line)
            xp.multiply(g, gamma, out=u)
            xp.multiply(u, h, out=product)
            _averages(xp, u, constant)
            _averages(xp, product, slope)
            xp.multiply(h, slope, out=h)
            xp.subtract(u, h, out=u)
            xp.subtract(u, constant, out=u)
            _written(xp, xp.multiply, u, r, results[part])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(
            ct: np.ndarray, x: np.ndarray, gamma: np.ndarray, mean: np.ndarray, rstd: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            dx, d_gamma, d_beta = np.empty(x.shape), np.zeros(gamma.shape), np.zeros(gamma.shape)
            for row in np.ndindex(x.shape[:-1]):
                h, u = (x[row] - mean[row]) * rstd[row], ct[row] * gamma
                dx[row] = rstd[row] * (u - u.mean() - h * (u * h).mean())
                d_gamma += ct[row] * h
                d_beta += ct[row]
            return dx, d_gamma, d_beta

        return [
            Sample(
                cls(),
                (Spec(s), Spec(s), Spec(s[-1:]), Spec(s[:-1]), Spec(s[:-1])),
                reference,
                0.5,
                2.0,
                label=str(s),
            )
            for s in [*_SHAPES, (3,), (0, 4)]
        ]


def _averages(xp: Any, rows: Any, out: Any) -> None:
    xp.sum(rows, axis=-1, keepdims=True, out=out)
    xp.divide(out, rows.shape[-1], out=out)


# ----------------------------------------------------------------------------------------- public functions


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, channel by channel, with given statistics.

    Args:
        x: array or Value of floats.
        mean, variance: (channels,).
        axis: the axis of the channels.
        offset, scale: (channels,), or None for 0 and 1.
        epsilon: added to the variance.

    Returns:
        the shape and dtype of x; float16 is computed in float32.

    Example:
        >>> batch_normalization(np.ones((2, 1)), np.zeros(1), np.ones(1), -1, epsilon=0.0)
        array([[1.],
               [1.]])
    """
    x = as_float(x)
    dtype = _wide(spec_of(x).dtype)
    place = normalize_axis(axis, x.ndim, "batch_normalization")

    def row(weight: Any) -> Any:
        weight = cast(convert(weight), dtype)
        return reshape(weight, tuple(-1 if i == place else 1 for i in range(x.ndim)))

    factor = rsqrt(add(row(variance), epsilon))
    if scale is not None:
        factor = multiply(factor, row(scale))
    y = multiply(subtract(cast(x, dtype), row(mean)), factor)
    if offset is not None:
        y = add(y, row(offset))
    return cast(y, spec_of(x).dtype)


def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and the variance over `axis`.

    Args:
        x: array or Value of floats.
        gamma, beta: of the sizes of `axis`, or None for 1 and 0.
        axis: one axis or several.
        epsilon: added to the variance, `config.epsilon()` unless given.

    Returns:
        the shape and dtype of x; float16 is computed in float32.

    Example:
        >>> layer_normalization(np.array([[1.0, 3.0]]), epsilon=0.0)
        array([[-1.,  1.]])
    """
    x = as_float(x)
    axes = normalize_axes(axis, x.ndim, "layer_normalization")
    order = (*(i for i in range(x.ndim) if i not in axes), *axes)
    moved = x if order == tuple(range(x.ndim)) else transpose(x, order)
    shape = spec_of(moved).shape
    size = math.prod(spec_of(moved).with_shape(shape[x.ndim - len(axes) :]).dims)
    flat = moved if len(axes) == 1 else _flattened(moved, size, len(axes))
    dtype = _wide(spec_of(x).dtype)

    def weight(given: Any, otherwise: Callable[..., Any]) -> Any:
        return otherwise((size,), dtype) if given is None else reshape(cast(convert(given), dtype), (size,))

    op = LayerNorm(config.epsilon() if epsilon is None else float(epsilon))
    y = apply(op, flat, weight(gamma, ones), weight(beta, zeros))[0]
    if len(axes) > 1:
        y = _unflattened(y, shape)
    return y if moved is x else transpose(y, tuple(int(i) for i in np.argsort(order)))


def normalize(x: Any, axis: int | Sequence[int] = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x divided by its Euclidean length along `axis`.

    Args:
        x: array or Value of floats.
        axis: one axis or several.
        order: 2; other norms are not offered.
        epsilon: shorter lengths count as this one, `config.epsilon()` unless given.

    Returns:
        the shape and dtype of x; float16 is computed in float32. Zeros stay zeros.

    Raises:
        ValueError: another order.

    Example:
        >>> normalize(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]])
    """
    if order != 2:
        rule = "normalize: only the Euclidean norm is offered."
        raise ValueError(explain(rule, expected="order=2", received=order))
    x = as_float(x)
    wide = cast(x, _wide(spec_of(x).dtype))
    axes = normalize_axes(axis, x.ndim, "normalize")
    shortest = config.epsilon() if epsilon is None else float(epsilon)
    total = maximum(sum(square(wide), axes, keepdims=True), shortest * shortest)
    return cast(multiply(wide, rsqrt(total)), spec_of(x).dtype)


def _flattened(x: Any, size: int, count: int) -> Any:
    """x with its last `count` axes as one."""
    shape = spec_of(x).shape
    return reshape(x, _with_one_unknown((*shape[: len(shape) - count], size)))


def _unflattened(x: Any, shape: Shape) -> Any:
    return reshape(x, _with_one_unknown(shape))


def _with_one_unknown(shape: Shape) -> tuple[int, ...]:
    """A shape for `reshape`, with -1 for the size that is not known."""
    return tuple(-1 if n is None else n for n in shape)
