"""From the loss of each sample to one number: weights, masks and the reductions of Keras."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.losses.shapes import align, operand
from gputrain.names import did_you_mean
from gputrain.utils.notes import note

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")
_AUTO = 'Leave it out, or write "sum_over_batch_size": in Keras 2 "auto" meant that.'


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
            fix=_AUTO if reduction == "auto" else did_you_mean(str(reduction), REDUCTIONS),
        )
    )


def safe_divide(x: Any, y: Any) -> Any:
    """x / y; 0 where y is 0."""
    empty = ops.equal(y, 0.0)
    return ops.where(empty, 0.0, ops.divide(x, ops.where(empty, 1.0, y)))


def match_weights(weights: Any, values: Any) -> tuple[Any, Any]:
    """Weights that multiply values sample by sample or element by element, with as many axes; and the values.

    Args:
        weights: one number, one for each sample, (N,) or (N, 1), or what broadcasts to `values`, (N, ...); a
            last axis of size 1 may be missing on either side. Of weights that fit the first axes and the
            last ones alike, the first ones count.
        values: losses, (N, ...), or one number for the batch, which becomes one for each weight.

    Returns:
        weights in the dtype of values, and values; axes of size 1 added or dropped. One number stays one.

    Raises:
        ShapeError: any other shape.
    """
    weights = operand(weights, values.dtype)
    given, axes = tuple(weights.shape), tuple(values.shape)
    if not given:
        return weights, values
    if not axes:
        _note_single(given)
        return weights, ops.broadcast_to(values, given)
    weights, values = align(weights, values)
    missing = values.ndim - weights.ndim
    if missing >= 0 and _spreads(weights.shape, values.shape[: weights.ndim]):
        return _with_axes(weights, range(weights.ndim, values.ndim)), values
    if missing > 0 and _spreads(weights.shape, values.shape[missing:]):
        return _with_axes(weights, range(missing)), values
    raise ShapeError(
        explain(
            "sample_weight must have one number for each sample, or for each loss.",
            expected=f"(), (N,), (N, 1) or {axes}, with N = {axes[0]}",
            received=given,
        )
    )


def _note_single(weights: Shape) -> None:
    note(
        f"A loss or metric gives a single number for its batch, so weights of shape {weights} only scale it "
        "by their mean. Let it keep the axis of samples: average over the last axis alone.",
        "weights of a single number",
    )


def _spreads(shape: Shape, wanted: Shape) -> bool:
    """Whether an array of as many axes broadcasts to a shape; an unknown size (None) fits any size."""
    return all(m == 1 or m is None or n is None or m == n for m, n in zip(shape, wanted, strict=True))


def _with_axes(x: Any, axes: range) -> Any:
    return ops.expand_dims(x, tuple(axes)) if axes else x


def match_mask(mask: Any, values: Any) -> Any:
    """A boolean mask as 0 and 1 in the dtype of `values`, with as many axes.

    Raises:
        ShapeError: the mask's shape is not that of the first axes of `values`, or 1 in their places; a last
            axis of size 1 may come beside them.
    """
    mask = operand(mask, values.dtype)
    if mask.ndim == values.ndim + 1 and mask.shape[-1] == 1:
        mask = ops.squeeze(mask, -1)
    if mask.ndim > values.ndim or not _spreads(mask.shape, values.shape[: mask.ndim]):
        raise ShapeError(
            explain(
                "The mask of the outputs must have the shape of the losses, or of their first axes; "
                "sizes of 1 count for all.",
                expected=tuple(values.shape),
                received=tuple(mask.shape),
                fix="Use a loss that keeps the masked axis, or a layer before it that drops the mask.",
            )
        )
    return _with_axes(mask, range(mask.ndim, values.ndim))


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
            number of those that the mask lets count); "mean_with_sample_weight" by the sum of the weights as
            they were given; "sum" adds; None and "none" leave the weighted losses as they are.

    Returns:
        a scalar, or losses of the shape of `values`. Where nothing counts, 0.

    Raises:
        ShapeError: weights or a mask that do not belong to `values`.
    """
    weights = None
    if sample_weight is not None:
        weights, values = match_weights(sample_weight, values)
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
        return safe_divide(ops.sum(weighted), ops.sum(factors))
    return ops.mean(weighted)
