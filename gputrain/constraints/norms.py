"""Constraints on the sign and the length of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import config, ops
from gputrain.constraints.base import Constraint, registry
from gputrain.utils.signatures import ArgumentsAsConfig, check_settings

Axis = int | Sequence[int] | None


@registry.add()
class NonNeg(Constraint):
    """Sets negative weights to 0.

    Example:
        >>> Dense(3, kernel_constraint=NonNeg())
    """

    def __call__(self, w: Any) -> Any:
        """Return max(w, 0), of the shape of `w`."""
        return ops.maximum(w, 0.0)


@registry.add()
class MaxNorm(ArgumentsAsConfig, Constraint):
    """Shortens each weight vector that is longer than max_value to that length.

    Args:
        max_value: the greatest length.
        axis: along which lengths are measured: 0 for the kernel of a Dense layer, (inputs, units);
            (0, 1, 2) for that of a Conv2D layer, (KH, KW, C, F); None for one length of all weights.

    Example:
        >>> Dense(3, kernel_constraint=MaxNorm(2.0))
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        check_settings("MaxNorm", {"max_value": max_value, "axis": axis})
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """Return w * clip(length, 0, max_value) / (epsilon + length), of the shape of `w`."""
        length = _length(w, self.axis)
        return w * (ops.clip(length, 0.0, self.max_value) / (length + config.epsilon()))


@registry.add()
class UnitNorm(ArgumentsAsConfig, Constraint):
    """Scales each weight vector to length 1.

    Args:
        axis: along which lengths are measured, as in MaxNorm.

    Example:
        >>> Dense(3, kernel_constraint=UnitNorm())
    """

    def __init__(self, axis: Axis = 0) -> None:
        check_settings("UnitNorm", {"axis": axis})
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """Return w / (epsilon + length), of the shape of `w`."""
        return w / (_length(w, self.axis) + config.epsilon())


def _length(w: Any, axis: Axis) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))
