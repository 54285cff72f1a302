"""Trainer: compile, fit, evaluate, predict and the steps they run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import callbacks as callbacks_
from .. import compiler, config, losses, metrics, ops, optimizers
from ..data import Arrays, make_arrays
from ..data.labels import check_labels, class_weights, split_validation
from ..data.sources import ArraySource, Batch, IteratorSource, Source, is_iterator
from ..errors import DataError, NonFiniteError, explain
from ..ir import Value, Variable, current_trace
from ..utils import tree
from .objectives import CompiledLoss, CompiledMetrics
from .program import BatchLogs, Program, ProgramCache, pack_data, unpack_data


class _State:
    """Variables of the training itself, which are no weights of the model."""

    def __init__(self, name: str) -> None:
        self.step = Variable(np.zeros((), np.int64), trainable=False, name="step", path=f"{name}/step")
        self.healthy = Variable(np.ones((), np.bool_), trainable=False, name="healthy", path=f"{name}/healthy")


class Trainer:
    """What makes a model trainable. Mixed into `Model`."""

    name: str
    trainable_variables: list[Variable]

    def _start_training_state(self) -> None:
        """State every model has, compiled or not."""
        self._state = _State(self.name)
        self.stop_training = False
        self.compiled = False
        self.optimizer: Any = None
        self.history: Any = None
        self._programs = ProgramCache(self)  # type: ignore[arg-type]
        self._lock = threading.RLock()

    @property
    def step_counter(self) -> Variable:
        """Number of training steps done; it stands still at a step that was not finite."""
        return self._state.step

    @property
    def healthy(self) -> Variable:
        """False from the first step that gave NaN or infinity on; nothing changes while it is."""
        return self._state.healthy

    # ---------------------------------------------------------------------------------------------- compile

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
            jit_compile, auto_scale_loss: accepted for compatibility; every model is compiled.

        Raises:
            ValueError: an unknown name, with the nearest known one.
        """
        _check_count("steps_per_execution", steps_per_execution)
        self.optimizer = optimizers.get(optimizer)
        names = getattr(self, "output_names", None)
        _check_names(loss, metrics, weighted_metrics)
        self._loss = CompiledLoss(loss, loss_weights, names) if loss is not None else None
        self._metrics = CompiledMetrics(metrics, weighted_metrics, names)
        self._loss_tracker = _mean("loss")
        self.run_eagerly, self.steps_per_execution = bool(run_eagerly), int(steps_per_execution)
        self.compiled = True
        self._programs.clear()

    @property
    def loss(self) -> Any:
        """The loss given to compile."""
        return self._loss.given if self.compiled and self._loss is not None else None

    @property
    def metrics(self) -> list[Any]:
        """Metrics that fit and evaluate reset at the start of each pass: the loss, compiled ones, attributes."""
        own = [m for m in _leaves_of(self) if isinstance(m, metrics.Metric)]
        if not self.compiled:
            return own
        trackers = self._loss.trackers if self._loss is not None else []
        found = [self._loss_tracker, *trackers, *self._metrics.metrics, *own]
        return list(dict.fromkeys(found))

    @property
    def metrics_names(self) -> list[str]:
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
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
        self._track_loss(loss, y_pred)
        variables = self.trainable_variables
        if variables:
            self.optimizer.apply(compiler.gradients(loss, variables), variables)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> Any:
        """One step of evaluate, traced."""
        x, y, sample_weight = unpack_data(data)
        y_pred = self(x, training=False)  # type: ignore[operator]
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
        self._track_loss(loss, y_pred)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """One step of predict, traced: the outputs."""
        return self(unpack_data(data)[0], training=False)  # type: ignore[operator]

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss plus what layers added (add_loss, regularizers), a scalar.

        Raises:
            ValueError: there is neither a loss nor an added one.
        """
        total = self._loss(y, y_pred, sample_weight) if self._loss is not None else None
        for extra in self._extra_losses():
            total = extra if total is None else ops.add(total, extra)
        if total is None:
            raise ValueError(explain(f"{self.name}: there is nothing to minimise.", fix="Pass loss= to compile()."))
        trace = current_trace()
        if training and trace is not None:
            trace.finite.append(ops.isfinite(total))
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Add a batch to the compiled metrics and return all results."""
        resolved = self._loss.resolved if self._loss is not None else None
        if y is not None or self._metrics.given:
            self._metrics.update(y, y_pred, sample_weight, resolved)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Results of all metrics by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            found.update(result if isinstance(result, dict) else {metric.name: result})
        return found

    def _track_loss(self, loss: Value, y_pred: Any) -> None:
        """The epoch's loss is the mean over samples: a batch counts by its size."""
        size = tree.flatten(y_pred)[0].shape[0]
        self._loss_tracker.update_state(loss, sample_weight=float(size))

    def _extra_losses(self) -> list[Value]:
        """Regularizers of all weights, and losses that layers added in this trace."""
        regularized = [v.regularizer(v) for v in self.trainable_variables if v.regularizer is not None]
        trace = current_trace()
        return regularized + (list(trace.losses) if trace is not None else [])

    # -------------------------------------------------------------------------------------------------- fit

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
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> Any:
        """Train the model.

        Args:
            x: inputs: an array, or a list or dict of arrays; or an iterator of batches (x, y[, sample_weight]).
            y: targets, likewise.
            batch_size: samples per step; default 32.
            epochs: the epoch to stop after.
            verbose: 0 silent, 1 a bar, 2 one line per epoch, "auto" by where the output goes.
            callbacks: list of callbacks.
            validation_split: share of the last samples to hold out.
            validation_data: (x, y) or (x, y, sample_weight) to evaluate on.
            shuffle: a new order in each epoch.
            class_weight: weight of each class, as {class: weight}, or "balanced".
            sample_weight: weight of each sample, (N,).
            initial_epoch: the epoch to begin with.
            steps_per_epoch: batches per epoch; default once through the data.
            validation_steps, validation_batch_size: likewise for the validation.
            validation_freq: validate every so many epochs, or in the listed ones (counted from 1).

        Returns:
            History: `.history` maps each name to its value per epoch.

        Raises:
            DataError, ShapeError: data that does not fit, before the first step.
            NonFiniteError: a step gave NaN or infinity; weights are those before it.
        """
        self._require_compiled("fit")
        _check_fit(epochs, initial_epoch, validation_split, validation_freq)
        size = 32 if batch_size is None else _check_count("batch_size", batch_size)
        if steps_per_epoch is not None:
            _check_count("steps_per_epoch", steps_per_epoch)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_validation(x, y, sample_weight, validation_split)
        with self._lock:
            source = self._source(x, y, sample_weight, size, shuffle, steps_per_epoch, "fit", class_weight)
            validation = self._validation_source(validation_data, validation_batch_size or size, validation_steps)
            program = self._prepare("train", source)
            names = program.names
            if validation is not None:
                names = names + [f"val_{n}" for n in self._prepare("test", validation).names]
            listeners = _callback_list(callbacks, self, verbose, epochs=epochs, steps=source.steps, metrics=names)
            self._fit_epochs(source, validation, listeners, range(initial_epoch, epochs), validation_freq)
        return self.history

    def _fit_epochs(
        self, source: Source, validation: Source | None, listeners: Any, epochs: range, validation_freq: Any
    ) -> None:
        self.stop_training = False
        listeners.on_train_begin()
        logs: dict[str, float] = {}
        for epoch in epochs:
            self.reset_metrics()
            listeners.on_epoch_begin(epoch)
            logs = self._train_epoch(source, epoch, listeners)
            if validation is not None and _validates(epoch, validation_freq):
                found = self._evaluate(validation, callbacks_.CallbackList())
                logs.update({f"val_{name}": value for name, value in found.items()})
            listeners.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        listeners.on_train_end(logs)

    def _train_epoch(self, source: Source, epoch: int, listeners: Any) -> dict[str, float]:
        """All batches of an epoch; the logs at its end."""
        program = None
        for step, group in _groups(source.epoch(epoch), self.steps_per_execution):
            listeners.on_train_batch_begin(step)
            for batch in group:
                program = self._train_batch(batch)
            assert program is not None
            bad = not bool(self.healthy.array)
            listeners.on_train_batch_end(step + len(group) - 1, BatchLogs(program))
            if bad:
                self._report_non_finite(program, group[-1], epoch, step)
            if self.stop_training:
                break
        if program is None:
            raise DataError(explain("fit: an epoch had no batch.", fix="Give steps_per_epoch, or data that repeats."))
        return program.logs()

    def _train_batch(self, batch: Batch) -> Program:
        program = self._programs.get("train", batch.arrays, batch.size)
        self.optimizer.before_steps(1)
        self._run(program, batch)
        return program

    def _run(self, program: Program, batch: Batch) -> None:
        if getattr(self, "run_eagerly", False):
            program.run_eagerly(batch)
        else:
            program.run(batch)

    def _report_non_finite(self, program: Program, batch: Batch, epoch: int, step: int) -> None:
        """Say what went wrong; raise unless a callback already stopped the training."""
        self.healthy.assign(np.True_)
        where = program.find_non_finite(batch)
        text = (
            f"{self.name}: the loss or a gradient became NaN or infinite in epoch {epoch + 1}, step {step + 1}, at "
            f"learning rate {float(self.optimizer.learning_rate):.6g}. {where} The weights are those before this "
            "step. Try a smaller learning rate, clipnorm=1.0 in the optimizer, or check the data."
        )
        if not self.stop_training:
            raise NonFiniteError(text)

    # --------------------------------------------------------------------------------- evaluate and predict

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
            the loss, or [loss, metrics ...] in the order of `metrics_names`, or a dict.
        """
        self._require_compiled("evaluate")
        size = 32 if batch_size is None else _check_count("batch_size", batch_size)
        with self._lock:
            source = self._source(x, y, sample_weight, size, False, steps, "evaluate")
            self._prepare("test", source)
            listeners = _callback_list(callbacks, self, verbose, history=False, steps=source.steps, epochs=1)
            logs = self._evaluate(source, listeners)
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def _evaluate(self, source: Source, listeners: Any) -> dict[str, float]:
        self.reset_metrics()
        listeners.on_test_begin()
        program = None
        for step, batch in enumerate(source.epoch(0)):
            listeners.on_test_batch_begin(step)
            program = self._programs.get("test", batch.arrays, batch.size)
            self._run(program, batch)
            listeners.on_test_batch_end(step, BatchLogs(program))
        if program is None:
            raise DataError("evaluate: there was no batch.")
        logs = program.logs()
        listeners.on_test_end(logs)
        return logs

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None, callbacks: Any = None
    ) -> Any:
        """Outputs for inputs.

        Args:
            x: an array, a list or dict of arrays, or an iterator of batches of inputs.
            batch_size: samples per step; default 32.

        Returns:
            NumPy array(s) of all samples, in the structure of the model's outputs.
        """
        size = 32 if batch_size is None else _check_count("batch_size", batch_size)
        with self._lock:
            source = self._source(x, None, None, size, False, steps, "predict")
            listeners = _callback_list(callbacks, self, verbose, history=False, steps=source.steps, epochs=1)
            listeners.on_predict_begin()
            parts: list[list[np.ndarray]] = []
            structure: Any = None
            for step, batch in enumerate(source.epoch(0)):
                listeners.on_predict_batch_begin(step)
                program = self._programs.get("predict", batch.arrays, batch.size)
                self._run(program, batch)
                structure = program.structure
                parts.append(program.outputs())
                listeners.on_predict_batch_end(step, {"outputs": tree.pack(structure, parts[-1])})
            listeners.on_predict_end()
        columns = [column[0] if len(column) == 1 else np.concatenate(column) for column in zip(*parts, strict=True)]
        return tree.pack(structure, columns)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on one batch; returns loss and metrics, which go on counting until `reset_metrics`."""
        self._require_compiled("train_on_batch")
        with self._lock:
            source = self._whole_batch(x, y, sample_weight, "train_on_batch", class_weight)
            self._prepare("train", source)
            program = self._train_batch(source.first())
            if not bool(self.healthy.array):
                self.stop_training = False
                self._report_non_finite(program, source.first(), 0, int(self.step_counter.numpy()))
            return _results(program.logs(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch, added to those before it until `reset_metrics`."""
        self._require_compiled("test_on_batch")
        with self._lock:
            source = self._whole_batch(x, y, sample_weight, "test_on_batch")
            program = self._prepare("test", source)
            self._run(program, source.first())
            return _results(program.logs(), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch of inputs."""
        with self._lock:
            source = self._whole_batch(x, None, None, "predict_on_batch")
            program = self._prepare("predict", source)
            self._run(program, source.first())
            return tree.pack(program.structure, program.outputs())

    # ---------------------------------------------------------------------------------------------- helpers

    def trace_key(self, kind: str) -> Any:
        """What a traced step depends on beside the shapes of its data."""
        trainable = tuple(layer.trainable for layer in self.all_layers())  # type: ignore[attr-defined]
        flags = tuple(v.trainable for v in self.variables)  # type: ignore[attr-defined]
        return trainable, flags, config.seed(), config.backend()

    def _source(
        self, x: Any, y: Any, w: Any, size: int, shuffle: bool, steps: int | None, what: str, class_weight: Any = None
    ) -> Source:
        if x is None:
            raise DataError(explain(f"{what} needs data.", received="x=None"))
        if is_iterator(x):
            if y is not None or w is not None or class_weight is not None:
                raise DataError(
                    explain(
                        f"{what}: batches from an iterator bring their own targets and weights.",
                        expected="y, sample_weight and class_weight left out",
                    )
                )
            return IteratorSource(x, steps, shuffle, what)
        arrays = make_arrays(self._as_model_inputs(x), y, w, what)
        if class_weight is not None:
            arrays = class_weights(arrays, class_weight)
        return ArraySource(arrays, size, shuffle, steps)

    def _as_model_inputs(self, x: Any) -> Any:
        """A list of arrays is several inputs only if the model has several."""
        values = getattr(self, "inputs", None) if hasattr(self, "graph") else None
        if isinstance(x, list) and values is not None and len(values) == 1 and not (len(x) == 1 and np.ndim(x[0]) > 1):
            return np.asarray(x)
        return x

    def _whole_batch(self, x: Any, y: Any, w: Any, what: str, class_weight: Any = None) -> ArraySource:
        source = self._source(x, y, w, 1, False, None, what, class_weight)
        assert isinstance(source, ArraySource)
        return ArraySource(source.arrays, source.arrays.count)

    def _validation_source(self, data: Any, size: int, steps: int | None) -> Source | None:
        if data is None:
            return None
        if is_iterator(data):
            return IteratorSource(data, steps, False, "validation_data")
        if not isinstance(data, list | tuple) or not 1 <= len(data) <= 3:
            raise DataError(
                explain("validation_data is (x, y) or (x, y, sample_weight).", received=type(data).__name__)
            )
        x, y, w = (*data, None, None)[:3]
        return ArraySource(make_arrays(self._as_model_inputs(x), y, w, "validation_data"), size, False, steps)

    def _prepare(self, kind: str, source: Source) -> Program:
        """Trace the step for the first batch and check the labels, so that errors come before any step."""
        batch = source.first()
        program = self._programs.get(kind, batch.arrays, batch.size)
        arrays = source.arrays if isinstance(source, ArraySource) else batch.arrays
        if kind != "predict" and self._loss is not None and self._loss.resolved is not None:
            check_labels(arrays, self._loss.label_ranges())
        return program

    def _require_compiled(self, what: str) -> None:
        if not self.compiled:
            raise ValueError(
                explain(
                    f"{self.name}: {what}() needs a compiled model.",
                    fix=f'Call model.compile(optimizer="adam", loss=...) before {what}().',
                )
            )


def _mean(name: str) -> Any:
    return metrics.Mean(name=name)


def _check_names(loss: Any, *lists: Any) -> None:
    """Look every name up at compile time, so that a misspelt one fails there."""
    for name in tree.flatten(loss):
        losses.get(name)
    for name in tree.flatten(lists):
        if isinstance(name, str) and name not in ("accuracy", "acc", "crossentropy", "ce"):
            metrics.get(name)


def _leaves_of(model: Any) -> list[Any]:
    """What a model's attributes hold, lists and dicts opened."""
    return [leaf for key, value in vars(model).items() if not key.startswith("_") for leaf in tree.flatten(value)]


def _check_count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(explain(f"{name} must be a positive int.", received=repr(value)))
    return int(value)


def _check_fit(epochs: Any, initial_epoch: Any, split: float, freq: Any) -> None:
    for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise ValueError(explain(f"fit: {name} must be a non-negative int.", received=repr(value)))
    if not 0 <= split < 1:
        raise ValueError(explain("fit: validation_split is a share.", expected="0 <= validation_split < 1", received=split))
    if isinstance(freq, int) and freq < 1:
        raise ValueError(explain("fit: validation_freq must be positive, or a list of epochs.", received=freq))


def _validates(epoch: int, freq: Any) -> bool:
    if isinstance(freq, int):
        return (epoch + 1) % freq == 0
    return epoch + 1 in freq


def _callback_list(given: Any, model: Any, verbose: Any, history: bool = True, **params: Any) -> Any:
    if isinstance(given, callbacks_.CallbackList):
        return given
    if verbose not in (0, 1, 2, "auto", False, True):
        raise ValueError(explain("verbose is a level.", expected='0, 1, 2 or "auto"', received=repr(verbose)))
    return callbacks_.CallbackList(
        given, add_history=history, add_progbar=bool(verbose), model=model, verbose=verbose, **params
    )


def _groups(batches: Iterator[Batch], size: int) -> Iterator[tuple[int, list[Batch]]]:
    """(number of the first batch, batches) of each execution."""
    start, group = 0, []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield start, group
            start, group = start + size, []
    if group:
        yield start, group


def _results(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


__all__ = ["Trainer", "pack_data"]
