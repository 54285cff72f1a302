"""What batch and layer normalization share: the check of weights, and parts of gradients."""

from __future__ import annotations

from typing import Any

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ir.spec import Shape
from gputrain.ops.base import cast, require_float
from gputrain.ops.elementwise import add, multiply
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


def check_weights(what: str, x: Spec, *weights: Spec) -> None:
    """Refuse weights that are not (channels,), or of another dtype than the statistics."""
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


def require_elements(what: str, x: Spec, sizes: Shape) -> None:
    """Refuse to take the mean of nothing."""
    if 0 in sizes:
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
