"""Penalties that are added to the loss, with Keras's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain.names import public
from gputrain.regularizers.base import Regularizer, registry
from gputrain.regularizers.penalties import L1, L1L2, L2
from gputrain.utils.registry import deserializer, serializer

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "registry",
    "serialize",
]

# Keras has each class under a second name.
l1 = L1
l2 = L2
l1_l2 = L1L2
# Without arguments L1L2 penalizes nothing, which nobody means who asks for it by name.
_BOTH = ("l1_l2", "l1l2", "L1L2")


def get(identifier: Any) -> Any:
    """Return the regularizer that `identifier` stands for.

    Args:
        identifier: a name ("l1", "l2", "l1_l2", each with factors of 0.01), a dict as `serialize` gives,
            a class, an instance, a callable x -> scalar, or None.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.

    Example:
        >>> get("l2").l2
        0.01
    """
    if isinstance(identifier, str) and identifier in _BOTH:
        return L1L2(l1=0.01, l2=0.01)
    return registry.get(identifier)


serialize = serializer(registry, __name__)
deserialize = deserializer(registry, __name__)


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("regularizer", __name__, __all__)
