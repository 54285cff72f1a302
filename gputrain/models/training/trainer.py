"""Trainer: compile, fit, evaluate, predict and the steps they run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from gputrain import callbacks as callbacks_
from gputrain import compiler, config, metrics, ops, optimizers
from gputrain.data import Arrays, make_arrays
from gputrain.data.ahead import is_reader
from gputrain.data.arrays import to_array
from gputrain.data.labels import class_weights, split_validation
from gputrain.data.sources import ArraySource, Batch, IteratorSource, Source, is_iterator
from gputrain.errors import DataError, GraphError, NonFiniteError, ShapeError, explain
from gputrain.ir import Value, current_trace
from gputrain.models.program import Program, ProgramCache, unpack_data
from gputrain.models.training import checks
from gputrain.models.training.nonfinite import HealthWatch
from gputrain.models.training.objectives import CompiledLoss, CompiledMetrics, output_names
from gputrain.runtime import Variable
from gputrain.utils import tree
from gputrain.utils.notes import note

FIRST_DRAW = 2**62  # draws outside training are counted from here on, far from all training steps


class _State:
    """Variables of the training itself, which are no weights of the model."""

    def __init__(self, name: str) -> None:
        self.step = Variable(np.zeros((), np.int64), trainable=False, name="step", path=f"{name}/step")
        self.draws = Variable(
            np.full((), FIRST_DRAW, np.int64), trainable=False, name="draws", path=f"{name}/draws"
        )
        self.healthy = Variable(
            np.ones((), np.bool_), trainable=False, name="healthy", path=f"{name}/healthy"
        )


class Trainer:
    """What makes a model trainable. Mixed into `Model`."""

    name: str
    trainable_variables: list[Variable]
    losses: list[Any]

    def _start_training_state(self) -> None:
        """State every model has, compiled or not."""
        self._state = _State(self.name)
        self.stop_training = False
        self.compiled = self.run_eagerly = False
        self._loss: CompiledLoss | None = None
        self.optimizer: Any = None
        self.history: Any = None
        self._programs = ProgramCache(self)  # type: ignore[arg-type]
        self._lock = threading.RLock()
        self._watch: HealthWatch | None = None  # of the epoch that is being trained

    @contextmanager
    def _alone(self) -> Iterator[None]:
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
            yield
        finally:
            self._lock.release()

    @property
    def step_counter(self) -> Variable:
        """Number of training steps done; it stands still at a step that was not finite."""
        return self._state.step

    @property
    def draw_counter(self) -> Variable:
        """Counts the test and predict steps that drew random numbers, so that each draws anew."""
        return self._state.draws

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
        self.steps_per_execution = checks.count("steps_per_execution", steps_per_execution, 1)
        checks.names(loss, metrics, weighted_metrics)
        self.optimizer = optimizers.get(optimizer)
        self._loss = CompiledLoss(loss, loss_weights, self._output_names) if loss is not None else None
        self._metrics = CompiledMetrics(metrics, weighted_metrics, self._output_names)
        self._loss_tracker = _mean("loss")
        self.run_eagerly = bool(run_eagerly)
        self.compiled = True
        self._programs.clear()

    def _output_names(self) -> list[str] | None:
        """Names of the outputs, once a functional model knows them."""
        return getattr(self, "output_names", None)

    @property
    def loss(self) -> Any:
        """The loss given to compile."""
        return self._loss.given if self.compiled and self._loss is not None else None

    @property
    def metrics(self) -> list[Any]:
        """Metrics that fit and evaluate reset before each pass: the loss, compiled ones, attributes."""
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
        else:
            note(f"{self.name} has no trainable weights: training changes nothing. Is trainable=False meant?")
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
        if self._loss is not None:
            with _named("loss"):
                total = self._loss(y, y_pred, sample_weight)
        for extra in self.losses:
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
        resolved: list[Any] = []
        if self._loss is not None:
            resolved = self._loss.resolved
            y = self._loss.targets(y, output_names(y_pred, self._output_names()))
        if y is not None or self._metrics.given:
            with _named("metrics"):
                self._metrics.update(y, y_pred, sample_weight, resolved)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Results of all metrics by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            found.update(result if isinstance(result, dict) else {metric.name: result})
        for name, value in found.items():
            _require_number(name, value)
        return found

    def _track_loss(self, loss: Value, y_pred: Any) -> None:
        """The epoch's loss is the mean over samples: a batch counts by its size."""
        size = tree.flatten(y_pred)[0].shape[0]
        self._loss_tracker.update_state(loss, sample_weight=float(size))

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
            x: inputs: an array, a list or dict of arrays, or an iterator of batches (x, y[, sample_weight]).
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
            validation_steps, validation_batch_size: likewise for the validation, which always begins with
                the first batch.
            validation_freq: validate every so many epochs, or in the listed ones (counted from 1).

        Returns:
            History: `.history` maps each name to its value per epoch.

        Raises:
            DataError, ShapeError: data that does not fit, before the first step.
            NonFiniteError: a step gave NaN or infinity; weights are those before it.
        """
        self._require_compiled("fit")
        coming = range(checks.epochs("initial_epoch", initial_epoch), checks.epochs("epochs", epochs))
        checks.frequency(validation_freq)
        size = checks.count("batch_size", batch_size, 32)
        steps = checks.count("steps_per_epoch", steps_per_epoch)
        held_size = checks.count("validation_batch_size", validation_batch_size, size)
        held_steps = checks.count("validation_steps", validation_steps)
        shuffle = checks.flag("shuffle", shuffle)
        with self._alone():
            data, held_out = self._training_data(
                x, y, sample_weight, class_weight, checks.share(validation_split)
            )
            source = _source(data, size, shuffle, steps, "fit")
            if validation_data is not None:
                held_out = self._validation_data(validation_data)
            validation = (
                _source(held_out, held_size, False, held_steps, "validation_data") if held_out else None
            )
            names = self._prepare("train", source).names
            if validation is not None:
                names = names + [f"val_{n}" for n in self._prepare("test", validation).names]
            listeners = _callback_list(
                callbacks, self, verbose, epochs=epochs, steps=source.steps, metrics=names
            )
            try:
                self._fit_epochs(source, validation, listeners, coming, validation_freq)
            except BaseException as exception:  # also Ctrl-C: bars end and callbacks let go
                listeners.on_exception(exception)
                raise
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
            trained = self._train_epoch(source, epoch, listeners)
            if trained is None:
                _say_ran_out(epoch, first=epoch == epochs.start)
                break
            logs = trained
            if validation is not None and _validates(epoch, validation_freq):
                found = self._evaluate(validation, listeners)
                logs.update({f"val_{name}": value for name, value in found.items()})
            listeners.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        listeners.on_train_end(logs)

    def _train_epoch(self, source: Source, epoch: int, listeners: Any) -> dict[str, float] | None:
        """All batches of an epoch; the logs at its end, None if there was no batch.

        The order follows from the steps done before.
        """
        logs = None
        self._programs.refresh()
        self.healthy.assign(np.True_)
        with HealthWatch(self, f"epoch {epoch + 1}") as watch:
            batches = watch.batches(source.epoch(watch.before))
            for step, group in _groups(batches, self.steps_per_execution):
                logs = None  # logs that nobody keeps are not fetched before the next step
                listeners.on_train_batch_begin(step, {"size": sum(batch.size for batch in group)})
                watch.before_steps()
                for batch in group:
                    program = self._train_batch(batch)
                logs = self._programs.logs(program)
                watch.saw(group)
                listeners.on_train_batch_end(step + len(group) - 1, logs)
                watch.look()
                if self.stop_training:
                    break
        return logs.copy() if logs is not None else None

    def _train_batch(self, batch: Batch) -> Program:
        program = self._programs.get("train", batch.arrays, batch.size)
        program.run(batch, self.run_eagerly)
        return program

    def _report_non_finite(self, batch: Batch, place: str, rate: float | None = None) -> None:
        """Say what went wrong, at the rate the step had; raise unless a callback stopped the training."""
        self.healthy.assign(np.True_)
        if self.stop_training:
            return
        where = self._programs.get("train", batch.arrays, batch.size).find_non_finite(batch)
        rate = float(self.optimizer.learning_rate) if rate is None else rate
        raise NonFiniteError(
            f"{self.name}: the loss or a gradient became NaN or infinite in {place}, at learning rate "
            f"{rate:.6g}. {where} The weights are those before this step. "
            "Try a smaller learning rate, clipnorm=1.0 in the optimizer, or check the data."
        )

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
        size, steps = checks.count("batch_size", batch_size, 32), checks.count("steps", steps)
        with self._alone():
            source = _source(self._data(x, y, sample_weight, "evaluate"), size, False, steps, "evaluate")
            self._prepare("test", source)
            listeners = _callback_list(callbacks, self, verbose, history=False, steps=source.steps, epochs=1)
            logs = self._evaluate(source, listeners)
        return _results(logs, return_dict)

    def _evaluate(self, source: Source, listeners: Any) -> dict[str, float]:
        self.reset_metrics()
        listeners.on_test_begin()
        self._programs.refresh()
        last = None
        for step, batch in enumerate(source.epoch(0)):
            last = None  # logs that nobody keeps are not fetched before the next step
            listeners.on_test_batch_begin(step, {"size": batch.size})
            program = self._programs.get("test", batch.arrays, batch.size)
            program.run(batch, self.run_eagerly)
            last = self._programs.logs(program)
            listeners.on_test_batch_end(step, last)
        if last is None:
            raise DataError(explain("evaluate: there was no batch.", fix="Pass data that is not used up."))
        logs = last.copy()
        listeners.on_test_end(logs)
        return logs

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
            batch_size: samples per step; default 32.
            verbose, callbacks: as in `fit`.
            steps: batches to use; default all.

        Returns:
            NumPy array(s) of all samples, in the structure of the model's outputs.
        """
        size, steps = checks.count("batch_size", batch_size, 32), checks.count("steps", steps)
        with self._alone():
            source = _source(self._data(x, None, None, "predict"), size, False, steps, "predict")
            structure = self._prepare("predict", source).structure
            listeners = _callback_list(callbacks, self, verbose, history=False, steps=source.steps, epochs=1)
            parts = self._predicted(source, structure, listeners)
        columns = [
            column[0] if len(column) == 1 else np.concatenate(column) for column in zip(*parts, strict=True)
        ]
        return tree.pack(structure, columns)

    def _predicted(self, source: Source, structure: Any, listeners: Any) -> list[list[np.ndarray]]:
        """The flat outputs of each batch."""
        parts: list[list[np.ndarray]] = []
        listeners.on_predict_begin()
        for step, batch in enumerate(source.epoch(0)):
            listeners.on_predict_batch_begin(step, {"size": batch.size})
            program = self._programs.get("predict", batch.arrays, batch.size)
            program.run(batch, self.run_eagerly)
            parts.append(program.outputs())
            listeners.on_predict_batch_end(step, {"outputs": tree.pack(structure, parts[-1])})
        listeners.on_predict_end()
        return parts

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; returns loss and metrics, which go on counting until `reset_metrics`."""
        self._require_compiled("train_on_batch")
        with self._alone():
            source = _whole(self._data(x, y, sample_weight, "train_on_batch", class_weight))
            self._prepare("train", source)
            if self._watch is not None:
                self._watch.another_step()
            self.healthy.assign(np.True_)
            program = self._train_batch(source.first())
            if not bool(self.healthy.numpy()):
                self.stop_training = False
                self._report_non_finite(source.first(), f"step {int(self.step_counter) + 1}")
            return _results(program.logs(), return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, added to those before it until `reset_metrics`."""
        self._require_compiled("test_on_batch")
        with self._alone():
            source = _whole(self._data(x, y, sample_weight, "test_on_batch"))
            program = self._prepare("test", source)
            program.run(source.first(), self.run_eagerly)
            return _results(program.logs(), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch of inputs."""
        with self._alone():
            source = _whole(self._data(x, None, None, "predict_on_batch"))
            program = self._prepare("predict", source)
            program.run(source.first(), self.run_eagerly)
            return tree.pack(program.structure, program.outputs())

    # ---------------------------------------------------------------------------------------------- helpers

    def trace_key(self) -> Any:
        """What traced steps depend on beside their data: layers, weights, switches, metrics, settings."""
        layers = tuple((layer, layer.trainable) for layer in self.all_layers())  # type: ignore[attr-defined]
        weights = tuple((v, v.trainable) for v in self.variables)  # type: ignore[attr-defined]
        version = self._metrics.version if self.compiled else 0
        settings = config.seed(), config.backend(), config.device(), config.allow_tf32()
        return layers, weights, version, settings

    def optimizers(self) -> list[Any]:
        """The compiled optimizer and those that are attributes of the model."""
        found = [self.optimizer, *_leaves_of(self)]
        return list(dict.fromkeys(o for o in found if isinstance(o, optimizers.Optimizer)))

    def _data(self, x: Any, y: Any, w: Any, what: str, class_weight: Any = None) -> Any:
        """Checked arrays, or an iterator as it is."""
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
            return x
        arrays = make_arrays(self._as_model_inputs(x, f"{what}(x)"), y, w, what)
        return arrays if class_weight is None else class_weights(arrays, class_weight, self._classes())

    def _training_data(self, x: Any, y: Any, w: Any, class_weight: Any, share: float) -> tuple[Any, Any]:
        """Data to train on and the share held out of it, if any."""
        data = self._data(x, y, w, "fit")
        if share and not isinstance(data, Arrays):
            raise DataError(explain("validation_split needs arrays.", fix="Pass validation_data instead."))
        data, held_out = split_validation(data, share) if share else (data, None)
        if class_weight is None:
            return data, held_out
        if not isinstance(data, Arrays):
            return self._data(x, y, w, "fit", class_weight), held_out
        return class_weights(data, class_weight, self._classes()), held_out

    def _classes(self) -> int | None:
        """Number of classes of a functional model's only output, where it is known."""
        outputs = getattr(self, "outputs", None) if getattr(self, "graph", None) is not None else None
        width = outputs[0].shape[-1] if outputs is not None and len(outputs) == 1 else None
        return 2 if width == 1 else width

    def _as_model_inputs(self, x: Any, name: str) -> Any:
        """A list of arrays is several inputs only if the model has several."""
        values = getattr(self, "inputs", None) if getattr(self, "graph", None) is not None else None
        if isinstance(x, list) and values is not None and len(values) == 1:
            alone = len(x) == 1 and getattr(x[0], "ndim", 0) >= values[0].ndim
            return x[0] if alone else to_array(x, name)
        return x

    def _validation_data(self, data: Any) -> Any:
        if is_iterator(data):
            return data
        if not isinstance(data, list | tuple) or not 1 <= len(data) <= 3:
            rule = "validation_data is (x, y) or (x, y, sample_weight)."
            raise DataError(explain(rule, received=type(data).__name__))
        x, y, w = (*data, None, None)[:3]
        return self._data(x, y, w, "validation_data")

    def _prepare(self, kind: str, source: Source) -> Program:
        """Trace the step for the first batch and check the labels, so that errors come before any step."""
        self._programs.refresh()
        batch = source.first()
        program = self._programs.get(kind, batch.arrays, batch.size)
        if kind != "predict" and self._loss is not None:
            source.check_with(self._loss.check_targets)
        return program

    def _require_compiled(self, what: str) -> None:
        if not self.compiled:
            raise ValueError(
                explain(
                    f"{self.name}: {what}() needs a compiled model.",
                    fix=f'Call model.compile(optimizer="adam", loss=...) before {what}().',
                )
            )


def _say_ran_out(epoch: int, first: bool) -> None:
    """An epoch without a batch: an error in the first one, the end of the training later, as in Keras."""
    fix = "Give steps_per_epoch, or data that repeats."
    if first:
        raise DataError(explain("fit: an epoch had no batch.", fix=fix))
    note(f"fit: the data ran out before epoch {epoch + 1}; training stops here. {fix}")


def _mean(name: str) -> Any:
    return metrics.Mean(name=name)


def _named(part: str) -> Any:
    """Within a `with` block: operations belong to this part of a step, for reports."""
    trace = current_trace()
    return trace.scope(part, part) if trace is not None else nullcontext()


def _leaves_of(model: Any) -> list[Any]:
    """What a model's attributes hold, lists and dicts opened."""
    return [
        leaf for key, value in vars(model).items() if not key.startswith("_") for leaf in tree.flatten(value)
    ]


def _source(data: Any, size: int, shuffle: bool, steps: int | None, what: str) -> Source:
    """Batches of arrays, or of an iterator."""
    if isinstance(data, Arrays):
        return ArraySource(data, size, shuffle, steps, repeat=what == "fit", what=what)
    return IteratorSource(data, steps, shuffle, what, repeat=what == "fit")


def _whole(data: Any) -> ArraySource:
    """All samples in one batch."""
    if not isinstance(data, Arrays):
        raise DataError(explain("A batch is given as arrays.", received=type(data).__name__))
    return ArraySource(data, data.count)


def _validates(epoch: int, freq: Any) -> bool:
    if isinstance(freq, int):
        return (epoch + 1) % freq == 0
    return epoch + 1 in freq


def _callback_list(given: Any, model: Any, verbose: Any, history: bool = True, **params: Any) -> Any:
    if isinstance(given, callbacks_.CallbackList):
        return given
    level = checks.verbosity(verbose)
    return callbacks_.CallbackList(
        given, add_history=history, add_progbar=bool(level), model=model, verbose=level, **params
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


def _require_number(name: str, value: Any) -> None:
    """Refuse a metric that is not one number, which is what logs and callbacks hold.

    Raises:
        ShapeError: with the metric's name and shape.
    """
    shape = tuple(getattr(value, "shape", ()))
    if shape:
        raise ShapeError(
            explain(
                f"{name}: a metric of a model gives one number.",
                received=f"an array of shape {shape}",
                fix='Let it average, as F1Score(average="macro") does, or use it outside of the model.',
            )
        )


def _results(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


__all__ = ["Trainer"]
