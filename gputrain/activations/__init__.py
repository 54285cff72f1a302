"""Activation functions, with Keras's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from gputrain.activations.functions import (
    elu,
    exponential,
    gelu,
    hard_sigmoid,
    leaky_relu,
    linear,
    log_softmax,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)
from gputrain.utils.registry import Registry

swish = silu
_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    elu,
    exponential,
    gelu,
    hard_sigmoid,
    leaky_relu,
    linear,
    log_softmax,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)
registry: Registry[Any] = Registry("activation", ())
for _function in _FUNCTIONS:
    registry.register(cast("type[Any]", _function), _function.__name__)
registry.register(cast("type[Any]", silu), "swish")


def get(identifier: Any) -> Any:
    """Return the activation function that `identifier` stands for.

    Args:
        identifier: a name ("relu"), a callable, or None for `linear`.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.

    Example:
        >>> get("relu")([-1.0, 2.0])
        array([0., 2.], dtype=float32)
    """
    return linear if identifier is None else registry.get(identifier)


def serialize(activation: Any) -> Any:
    """Return `activation` as plain data: a function's name, or {"class_name", "config"} of an object."""
    return registry.serialize(activation)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the activation that `serialize` described; only registered names and `custom_objects` load."""
    return linear if config is None else registry.deserialize(config, custom_objects)


__all__ = [
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "registry",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]
