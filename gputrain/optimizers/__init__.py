"""Optimizers and learning-rate schedules, with Keras's names and defaults."""

from __future__ import annotations

from typing import Any

from ..utils.registry import Registry
from . import schedules
from .base import Optimizer
from .first_order import SGD, Adam, RMSprop

__all__ = ["SGD", "Adam", "Optimizer", "RMSprop", "deserialize", "get", "registry", "schedules", "serialize"]

registry: Registry[Optimizer] = Registry(
    "optimizer", [SGD, RMSprop, Adam], {"RMSProp": RMSprop, "rmsprop": RMSprop}
)


def get(identifier: Any) -> Optimizer:
    """The optimizer that a name, config dict, class or instance stands for."""
    if isinstance(identifier, Optimizer):
        return identifier
    found = registry.get(identifier)
    if not isinstance(found, Optimizer):
        raise ValueError(
            f"optimizer must be a name, a config dict or an Optimizer. Received: {identifier!r}."
        )
    return found


def serialize(optimizer: Optimizer) -> Any:
    """The optimizer as plain data."""
    return registry.serialize(optimizer)


def deserialize(config: Any, custom_objects: Any = None) -> Optimizer:
    """The optimizer that `serialize` described."""
    return registry.deserialize(config, custom_objects)
