"""What all learning-rate schedules share."""

from __future__ import annotations

from typing import Any, Self

from gputrain.utils.dtypes import is_number
from gputrain.utils.registry import Registry

registry: Registry[LearningRateSchedule] = Registry("learning-rate schedule", snake=True)


class LearningRateSchedule:
    """A learning rate that follows from the optimizer's step.

    Subclass it and write `__call__`. It runs on the host in plain Python, ahead of the steps it is for, and
    must depend on `step` only.

    Example:
        >>> class Halving(LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 * 0.5 ** (step // 1000)
    """

    name: str = "LearningRateSchedule"

    def __call__(self, step: float) -> float:
        """Return the learning rate of `step`; the first step is 0."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config() to be saved.")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the schedule whose `get_config` gave `config`."""
        return cls(**config)


def check_positive(schedule: str, argument: str, value: float) -> None:
    """Raise a ValueError unless `value` is above 0."""
    if not (is_number(value) and value > 0):
        raise ValueError(f"{schedule}: {argument} must be above 0. Received {value!r}.")
