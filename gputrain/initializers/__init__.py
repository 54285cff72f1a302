"""The first values of weights, with Keras's names; drawn on the host, the same for every device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.initializers.base import Initializer
from gputrain.initializers.constant import Constant, Identity, Ones, Zeros
from gputrain.initializers.drawn import (
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
)
from gputrain.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from gputrain.utils.registry import Registry

_CLASSES: tuple[type[Initializer], ...] = (
    Zeros,
    Ones,
    Constant,
    Identity,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    Orthogonal,
)
_ALIASES: dict[str, type[Initializer]] = {
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
}
registry: Registry[Initializer] = Registry("initializer", _CLASSES, _ALIASES)


def get(identifier: Any) -> Any:
    """Return the initializer that `identifier` stands for.

    Args:
        identifier: a name ("he_normal", "HeNormal"), a dict as `serialize` gives, a class, an instance,
            a callable (shape, dtype) -> array, or None.

    Returns:
        An initializer or callable; None for None.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.

    Example:
        >>> get("he_normal")((3, 4)).shape
        (3, 4)
    """
    return registry.get(identifier)


def serialize(initializer: Any) -> Any:
    """Return `initializer` as plain data: {"class_name", "config"}, a function's name, or None."""
    return registry.serialize(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the initializer that `serialize` described; only registered names and `custom_objects` load."""
    return registry.deserialize(config, custom_objects)


__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "deserialize",
    "get",
    "registry",
    "serialize",
]
