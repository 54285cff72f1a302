"""What a model's step needs in memory, from its static plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..compiler import make_plan
from ..data import Arrays
from ..errors import ShapeError, explain
from ..ir import Spec
from .program import trace_step
from .summary import readable_bytes

if TYPE_CHECKING:
    from .model import Model


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
        return "\n".join([*lines, f"  (without sharing the arena would take {readable_bytes(self.unshared)})"])


def memory_plan(model: Model, batch_size: int, kind: str) -> MemoryPlan:
    """Trace and plan a step for batches of zeros of the model's input shape; nothing runs."""
    example = _example(model, kind)
    specs = [Spec((batch_size, *a.shape[1:]), a.dtype.name) for a in example.leaves]
    _, graph = trace_step(model, kind, example, specs)
    plan = make_plan(graph, model.step_counter.device)
    optimizer = getattr(model, "optimizer", None)
    slots = sum(v.spec.nbytes for v in optimizer.variables) if optimizer is not None and kind == "train" else 0
    weights = sum(v.spec.nbytes for v in model.weights)
    return MemoryPlan(batch_size, kind, weights, slots, plan.nbytes, plan.unshared())


def _example(model: Model, kind: str) -> Arrays:
    """Arrays of one sample: of the last data seen, or zeros of the input and output shapes."""
    if kind not in ("train", "test", "predict"):
        raise ValueError(explain("kind names a step.", expected='"train", "test" or "predict"', received=kind))
    values = getattr(model, "inputs", None)
    if values is None:
        raise ShapeError(f"{model.name}: memory_plan() needs a model with known inputs (functional or Sequential).")

    def zeros(value: object) -> np.ndarray:
        spec = value.spec  # type: ignore[attr-defined]
        if None in spec.shape[1:]:
            raise ShapeError(explain("memory_plan() needs known sizes beyond the batch.", received=spec.shape))
        return np.zeros((1, *spec.shape[1:]), spec.dtype)

    x = [zeros(v) for v in values]
    y = [zeros(v) for v in model.outputs]
    return Arrays(x[0] if len(x) == 1 else x, None if kind == "predict" else (y[0] if len(y) == 1 else y))
