"""What all regularizers share."""

from __future__ import annotations

import math
from typing import Any, Self

from gputrain.utils.registry import Registry

registry: Registry[Regularizer] = Registry("regularizer", snake=True)


class Regularizer:
    """A penalty on a weight or an activation that is added to the loss.

    Subclass it and write `__call__` in `gputrain.ops`.

    Example:
        >>> class Cubic(Regularizer):
        ...     def __call__(self, x):
        ...         return 0.01 * ops.sum(ops.absolute(x) ** 3)
    """

    def __call__(self, x: Any) -> Any:
        """Return the penalty, a scalar of the dtype of `x`."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, x).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the regularizer whose `get_config` gave `config`."""
        return cls(**config)


def as_factor(owner: str, argument: str, value: Any, default: float) -> float:
    """Return `value` as a float, `default` for None.

    Raises:
        ValueError: not a finite number, or below 0.
    """
    if value is None:
        return default
    number = isinstance(value, int | float) or hasattr(value, "__float__")
    if not number or isinstance(value, bool | str) or not (math.isfinite(float(value)) and float(value) >= 0):
        raise ValueError(f"{owner}: {argument} must be a finite number, 0 or more. Received {value!r}.")
    return float(value)
