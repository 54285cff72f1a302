"""Learning rates that follow from the step, with Keras's names; evaluated on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain.names import public
from gputrain.optimizers.schedules.base import LearningRateSchedule, registry
from gputrain.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from gputrain.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from gputrain.utils.registry import deserializer, serializer

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


serialize = serializer(registry, __name__, "learning_rate_schedule")
deserialize = deserializer(registry, __name__)

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("schedule", __name__, __all__)
