"""Signs in training beside validation: overfitting, bad generalization, underfitting."""

from __future__ import annotations

import math

import numpy as np

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.record import RunRecord
from gputrain.app.advice.tries import advise

# How many epochs in a row something must hold: one or two are noise.
PATIENCE = 3
# Over fewer steps, as epochs of a few batches make them, any loss is flat, and a rise says nothing.
LEAST_STEPS = 20
# The rise of the validation loss past its best: a tenth of it and a twentieth of what there is to learn, as
# a loss near 0 doubles for nothing; and three times its usual change from epoch to epoch, which is noise.
RISE, RISE_OF_SCALE, RISE_OF_NOISE = 0.1, 0.05, 3.0
# A gap of that part of what there is to learn; of accuracy, in points.
WIDE_GAP, WIDE_ACCURACY_GAP = 0.25, 0.15
# Losses within that part of each other are close; a loss that changes by less in PATIENCE + 1 epochs is flat.
CLOSE, FLAT = 0.1, 0.02
# Less than half of the way from a constant prediction to perfection is poor.
POOR = 0.5


def overfitting(record: RunRecord) -> Advice | None:
    """The validation loss has risen past its best for epochs, while the training loss still falls."""
    epochs, val, loss = _validated(record)
    patience = _patience(record)
    if len(val) < patience + 2:
        return None
    best = int(val.argmin())
    if len(val) - 1 - best < patience:
        return None
    recent = float(np.median(val[-patience:]))
    least = max(RISE * abs(val[best]), RISE_OF_SCALE * record.scale, RISE_OF_NOISE * _noise(val))
    if recent - val[best] < least or val[-patience:].min() <= val[best] + 0.5 * least:
        return None
    gap = val - loss
    if not np.median(loss[-patience:]) < loss[best] or not np.median(gap[-PATIENCE:]) > gap[best]:
        return None
    validation = f"best after epoch {epochs[best]} ({val[best]:.4g}) and is {val[-1]:.4g} now"
    training = f"fell from {loss[best]:.4g} to {loss[-1]:.4g}"
    sign = f"The model overfits: the validation loss was {validation}, while the training loss {training}."
    return advise("overfitting", sign, record)


def generalization_gap(record: RunRecord) -> Advice | None:
    """At the end validation is far worse than training and has stood still, without having got worse.

    Of the accuracy where classes are learned, as class weights make the losses incomparable.
    """
    _, val, loss = _validated(record)
    if not record.ended or "overfitting" in record.told or len(val) < PATIENCE + 2:
        return None
    if val[-PATIENCE:].min() < (1.0 - FLAT) * val[:-PATIENCE].min():
        return None
    if record.task.labels is not None:
        loss, val = record.column("accuracy"), record.column("val_accuracy")
        is_wide = (loss - val)[-PATIENCE:].min() > WIDE_ACCURACY_GAP  # False where there is no such metric
        figures = f"the accuracy is {loss[-1]:.3f} in training, {val[-1]:.3f} in validation"
    else:
        is_wide = (val - loss)[-PATIENCE:].min() >= WIDE_GAP * record.scale and loss[-1] < 0.5 * val[-1]
        figures = f"the training loss is {loss[-1]:.4g}, the validation loss {val[-1]:.4g}"
    if not is_wide or (record.task.labels is None and record.task.baseline is None):
        return None
    sign = f"The model generalizes badly: {figures}, and validation no longer gets better."
    return advise("generalization_gap", sign, record)


def underfitting(record: RunRecord) -> Advice | None:
    """Training is poor, and both losses are flat and close together.

    A loss that is flat because the learning rate is spent is another matter, as is one that never fell.
    """
    losses = record.losses
    length = max(PATIENCE + 2, 1 + _patience(record))
    window = losses[-length:]
    if len(losses) < length + 1 or not np.isfinite(window).all() or record.rate_has_fallen():
        return None
    if np.ptp(window) > FLAT * record.scale or not 0.05 < record.progress() < POOR:
        return None
    val = record.column("val_loss")[-1]
    if val - losses[-1] > CLOSE * record.scale:  # False where there is no validation
        return None
    beside = "" if np.isnan(val) else f", that of validation at {val:.4g}"
    learned = f"{record.progress():.0%} of what there is to learn is learned"
    sign = f"The model underfits: the training loss is flat at {losses[-1]:.4g}{beside}, where {learned}."
    return advise("underfitting", sign, record)


def _patience(record: RunRecord) -> int:
    """How many epochs in a row something must hold: PATIENCE, and more where an epoch is of few steps."""
    return max(PATIENCE, math.ceil(LEAST_STEPS * len(record.epochs) / max(1, record.good_steps)))


def _validated(record: RunRecord) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(number, validation loss, training loss) of the epochs that had both and can be judged.

    Empty if a loss was not finite.
    """
    val, loss = record.column("val_loss"), record.losses
    both = ~np.isnan(val)
    both[: record.unsettled] = False
    if np.isinf(val).any() or not np.isfinite(loss).all():
        both[:] = False
    return np.flatnonzero(both) + record.first, val[both], loss[both]


def _noise(values: np.ndarray) -> float:
    """Usual deviation of a value from the middle of its neighbours; a steady rise has none."""
    return float(np.median(np.abs(values[1:-1] - 0.5 * (values[2:] + values[:-2]))))


SIGNS = (overfitting, generalization_gap, underfitting)
