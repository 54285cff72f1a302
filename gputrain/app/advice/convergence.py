"""Signs in the course of the training loss: it does not fall, explodes, oscillates, falls slowly, is NaN.

Changes are measured by the loss of the best constant prediction (`RunRecord.scale`), which makes them
comparable between tasks: a loss that is small beside it has room to jump about without harm.
"""

from __future__ import annotations

import numpy as np

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.record import RunRecord
from gputrain.app.advice.tries import advise, higher_rate, lower_rate

# Fewer steps say nothing: a full batch per epoch needs tens of epochs to get anywhere.
LEAST_STEPS = 20
# Within 5% of a constant prediction nothing has been learned of the inputs; a change below 1% is none.
NO_BETTER, FLAT = 0.95, 0.01
# Initial weights may by chance predict a tenth or more of the samples right; beyond a fifth it is no chance.
LEARNED = 0.2
# Beyond any noise of epoch means, and beyond what a new start of the learning rate does.
EXPLODED = 3.0
# An epoch's mean over few batches may move by some percent; a tenth of all there is to learn is a lot.
WIDE_SWING = 0.1
# Half of the way from a constant prediction to perfection: with less, a loss that falls is far from done.
HALFWAY = 0.5


def non_finite(record: RunRecord) -> Advice | None:
    """A step gave NaN or infinity."""
    if not record.failed and (not record.epochs or np.isfinite(record.losses[-1])):
        return None
    where = f"in step {record.good_steps + 1} of the run, at a learning rate of {record.rate:.3g}"
    sign = f"The loss or a gradient became NaN or infinite {where}."
    return advise("non_finite", sign, record)


def exploding(record: RunRecord) -> Advice | None:
    """The loss is a multiple of where it began, and of a constant prediction, and still rises."""
    losses = record.losses
    if len(losses) < 2 or not np.isfinite(losses).all() or not _comparable(record):
        return None
    start = max(losses[0], record.scale)
    if start <= 0 or losses[-1] <= max(EXPLODED * start, losses[-2]):
        return None
    times = f"{losses[-1] / losses[0]:.3g} times that of epoch {record.first} ({losses[0]:.4g})"
    sign = f"The loss explodes: {losses[-1]:.4g} after epoch {record.epoch}, {times}."
    return advise("exploding_loss", sign, record)


def not_falling(record: RunRecord) -> Advice | None:
    """The loss is flat where a constant prediction would be; without a figure for that, where it began."""
    losses = record.losses
    known = record.task.baseline is not None
    if len(losses) < (3 if known else 5) or record.good_steps < LEAST_STEPS or not _comparable(record):
        return None
    recent = losses[-max(3, len(losses) // 2) :] if known else losses
    rates = record.column("rate")[-len(recent) :]
    if not np.isfinite(recent).all() or rates[-1] > rates[0]:  # the learning rate is still warming up
        return None
    if known and (losses.min() < NO_BETTER * record.scale or record.progress() > LEARNED):
        return None
    fall = recent[0] - recent[-max(1, len(recent) // 2) :].mean()
    if fall > max(FLAT * abs(recent[0]), float(np.median(np.abs(np.diff(recent))))):
        return None
    beside = f" A constant prediction has {record.scale:.4g}." if known else ""
    ago = len(recent) - 1
    sign = f"The loss does not fall: {recent[0]:.4g} {ago} epochs ago, {losses[-1]:.4g} now.{beside}"
    shakes = np.ptp(recent) > FLAT * abs(recent[0])
    return advise("loss_not_falling", sign, record, first=(lower_rate if shakes else higher_rate,))


def oscillating(record: RunRecord) -> Advice | None:
    """The loss goes up and down by a large part of what there is to learn, and gets nowhere.

    Noise alone changes the direction in two of three epochs, so the width of the swings decides.
    """
    window = record.losses[-7:]
    if len(window) < 7 or not np.isfinite(window).all() or not _comparable(record):
        return None
    changes = np.diff(window)
    turns = int((np.sign(changes[1:]) * np.sign(changes[:-1]) < 0).sum())
    width = float(np.median(np.abs(changes)))
    if turns < 3 or width < WIDE_SWING * record.scale or window[:3].mean() - window[-3:].mean() > width:
        return None
    swings = f"{turns} times, by {width:.3g} from epoch to epoch"
    between = f"between {window.min():.4g} and {window.max():.4g}"
    sign = f"The loss oscillates: over the last 7 epochs it changed direction {swings}, {between}."
    return advise("oscillating_loss", sign, record)


def slow(record: RunRecord) -> Advice | None:
    """At the end the loss still falls with every epoch, and less than half is learned."""
    recent = record.losses[-5:]
    if not record.ended or len(recent) < 5 or record.epoch < record.planned:
        return None
    if "underfitting" in record.told or record.rate_has_fallen() or not record.progress() < HALFWAY:
        return None
    if not (np.diff(recent) < 0).all() or not recent[0] - recent[-1] >= FLAT * abs(recent[0]):
        return None
    fall = f"from {recent[0]:.4g} to {recent[-1]:.4g} in the last 4"
    learned = f"{max(0.0, record.progress()):.0%} of what there is to learn is learned"
    sign = f"Training ends too early: the loss still falls with every epoch, {fall}, and {learned}."
    return advise("slow_convergence", sign, record)


def _comparable(record: RunRecord) -> bool:
    """Whether the first loss, or that of a constant prediction, tells what is large.

    A model trained further begins with any loss, and a loss may be negative.
    """
    return record.task.baseline is not None or (record.fresh and bool(record.losses[0] > 0))


SIGNS = (non_finite, exploding, not_falling, oscillating, slow)
