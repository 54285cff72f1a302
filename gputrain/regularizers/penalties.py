"""Penalties on the size of weights."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.regularizers.base import Regularizer, as_factor, registry
from gputrain.utils.signatures import ArgumentsAsConfig


@registry.add()
class L1(ArgumentsAsConfig, Regularizer):
    """l1 * sum(abs(x)).

    Args:
        l1: factor, 0 or more.

    Raises:
        ValueError: l1 is not a finite number, 0 or more.

    Example:
        >>> Dense(3, kernel_regularizer=L1(0.001))
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = as_factor("L1", "l1", l1, 0.01)

    def __call__(self, x: Any) -> Any:
        """Return the penalty, a scalar."""
        return self.l1 * ops.sum(ops.absolute(x))


@registry.add()
class L2(ArgumentsAsConfig, Regularizer):
    """l2 * sum(x ** 2).

    Args:
        l2: factor, 0 or more.

    Raises:
        ValueError: l2 is not a finite number, 0 or more.

    Example:
        >>> Dense(3, kernel_regularizer=L2(0.001))
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = as_factor("L2", "l2", l2, 0.01)

    def __call__(self, x: Any) -> Any:
        """Return the penalty, a scalar."""
        return self.l2 * ops.sum(ops.square(x))


@registry.add("l1_l2")
class L1L2(ArgumentsAsConfig, Regularizer):
    """l1 * sum(abs(x)) + l2 * sum(x ** 2).

    Args:
        l1: factor of the first sum, 0 or more.
        l2: factor of the second sum, 0 or more.

    Raises:
        ValueError: a factor is not a finite number, 0 or more.

    Example:
        >>> Dense(3, kernel_regularizer=L1L2(l1=0.001, l2=0.01))
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = as_factor("L1L2", "l1", l1, 0.0)
        self.l2 = as_factor("L1L2", "l2", l2, 0.0)

    def __call__(self, x: Any) -> Any:
        """Return the penalty, a scalar."""
        if self.l2 == 0.0:
            return self.l1 * ops.sum(ops.absolute(x))
        squares = self.l2 * ops.sum(ops.square(x))
        return squares if self.l1 == 0.0 else self.l1 * ops.sum(ops.absolute(x)) + squares
