"""What weights must keep to after each step, with Keras's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gputrain.constraints.base import Constraint
from gputrain.constraints.norms import MaxNorm, NonNeg, UnitNorm
from gputrain.names import missing_name
from gputrain.utils.registry import Registry

# Keras has each class under a second name.
max_norm = MaxNorm
non_neg = NonNeg
unit_norm = UnitNorm
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
    """Return `constraint` as plain data: {"class_name", "config"}, a function's name, or None.

    Args:
        constraint: what is to be described.
    """
    return registry.serialize(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the constraint that `serialize` described; only registered names and `custom_objects` load.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in `config`.
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "Constraint",
    "MaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "non_neg",
    "registry",
    "serialize",
    "unit_norm",
]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__ = missing_name("constraint", __name__, __all__)
