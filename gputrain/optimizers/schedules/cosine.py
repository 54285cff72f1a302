"""Schedules that follow a cosine, with warm-up or with restarts.

Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017; linear
warm-up as in P. Goyal et al., "Accurate, large minibatch SGD", 2017.
"""

from __future__ import annotations

import math

from gputrain.optimizers.schedules.base import LearningRateSchedule, check_positive, registry
from gputrain.utils.dtypes import as_number
from gputrain.utils.signatures import ArgumentsAsConfig, check_settings


def _cosine(fraction: float) -> float:
    """Fall from 1 at fraction 0 to 0 at fraction 1."""
    return 0.5 * (1.0 + math.cos(math.pi * fraction))


@registry.add()
class CosineDecay(ArgumentsAsConfig, LearningRateSchedule):
    """A straight rise over warmup_steps, if asked for, then half a cosine over decay_steps down to alpha.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps the decay takes after the warm-up, above 0.
        alpha: the last rate, as a share of the rate that the decay starts from.
        name: kept for reading only.
        warmup_target: the rate that the warm-up rises to; None is no warm-up.
        warmup_steps: how many steps the warm-up takes.

    Raises:
        ValueError: decay_steps is not above 0, or warmup_steps is below 0.

    Example:
        >>> CosineDecay(0.1, decay_steps=100)(50)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        check_positive("CosineDecay", "decay_steps", decay_steps)
        check_settings("CosineDecay", {"initial_learning_rate": initial_learning_rate, "alpha": alpha})
        if warmup_target is not None:
            as_number(warmup_target, "CosineDecay: warmup_target")
        as_number(warmup_steps, "CosineDecay: warmup_steps")
        if warmup_steps < 0:
            raise ValueError(f"CosineDecay: warmup_steps must be 0 or more. Received {warmup_steps!r}.")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: float) -> float:
        """Return the learning rate of `step`."""
        if self.warmup_target is None:
            return self._decayed(self.initial_learning_rate, step)
        if step < self.warmup_steps:
            rise = self.warmup_target - self.initial_learning_rate
            return float(self.initial_learning_rate + rise * step / self.warmup_steps)
        return self._decayed(self.warmup_target, step - self.warmup_steps)

    def _decayed(self, start: float, step: float) -> float:
        fraction = min(step, self.decay_steps) / self.decay_steps
        return float(start * ((1.0 - self.alpha) * _cosine(fraction) + self.alpha))


@registry.add()
class CosineDecayRestarts(ArgumentsAsConfig, LearningRateSchedule):
    """Half cosines down to alpha, each period t_mul times as long and from m_mul times as high.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: length of the first period in steps, above 0.
        t_mul: factor from one period's length to the next, 1 or more.
        m_mul: factor from one period's first rate to the next.
        alpha: the lowest rate, as a share of initial_learning_rate.
        name: kept for reading only.

    Raises:
        ValueError: first_decay_steps is not above 0, or t_mul is below 1.

    Example:
        >>> rate = CosineDecayRestarts(0.1, first_decay_steps=10)
        >>> rate(0), rate(10)
        (0.1, 0.1)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        check_positive("CosineDecayRestarts", "first_decay_steps", first_decay_steps)
        given = {"initial_learning_rate": initial_learning_rate, "m_mul": m_mul, "alpha": alpha}
        check_settings("CosineDecayRestarts", given)
        as_number(t_mul, "CosineDecayRestarts: t_mul")
        if not t_mul >= 1.0:
            raise ValueError(
                f"CosineDecayRestarts: t_mul must be 1 or more, or the periods shrink to nothing. "
                f"Received {t_mul!r}."
            )
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: float) -> float:
        """Return the learning rate of `step`."""
        period, fraction = self._position(step / self.first_decay_steps)
        decayed = self.m_mul**period * _cosine(fraction)
        return float(self.initial_learning_rate * ((1.0 - self.alpha) * decayed + self.alpha))

    def _position(self, time: float) -> tuple[int, float]:
        """Return (period, fraction of it) at `time`, counted in lengths of the first period."""
        if self.t_mul == 1.0:
            return math.floor(time), time - math.floor(time)
        # The logarithm may land just below a restart, so its answer is only the first guess.
        period = int(math.log1p(time * (self.t_mul - 1.0)) / math.log(self.t_mul))
        while self._start(period + 1) <= time:
            period += 1
        while self._start(period) > time:
            period -= 1
        return period, (time - self._start(period)) / self.t_mul**period

    def _start(self, period: int) -> float:
        return (self.t_mul**period - 1.0) / (self.t_mul - 1.0)
