"""The learning-rate range test: train with ever larger rates, and see where the loss falls fastest.

Source: L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gputrain.app.recipes import job
from gputrain.app.recipes.errors import RecipeError
from gputrain.app.recipes.job import Job
from gputrain.app.recipes.recipe import Recipe
from gputrain.errors import NonFiniteError
from gputrain.utils import philox

SMOOTHING = 0.95  # of the exponential mean of the losses
WORSE = 4.0  # the test ends where the loss is so many times its best


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: the learning rate of each step.
        losses: the loss of each step.
        smoothed: its exponential mean, corrected for its beginning at 0.
        suggestion: the rate at which the smoothed loss fell fastest, per factor of the rate; None if it never
            fell.
        largest: the rate at which the smoothed loss was least; a little less is the largest that may work.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]
    suggestion: float | None
    largest: float


def ready(recipe: Recipe, low: float = 1e-6) -> Job:
    """Return a job as of `job.ready`, for `find_lr`: its optimizer follows no schedule.

    Raises:
        as `job.ready`.
    """
    optimizer = {**recipe.settings["optimizer"], "learning_rate": low}
    return job.ready(replace(recipe, settings={**recipe.settings, "optimizer": optimizer}))


def find_lr(
    work: Job,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    advance: Callable[[int, float], None] = lambda step, loss: None,
) -> RangeTest:
    """Train a fresh model with rates from `low` to `high`, a factor apart, a step each.

    Args:
        work: as `ready` returns it; its model is trained and of no use afterwards.
        low, high: the first and last rate, from 1e-12 to 1e6.
        steps: number of rates, 10 to 100,000; the test ends early once the loss is far above its best, or not
            finite.
        advance: called after each step with its number and loss.

    Raises:
        RecipeError: wrong bounds.
    """
    check_bounds(low, high, steps)
    rates = np.geomspace(low, high, steps).tolist()
    losses: list[float] = []
    smoothed: list[float] = []
    mean = 0.0
    for step, (rate, rows) in enumerate(zip(rates, _batches(work, steps), strict=True)):
        work.model.optimizer.learning_rate = rate
        loss = _loss(work, rows)
        if not math.isfinite(loss):
            break
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        losses.append(loss)
        smoothed.append(mean / (1 - SMOOTHING ** (step + 1)))
        advance(step, loss)
        if smoothed[-1] > WORSE * min(smoothed) and step >= 10:
            break
    return RangeTest(rates[: len(losses)], losses, smoothed, *_read_off(rates, smoothed))


def check_bounds(low: float, high: float, steps: int) -> None:
    """Check what `find_lr` is asked for.

    Raises:
        RecipeError: wrong bounds.
    """
    if not 1e-12 <= low < high <= 1e6 or not 10 <= steps <= 100_000:
        rule = "The range test goes from a small rate to a larger one, some steps apart."
        expected = "rates from 1e-12 to 1e6, 10 to 100000 steps"
        raise RecipeError(rule, expected=expected, received=f"{low} to {high} in {steps} steps")


def _batches(work: Job, steps: int) -> Iterator[np.ndarray]:
    """The rows of each step: whole batches of shuffled samples, epoch after epoch."""
    size = min(int(work.recipe.settings["training"]["batch_size"]), len(work.dataset.train))
    seed, stream = work.recipe.settings["seed"], philox.stream_id("recipe/range_test")
    count = len(work.dataset.train)
    orders = (philox.permutation(count, seed, stream, epoch) for epoch in itertools.count())
    batches = (order[i : i + size] for order in orders for i in range(0, count - size + 1, size))
    return itertools.islice(batches, steps)


def _loss(work: Job, rows: np.ndarray) -> float:
    """Train on a batch; its loss, NaN where it was not finite."""
    train = work.dataset.train
    work.model.reset_metrics()
    try:
        logs = work.model.train_on_batch(train.x[rows], train.y[rows], return_dict=True)
    except NonFiniteError:
        return math.nan
    return float(logs["loss"])


def _read_off(rates: Sequence[float], smoothed: Sequence[float]) -> tuple[float | None, float]:
    """(rate of the steepest fall, rate of the least loss)."""
    curve = np.asarray(smoothed)
    if len(curve) < 3:
        return None, rates[0]
    least = int(curve.argmin())
    slopes = np.gradient(curve, np.log(np.asarray(rates[: len(curve)])))
    # The first means are of few losses, so their slope says little.
    begin = min(10, least)
    before = slopes[begin : least + 1]
    steepest = begin + int(before.argmin())
    return (rates[steepest] if slopes[steepest] < 0 else None), rates[least]
