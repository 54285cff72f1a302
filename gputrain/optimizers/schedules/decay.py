"""Schedules that decay by a power, a polynomial, the inverse of time, or in steps."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from typing import Any

from gputrain.optimizers.schedules.base import LearningRateSchedule, check_positive, registry
from gputrain.utils.signatures import ArgumentsAsConfig, check_settings, shares


class _RateDecay(ArgumentsAsConfig, LearningRateSchedule):
    """What ExponentialDecay and InverseTimeDecay share: their arguments and how steps are counted."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "",
    ) -> None:
        check_positive(type(self).__name__, "decay_steps", decay_steps)
        given = {"initial_learning_rate": initial_learning_rate, "decay_rate": decay_rate}
        check_settings(type(self).__name__, {**given, "staircase": staircase})
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def _periods(self, step: float) -> float:
        periods = step / self.decay_steps
        return math.floor(periods) if self.staircase else periods


@registry.add()
class ExponentialDecay(_RateDecay):
    """initial_learning_rate * decay_rate ** (step / decay_steps).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: after how many steps the rate is multiplied by `decay_rate`, above 0.
        decay_rate: that factor.
        staircase: change only at multiples of `decay_steps`.
        name: kept for reading only.

    Raises:
        ValueError: decay_steps is not above 0.

    Example:
        >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
        0.025
    """

    @shares(_RateDecay.__init__, name="ExponentialDecay")
    def __init__(self, **shared: Any) -> None:
        super().__init__(**shared)

    def __call__(self, step: float) -> float:
        """Return the learning rate of `step`."""
        return float(self.initial_learning_rate * self.decay_rate ** self._periods(step))


@registry.add()
class InverseTimeDecay(_RateDecay):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps make one unit of time, above 0.
        decay_rate: how fast the rate falls per unit of time.
        staircase: change only at multiples of `decay_steps`.
        name: kept for reading only.

    Raises:
        ValueError: decay_steps is not above 0.

    Example:
        >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(10)
        0.05
    """

    @shares(_RateDecay.__init__, name="InverseTimeDecay")
    def __init__(self, **shared: Any) -> None:
        super().__init__(**shared)

    def __call__(self, step: float) -> float:
        """Return the learning rate of `step`."""
        return float(self.initial_learning_rate / (1.0 + self.decay_rate * self._periods(step)))


@registry.add()
class PolynomialDecay(ArgumentsAsConfig, LearningRateSchedule):
    """end + (initial - end) * (1 - step / decay_steps) ** power, and `end` after decay_steps.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps the decay takes, above 0.
        end_learning_rate: the rate at the end.
        power: 1 is a straight line.
        cycle: instead of staying at the end, stretch decay_steps to its next multiple that reaches `step`.
        name: kept for reading only.

    Raises:
        ValueError: decay_steps is not above 0.

    Example:
        >>> PolynomialDecay(1.0, decay_steps=10, end_learning_rate=0.5)(5)
        0.75
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        check_positive("PolynomialDecay", "decay_steps", decay_steps)
        given = {"initial_learning_rate": initial_learning_rate, "end_learning_rate": end_learning_rate}
        check_settings("PolynomialDecay", {**given, "power": power, "cycle": cycle})
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: float) -> float:
        """Return the learning rate of `step`."""
        if self.cycle:
            left = 1.0 - step / (self.decay_steps * max(1, math.ceil(step / self.decay_steps)))
        else:
            left = 1.0 - min(step, self.decay_steps) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return float(self.end_learning_rate + span * left**self.power)


@registry.add()
class PiecewiseConstantDecay(ArgumentsAsConfig, LearningRateSchedule):
    """values[0] up to and with step boundaries[0], then values[1] up to and with boundaries[1], and so on.

    Args:
        boundaries: steps, rising.
        values: the rates, one more than boundaries.
        name: kept for reading only.

    Raises:
        ValueError: lengths that do not fit, or boundaries that do not rise.

    Example:
        >>> rate = PiecewiseConstantDecay([100], [0.1, 0.01])
        >>> rate(100), rate(101)
        (0.1, 0.01)
    """

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                "PiecewiseConstantDecay: values must have one more element than boundaries. "
                f"Received {len(boundaries)} boundaries and {len(values)} values."
            )
        if any(low >= high for low, high in itertools.pairwise(boundaries)):
            raise ValueError(f"PiecewiseConstantDecay: boundaries must rise. Received {list(boundaries)!r}.")
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: float) -> float:
        """Return the learning rate of `step`."""
        return float(self.values[bisect.bisect_left(self.boundaries, step)])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}
