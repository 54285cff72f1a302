"""What batch and layer normalization share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ir.spec import Shape
from gputrain.ops.base import Operation, apply, require_float
from gputrain.ops.cotangents import in_dtype, total
from gputrain.ops.pointwise import Gradients
from gputrain.ops.precision import wide_dtype

# Of samples.
SHAPES: list[tuple[int, ...]] = [(4, 3), (2, 3, 5), (5, 2, 3, 4), (7, 1), (9, 8), (301, 2), (40, 1030)]


def check(what: str, x: Spec, *weights: Spec, over: Shape = ()) -> None:
    """Refuse weights that are not (channels,) or not in the dtype of the statistics, and a mean of nothing.

    Args:
        what: for the message.
        x: what is normalized.
        weights: vectors that belong to it.
        over: the sizes of the axes over which a mean is taken.
    """
    require_float(x, what)
    if x.ndim < 1:
        raise ShapeError(explain(f"{what} needs at least one dimension.", received=x))
    for weight in weights:
        if weight.ndim != 1 or x.shape[-1] not in (None, weight.shape[0]):
            raise ShapeError(
                explain(f"{what}: one weight for each channel.", expected=(x.shape[-1],), received=weight)
            )
        if weight.dtype != wide_dtype(x.dtype):
            raise DTypeError(
                explain(
                    f"{what}: gamma and beta have the dtype of the statistics.",
                    expected=wide_dtype(x.dtype),
                    received=weight,
                    fix="Convert with ops.cast.",
                )
            )
    if 0 in over:
        raise ShapeError(
            explain(
                f"{what} of no elements has no value.",
                expected="at least one element for each mean",
                received=x,
            )
        )


def inverse_root(xp: Any, variance: Any, epsilon: float, out: Any) -> None:
    """1 / sqrt(variance + epsilon) into `out`."""
    xp.add(variance, epsilon, out=out)
    xp.sqrt(out, out=out)
    xp.divide(1, out, out=out)


class _Norm(Operation):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta: y and two statistics of x."""

    epsilon: float
    n_outputs = 3

    def backward(self) -> Operation:
        """The operation of (gradient of y, x, gamma, *statistics)."""
        raise NotImplementedError

    def through_statistics(self, ct: Gradients, statistics: Sequence[Value], x: Value) -> Value | None:
        """What x gets by way of the statistics, in their dtype."""
        raise NotImplementedError

    def vjp(self, ct: Gradients, out: Sequence[Value], x: Value, gamma: Value, beta: Value) -> Gradients:
        dx = d_gamma = d_beta = None
        if ct[0] is not None:
            dx, d_gamma, d_beta = apply(self.backward(), ct[0], x, gamma, *out[1:])
        further = self.through_statistics(ct[1:], out[1:], x)
        return total(dx, in_dtype(further, x.dtype)), d_gamma, d_beta

    def scratch(self, x: Spec, gamma: Spec, beta: Spec) -> tuple[Spec, ...]:
        return x.with_dtype(gamma.dtype), x.with_dtype(gamma.dtype), gamma


def scale(xp: Any, y: Any, apart: Any, factor: Any, beta: Any) -> None:
    """apart * factor + beta into y; `apart` is overwritten."""
    xp.multiply(apart, factor, out=apart)
    xp.add(apart, beta, out=apart)
    xp.copyto(y, apart, casting="unsafe")


def sum_rows(xp: Any, out: Any, ct: Any, h: Any, work: Any) -> None:
    """Sums of ct * h and of ct over all axes but the last: the gradients of gamma and beta."""
    d_gamma, d_beta = out
    rows = tuple(range(ct.ndim - 1))
    xp.multiply(ct, h, out=work)
    xp.sum(work, axis=rows, out=d_gamma)
    xp.sum(ct, axis=rows, dtype=d_beta.dtype, out=d_beta)


def turn_back(xp: Any, dx: Any, u: Any, h: Any, means: Sequence[Any], factor: Any) -> None:
    """(u - mean(u) - h * mean(u * h)) * factor into dx, given the two means; h is overwritten."""
    xp.multiply(h, means[1], out=h)
    xp.subtract(u, h, out=h)
    xp.subtract(h, means[0], out=h)
    xp.multiply(h, factor, out=h)
    xp.copyto(dx, h, casting="unsafe")
