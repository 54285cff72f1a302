"""What batch and layer normalization share: the check of weights, and parts of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ir.spec import Shape
from gputrain.ops.base import Operation, apply, cast, require_float
from gputrain.ops.elementwise import add, multiply
from gputrain.ops.pointwise import Gradients
from gputrain.ops.precision import wide

SHAPES: list[tuple[int, ...]] = [
    (4, 3),
    (2, 3, 5),
    (5, 2, 3, 4),
    (7, 1),
    (9, 8),
    (301, 2),
    (40, 1030),
]  # of samples


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
        if weight.dtype != wide(x.dtype):
            raise DTypeError(
                explain(
                    f"{what}: gamma and beta have the dtype of the statistics.",
                    expected=wide(x.dtype),
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


# Cotangents are None where nobody differentiates an output.


def total(*parts: Value | None) -> Value | None:
    """Sum of the parts there are."""
    found: Value | None = None
    for part in parts:
        if part is not None:
            found = part if found is None else add(found, part)
    return found


def scaled(x: Value | None, factor: Value) -> Value | None:
    """x * factor, where there is an x."""
    return None if x is None else multiply(x, factor)


def in_dtype(x: Value | None, dtype: str) -> Value | None:
    """x in another dtype, where there is an x."""
    return None if x is None else cast(x, dtype)
