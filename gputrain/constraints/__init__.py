"""What weights must keep to after each step, with Keras's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain.constraints.base import Constraint, registry
from gputrain.constraints.norms import MaxNorm, NonNeg, UnitNorm
from gputrain.names import public
from gputrain.utils.registry import deserializer, serializer

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

# Keras has each class under a second name.
max_norm = MaxNorm
non_neg = NonNeg
unit_norm = UnitNorm


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


serialize = serializer(registry, __name__)
deserialize = deserializer(registry, __name__)


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("constraint", __name__, __all__)
