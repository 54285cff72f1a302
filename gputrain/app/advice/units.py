"""Signs in the outputs for probe samples: dead relus, classes that are never predicted."""

from __future__ import annotations

import numpy as np

from gputrain.app.advice import tries
from gputrain.app.advice.advice import Advice
from gputrain.app.advice.record import ProbeResult, RunRecord

# "As much as 40% of your network can be dead", with too high a learning rate (A. Karpathy, CS231n notes, on
# ReLU). But a wide layer that needs few of its units loses as many without harm: in configs/digits_cnn.toml
# 31% to 44% of the dense layer, at 99% accuracy. So half is asked for, and that something is left to learn.
DEAD_SHARE, ALL_LEARNED = 0.5, 0.9
# Too few samples of a class may all be hard ones.
LEAST_OF_CLASS = 4
# In the first epochs a class may not have had its turn; in a run that ends sooner, the end counts.
EPOCHS, LEAST_EPOCHS = 8, 3
# A class with less than half of its even share is rare. Others come out at last where much is learned.
RARE, LEARNED = 0.5, 0.5
NAMED = 5  # layers or classes to name


def dead_relus(record: RunRecord) -> Advice | None:
    """Two probes in a row found many units of a layer at 0 for every sample: no gradient reaches them."""
    if len(record.probes) < 2 or record.progress() > ALL_LEARNED:
        return None
    before, now = record.probes[-2:]
    died = {relu.layer for relu in before.relus if _is_dead(relu.dead, relu.units)}
    dead = [relu for relu in now.relus if relu.layer in died and _is_dead(relu.dead, relu.units)]
    if not dead:
        return None
    said = ", ".join(f"{r.dead} of {r.units} units of {r.layer!r}" for r in dead[:NAMED])
    return record.advice(
        "dead_relus",
        f"Relus are dead: {said} gave 0 for every probe sample after epochs {before.epoch} and {now.epoch}.",
        tries.lower_rate(record),
        'activation="leaky_relu", "elu" or "gelu" in those layers',
        'kernel_initializer="he_normal" and bias_initializer="zeros" there',
        "BatchNormalization before the relu",
        tries.SCALING,
        "fewer units in those layers",
    )


def class_never_predicted(record: RunRecord) -> Advice | None:
    """Two probes in a row never predicted a class that is there, late enough for it to have been learned.

    A rare class is passed over for the frequent ones. One that is not rare is a sign only if all others are
    learned; while little is, others tell why.
    """
    probes = [probe for probe in record.probes if probe.present is not None]
    counts = record.task.counts
    if len(probes) < 2 or counts is None or len(record.epochs) < (LEAST_EPOCHS if record.ended else EPOCHS):
        return None
    shares = counts / counts.sum()
    is_rare = bool(shares[counts > 0].min() < RARE / np.count_nonzero(counts))
    never = np.intersect1d(_never(probes[-2]), _never(probes[-1]))
    never = never[shares[never] < RARE / np.count_nonzero(counts)] if is_rare else never
    if not never.size or not (is_rare or record.progress() > LEARNED):
        return None
    said = ", ".join(record.task.name_of(int(c)) for c in never[:NAMED])
    more = f" and {never.size - NAMED} more" if never.size > NAMED else ""
    present = probes[-1].present
    assert present is not None
    what = "Class" if never.size == 1 else "Classes"
    balance = (tries.CLASS_WEIGHT, tries.RESAMPLING, tries.COSTS)
    return record.advice(
        "class_never_predicted",
        f"{what} {said}{more} came out for none of {int(present.sum())} probe samples after epochs "
        f"{probes[-2].epoch} and {probes[-1].epoch}, though {int(present[never].sum())} of them are of it; "
        f"{shares[never].max():.1%} of all samples are, {shares.max():.1%} of the most frequent class.",
        *(balance if is_rare else ()),
        tries.more_epochs(record),
        tries.BIGGER_MODEL,
        tries.OTHER_SEED,
        *(() if is_rare else balance),
    )


def _is_dead(dead: int, units: int) -> bool:
    return dead >= max(2.0, DEAD_SHARE * units)


def _never(probe: ProbeResult) -> np.ndarray:
    """Classes that enough probe samples have and none was taken for."""
    assert probe.present is not None
    assert probe.predicted is not None
    return np.flatnonzero((probe.present >= LEAST_OF_CLASS) & (probe.predicted == 0))


SIGNS = (dead_relus, class_never_predicted)
