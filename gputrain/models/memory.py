"""What a model's step needs in memory, from its static plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gputrain.compiler import make_plan
from gputrain.data import Arrays
from gputrain.errors import ShapeError, explain
from gputrain.ir import Spec
from gputrain.models.summary import readable_bytes
from gputrain.models.training.steps import Stepped, trace_step
from gputrain.runtime import Variable


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes that a step of a model needs.

    Attributes:
        batch_size: samples per batch.
        kind: "train", "test" or "predict".
        weights: weights of the model.
        optimizer: slots and counters of the optimizer.
        arena: activations, gradients and workspaces, sharing memory by lifetime.
        unshared: what the arena would need if nothing shared memory.
    """

    batch_size: int
    kind: str
    weights: int
    optimizer: int
    arena: int
    unshared: int

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.arena

    def __str__(self) -> str:
        rows = [
            ("weights", self.weights),
            ("optimizer", self.optimizer),
            ("arena", self.arena),
            ("total", self.total),
        ]
        lines = [f"Memory of a {self.kind} step, batch size {self.batch_size}:"]
        lines += [f"  {name:<10} {readable_bytes(nbytes):>12}" for name, nbytes in rows]
        return "\n".join(
            [*lines, f"  (without sharing the arena would take {readable_bytes(self.unshared)})"]
        )


class Planned(Stepped, Protocol):
    """A model as its memory plan sees it."""

    optimizer: Any

    @property
    def weights(self) -> list[Variable]:
        """All weights."""

    def step_specs(self) -> tuple[list[Spec], list[Spec]]:
        """Specs of the inputs and of the targets of a step, flat."""


def memory_plan(model: Planned, batch_size: int, kind: str) -> MemoryPlan:
    """Trace and plan a step for batches of zeros of the model's input shape; nothing runs."""
    example = _example(model, kind)
    specs = [Spec((batch_size, *a.shape[1:]), a.dtype.name) for a in example.leaves]
    graph = trace_step(model, kind, example, specs).graph
    plan = make_plan(graph, model._training_counters.step.device)
    state = model.optimizer.variables if model.optimizer is not None and kind == "train" else []
    slots = sum(v.spec.nbytes for v in state)
    weights = sum(v.spec.nbytes for v in model.weights)
    return MemoryPlan(batch_size, kind, weights, slots, plan.nbytes, plan.unshared())


def _example(model: Planned, kind: str) -> Arrays:
    """Arrays of one sample: zeros of the input shapes, and of the targets that the losses take."""
    if kind not in ("train", "test", "predict"):
        raise ValueError(
            explain("kind names a step.", expected='"train", "test" or "predict"', received=kind)
        )
    inputs, targets = model.step_specs()
    x = [_zeros(spec) for spec in inputs]
    if kind == "predict":
        return Arrays(x[0] if len(x) == 1 else x)
    y = [_zeros(spec) for spec in targets]
    return Arrays(x[0] if len(x) == 1 else x, y[0] if len(y) == 1 else y)


def _zeros(spec: Spec) -> np.ndarray:
    if None in spec.shape[1:]:
        raise ShapeError(explain("memory_plan() needs known sizes beyond the batch.", received=spec.shape))
    return np.zeros(Spec((1, *spec.shape[1:])).dims, spec.dtype)
