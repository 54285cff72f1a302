"""Fused: the operation that a chain becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Node, Spec, Value
from gputrain.ops.activation import Relu
from gputrain.ops.base import Operation, Sample, evaluate
from gputrain.ops.elementwise import Add
from gputrain.ops.reduction import Mean


class Fused(Operation, eq=False):
    """Several nodes in one: what they read from outside, to what is read outside.

    Attributes:
        nodes: in order.
        inputs, outputs: values of theirs that this operation's inputs and outputs stand for.
        pairs: (output, input) that may share memory.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def n_outputs(self) -> int:
        return len(self.outputs)

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return self.pairs

    def infer(self, *specs: Spec) -> tuple[Spec, ...]:
        return tuple(v.spec for v in self.outputs)

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        arrays = dict(zip(self.inputs, inputs, strict=True))
        for node in self.nodes:
            made = evaluate(node.op, xp, [arrays[v] for v in node.inputs])
            arrays.update(zip(node.outputs, made, strict=True))
        for target, value in zip(out if self.n_outputs > 1 else (out,), self.outputs, strict=True):
            xp.copyto(target, arrays[value])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def made(op: Operation, *inputs: Value) -> Node:
            return Node(op, inputs, op.output_specs(*(v.spec for v in inputs)))

        found = []
        for shape in ((), (7,), (3, 5), (2, 4, 128), (70001,)):
            x, y = Value(Spec(shape)), Value(Spec(shape[-1:]))
            total = made(Add(), x, y)
            positive = made(Relu(), *total.outputs)
            mean = made(Mean(tuple(range(len(shape)))), *positive.outputs)
            nodes = (total, positive, mean)
            op = cls(nodes, (x, y), (positive.outputs[0], mean.outputs[0]), ())
            inputs, label = (x.spec, y.spec), f"{shape}"
            sample = Sample(op, inputs, _positive_mean, dtype="float32", differentiable=(), label=label)
            found.append(sample)
            alone = cls(nodes[:2], (x, y), positive.outputs, ((0, 0),))
            label = f"{shape} without its mean"
            found.append(Sample(alone, inputs, _positive, dtype="float32", differentiable=(), label=label))
        return found

    def __str__(self) -> str:
        return f"Fused({', '.join(type(node.op).__name__ for node in self.nodes)})"


def _positive(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(x + y, 0.0)


def _positive_mean(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive = _positive(x, y)
    return positive, positive.mean()
