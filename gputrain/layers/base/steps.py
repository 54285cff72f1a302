"""The steps of sequences as one batch, and back."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.ir import Shape, Spec, Value


def without_steps(x: Any) -> Any:
    """(N, T, ...) as (N * T, ...)."""
    samples, steps, *rest = x.shape
    return _reshaped(x, (None if None in (samples, steps) else samples * steps, *rest))


def with_steps(y: Any, sizes: Shape) -> Any:
    """(N * T, ...) as (N, T, ...), its mask too.

    Args:
        y: what was computed from `without_steps`.
        sizes: N and T; None where unknown.
    """
    made = _reshaped(y, (*sizes, *y.shape[1:]))
    if isinstance(y, Value) and y.mask is not None and y.mask.ndim > 1:
        made.mask = _reshaped(y.mask, (*sizes, *y.mask.shape[1:]))
    return made


def _reshaped(x: Any, shape: Shape) -> Any:
    """x under another shape; where that cannot be worked out, only the shape matters."""
    if shape.count(None) > 1:
        return Value(Spec(shape, x.dtype))
    return ops.reshape(x, tuple(-1 if size is None else size for size in shape))
