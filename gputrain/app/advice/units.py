"""Signs in the outputs for probe samples: dead relus, classes that are never predicted."""

from __future__ import annotations

import numpy as np

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.record import ProbeResult, ReluUnits, RunRecord
from gputrain.app.advice.tries import BALANCE, advise, listed

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
NAMED = 5  # layers to name


def dead_relus(record: RunRecord) -> Advice | None:
    """Two probes in a row found many units of a layer at 0 for every sample: no gradient reaches them."""
    if len(record.probes) < 2 or record.progress() > ALL_LEARNED:
        return None
    before, now = record.probes[-2:]
    died = {relu.layer for relu in _dead(before)}
    dead = [f"{r.dead} of {r.units} units of {r.layer!r}" for r in _dead(now) if r.layer in died]
    if not dead:
        return None
    said, epochs = ", ".join(dead[:NAMED]), f"{before.epoch} and {now.epoch}"
    sign = f"Relus are dead: {said} gave 0 for every probe sample after epochs {epochs}."
    return advise("dead_relus", sign, record)


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
    rare = RARE / np.count_nonzero(counts)
    is_rare = bool(shares[counts > 0].min() < rare)
    never = np.intersect1d(_never(probes[-2]), _never(probes[-1]))
    never = never[shares[never] < rare] if is_rare else never
    if not never.size or not (is_rare or record.progress() > LEARNED):
        return None
    present = probes[-1].present
    assert present is not None
    what = "Class" if never.size == 1 else "Classes"
    said, epochs = listed(record.task.names_of(never)), f"{probes[-2].epoch} and {probes[-1].epoch}"
    sign = (
        f"{what} {said} came out for none of {int(present.sum())} probe samples after epochs {epochs}, "
        f"though {int(present[never].sum())} of them are of it; {shares[never].max():.1%} of all samples "
        f"are, {shares.max():.1%} of the most frequent class."
    )
    return advise("class_never_predicted", sign, record, first=BALANCE if is_rare else ())


def _dead(probe: ProbeResult) -> list[ReluUnits]:
    return [relu for relu in probe.relus if relu.dead >= max(2.0, DEAD_SHARE * relu.units)]


def _never(probe: ProbeResult) -> np.ndarray:
    """Classes that enough probe samples have and none was taken for."""
    assert probe.present is not None
    assert probe.predicted is not None
    return np.flatnonzero((probe.present >= LEAST_OF_CLASS) & (probe.predicted == 0))


SIGNS = (dead_relus, class_never_predicted)
