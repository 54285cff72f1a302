"""Trainer: compile, fit, evaluate, predict and the steps they run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gputrain import compiler, config, metrics, ops, optimizers
from gputrain.data import Arrays
from gputrain.data.ahead import is_reader
from gputrain.data.lookups import check_lookups
from gputrain.data.sources import Batch, Source
from gputrain.errors import GraphError, ShapeError, explain
from gputrain.ir import Value, current_trace, is_float
from gputrain.models.program import Program, ProgramCache
from gputrain.models.training import checks, inputs
from gputrain.models.training.callback_list import CallbackList
from gputrain.models.training.identity import Identity
from gputrain.models.training.interrupts import deferring, undivided
from gputrain.models.training.loop import Fit, evaluate, predict
from gputrain.models.training.nonfinite import HealthWatch, report
from gputrain.models.training.objectives import CompiledLoss, CompiledMetrics
from gputrain.models.training.state import TrainingState
from gputrain.models.training.steps import part_of_step
from gputrain.models.training.strategy import OneProcess, Strategy
from gputrain.ops.base import convert, spec_of
from gputrain.runtime import Variable
from gputrain.utils import states, tree
from gputrain.utils import unpack_x_y_sample_weight as unpack_data
from gputrain.utils.custom_objects import deserialize_keras_object, serialize_keras_object
from gputrain.utils.notes import note
from gputrain.utils.signatures import takes
from gputrain.utils.states import yielding


class Trainer:
    """What makes a model trainable. Mixed into `Model`.

    Attributes:
        stop_training, stop_evaluating, stop_predicting: a callback sets them to end fit, evaluate or predict
            after the batch at hand.
    """

    _derived_attributes: ClassVar[tuple[str, ...]] = ("_traced_programs", "_lock", "_health_watch")

    name: str
    built: bool
    trainable_variables: list[Variable]
    losses: list[Any]
    _held_below: Callable[..., dict[Any, list[Any]]]

    def _start_training_state(self) -> None:
        """State every model has, compiled or not."""
        self._training_counters = TrainingState(self.name)
        self._step_strategy: Strategy = OneProcess()
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.compiled = self.run_eagerly = False
        self._compile_loss: CompiledLoss | None = None
        self._compile_metrics: CompiledMetrics | None = None
        self.optimizer: Any = None
        self.history: Any = None
        self._coming_metrics: Mapping[str, Any] | None = None  # states of metrics that are not made yet
        self._start_running()

    def _start_running(self) -> None:
        """What a model has to run with: made for it, and for each copy anew."""
        self._traced_programs = ProgramCache(self)
        self._lock = threading.RLock()
        self._health_watch: HealthWatch | None = None  # of the epoch that is being trained

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start_running()

    @contextmanager
    def _outside_of_fit(self) -> Iterator[None]:
        """One run at a time: others wait. A generator that is read ahead may not wait for whom it feeds."""
        if not self._lock.acquire(blocking=not is_reader()):
            raise GraphError(
                explain(
                    f"{self.name}: a generator used the model that it feeds.",
                    received="a call from the thread that reads the generator ahead of the training",
                    fix="Let it be read step by step with gputrain.config.set_read_ahead(False).",
                )
            )
        try:
            with deferring():
                yield
        finally:
            self._lock.release()

    @yielding
    def step_counter(self) -> Variable:
        """Number of training steps done; it stands still at a step that was not finite."""
        return self._training_counters.step

    @yielding
    def draw_counter(self) -> Variable:
        """Counts the test and predict steps that drew random numbers, so that each draws anew."""
        return self._training_counters.draws

    @yielding
    def healthy(self) -> Variable:
        """False from the first step that gave NaN or infinity on; nothing changes while it is."""
        return self._training_counters.healthy

    @yielding
    def skipped_steps(self) -> int:
        """Training steps that changed nothing: not finite, under `config.set_nonfinite_steps("skip")`."""
        return int(self._training_counters.skipped)

    # ---------------------------------------------------------------------------------------------- compile

    @checks.names_arguments
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained.

        Args:
            optimizer: name, config or Optimizer.
            loss: name, config, Loss or function of (y_true, y_pred); per output as a list or dict.
            loss_weights: factor of each output's loss.
            metrics: names, Metrics or functions, reported as they are; per output as lists or a dict.
            weighted_metrics: likewise, weighted by sample_weight and class_weight.
            run_eagerly: run the same graph node by node, checking every result for NaN and infinity.
            steps_per_execution: steps between callbacks.
            jit_compile: "auto", True or False; every model is compiled, so all come to the same.
            auto_scale_loss: whether mixed precision may scale the loss; there is none, so both come to the
                same.

        Raises:
            ValueError: an unknown name, with the nearest known one; an argument that is not as above.
        """
        checks.jit_compile(jit_compile)
        checks.flag("compile: auto_scale_loss", auto_scale_loss)
        checks.factors(loss_weights)
        self.run_eagerly = checks.flag("compile: run_eagerly", run_eagerly)
        self.steps_per_execution = checks.count("steps_per_execution", steps_per_execution, 1)
        checks.names(loss, metrics, weighted_metrics)
        self.optimizer = optimizers.get(optimizer)
        self._compile_loss = (
            CompiledLoss(loss, loss_weights, self._names_of_outputs) if loss is not None else None
        )
        self._compile_metrics = (
            CompiledMetrics(metrics, weighted_metrics, self._names_of_outputs, self._compile_loss)
            if metrics is not None or weighted_metrics is not None
            else None
        )
        self._loss_tracker = _mean()
        self.compiled = True
        self._coming_metrics = None
        self._traced_programs.clear()

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was given, as plain data; {} for a model that was not compiled.

        It is {} too, with a note, where a loss or a metric is a function without a name or an object that
        does not describe itself.
        """
        if not self.compiled:
            return {}
        losses, metrics = self._compile_loss, self._compile_metrics
        given = {
            "optimizer": self.optimizer,
            "loss": self.loss,
            "loss_weights": None if losses is None else losses.loss_weights,
            "metrics": None if metrics is None else metrics.given,
            "weighted_metrics": None if metrics is None else metrics.weighted,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": "auto",
        }
        try:
            found = serialize_keras_object(given)
        except (TypeError, NotImplementedError) as error:
            note(f"{self.name}: what compile() was given is not written into the config. {error}")
            return {}
        return dict(found)

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile the model as `get_compile_config` says."""
        try:
            given = deserialize_keras_object(dict(config))
        except ValueError as error:
            from gputrain.data.io.errors import CorruptFileError  # only where something fails

            if isinstance(error, CorruptFileError):
                raise
            rule = f"{self.name}: what compile was given cannot be made again: {error}"
            fix = "load_model(..., compile=False) loads the model without it."
            raise ValueError(explain(rule, fix=fix)) from error
        self.compile(**given)

    def _names_of_outputs(self) -> list[str] | None:
        """Names of the outputs, once a functional model knows them."""
        return getattr(self, "output_names", None)

    @property
    def loss(self) -> Any:
        """The loss given to compile."""
        return self._compile_loss.given if self.compiled and self._compile_loss is not None else None

    @property
    def metrics(self) -> list[Any]:
        """Metrics that fit and evaluate report, and reset before each pass, as in Keras.

        They are the mean loss, those given to compile as one, the loss of each output where there are
        several, attributes of the model, and those of its layers; metrics of a model within it are its own.
        """
        found: list[Any] = []
        if self.compiled:
            trackers = self._compile_loss.trackers.values() if self._compile_loss is not None else ()
            found = [self._loss_tracker, self._compile_metrics, *trackers]
        for layer, held in self._held_below().items():
            if layer is self or not isinstance(layer, Trainer):
                found += [value for value in held if isinstance(value, metrics.Metric)]
        return [metric for metric in dict.fromkeys(found) if metric is not None]

    @property
    def metrics_names(self) -> list[str]:
        """Names of `metrics`; those given to compile are one, "compile_metrics", as in Keras."""
        return [m.name for m in self.metrics]

    def reset_metrics(self) -> None:
        """Set all metrics back to their start."""
        for metric in self.metrics:
            metric.reset_state()

    # ------------------------------------------------------------------------------- steps, to be overridden

    def train_step(self, data: Any) -> Any:
        """One training step, traced. Override it to train in another way.

        Args:
            data: x, (x, y) or (x, y, sample_weight), as values.

        Returns:
            logs: a dict of scalars.
        """
        x, y, sample_weight = unpack_data(data)
        y_pred = self(x, training=True)  # type: ignore[operator]
        loss = self._compiled_loss_of(x, y, y_pred, sample_weight, training=True)
        self._track_compiled_loss(loss, x)
        variables = self.trainable_variables
        if variables:
            self.optimizer.apply(compiler.gradients(loss, variables), variables)
        else:
            note(f"{self.name} has no trainable weights: training changes nothing. Is trainable=False meant?")
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> Any:
        """One step of evaluate, traced."""
        x, y, sample_weight = unpack_data(data)
        y_pred = self(x, training=False)  # type: ignore[operator]
        loss = self._compiled_loss_of(x, y, y_pred, sample_weight, training=False)
        self._track_compiled_loss(loss, x)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """One step of predict, traced: the outputs."""
        return self(unpack_data(data)[0], training=False)  # type: ignore[operator]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The compiled loss plus what layers added (add_loss, regularizers), a scalar.

        Raises:
            ValueError: there is neither a loss nor an added one.
        """
        total = None
        if self._compile_loss is not None:
            with part_of_step("loss"):
                total = self._compile_loss(y, y_pred, sample_weight)
        for extra in map(_scalar, self.losses):
            total = extra if total is None else ops.add(total, extra)
        if total is None:
            raise ValueError(
                explain(f"{self.name}: there is nothing to minimise.", fix="Pass loss= to compile().")
            )
        trace = current_trace()
        if training and trace is not None:
            trace.require(ops.isfinite(total))
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Add a batch to the compiled metrics and return all results."""
        if self._compile_metrics is not None:
            with part_of_step("metrics"):
                self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Results of all metrics by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            found.update(result if isinstance(result, dict) else {metric.name: result})
        return found

    def _compiled_loss_of(self, *batch: Any, training: bool) -> Any:
        """What `compute_loss` gives; one that does not take `training` is not told."""
        told = {"training": training} if takes(self.compute_loss, "training") else {}
        return self.compute_loss(*batch, **told)

    def _track_compiled_loss(self, loss: Any, x: Any) -> None:
        """The epoch's loss is the mean over samples: a batch counts by its size."""
        size = next(leaf for leaf in tree.flatten(x) if leaf is not None).shape[0]
        self._loss_tracker.update_state(loss, sample_weight=float(size))

    # -------------------------------------------------------------------------------------------------- fit

    @checks.names_arguments
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
        resume: Any = None,
    ) -> Any:
        """Train the model.

        Ctrl-C acts at the end of the step at hand, in the main thread and where Python's own handler is in
        place: weights and all other state are then those after that step. No other signal is touched. While
        fit runs, other threads that use the model wait for it, `predict` too.

        Args:
            x: inputs: an array, a list or dict of arrays, or an iterator of batches (x, y[, sample_weight]).
            y: targets, likewise.
            batch_size: samples per step; default 32, or as many as `steps_per_epoch` need to see all data.
            epochs: the epoch to stop after.
            verbose: 0 silent, 1 a bar, 2 one line per epoch, "auto" by where the output goes.
            callbacks: list of callbacks.
            validation_split: share of the last samples to hold out, unless validation_data is given.
            validation_data: (x, y) or (x, y, sample_weight) to evaluate on.
            shuffle: a new order in each epoch; "batch" keeps the batches and draws their order.
            class_weight: weight of each class, as {class: weight}, or "balanced".
            sample_weight: weight of each sample, (N,) or (N, 1), or of each loss.
            initial_epoch: the epoch to begin with, at the batch that follows those of the epochs before it.
            steps_per_epoch: batches per epoch, over as many passes as that takes; default a pass.
            validation_steps, validation_batch_size: likewise for the validation, which always begins with
                the first batch.
            validation_freq: validate every so many epochs, or in the listed ones (counted from 1).
            resume: path of a checkpoint, as `callbacks.BackupAndRestore` writes them. Training resumes after
                the step at which it was taken, and ends as if it had not been interrupted. Model, settings,
                data and callbacks must be those of the checkpoint; `epochs` may be more.

        Returns:
            History: `.history` maps each name to its value per epoch.

        Raises:
            DataError, ShapeError: data that does not fit, before the first step.
            NonFiniteError: a step gave NaN or infinity; weights are those before it.
            ValueError: the checkpoint to resume from is of another training; the message says what differs.
            CorruptFileError, OSError: it cannot be read, or is none.
        """
        self._require_compiled("fit")
        coming = range(checks.epochs("initial_epoch", initial_epoch), checks.epochs("epochs", epochs))
        checks.frequency(validation_freq)
        size = checks.count("batch_size", batch_size)
        steps = checks.count("steps_per_epoch", steps_per_epoch)
        held_size = checks.count("validation_batch_size", validation_batch_size, size)
        held_steps = checks.count("validation_steps", validation_steps)
        shuffle = checks.shuffle(shuffle)
        with self._outside_of_fit():
            share = checks.share(validation_split) if validation_data is None else 0.0
            data, held_out = inputs.training_data(self, x, y, sample_weight, share)
            source = inputs.source_of(self, data, size, steps, "fit", shuffle, class_weight)
            if validation_data is not None:
                held_out = inputs.validation_data(self, validation_data)
            validation = (
                inputs.source_of(self, held_out, held_size, held_steps, "validation_data")
                if held_out
                else None
            )
            names = self._names_of_logs(source, validation)
            listeners = _callback_list(
                callbacks, self, verbose, epochs=epochs, steps=source.steps, metrics=names
            )
            identity = Identity(self, source, validation, shuffle=shuffle, validation_freq=validation_freq)
            path = None if resume is None else Path(resume)
            Fit(self, source, validation, listeners, coming, validation_freq, identity, path).run()
        return self.history

    def _names_of_logs(self, source: Source, validation: Source | None) -> list[str]:
        """What the logs of an epoch will hold; traces both steps, so that errors come before any of them."""
        names = self._prepare_step("train", source).names
        if config.nonfinite_steps() == "skip":
            names = [*names, "skipped_steps"]
        if validation is not None:
            names = names + [f"val_{n}" for n in self._prepare_step("test", validation).names]
        return names

    # --------------------------------------------------------------------------------- evaluate and predict

    @checks.names_arguments
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data, means over samples whatever the batch size.

        Args:
            x, y, sample_weight, batch_size, verbose, callbacks: as in `fit`.
            steps: batches to use; default all.
            return_dict: a dict by name instead of a list.

        Returns:
            the loss, or [loss, metrics ...], or a dict. The list follows `metrics`; values of names that are
            none of theirs, such as "a_mae" of an output "a", come last, in the order of their names.
        """
        self._require_compiled("evaluate")
        size, steps = checks.count("batch_size", batch_size), checks.count("steps", steps)
        with self._outside_of_fit():
            data = inputs.checked_data(self, x, y, sample_weight, "evaluate")
            source = inputs.source_of(self, data, size, steps, "evaluate")
            self._prepare_step("test", source)
            listeners = _callback_list(callbacks, self, verbose, history=False, steps=source.steps, epochs=1)
            logs = evaluate(self, source, listeners)
        return self._in_order_of_metrics(logs, return_dict)

    @checks.names_arguments
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for inputs.

        Args:
            x: an array, a list or dict of arrays, or an iterator of batches of inputs.
            batch_size: samples per step; default 32, or as many as `steps` need to see all data.
            verbose, callbacks: as in `fit`.
            steps: batches to use; default all.

        Returns:
            NumPy array(s) of all samples, in the structure of the model's outputs.
        """
        size, steps = checks.count("batch_size", batch_size), checks.count("steps", steps)
        with self._outside_of_fit():
            data = inputs.checked_data(self, x, None, None, "predict")
            source = inputs.source_of(self, data, size, steps, "predict")
            structure = self._prepare_step("predict", source).structure
            listeners = _callback_list(callbacks, self, verbose, history=False, steps=source.steps, epochs=1)
            parts = predict(self, source, structure, listeners)
        return tree.pack(structure, [_joined(column) for column in zip(*parts, strict=True)])

    @checks.names_arguments
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; returns its loss and metrics as `evaluate` does. Each call is alone."""
        self._require_compiled("train_on_batch")
        with self._outside_of_fit():
            data = inputs.checked_data(self, x, y, sample_weight, "train_on_batch", class_weight)
            source = inputs.whole(data)
            self._prepare_step("train", source)
            if self._health_watch is not None:
                self._health_watch.another_step()
            self._training_counters.recover()
            self.reset_metrics()
            batch = source.first()
            program = self._traced_programs.get("train", batch.arrays, batch.size)
            with undivided:
                program.run(batch, self.run_eagerly)
            if not bool(self._training_counters.healthy.numpy()):
                self.stop_training = False
                report(self, batch, f"step {int(self._training_counters.step) + 1}")
            return self._in_order_of_metrics(program.logs(), return_dict)

    @checks.names_arguments
    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch as `evaluate` returns them. Each call is alone."""
        self._require_compiled("test_on_batch")
        with self._outside_of_fit():
            source = inputs.whole(inputs.checked_data(self, x, y, sample_weight, "test_on_batch"))
            program = self._prepare_step("test", source)
            self.reset_metrics()
            program.run(source.first(), self.run_eagerly)
            return self._in_order_of_metrics(program.logs(), return_dict)

    @checks.names_arguments
    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch of inputs."""
        with self._outside_of_fit():
            source = inputs.whole(inputs.checked_data(self, x, None, None, "predict_on_batch"))
            program = self._prepare_step("predict", source)
            program.run(source.first(), self.run_eagerly)
            return tree.pack(program.structure, program.outputs())

    # ------------------------------------------------------------------------------------------------ state

    @contextmanager
    def undivided(self) -> Iterator[None]:
        """A block that Ctrl-C does not cut, in the main thread and where Python's own handler is in place."""
        with deferring(), undivided:
            yield

    def set_weights(self, weights: list[Any]) -> None:
        """Set all weights from arrays in the order of `weights`; nothing is changed unless all fit.

        Raises:
            ShapeError: the number of arrays or a shape differs.
        """
        with self.undivided():
            super().set_weights(weights)  # type: ignore[misc]

    def training_state(self) -> dict[str, Any]:
        """Counters, and how far fit has got: what `saving.state_tree` keeps as "training"."""
        logs = self._traced_programs.current_logs()
        return self._training_counters.state(logs, bool(self.stop_training))

    def set_training_state(self, state: Mapping[str, Any]) -> None:
        """Set what `training_state` gave; the next fit resumes there.

        Raises:
            ValueError: an entry is missing, unknown or of another shape.
        """
        self._training_counters.set_state(state)

    def metrics_state(self) -> dict[str, Any]:
        """The state of each metric by its name."""
        if self._coming_metrics is not None:
            return dict(self._coming_metrics)
        return {name: states.take(metric) for name, metric in states.by_name(self.metrics).items()}

    def set_metrics_state(self, state: Mapping[str, Any]) -> None:
        """Set what `metrics_state` gave. Metrics that are not made yet get theirs when fit makes them.

        Raises:
            ValueError: a metric is missing or unknown, or its state is of another shape.
        """
        self._coming_metrics = state
        if self._traced_programs.has_traced("train"):
            self._settle_metrics()

    def _settle_metrics(self) -> None:
        state, self._coming_metrics = self._coming_metrics, None
        if state is None:
            return
        known = states.by_name(self.metrics)
        states.check_names("metrics", known, state)
        for name, metric in known.items():
            states.give(metric, state[name])

    def named_optimizers(self) -> dict[str, Any]:
        """The optimizers by the attributes that hold them; the compiled one is "optimizer"."""
        found: dict[str, Any] = {}
        for key, value in vars(self).items():
            leaves = [] if key.startswith("_") else tree.flatten(value)
            for i, leaf in enumerate(leaves):
                if isinstance(leaf, optimizers.Optimizer) and leaf not in found.values():
                    found[key if len(leaves) == 1 else f"{key}.{i}"] = leaf
        return found

    # ---------------------------------------------------------------------------------------------- helpers

    def known_values(self) -> tuple[list[Value], list[Value]] | None:
        """Symbolic inputs and outputs, where the model has them."""
        return None

    def names_of_inputs(self) -> list[str] | None:
        """The keys of a dict of inputs, where the model has such."""
        return None

    def find_non_finite(self, batch: Batch) -> str:
        """Run the training step of a batch again, keeping nothing, and say where NaN or infinity began."""
        return self._traced_programs.get("train", batch.arrays, batch.size).find_non_finite(batch)

    def trace_key(self) -> Any:
        """What traced steps depend on beside data and metrics: layers, weights, switches, settings."""
        below = self._held_below()
        layers = tuple((layer, layer.trainable, layer._revision) for layer in below)
        held = (v for layer, held in below.items() for v in (*layer._added_weights, *held))
        weights = tuple((v, v.trainable) for v in held if isinstance(v, Variable))
        version = self._compile_metrics.version if self._compile_metrics is not None else 0
        settings = config.seed(), config.backend(), config.device(), config.allow_tf32()
        return layers, weights, version, (*settings, config.nonfinite_steps(), self._step_strategy)

    def optimizers(self) -> list[Any]:
        """The compiled optimizer and those that are attributes of the model."""
        return self._optimizers_of_steps()

    def _optimizers_of_steps(self) -> list[Any]:
        found = [self.optimizer, *_leaves_of(self)]
        return list(dict.fromkeys(o for o in found if isinstance(o, optimizers.Optimizer)))

    def _prepare_step(self, kind: str, source: Source) -> Program:
        """Trace the step for the first batch and check the data, so that errors come before any step."""
        self._traced_programs.refresh()
        batch = source.first()
        program = self._traced_programs.get(kind, batch.arrays, batch.size)
        if kind == "train":
            self._settle_metrics()
        source.check_with(partial(self._check_data, program))
        return program

    def _check_data(self, program: Program, arrays: Arrays) -> None:
        """Check that labels, and what layers look up, are some that there are."""
        if program.kind != "predict" and self._compile_loss is not None:
            self._compile_loss.check_targets(arrays.y)
        check_lookups(arrays.leaves, program.lookups)

    def _in_order_of_metrics(self, logs: dict[str, Any], return_dict: bool) -> Any:
        """Logs as a dict; or their values, first those of `metrics` in order, one alone not as a list."""
        if checks.flag("return_dict", return_dict):
            return logs
        own = [m.metrics if isinstance(m, CompiledMetrics) else [m] for m in self._traced_programs.metrics]
        names = dict.fromkeys(metric.name for group in own for metric in group)
        values = [logs[name] for name in dict.fromkeys([*names, *logs]) if name in logs]
        return values[0] if len(values) == 1 else values

    def _require_compiled(self, what: str) -> None:
        if not self.compiled:
            raise ValueError(
                explain(
                    f"{self.name}: {what}() needs a compiled model.",
                    fix=f'Call model.compile(optimizer="adam", loss=...) before {what}().',
                )
            )


def _joined(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """One output of all batches in one array."""
    shapes = {array.shape[1:] for array in outputs}
    if len(shapes) > 1:
        raise ShapeError(
            explain(
                "predict() puts the outputs of all batches into one array, so they have one shape.",
                received=f"samples of {' and '.join(map(str, sorted(shapes)[:3]))}",
                fix="Call predict_on_batch() for each batch, or pad the inputs to one size.",
            )
        )
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def _scalar(loss: Any) -> Any:
    """A loss that a layer added as one floating number."""
    loss = convert(loss)
    loss = loss if is_float(spec_of(loss).dtype) else ops.cast(loss, config.floatx())
    return ops.sum(loss) if loss.ndim else loss


def _mean() -> Any:
    return metrics.Mean(name="loss")


def _leaves_of(model: Any) -> list[Any]:
    """What a model's attributes hold, lists and dicts opened."""
    return [
        leaf for key, value in vars(model).items() if not key.startswith("_") for leaf in tree.flatten(value)
    ]


def _callback_list(given: Any, model: Any, verbose: Any, history: bool = True, **params: Any) -> CallbackList:
    if isinstance(given, CallbackList):
        return given
    level = checks.verbosity(verbose)
    return CallbackList(
        given, add_history=history, add_progbar=bool(level), model=model, verbose=level, **params
    )


__all__ = ["Trainer"]
