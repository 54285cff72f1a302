"""Learning rates that follow from the step, with Keras's names; evaluated on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain.optimizers.schedules.base import LearningRateSchedule
from gputrain.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from gputrain.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from gputrain.utils.registry import Registry

_CLASSES: tuple[type[LearningRateSchedule], ...] = (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
registry: Registry[LearningRateSchedule] = Registry("learning-rate schedule", _CLASSES)


def get(identifier: Any) -> Any:
    """Return the schedule that `identifier` stands for: a dict as `serialize` gives, an instance, a callable.

    Args:
        identifier: as above.

    Raises:
        ValueError: an unknown name, with the nearest one, or arguments that do not fit.
        TypeError: anything else.

    Example:
        >>> get({"class_name": "CosineDecay", "config": {"initial_learning_rate": 1.0, "decay_steps": 2}})(1)
        0.5
    """
    return registry.get(identifier)


def serialize(learning_rate_schedule: Any) -> Any:
    """Return the schedule as plain data: {"class_name", "config"}.

    Args:
        learning_rate_schedule: what is to be described.
    """
    return registry.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the schedule that `serialize` described; only registered names and `custom_objects` load.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in `config`.
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "registry",
    "serialize",
]
