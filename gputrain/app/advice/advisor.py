"""Advisor: watches a run and says what to try."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gputrain.app.advice import convergence, generalization, rates, units
from gputrain.app.advice.advice import Advice
from gputrain.app.advice.inputs import data_advice
from gputrain.app.advice.probing import Probe, is_functional, steps_to_settle
from gputrain.app.advice.record import NAN, EpochRow, RunRecord
from gputrain.app.advice.steps import StepWatch
from gputrain.app.advice.task import Task, task_of
from gputrain.callbacks import arguments
from gputrain.callbacks.learning_rate import ReduceLROnPlateau
from gputrain.data.arrays import Arrays, make_arrays, on_host
from gputrain.data.sources import is_iterator
from gputrain.errors import NonFiniteError
from gputrain.models.training.callback import Callback, Logs
from gputrain.utils.plain import plain
from gputrain.utils.progress.bar import show_line

SIGNS = (*convergence.SIGNS, *generalization.SIGNS, *rates.SIGNS, *units.SIGNS)
AHEAD = 64  # places at which a schedule is read for the rest of the run
_ACCURACY = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")


class Advisor(Callback):
    """Says what to try when a run shows a sign of trouble; silent on a healthy one.

    Each advice comes from a measured sign and is printed once, between the lines of the epochs. Before
    training it looks at the data, after each epoch at losses, metrics and the learning rate, and after epochs
    1, 2, 4, 8 ... and at the end into the model, with at most 512 samples. The training itself is left
    exactly as it would be without.

    Args:
        x: the training inputs, an array, or a list or dict of arrays, (N, ...) each. Without them neither the
            data nor the model is looked at.
        y: the training targets. Without them the loss is compared with its own start only.
        feature_names: names of the columns of an x of two dimensions.
        class_names: names of the classes.
        verbose: 1 prints, 0 only collects.

    Attributes:
        advice: what was found in this fit, in order.

    Raises:
        DataError: at the beginning of training, x or y that fit would not take either.

    Example:
        >>> advisor = Advisor(x_train, y_train)
        >>> model.fit(x_train, y_train, epochs=20, validation_split=0.1, callbacks=[advisor])
        >>> [advice.key for advice in advisor.advice]
        ['overfitting']
    """

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        *,
        feature_names: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        self.x = x
        self.y = y
        self.feature_names = None if feature_names is None else list(feature_names)
        self.class_names = None if class_names is None else list(class_names)
        self.verbose = arguments.verbosity(self, verbose)
        self.advice: list[Advice] = []
        self._record = RunRecord()
        self._said = 0  # so many of the advice are printed
        self._probe: Probe | None = None
        self._steps = StepWatch([], None)
        self._start = self._coming = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier fit, and look at the data."""
        self.advice, self._said = [], 0
        is_given = self.x is not None and not is_iterator(self.x)
        data = make_arrays(self.x, self.y, None, "Advisor") if is_given else None
        task = self._task(data)
        plateaus = [found for found in self.companions if isinstance(found, ReduceLROnPlateau)]
        self._start = int(self.model.step_counter)
        self._record = RunRecord(
            task=task,
            planned=int(self.params.get("epochs") or 1),
            steps=self.params.get("steps"),
            samples=None if data is None else data.count,
            optimizer=type(self.model.optimizer).__name__,
            start_rate=self._rate(),
            rate=self._rate(),
            least_rate=float(plateaus[0].min_lr) if plateaus else None,
            fresh=self._start == 0,
        )
        self._steps = StepWatch(self.model.trainable_variables, self._record.steps)
        self._probe = Probe(self.model, data.x, task) if data and is_functional(self.model) else None
        if data is not None:
            self._take_in(data_advice(data.x, task, self.model, self.feature_names))
        self._say()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Print what the last epoch gave: now its line is there, and no bar is."""
        if not self._record.epochs:
            self._record.first = epoch + 1
        self._record.epoch = epoch + 1
        self._steps.watch_epoch(self._is_probed())
        self._say()

    def samples_ahead(self, size: int) -> None:
        """Keep the size of the coming batch."""
        self._coming = size

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Keep the weights before a step that is measured; the first tells the size of a batch."""
        if batch == 0:
            together, steps = self.model.steps_per_execution, self._record.steps
            self._record.batch_size = self._coming // (min(together, steps) if steps else together)
        self._steps.before(batch)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Compare the weights with those before."""
        self._record.updates += self._steps.after(self._record.epoch, batch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look for signs."""
        self._measure()
        self._record.epochs.append(_row(logs or {}, self._record.task, self._record.rate))
        if int(self.model.step_counter) < steps_to_settle(self.model):
            self._record.unsettled = len(self._record.epochs)
        if self._is_probed():
            self._look()
        self._look_for_signs()

    def on_train_end(self, logs: Logs = None) -> None:
        """Look for signs a last time, print the rest and let go of the model."""
        self._record.ended = True
        if self._record.epochs and not self._is_probed():
            self._look()
        self._look_for_signs()
        self._end()

    def on_exception(self, exception: BaseException) -> None:
        """Say what is known of a run that ended in NaN."""
        self._measure()
        self._record.failed = isinstance(exception, NonFiniteError) or not bool(self.model.healthy.numpy())
        self._take_in([convergence.non_finite(self._record)])
        self._end()

    # ---------------------------------------------------------------------------------------------- measuring

    def _task(self, data: Arrays | None) -> Task:
        """What is learned, for a model with one output."""
        resolved = getattr(self.model._compile_loss, "resolved", [])
        if data is None or len(resolved) != 1 or not hasattr(data.y, "dtype"):
            return Task()
        return task_of(resolved[0], on_host(data.y), self.class_names)

    def _is_probed(self) -> bool:
        """Whether this is epoch 1, 2, 4, 8 ... of the fit."""
        number = self._record.epoch - self._record.first + 1
        return number & (number - 1) == 0

    def _look(self) -> None:
        probe, steps = self._probe, int(self.model.step_counter)
        seen = probe.look(self._record.epoch, steps) if probe else None
        if seen is not None:
            self._record.probes.append(seen)

    def _measure(self) -> None:
        record = self._record
        record.good_steps = int(self.model.step_counter) - self._start
        record.rate = self._rate()
        record.rate_ahead = self._rate_ahead()

    def _rate(self) -> float:
        return float(getattr(self.model.optimizer, "learning_rate", NAN))

    def _rate_ahead(self) -> float:
        """The largest rate of the steps to come: a schedule tells, a number stays as it is."""
        record, schedule = self._record, getattr(self.model.optimizer, "_rate_schedule", None)
        coming = (record.planned - record.epoch) * (record.steps or 0)
        if schedule is None or not coming:
            return record.rate
        now = int(self.model.optimizer.iterations)
        return max(float(schedule(now + int(step))) for step in np.linspace(0, coming, AHEAD))

    # ------------------------------------------------------------------------------------------------- saying

    def _look_for_signs(self) -> None:
        self._take_in(sign(self._record) for sign in SIGNS if self._record.epochs)

    def _take_in(self, found: Iterable[Advice | None]) -> None:
        """Keep what there is no advice of yet; signs come one by one, as some go by earlier ones."""
        for advice in found:
            if advice is not None and advice.key not in self._record.told:
                self._record.told.add(advice.key)
                self.advice.append(advice)

    def _say(self) -> None:
        for advice in self.advice[self._said :] if self.verbose else ():
            show_line(advice.text())
        self._said = len(self.advice)

    def _end(self) -> None:
        self._say()
        self._probe, self._steps = None, StepWatch([], None)


def _row(logs: Any, task: Task, rate: float) -> EpochRow:
    def value(name: str) -> float:
        return float(plain(logs.get(name, NAN)))

    accuracy = next((name for name in _ACCURACY if name in logs and task.labels is not None), "")
    return EpochRow(value("loss"), value("val_loss"), value(accuracy), value(f"val_{accuracy}"), rate)
