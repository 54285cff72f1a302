"""Whether a loss and the last activation of a model agree about logits and probabilities."""

from __future__ import annotations

from typing import Any

from gputrain.ir import Node, Value
from gputrain.ops.activation import Relu
from gputrain.ops.base import Cast, Operation
from gputrain.ops.convolution import Conv
from gputrain.ops.crossentropy import Softmax
from gputrain.ops.elementwise import Add, Sigmoid, Tanh
from gputrain.ops.movement import Reshape
from gputrain.ops.products import MatMul
from gputrain.utils.notes import note

_PROBABILITIES: dict[type[Operation], str] = {Softmax: "softmax", Sigmoid: "sigmoid"}
_UNBOUNDED: dict[type[Operation], str] = {
    Add: "linear",
    MatMul: "linear",
    Conv: "linear",
    Relu: "relu",
    Tanh: "tanh",
}


def check_logits(loss: Any, output: Any, name: str) -> None:
    """Say once when a crossentropy and the activation that makes the output do not belong together.

    Args:
        loss: a resolved loss.
        output: the model's output while it is traced.
        name: the output's name.
    """
    key = f"logits of {type(loss).__name__} after {_last_operation(output)}"
    wanted = getattr(loss, "activation", None)
    kind = _last_operation(output)
    if wanted is None or kind is None:
        return
    from_logits = getattr(loss, "from_logits", False)  # a loss of the user's may have no such argument
    if from_logits and kind in _PROBABILITIES:
        note(
            f"Output {name!r} ends in {_PROBABILITIES[kind]}, but {loss.name} has from_logits=True, so the "
            f"activation is applied twice. Pass from_logits=False, or drop the activation.",
            key,
        )
    if not from_logits and kind in _UNBOUNDED:
        note(
            f"Output {name!r} ends in a {_UNBOUNDED[kind]} activation, but {loss.name} reads it as "
            f"probabilities ({_reading(loss)}). Add activation={wanted!r}, or pass from_logits=True if these "
            "are logits.",
            key,
        )


def _reading(loss: Any) -> str:
    if loss.activation == "sigmoid":
        return "clipped to 0..1"
    return "each row divided by its sum, then clipped to 0..1; a row of zeros costs -log(epsilon)"


def _last_operation(output: Any) -> type[Operation] | None:
    """Kind of the operation that makes the output, past changes of shape and dtype; None of an array."""
    node: Node | None = output.node if isinstance(output, Value) else None
    while node is not None and isinstance(node.op, Reshape | Cast):
        node = node.inputs[0].node
    return type(node.op) if node is not None else None
