"""Optimizers and learning-rate schedules, with Keras's names and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain.names import public
from gputrain.optimizers import schedules
from gputrain.optimizers.base import Optimizer, registry
from gputrain.optimizers.first_order import SGD, Adam, AdamW, RMSprop
from gputrain.utils.registry import deserializer, serializer

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "registry",
    "schedules",
    "serialize",
]


def get(identifier: Any) -> Optimizer:
    """The optimizer that a name, config dict, class or instance stands for.

    Args:
        identifier: as above, a name in capitals or in small letters; None is an error.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    small = identifier.lower() if isinstance(identifier, str) else identifier
    found = registry.get(small if small in registry.names() else identifier)
    if not isinstance(found, Optimizer):
        raise ValueError(
            f"optimizer must be a name, a config dict or an Optimizer. Received: {identifier!r}."
        )
    return found


serialize = serializer(registry, __name__)
deserialize = deserializer(registry, __name__)

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("optimizer", __name__, __all__)
