"""A model's step, traced for one batch shape and ready to run."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from gputrain.backend import Feeder
from gputrain.compiler import make_plan
from gputrain.data import Arrays
from gputrain.data.arrays import on_host
from gputrain.data.sources import Batch
from gputrain.errors import DeviceMemoryError, NonFiniteError
from gputrain.ir import Spec, Stored
from gputrain.models.training.callback import BatchLogs
from gputrain.models.training.nonfinite import NonFiniteFinder, is_finite
from gputrain.models.training.steps import COMPUTED, Stepped, trace_step
from gputrain.runtime import Arena, Executable, interpret
from gputrain.utils.notes import note

MANY_RETRACES = 8
KEPT_PROGRAMS = 32  # so many lengths of sequences may come in turns without a step being traced again
KEPT_STATES = 32  # states of a model (switches, metrics, seed) that are told apart at a time


class Programmed(Stepped, Protocol):
    """A model as its programs see it."""

    compiled: bool
    _traced_programs: ProgramCache

    def trace_key(self) -> Any:
        """What traced steps depend on beside data and metrics."""


class Program:
    """One traced step (train, test or predict) of a model for batches of one shape.

    Args:
        model: whose step.
        kind: "train", "test" or "predict".
        example: arrays whose shapes and dtypes the step is traced for.
        size: samples in a batch.
    """

    def __init__(
        self, model: Programmed, kind: str, example: Arrays, size: int, arena: Arena, feeder: Feeder
    ) -> None:
        self.model, self.kind, self.size = model, kind, size
        self.feeder, self.device = feeder, feeder.device
        specs = [Spec((size, *a.shape[1:]), a.dtype.name) for a in example.leaves]
        self.structure, self.graph, self.preparations, self.lookups = trace_step(model, kind, example, specs)
        self.executable = Executable(self.graph, self.device, arena)

    @property
    def names(self) -> list[str]:
        """Names of the step's logs."""
        return list(self.structure) if isinstance(self.structure, dict) else []

    def run(self, batch: Batch, eagerly: bool = False) -> None:
        """Run the step on a batch; results stay in the program until `logs` or `outputs` reads them.

        Args:
            batch: rows for the input buffers.
            eagerly: run the same graph node by node and check the results.

        Raises:
            NonFiniteError: eagerly, at a test or predict step whose results are not finite.
        """
        self.model._traced_programs.settle_logs()
        for prepare in self.preparations:
            prepare()
        if self.executable.bind():
            self.feeder.moved()
        if eagerly:
            self._run_eagerly(batch)
            return
        executable = self.executable
        try:
            load = batch.load(self.feeder, executable.inputs, executable.scales)
        except DeviceMemoryError as error:
            raise self.model._traced_programs.too_large(self.kind, batch.arrays, self.size) from error
        executable.step(load)

    def _run_eagerly(self, batch: Batch) -> None:
        finder = NonFiniteFinder(self.device, self.graph.outputs)
        outputs = interpret(self.graph, self._feeds(batch), self.device, finder)
        for buffer, array in zip(self.executable.outputs, outputs, strict=True):
            self.device.upload(array, buffer)
        if self.kind != "train" and not all(is_finite(array) for array in self.outputs()):
            raise NonFiniteError(
                f"{self.model.name}: a {self.kind} step gave NaN or infinity. {finder.describe()}"
            )

    def _feeds(self, batch: Batch) -> list[np.ndarray]:
        """The batch's rows on the host, as the step's inputs take them."""
        rows = batch.rows if batch.rows is not None else slice(None)
        pairs = zip(batch.arrays.leaves, self.graph.inputs, strict=True)
        return [np.asarray(on_host(a)[rows], v.dtype) for a, v in pairs]

    def logs(self) -> dict[str, Any]:
        """The step's logs: Python floats, arrays of what has axes, and whatever else the step returned."""
        computed = iter(self.executable.fetch())
        return {name: _log(value, computed) for name, value in self.structure.items()}

    def outputs(self) -> list[np.ndarray]:
        """Copies of the flat outputs of a predict step."""
        return self.executable.fetch()

    def find_non_finite(self, batch: Batch) -> str:
        """Run the step again from the same state without keeping anything, and say where NaN began."""
        buffers = self._feeds(batch)
        finder = NonFiniteFinder(self.device, self.graph.outputs)
        interpret(self.graph, buffers, self.device, finder, commit=False)
        pairs = zip(self.graph.inputs, buffers, strict=True)
        ranges = ", ".join(f"{v.name} in {b.min():.4g}..{b.max():.4g}" for v, b in pairs if b.size)
        return f"{finder.describe()} Inputs of the step: {ranges}."


def _log(value: Any, computed: Iterator[np.ndarray]) -> Any:
    """A value of the logs, with what was computed in its place."""
    if value is COMPUTED:
        array = next(computed)
        return array if array.ndim else float(array)
    if isinstance(value, list | tuple):
        return type(value)(_log(item, computed) for item in value)
    return value


class ProgramCache:
    """A model's programs, the least recently used dropped first. They share one arena."""

    def __init__(self, model: Programmed, size: int = KEPT_PROGRAMS) -> None:
        self.model, self.size = model, size
        self.device = model._training_counters.step.device
        self.arena, self.feeder = Arena(self.device), self.device.feeder()
        self._programs: OrderedDict[Any, Program] = OrderedDict()
        self._traced: dict[str, list[Any]] = {}
        self._kept_logs: weakref.ref[BatchLogs] | None = None
        self._model_states: dict[Any, int] = {}
        self._state_numbers = itertools.count()
        self._model_state = 0
        self._optimizers: list[Any] = []
        self.metrics: list[Any] = []  # what the model reported at the last look

    def refresh(self) -> None:
        """Look at the model anew: its layers, switches and metrics may have changed since the last pass."""
        self.metrics = self.model.metrics if self.model.compiled else []
        key = self.model.trace_key(), tuple(self.metrics)
        if key not in self._model_states:
            if len(self._model_states) >= KEPT_STATES:
                self._model_states.clear()  # programs of states long past fall out of the cache by themselves
            self._model_states[key] = next(self._state_numbers)
        self._model_state = self._model_states[key]
        self._optimizers = self.model._optimizers_of_steps()

    def get(self, kind: str, arrays: Arrays, size: int) -> Program:
        """The program for batches of `size` samples like those of `arrays`."""
        key = self._key(kind, arrays, size)
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        self._warn_of_retraces(kind, size, arrays)
        try:
            program = Program(self.model, kind, arrays, size, self.arena, self.feeder)
        except DeviceMemoryError as error:
            raise self.too_large(kind, arrays, size) from error
        self.refresh()  # tracing may build layers, metrics and slots
        self._programs[self._key(kind, arrays, size)] = program
        if len(self._programs) > self.size:
            self._programs.popitem(last=False)
        return program

    def too_large(self, kind: str, arrays: Arrays, size: int) -> DeviceMemoryError:
        """The error of a plan that does not fit, with the largest batch whose plan does."""

        def plan_of(batch: int) -> int:
            specs = [Spec((batch, *a.shape[1:]), a.dtype.name) for a in arrays.leaves]
            graph = trace_step(self.model, kind, arrays, specs).graph
            # The inputs a few times more: batches that are on their way.
            return make_plan(graph, self.device).nbytes + 3 * sum(spec.nbytes for spec in specs)

        return DeviceMemoryError(f"{self.model.name}, {kind}: {self.device.no_room_for(size, plan_of)}")

    def logs(self, program: Program) -> BatchLogs:
        """Logs of the step that `program` just ran, to be read at leisure."""
        logs = BatchLogs(program.names, program.logs)
        self._kept_logs = weakref.ref(logs)
        return logs

    def current_logs(self) -> dict[str, Any]:
        """Logs of the step that ran last, where somebody still holds them."""
        logs = self._kept_logs() if self._kept_logs is not None else None
        return logs.settle() if logs is not None else {}

    def settle_logs(self) -> None:
        """Before a step: let logs that somebody kept have their values."""
        logs = self._kept_logs() if self._kept_logs is not None else None
        if logs is not None:
            logs.settle()
        self._kept_logs = None

    def written_by(self, kind: str) -> list[Stored]:
        """The variables that the programs of this kind write."""
        graphs = [program.graph for program in self._programs.values() if program.kind == kind]
        written = (state.variable for graph in graphs for state in graph.states if state.written)
        return list(dict.fromkeys(written))

    def _key(self, kind: str, arrays: Arrays, size: int) -> Any:
        versions = tuple((optimizer, optimizer._version_of_rates) for optimizer in self._optimizers)
        return kind, size, arrays.signature, versions, self._model_state

    def clear(self) -> None:
        """Forget all programs, as when the model is compiled anew."""
        self._programs.clear()
        self._model_states.clear()
        self._traced.clear()

    def has_traced(self, kind: str) -> bool:
        """Whether a step of this kind was traced since the model was compiled."""
        return kind in self._traced

    def _warn_of_retraces(self, kind: str, size: int, arrays: Arrays) -> None:
        """Say once which dimension keeps changing."""
        seen = self._traced.setdefault(kind, [])
        shapes = [(size, *a.shape[1:]) for a in arrays.leaves]
        if shapes in seen:
            return  # traced before: the model changed, or the program made room for others
        seen.append(shapes)
        if len(seen) == MANY_RETRACES:
            changing = ", ".join(_changing(seen)) or "several axes"
            note(
                f"{self.model.name}: the {kind} step was traced {MANY_RETRACES} times, which takes time. "
                f"Changing: {changing}. Pad or bucket the data to few shapes."
            )


def _changing(seen: list[list[tuple[int, ...]]]) -> list[str]:
    """The axes of the inputs that had more than a few sizes."""
    found = []
    for i in range(len(seen[0])):
        shapes = [shapes[i] for shapes in seen if len(shapes) > i]
        for axis in range(len(shapes[0])):
            if len({shape[axis] for shape in shapes if len(shape) > axis}) > MANY_RETRACES // 2:
                found.append(f"axis {axis} of input {i}")
    return found
