"""Which shapes of targets, outputs and weights belong together. Targets and outputs are never broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Value
from gputrain.ops.pointwise import as_float
from gputrain.utils.notes import note

# Functions that average over the last axis; of (N,) against (N,) they would leave no axis of samples.
AVERAGING: list[Callable[..., Any]] = []


def averaging(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a loss function as one that averages over the last axis; see `per_sample`."""
    AVERAGING.append(function)
    return function


def operand(x: Any, dtype: str | None = None) -> Any:
    """`x` as a Value or array, in `dtype` when that is given."""
    return ops.convert(x, dtype)


def fits(shape: Shape, other: Shape) -> bool:
    """Whether two shapes are equal; an unknown size (None) fits any size."""
    return len(shape) == len(other) and all(
        m is None or n is None or m == n for m, n in zip(shape, other, strict=True)
    )


def align(first: Any, second: Any) -> tuple[Any, Any]:
    """Two operands whose numbers of axes differ by one, brought to one number; all others as they are.

    The longer one must end in an axis of size 1. That axis goes, (N, H, W, 1) against (N, H, W); only
    against (N,) it stays, and both become (N, 1). Two single numbers are those of one sample, (1,) both.
    """
    if first.ndim == second.ndim == 0:
        return ops.expand_dims(first, 0), ops.expand_dims(second, 0)
    if first.ndim == second.ndim + 1:
        second, first = align(second, first)
    elif second.ndim == first.ndim + 1 and second.shape[-1] == 1:
        if first.ndim == 1:
            return ops.expand_dims(first, -1), second
        return first, ops.squeeze(second, -1)
    return first, second


def note_own(what: str, y_true: Any, y_pred: Any) -> None:
    """Say once that code of the user's gets (N,) and (N, 1) as they are, of which arithmetic makes (N, N)."""
    if {y_true.ndim, y_pred.ndim} == {1, 2} and 1 in (y_true.shape[-1], y_pred.shape[-1]):
        note(
            f"{what} is given y_true of shape {tuple(y_true.shape)} and y_pred of shape "
            f"{tuple(y_pred.shape)} as they are. Arithmetic on both broadcasts to all pairs of samples; "
            "reshape one of them first.",
            f"shapes of {what}",
        )


def require_equal(what: str, y_true: Any, y_pred: Any, fix: str | None = None) -> None:
    """Refuse shapes that are not equal.

    Args:
        what: who asks, as "mean_squared_error".
        y_true, y_pred: Values or arrays.
        fix: what to do; unless given, it goes by the shapes.

    Raises:
        ShapeError: with both shapes.
    """
    if not fits(y_true.shape, y_pred.shape):
        raise ShapeError(
            explain(
                f"{what}: y_true must have the shape of y_pred; nothing is broadcast, only a last axis of "
                "size 1 may be missing in one of them.",
                expected=f"y_true of shape {tuple(y_pred.shape)}, as y_pred",
                received=f"y_true of shape {tuple(y_true.shape)}",
                fix=fix or _mended(y_true.shape, y_pred.shape),
            )
        )


def _mended(given: Shape, output: Shape) -> str:
    """What to do about targets of another shape than the outputs."""
    if len(given) > 2 and len(output) > 2 and not fits(given[1:3], output[1:3]):
        return "Resize the targets, as masks, to the size of the outputs, or change the layers before them."
    units = "give the last layer as many units as y has columns."
    if output[-1:] != (1,) and (fits(given, output[:-1]) or fits(given, (*output[:-1], 1))):
        return f"Class indices need to_categorical(y, {output[-1]}); for numbers {units}"
    return f"Reshape y, or {units}"


def aligned(what: str, y_true: Any, y_pred: Any, fix: str | None = None) -> tuple[Any, Any]:
    """Targets and outputs as `align` brings them to one shape; see `require_equal`.

    Raises:
        ShapeError: it does not; with the shapes that came.
    """
    targets, outputs = align(y_true, y_pred)
    if not fits(targets.shape, outputs.shape):
        require_equal(what, y_true, y_pred, fix)
    return targets, outputs


def numeric_pair(what: str, y_true: Any, y_pred: Any, fix: str | None = None) -> tuple[Any, Any]:
    """Targets and outputs of one shape and one float dtype, the output's.

    Args:
        what, fix: see `require_equal`.
        y_true, y_pred: Values or arrays.

    Raises:
        ShapeError: shapes that `align` does not bring together.
    """
    y_pred = as_float(y_pred)
    return aligned(what, operand(y_true, y_pred.dtype), y_pred, fix)


def per_sample(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """(N,) against (N,) as (N, 1) both, so that a mean over the last axis leaves one value a sample."""
    y_true, y_pred = align(y_true, y_pred)
    if y_true.ndim == 1 and y_pred.ndim == 1:
        return ops.expand_dims(y_true, -1), ops.expand_dims(y_pred, -1)
    return y_true, y_pred


def mask_of(y: Any) -> Any:
    """The mask that a symbolic value carries, or None."""
    return y.mask if isinstance(y, Value) else None
