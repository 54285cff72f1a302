"""What weights must keep to after each step, with Keras's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.constraints.base import Constraint
from gputrain.constraints.norms import MaxNorm, NonNeg, UnitNorm
from gputrain.utils.registry import Registry

_CLASSES: tuple[type[Constraint], ...] = (MaxNorm, NonNeg, UnitNorm)
registry: Registry[Constraint] = Registry("constraint", _CLASSES)


def get(identifier: Any) -> Any:
    """Return the constraint that `identifier` stands for.

    Args:
        identifier: a name ("max_norm", "MaxNorm"), a dict as `serialize` gives, a class, an instance,
            a callable w -> w, or None.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.

    Example:
        >>> get("max_norm").max_value
        2
    """
    return registry.get(identifier)


def serialize(constraint: Any) -> Any:
    """Return `constraint` as plain data: {"class_name", "config"}, a function's name, or None."""
    return registry.serialize(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the constraint that `serialize` described; only registered names and `custom_objects` load."""
    return registry.deserialize(config, custom_objects)


__all__ = [
    "Constraint",
    "MaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "registry",
    "serialize",
]
