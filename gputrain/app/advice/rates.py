"""Signs in the learning rate and in what a step does to the weights."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.record import RunRecord
from gputrain.app.advice.tries import advise

# The ratio of a step's change to the weight is about 1e-3 where training goes well (A. Karpathy, CS231n
# notes, "Ratio of weights:updates"); 1e-4 to 1e-2 is common. Ten times outside of that is out of range, as
# the first steps of Adam and layers of other sizes lie somewhat outside without harm.
LARGEST_RATIO, SMALLEST_RATIO = 1e-1, 1e-5
LEAST_MEASURED = 3
# A thousandth of the largest rate moves nothing any more. A cosine over all epochs gets there only in the
# last 2% of its steps ((pi r)^2 / 4 with a share r of the steps to come), so the last 5% are left out.
SPENT, LAST_SHARE = 1e-3, 0.05
NAMED = 3  # layers to name


def updates_too_large(record: RunRecord) -> Advice | None:
    """Step after step changes a weight by more than a tenth of its norm."""
    large = {weight: ratio for weight, ratio in _median_ratios(record).items() if ratio > LARGEST_RATIO}
    if not large:
        return None
    worst = _said(large, largest=True)
    sign = f"Steps are too large: one changes {worst} of its norm; about 0.001 is healthy, up to 0.01 common."
    return advise("update_ratio_high", sign, record)


def updates_too_small(record: RunRecord) -> Advice | None:
    """Steps hardly change the weights, from the first epoch on, and the loss hardly changes either.

    A model that has learned its task also makes small steps: something must be left to learn. A weight that
    does not change at all gets no gradient, which no learning rate mends.
    """
    losses = record.losses
    found = {weight: ratio for weight, ratio in _median_ratios(record).items() if ratio > 0.0}
    if len(losses) < 2 or not found or max(found.values()) >= SMALLEST_RATIO or record.rate_has_fallen():
        return None
    learned = record.progress()
    unknown = np.isnan(learned) and not record.fresh
    if unknown or learned > 0.5 or np.ptp(losses) > 0.02 * abs(record.scale):
        return None
    least = f"one changes {_said(found, largest=False)} of its norm; about 0.001 is healthy"
    sign = f"Steps are too small: {least}. The loss went from {losses[0]:.4g} to {losses[-1]:.4g}."
    return advise("update_ratio_low", sign, record)


def rate_spent(record: RunRecord) -> Advice | None:
    """The learning rate is, and stays, at nothing while many epochs are to come."""
    rates = record.column("rate")
    if len(rates) < 2 or not _epochs_to_come(record) or not record.peak_rate > 0:
        return None
    if not max(rates[-1], rates[-2], record.rate_ahead) <= SPENT * record.peak_rate:
        return None
    at = f"{rates[-1]:.3g}, after {record.peak_rate:.3g} at most"
    sign = f"The learning rate is at its end: {at}, with {_left(record)}, in which the weights hardly change."
    return advise("learning_rate_spent", sign, record)


def rate_at_bound(record: RunRecord) -> Advice | None:
    """A callback has lowered the learning rate to the least that it may, and epochs are to come."""
    least, rates = record.least_rate, record.column("rate")
    if least is None or len(rates) < 2 or not _epochs_to_come(record) or record.ended:
        return None
    if not max(rates[-2:]) <= 1.001 * least or not record.peak_rate > 1.001 * least:
        return None
    at = f"{rates[-1]:.3g}, the min_lr it may fall to, after {record.peak_rate:.3g} at most"
    sign = f"The learning rate is at its bound: {at}, with {_left(record)}."
    return advise("learning_rate_at_bound", sign, record)


def _left(record: RunRecord) -> str:
    return f"{record.planned - record.epoch} of {record.planned} epochs to come"


def _epochs_to_come(record: RunRecord) -> bool:
    return record.planned - record.epoch >= max(1.0, LAST_SHARE * record.planned)


def _median_ratios(record: RunRecord) -> dict[str, float]:
    """Median ratio of each weight that was measured often enough, over at least two epochs."""
    by_weight = defaultdict(list)
    for update in record.updates:
        by_weight[update.weight].append(update)
    return {
        weight: float(np.median([update.ratio for update in found]))
        for weight, found in by_weight.items()
        if len(found) >= LEAST_MEASURED and len({update.epoch for update in found}) > 1
    }


def _said(ratios: dict[str, float], largest: bool) -> str:
    """The worst of the weights, with their figures."""
    worst = sorted(ratios.items(), key=lambda item: item[1], reverse=largest)
    said = ", ".join(f"{weight} by {ratio:.2g}" for weight, ratio in worst[:NAMED])
    return said + (f" ({len(worst) - NAMED} more)" if len(worst) > NAMED else "")


SIGNS = (updates_too_large, updates_too_small, rate_spent, rate_at_bound)
