"""What all constraints share."""

from __future__ import annotations

from typing import Any, Self

from gputrain.utils.registry import Registry

registry: Registry[Constraint] = Registry("constraint", snake=True)


class Constraint:
    """Moves a weight back to where it may be, after each step of the optimizer.

    Subclass it and write `__call__` in `gputrain.ops`.

    Example:
        >>> class AtMostOne(Constraint):
        ...     def __call__(self, w):
        ...         return ops.minimum(w, 1.0)
    """

    def __call__(self, w: Any) -> Any:
        """Return the weight's new value, of the same shape and dtype as `w`."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, w).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the constraint whose `get_config` gave `config`."""
        return cls(**config)
