"""Optimizers and learning-rate schedules, with Keras's names and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain.names import missing_name
from gputrain.optimizers import schedules
from gputrain.optimizers.base import Optimizer
from gputrain.optimizers.first_order import SGD, Adam, AdamW, RMSprop
from gputrain.utils.registry import Registry

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

registry: Registry[Optimizer] = Registry(
    "optimizer", [SGD, RMSprop, Adam, AdamW], {"RMSProp": RMSprop, "rmsprop": RMSprop, "adamw": AdamW}
)


def get(identifier: Any) -> Optimizer:
    """The optimizer that a name, config dict, class or instance stands for.

    Args:
        identifier: as above; None is an error.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    found = registry.get(identifier)
    if not isinstance(found, Optimizer):
        raise ValueError(
            f"optimizer must be a name, a config dict or an Optimizer. Received: {identifier!r}."
        )
    return found


def serialize(optimizer: Optimizer) -> Any:
    """The optimizer as plain data.

    Args:
        optimizer: what is to be described.
    """
    return registry.serialize(optimizer)


def deserialize(config: Any, custom_objects: Any = None) -> Optimizer:
    """The optimizer that `serialize` described.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in `config`.
    """
    return registry.deserialize(config, custom_objects)


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__ = missing_name("optimizer", __name__, __all__)
