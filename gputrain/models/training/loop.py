"""The loops over epochs and batches: training, validation, prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gputrain.data.sources import Batch, Source
from gputrain.errors import DataError, explain
from gputrain.models.program import Program
from gputrain.models.training.callback_list import CallbackList
from gputrain.models.training.identity import Identity
from gputrain.models.training.interrupts import undivided
from gputrain.models.training.nonfinite import HealthWatch
from gputrain.models.training.state import Place
from gputrain.utils import tree
from gputrain.utils.notes import note


@dataclass
class Fit:
    """One call of fit.

    Args:
        model: which is trained.
        source: batches to train on.
        validation: batches to evaluate on, if any.
        listeners: the callbacks.
        epochs: numbers of the epochs, from the initial one on.
        validation_freq: validate every so many epochs, or in the listed ones (counted from 1).
        identity: what is trained, on what; callbacks find it in `model._training_counters`.
        resume: a checkpoint to resume from; default the one that a callback names, if any.
    """

    model: Any
    source: Source
    validation: Source | None
    listeners: CallbackList
    epochs: range
    validation_freq: int | list[int]
    identity: Identity
    resume: Path | None = None
    place: Place = field(default_factory=Place)

    def run(self) -> None:
        """Train all epochs. Callbacks hear of an early end, also by Ctrl-C: bars end and they let go."""
        outer = self.model._training_counters.place
        try:
            self._train()
        except BaseException as exception:
            self.listeners.on_exception(exception)
            raise
        finally:
            self.model._training_counters.end_fit(outer)

    def _train(self) -> None:
        model, listeners = self.model, self.listeners
        model.stop_training = False
        model._training_counters.identity = self.identity
        self._resume()
        listeners.on_train_begin()
        place = self.place = model._training_counters.begin_fit(self.source, self.epochs.start)
        logs: dict[str, Any] = place.logs
        first = place.epoch
        if place.stopped:
            model.stop_training = True
        for epoch in range(first, first if place.stopped and not place.batch else self.epochs.stop):
            if not place.batch:
                model.reset_metrics()
            listeners.on_epoch_begin(epoch)
            trained = self._train_epoch(epoch)
            if trained is None:
                _say_ran_out(epoch, first=epoch == first)
                break
            logs = trained
            if self.validation is not None and _validates(epoch, self.validation_freq):
                found = self._validate(self.validation)
                logs.update({f"val_{name}": value for name, value in found.items()})
            with undivided:
                place.end_epoch()
            listeners.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        listeners.on_train_end(logs)

    def _resume(self) -> None:
        """Set all state to that of the checkpoint, if there is one."""
        path = self.resume or self.listeners.resumes_from()
        if path is None:
            return
        from gputrain.saving import checkpoint, set_state_tree

        found = checkpoint.read(path)
        self.identity.require(found.about, str(path))
        try:
            set_state_tree(self.model, found.tree, self.listeners.callbacks)
        except ValueError as error:
            fix = "To begin anew, delete that file."
            raise ValueError(f"{path}: this training cannot resume there. {error} {fix}") from error
        if (self.listeners.params or {}).get("verbose"):
            place = self.model._training_counters.place
            batch = f"batch {place.batch} of epoch {place.epoch + 1}"
            note(f"fit resumes after {batch if place.batch else f'epoch {place.epoch}'}, from {path}")

    def _train_epoch(self, epoch: int) -> dict[str, Any] | None:
        """What is left of an epoch; the logs at its end, None if there was no batch.

        The order follows from the steps done before.
        """
        model, place, programs = self.model, self.place, self.model._traced_programs
        resumed = dict(place.logs) if place.batch else None  # a resumed epoch may have no batch left
        last = None
        programs.refresh()
        model._training_counters.recover()
        with HealthWatch(model, f"epoch {epoch + 1}", place) as watch:
            batches = watch.batches(self.source.epoch(watch.first_step, place.batch))
            for group in _groups(iter(()) if place.stopped else batches, model.steps_per_execution):
                last = None  # logs that nobody keeps are not fetched before the next step
                self.listeners.samples_ahead(sum(batch.size for batch in group))
                self.listeners.on_train_batch_begin(place.batch)
                watch.before_steps()
                with undivided:
                    for batch in group:
                        program = train_on(model, batch)
                    last = programs.logs(program)
                    watch.saw(group)
                    place.advance(len(group), self.source)
                self.listeners.on_train_batch_end(place.batch - 1, last)
                watch.look()
                if model.stop_training:
                    break
        logs = resumed if last is None else last.settle()
        if logs is None:
            return None
        place.logs = dict(logs)
        return self._epoch_logs(logs, watch)

    def _validate(self, source: Source) -> dict[str, Any]:
        """Logs of a validation. One that is broken off leaves all as it was after the last training step."""
        before = [(variable, variable.numpy()) for variable in self.model._traced_programs.written_by("test")]
        try:
            return evaluate(self.model, source, self.listeners)
        except BaseException:
            with undivided:
                for variable, contents in before:
                    variable.assign(contents)
            raise

    def _epoch_logs(self, logs: dict[str, Any], watch: HealthWatch) -> dict[str, Any]:
        """The logs over all processes, with the steps that were skipped where they are."""
        merged = self.model._step_strategy.merge_metrics(self.model.metrics, logs)
        _tell_doubts(self.model)
        return {**merged, "skipped_steps": watch.skipped()} if watch.skips else merged


def evaluate(model: Any, source: Source, listeners: CallbackList) -> dict[str, Any]:
    """One pass of the test step; the logs at its end."""
    model.stop_evaluating = False
    model.reset_metrics()
    listeners.on_test_begin()
    programs = model._traced_programs
    programs.refresh()
    last = None
    for step, batch in enumerate(source.epoch(0)):
        last = None  # logs that nobody keeps are not fetched before the next step
        listeners.samples_ahead(batch.size)
        listeners.on_test_batch_begin(step)
        program = programs.get("test", batch.arrays, batch.size)
        program.run(batch, model.run_eagerly)
        last = programs.logs(program)
        listeners.on_test_batch_end(step, last)
        if model.stop_evaluating:
            break
    if last is None:
        raise DataError(explain("evaluate: there was no batch.", fix="Pass data that is not used up."))
    logs: dict[str, Any] = model._step_strategy.merge_metrics(model.metrics, last.settle())
    _tell_doubts(model)
    listeners.on_test_end(logs)
    return logs


def _tell_doubts(model: Any) -> None:
    """Say which metrics gave a number that means nothing."""
    for metric in model.metrics:
        for each in metric.logged().values():
            each.tell_doubt()


def predict(model: Any, source: Source, structure: Any, listeners: CallbackList) -> list[list[np.ndarray]]:
    """One pass of the predict step; the flat outputs of each batch."""
    parts: list[list[np.ndarray]] = []
    model.stop_predicting = False
    listeners.on_predict_begin()
    for step, batch in enumerate(source.epoch(0)):
        listeners.samples_ahead(batch.size)
        listeners.on_predict_batch_begin(step)
        program = model._traced_programs.get("predict", batch.arrays, batch.size)
        program.run(batch, model.run_eagerly)
        parts.append(program.outputs())
        listeners.on_predict_batch_end(step, {"outputs": tree.pack(structure, parts[-1])})
        if model.stop_predicting:
            break
    listeners.on_predict_end()
    return parts


def _groups(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """The batches of each execution."""
    group = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _validates(epoch: int, freq: Any) -> bool:
    if isinstance(freq, int):
        return (epoch + 1) % freq == 0
    return epoch + 1 in freq


def _say_ran_out(epoch: int, first: bool) -> None:
    """An epoch without a batch: an error in the first one, the end of the training later, as in Keras."""
    fix = "Give steps_per_epoch, or data that repeats."
    if first:
        raise DataError(explain("fit: an epoch had no batch.", fix=fix))
    note(f"fit: the data ran out before epoch {epoch + 1}; training stops here. {fix}")


def train_on(model: Any, batch: Batch) -> Program:
    """Run the train step on a batch; its results stay on the device, in the program that is returned."""
    program: Program = model._traced_programs.get("train", batch.arrays, batch.size)
    program.run(batch, model.run_eagerly)
    return program
