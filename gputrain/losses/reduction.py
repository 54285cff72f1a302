"""From the loss of each sample to one number: weights, masks and the reductions of Keras."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.losses.shapes import fits, operand
from gputrain.names import did_you_mean

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")


def check_reduction(reduction: Any) -> str | None:
    """Return `reduction` when it is one of `REDUCTIONS` or None.

    Raises:
        ValueError: it is not.
    """
    if reduction is None or reduction in REDUCTIONS:
        return reduction
    raise ValueError(
        explain(
            "Unknown reduction of a loss.",
            received=repr(reduction),
            fix=did_you_mean(str(reduction), REDUCTIONS),
        )
    )


def safe_divide(x: Any, y: Any) -> Any:
    """x / y; 0 where y is 0."""
    empty = ops.equal(y, 0.0)
    return ops.where(empty, 0.0, ops.divide(x, ops.where(empty, 1.0, y)))


def match_weights(weights: Any, values: Any, what: str = "sample_weight") -> Any:
    """`weights` with axes of size 1, so that it multiplies `values` sample by sample or element by element.

    Args:
        weights: (N,), (N, 1), or the shape of `values`.
        values: per-sample or per-element losses, (N, ...).
        what: name of the weights in the error.

    Returns:
        weights in the dtype of values, with as many axes.

    Raises:
        ShapeError: any other shape.
    """
    weights = operand(weights, values.dtype)
    if fits(weights.shape, values.shape):
        return weights
    if values.ndim and _one_per_sample(weights.shape, values.shape):
        column = ops.squeeze(weights, 1) if weights.ndim == 2 else weights
        return ops.expand_dims(column, tuple(range(1, values.ndim))) if values.ndim > 1 else column
    samples = values.shape[0] if values.ndim else "?"
    raise ShapeError(
        explain(
            f"{what} must have one number for each sample, or for each loss.",
            expected=f"(N,), (N, 1) or {tuple(values.shape)}, with N = {samples}",
            received=tuple(weights.shape),
            fix=None if values.ndim else "The loss gave a single number; let it keep the axis of samples.",
        )
    )


def _one_per_sample(weights: Shape, values: Shape) -> bool:
    if len(weights) not in (1, 2) or weights[1:] not in ((), (1,)):
        return False
    return fits(weights[:1], values[:1])


def match_mask(mask: Any, values: Any) -> Any:
    """A boolean mask as 0 and 1 in the dtype of `values`, with as many axes.

    Raises:
        ShapeError: the mask's shape is not that of the first axes of `values`.
    """
    mask = operand(mask, values.dtype)
    if mask.ndim > values.ndim or not fits(mask.shape, values.shape[: mask.ndim]):
        raise ShapeError(
            explain(
                "The mask of the outputs must have the shape of the losses, or of their first axes.",
                expected=tuple(values.shape),
                received=tuple(mask.shape),
                fix="Use a loss that keeps the masked axis, or a layer before it that drops the mask.",
            )
        )
    return ops.expand_dims(mask, tuple(range(mask.ndim, values.ndim))) if mask.ndim < values.ndim else mask


def both(first: Any, second: Any) -> Any:
    """Product of two weights or masks, either of which may be None."""
    if first is None or second is None:
        return second if first is None else first
    return ops.multiply(first, second)


def reduce_weighted(values: Any, sample_weight: Any, mask: Any, reduction: str | None) -> Any:
    """One loss from many.

    Args:
        values: per-sample or per-element losses, (N, ...).
        sample_weight: see `match_weights`; or None.
        mask: boolean, True where a loss counts; or None.
        reduction: "sum_over_batch_size" and "mean" divide the weighted sum by the number of losses (by the
            number of those that the mask lets count); "mean_with_sample_weight" by the sum of the weights;
            "sum" adds; None and "none" leave the weighted losses as they are.

    Returns:
        a scalar, or losses of the shape of `values`. Where nothing counts, 0.

    Raises:
        ShapeError: weights or a mask that do not belong to `values`.
    """
    weights = None if sample_weight is None else match_weights(sample_weight, values)
    counted = None if mask is None else match_mask(mask, values)
    if counted is not None and reduction in ("sum_over_batch_size", "mean"):
        counted = safe_divide(counted, ops.mean(counted))
    factors = both(weights, counted)
    weighted = values if factors is None else ops.multiply(values, factors)
    if reduction in (None, "none") or values.ndim == 0:
        return weighted
    if reduction == "sum":
        return ops.sum(weighted)
    if reduction == "mean_with_sample_weight" and factors is not None:
        return safe_divide(ops.mean(weighted), ops.mean(factors))
    return ops.mean(weighted)
