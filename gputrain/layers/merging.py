"""Layers that make one value of several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, normalize_axis
from gputrain.layers.base import Layer


class Merge(Layer):
    """Base of the layers that take a list of inputs."""

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Check that a list of values comes in.

        Raises:
            ShapeError: one value, an empty list, or a scalar without the axis of samples.
        """
        if not isinstance(input_shape, list | tuple) or not input_shape or not _is_shape(input_shape[0]):
            name = type(self).__name__
            raise ShapeError(
                explain(
                    f"{name} takes a list of inputs.",
                    expected=f"{name}()([a, b])",
                    received=f"an input of shape {input_shape}",
                )
            )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """A position counts where it counts in all inputs that have a mask."""
        given = [mask for mask in previous_mask if mask is not None]
        return reduce(ops.logical_and, given) if given else None


def _is_shape(item: Any) -> bool:
    return isinstance(item, list | tuple)


class Add(Merge):
    """Sum of the inputs, elementwise; sizes of 1 broadcast.

    Shapes:
        a list of (N, ...) to (N, ...).

    Example:
        >>> Add()([numpy.ones((1, 2), "float32"), numpy.ones((1, 2), "float32")])
        array([[2., 2.]], dtype=float32)
    """

    def call(self, inputs: Sequence[Any]) -> Any:
        """The sum."""
        return reduce(ops.add, inputs)


class Concatenate(Merge):
    """The inputs joined along an axis they have.

    Args:
        axis: the axis; its sizes are added up.

    Shapes:
        a list of shapes that agree on all other axes.

    Raises:
        ShapeError: shapes that differ on another axis.

    Example:
        >>> Concatenate()([numpy.ones((5, 2), "float32"), numpy.ones((5, 3), "float32")]).shape
        (5, 5)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Sequence[Any]) -> Any:
        """The joined inputs."""
        return ops.concatenate(list(inputs), axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Masks are joined where the inputs are joined along one of the masks' axes; else as in `Merge`."""
        given = [mask for mask in previous_mask if mask is not None]
        if not given:
            return None
        axis = normalize_axis(self.axis, inputs[0].ndim, "Concatenate")
        if axis >= given[0].ndim:
            return super().compute_mask(inputs, previous_mask)
        masks = [_full_mask(m, x, given[0].ndim) for m, x in zip(previous_mask, inputs, strict=True)]
        return ops.concatenate(masks, axis=axis)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "axis": self.axis}


def _full_mask(mask: Any, x: Any, ndim: int) -> Any:
    """`mask`, or one that is True at all positions of `x`."""
    if mask is not None:
        return mask
    first: Shape = (0,) * (x.ndim - ndim)
    return ops.ones_like(x[(..., *first)], dtype="bool")


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Sum of a list of symbolic values or arrays; see `Add`."""
    return Add(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """A list of symbolic values or arrays joined along `axis`; see `Concatenate`."""
    return Concatenate(axis=axis, **kwargs)(inputs)
