"""The least that a training step must do: arithmetic of its products, and bytes that it cannot but move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import gputrain
from gputrain.ir import Spec
from gputrain.ops.base import Constant


@dataclass(frozen=True)
class Work:
    """Of one step.

    Attributes:
        flops: of products, convolutions, recurrences and attention; a multiplication and an addition are two.
        nbytes: parameters, gradients, slots, inputs and stored activations, each once.
    """

    flops: float
    nbytes: int

    def seconds(self, flops_a_second: float, bytes_a_second: float) -> float:
        """The floor on a machine of these rates."""
        return self.flops / flops_a_second + self.nbytes / bytes_a_second


def work_of(model: gputrain.Model, plan: Any, batch: int) -> Work:
    """What the planned training step of a model does at least."""
    nodes = plan.graph.nodes
    weights = sum(v.spec.nbytes for v in model.trainable_variables)
    slots = sum(v.spec.nbytes for v in model.optimizer.variables)
    inputs = sum(v.spec.nbytes for v in plan.graph.inputs)
    return Work(sum(flops_of(node) for node in nodes), 2 * weights + slots + inputs + stored(plan))


def stored(plan: Any) -> int:
    """Bytes of activations: what the forward pass writes and the backward pass reads."""
    nodes = [node for node in plan.graph.nodes if not isinstance(node.op, Constant)]
    backward = {node for node in nodes if node.path.endswith("'")}  # made by differentiation
    made = {value for node in nodes if node not in backward for value in node.outputs}
    read = {value for node in backward for value in node.inputs}
    sizes = {plan.places[v].buffer: v.spec.nbytes for v in made & read}
    return sum(nbytes for buffer, nbytes in sizes.items() if buffer.in_arena)


def flops_of(node: Any) -> float:
    """Arithmetic of one node; 0 for what is bound by memory."""
    ins, outs = ([v.spec.dims for v in values] for values in (node.inputs, node.outputs))
    rule = RULES.get(type(node.op).__name__)
    return float(rule(node.op, ins, outs)) if rule else 0.0


def _product(op: Any, ins: list[Any], outs: list[Any]) -> float:
    """(B, M, K) by (B, K, N), however each is turned: the sizes alone tell B * M * N * K."""
    a, b, out = (math.prod(shape) for shape in (ins[0], ins[1], outs[0]))
    return 2 * out * math.sqrt(a * b / (out * math.prod(outs[0][:-2])))


def _convolution(images: Any, filters: Any) -> float:
    """Each place of the images on the side of the outputs takes one window of each filter."""
    return 2 * math.prod(images) * math.prod(filters[:-1])


def _attention(products: int) -> Any:
    """(N, T, H, D) and (N, S, H, D)."""
    return lambda op, ins, outs: 2 * products * math.prod(ins[0]) * ins[1][1]


RULES: dict[str, Any] = {
    "MatMul": _product,
    "Conv": lambda op, ins, outs: _convolution(outs[0], ins[1]),
    "ConvInputGrad": lambda op, ins, outs: _convolution(ins[0], ins[1]),
    "ConvFilterGrad": lambda op, ins, outs: _convolution(ins[1], outs[0]),
    "ConvMaxPool": lambda op, ins, outs: _convolution(op.conv.infer(*map(Spec, ins)).dims, ins[1]),
    "ConvMaxPoolFilterGrad": lambda op, ins, outs: _convolution(ins[1], outs[0]),
    "LSTMSteps": lambda op, ins, outs: 2 * math.prod(ins[0][:2]) * math.prod(ins[3]),
    "LSTMStepsGrad": lambda op, ins, outs: 4 * math.prod(outs[0][:2]) * math.prod(ins[1]),
    "DotProductAttention": _attention(2),
    "DotProductAttentionGrad": _attention(4),
}
