"""A model's step as a graph: what it records, and what it keeps when it is not finite."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple, Protocol

from gputrain import config, ops
from gputrain.compiler.rewrite import optimize
from gputrain.data import Arrays
from gputrain.data.lookups import LookUp, lookups_in
from gputrain.errors import GraphError, explain
from gputrain.ir import Graph, Spec, Stored, Trace, Value, current_trace, schedule
from gputrain.models.training.state import TrainingState
from gputrain.models.training.strategy import Strategy
from gputrain.ops.base import apply, as_value, is_number
from gputrain.ops.optim import Gate
from gputrain.utils import pack_x_y_sample_weight, tree
from gputrain.utils.plain import flat

COMPUTED = object()  # stands in the logs of a traced step for what the device computes
MOST_SKIPPED = 20  # steps in a row that may be skipped: loss scaling that begins at 2**15 needs 15 at most


class Stepped(Protocol):
    """A model as its traced steps see it."""

    name: str
    built: bool
    _step_strategy: Strategy
    _training_counters: TrainingState

    @property
    def metrics(self) -> list[Any]:
        """The metrics whose results a step may give."""

    def _optimizers_of_steps(self) -> list[Any]:
        """The optimizers that a step may use."""

    def train_step(self, data: Any) -> Any:
        """One step of fit."""

    def test_step(self, data: Any) -> Any:
        """One step of evaluate."""

    def predict_step(self, data: Any) -> Any:
        """One step of predict."""


class TracedStep(NamedTuple):
    """A model's step.

    Attributes:
        structure: that of predictions has None for each output; logs have COMPUTED for what the device gives.
        graph: what is computed.
        preparations: host functions to call before each run.
        lookups: what layers look up in its arrays.
    """

    structure: Any
    graph: Graph
    preparations: list[Any]
    lookups: list[LookUp]


def trace_step(model: Stepped, kind: str, example: Arrays, specs: list[Spec]) -> TracedStep:
    """Trace a model's step for arrays as those of `example`, of `specs`."""
    values = [Value(spec) for spec in specs]
    fresh = iter(values)
    data = (example.x, example.y, example.sample_weight)
    parts = tree.map_leaves(lambda a: None if a is None else next(fresh), data)
    _name_inputs(parts)
    state = model._training_counters
    counter = state.step if kind == "train" else state.draws
    for optimizer in model._optimizers_of_steps():
        optimizer.reduce_gradients = model._step_strategy.reduce_gradients
    if not model.built:
        _build(model, parts[0], counter)
    trace = Trace(training=kind == "train", counter=counter)
    with trace.active():
        if kind == "train":
            trace.require(trace.read(state.healthy))
        step: Callable[[Any], Any] = getattr(model, f"{kind}_step")
        results = step(_given(parts[:1] if kind == "predict" else parts))
        leaves, structure = _predicted(results) if kind == "predict" else _logged(results, kind)
        if kind == "train":
            trace.write(state.step, ops.add(trace.read(state.step), 1))
            kept = _guard(trace, state)
            if config.nonfinite_steps() == "skip":
                leaves = _as_counted(leaves, trace, model.metrics, kept)
        elif counter in trace.before:  # something drew: the next step draws anew
            trace.write(counter, ops.add(trace.read(counter), 1))
    lookups = lookups_in(values, trace.looked_up)
    return TracedStep(structure, optimize(trace.graph(values, leaves)), trace.preparations, lookups)


def _build(model: Any, x: Any, counter: Any) -> None:
    """Have the layers make their weights, which a step of one's own may read before it calls the model."""
    with suppress(Exception), Trace(training=False, counter=counter).active():  # the step says what is wrong
        model(x, training=False)


def part_of_step(name: str) -> Any:
    """Within a `with` block: operations belong to this part of a step, for reports."""
    trace = current_trace()
    return trace.scope(name, name) if trace is not None else nullcontext()


def _name_inputs(parts: tuple[Any, ...]) -> None:
    for name, part in zip(("x", "y", "sample_weight"), parts, strict=True):
        leaves = [v for v in tree.flatten(part) if v is not None]
        for i, value in enumerate(leaves):
            value.name = name if len(leaves) == 1 else f"{name}[{i}]"


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, Value | Stored) or hasattr(leaf, "dtype")


def _predicted(results: Any) -> tuple[list[Value], Any]:
    """The values of what a predict step returned, and their structure."""
    for leaf in tree.flatten(results):
        if not _is_tensor(leaf) and not is_number(leaf):
            received = f"{leaf!r} of type {type(leaf).__name__}"
            raise GraphError(explain("predict_step() must return values or numbers.", received=received))
    return [as_value(leaf) for leaf in tree.flatten(results)], tree.map_leaves(lambda leaf: None, results)


def _given(parts: Sequence[Any]) -> Any:
    """What a step is given; weights also where there are no targets."""
    x, y, sample_weight = (*parts, None, None)[:3]
    return (x, y, sample_weight) if sample_weight is not None else pack_x_y_sample_weight(x, y)


def _logged(results: Any, kind: str) -> tuple[list[Value], dict[str, Any]]:
    """The values in a step's logs, and the logs with COMPUTED for each; numbers are floats, as in Keras."""
    if results is None and kind == "test":
        results = {}
    if not isinstance(results, dict):
        received = f"{results!r} of type {type(results).__name__}"
        raise GraphError(explain(f"{kind}_step() must return a dict of logs.", received=received))
    logs = {name: float(value) if is_number(value) else value for name, value in flat(results).items()}
    leaves = [as_value(leaf) for leaf in tree.flatten(logs) if _is_tensor(leaf)]
    return leaves, tree.map_leaves(lambda leaf: COMPUTED if _is_tensor(leaf) else leaf, logs)


def _guard(trace: Trace, state: TrainingState) -> dict[Value, Value]:
    """Keep every state as it was unless the whole step was finite: one Gate over all that needs it.

    Returns:
        what the step made of each state that the gate holds, and what is kept of it.
    """
    flag = trace.finite
    assert flag is not None
    pending = [
        (v, after) for v, after in trace.after.items() if not _is_guarded(after, trace.before[v], flag)
    ]
    new = [after for _, after in pending]
    old = [trace.before[v] for v, _ in pending]
    kept = apply(Gate(len(pending)), flag, *new, *old)
    for (variable, _), value in zip(pending, kept if len(pending) > 1 else [kept], strict=True):
        trace.after[variable] = value
    trace.after[state.healthy] = flag if config.nonfinite_steps() == "stop" else _skipping(trace, state, flag)
    return {after: trace.after[variable] for variable, after in pending}


def _as_counted(
    leaves: list[Value], trace: Trace, metrics: Sequence[Any], kept: Mapping[Value, Value]
) -> list[Value]:
    """Results of a step without what metrics took in from it, where it is skipped after good ones."""
    counted = {trace.after[v] for metric in metrics for v in metric.variables if v in trace.after}
    mapped = {after: value for after, value in kept.items() if value in counted}
    scalars = [value for value in mapped.values() if value.ndim == 0]
    if not scalars:
        return leaves
    for node in schedule(leaves):
        if any(value in mapped for value in node.inputs):
            again = apply(node.op, *(mapped.get(value, value) for value in node.inputs))
            mapped |= zip(node.outputs, again if len(node.outputs) > 1 else [again], strict=True)
    began = functools.reduce(ops.logical_or, [ops.not_equal(value, 0) for value in scalars])
    return [ops.where(began, mapped[leaf], leaf) if leaf in mapped else leaf for leaf in leaves]


def _skipping(trace: Trace, state: TrainingState, flag: Value) -> Value:
    """Count a step that is not finite; whether training may go on, for too many in a row may not be."""
    healthy = trace.read(state.healthy)
    bad = ops.cast(ops.logical_and(healthy, ops.logical_not(flag)), "int64")
    in_a_row = ops.where(flag, 0, ops.add(trace.read(state.skipped_in_a_row), bad))
    trace.write(state.skipped, ops.add(trace.read(state.skipped), bad))
    trace.write(state.skipped_in_a_row, in_a_row)
    return ops.logical_and(healthy, ops.less(in_a_row, MOST_SKIPPED))


def _is_guarded(after: Value, before: Value, flag: Value) -> bool:
    """Whether one update from `before` that obeys this very flag made the state."""
    node = after.node
    return (
        node is not None
        and node.op.guarded
        and node.inputs[0] is flag
        and any(v is before for v in node.inputs)
    )
