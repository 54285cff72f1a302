"""Penalties that are added to the loss, with Keras's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gputrain.names import missing_name
from gputrain.regularizers.base import Regularizer
from gputrain.regularizers.penalties import L1, L1L2, L2
from gputrain.utils.registry import Registry

# Keras has each class under a second name.
l1 = L1
l2 = L2
l1_l2 = L1L2
# Without arguments L1L2 penalizes nothing, which nobody means who asks for it by name.
_BOTH = ("l1_l2", "l1l2", "L1L2")
_CLASSES: tuple[type[Regularizer], ...] = (L1, L2, L1L2)
registry: Registry[Regularizer] = Registry("regularizer", _CLASSES, {"l1_l2": L1L2})


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


def serialize(regularizer: Any) -> Any:
    """Return `regularizer` as plain data: {"class_name", "config"}, a function's name, or None.

    Args:
        regularizer: what is to be described.
    """
    return registry.serialize(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the regularizer that `serialize` described; only registered names and `custom_objects` load.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in `config`.
    """
    return registry.deserialize(config, custom_objects)


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

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__ = missing_name("regularizer", __name__, __all__)
