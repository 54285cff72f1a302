"""What is known of a run: all that signs are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gputrain.app.advice.task import Task

NAN = float("nan")


class EpochRow(NamedTuple):
    """One epoch's values; NaN where there is none."""

    loss: float
    val_loss: float = NAN
    accuracy: float = NAN
    val_accuracy: float = NAN
    rate: float = NAN


class ReluUnits(NamedTuple):
    """Units of a relu layer that were 0 for every probe sample."""

    layer: str
    dead: int
    units: int


class ProbeResult(NamedTuple):
    """What the model did with the probe samples after an epoch.

    Attributes:
        epoch: counted from 1.
        relus: one entry per relu layer.
        predicted: how often each class was predicted, (classes,); None unless a class is predicted.
        present: how many probe samples have each class, (classes,).
        accuracy: mean over the classes that occur of the share that was predicted right.
    """

    epoch: int
    relus: tuple[ReluUnits, ...] = ()
    predicted: np.ndarray | None = None
    present: np.ndarray | None = None
    accuracy: float = NAN

    def progress(self) -> float:
        """How far from chance to perfection the accuracy is; NaN where there is none."""
        return NAN if self.present is None else _progress(self.accuracy, 1.0 / np.count_nonzero(self.present))


class Update(NamedTuple):
    """Size of one training step: norm of the change of a weight over the norm of the weight."""

    epoch: int
    weight: str
    ratio: float


@dataclass
class RunRecord:
    """A run so far.

    Attributes:
        task: what is learned.
        planned: the epoch after which fit is to end, counted from 1.
        first: the first epoch, counted from 1.
        epoch: the one that is running or was the last, counted from 1.
        steps: batches per epoch, if known.
        samples: training samples, those of a validation_split among them, if known.
        batch_size: samples per step, if known.
        optimizer: its class's name.
        start_rate: the learning rate before the first step.
        rate: the learning rate now.
        least_rate: the least rate that a callback will set (`min_lr`), if one says so.
        rate_ahead: the largest rate of the epochs to come, as far as it is known.
        fresh: the model had made no step before this fit.
        epochs, probes, updates: what was measured.
        good_steps: steps of this fit that changed the weights.
        unsettled: so many of the first epochs are no ground to judge validation by, as the moving statistics
            that it runs with were still far from those of the batches.
        failed: the run ended in NaN or infinity.
        ended: training is over.
        told: keys of the advice so far.
    """

    task: Task = field(default_factory=Task)
    planned: int = 1
    first: int = 1
    epoch: int = 0
    steps: int | None = None
    samples: int | None = None
    batch_size: int | None = None
    optimizer: str = "Adam"
    start_rate: float = NAN
    rate: float = NAN
    least_rate: float | None = None
    rate_ahead: float = NAN
    fresh: bool = True
    epochs: list[EpochRow] = field(default_factory=list)
    probes: list[ProbeResult] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    good_steps: int = 0
    unsettled: int = 0
    failed: bool = False
    ended: bool = False
    told: set[str] = field(default_factory=set)

    def column(self, name: str) -> np.ndarray:
        """One value of all epochs, (epochs,)."""
        return np.array([getattr(row, name) for row in self.epochs], np.float64)

    @property
    def losses(self) -> np.ndarray:
        """Training loss of each epoch, (epochs,)."""
        return self.column("loss")

    @property
    def scale(self) -> float:
        """What changes of the loss are measured by: the loss of a constant prediction, else the first one."""
        if self.task.baseline is not None:
            return self.task.baseline
        return abs(float(self.losses[0]))

    @property
    def peak_rate(self) -> float:
        """The largest learning rate so far."""
        rates = np.array([*self.column("rate"), self.start_rate, self.rate])
        return float(np.nanmax(rates)) if not np.isnan(rates).all() else NAN

    def rate_has_fallen(self) -> bool:
        """Whether the learning rate is below half of what it was."""
        return self.rate < 0.5 * self.peak_rate

    def progress(self) -> float:
        """How far from a constant prediction to perfection the training data is learned: 0 none, 1 all.

        Where classes are learned, of the accuracy, as class weights and penalties change the loss: that of
        the logs beside the share of the most frequent class, or that of the last probe, whose classes weigh
        the same, beside chance. Else of the loss, that of training or validation, as dropout raises the
        former. The better one counts; NaN if nothing is known.
        """
        if not self.epochs:
            return NAN
        row, share = self.epochs[-1], self.task.largest_share
        known = [_progress(row.accuracy, share)] if share is not None else []
        known += [probe.progress() for probe in self.probes[-1:]]
        if np.isnan(known).all() and self.task.baseline is not None:
            known = [1.0 - loss / self.task.baseline for loss in (row.loss, row.val_loss)]
        return max((value for value in known if not np.isnan(value)), default=NAN)


def _progress(accuracy: float, chance: float) -> float:
    return (accuracy - chance) / (1.0 - chance) if chance < 1.0 else NAN
