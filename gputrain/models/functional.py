"""Functional: a model given by symbolic inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import GraphError, ShapeError, explain
from ..ir import Node, Value, current_trace, is_float, schedule
from ..layers.base import Layer
from ..layers.input import InputLayer
from ..layers.symbolic import _LayerCall
from ..ops.base import apply, cast, convert
from ..utils import tree


class FunctionalGraph:
    """The calls between symbolic inputs and outputs, to be repeated on other values.

    Args:
        inputs: symbolic values, or a list or dict of them.
        outputs: likewise.
        name: the model's name, for errors.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str) -> None:
        self.inputs, self.outputs, self.name = inputs, outputs, name
        self.input_values: list[Value] = _values(inputs, name, "inputs")
        self.output_values: list[Value] = _values(outputs, name, "outputs")
        self.nodes = _between(self.input_values, self.output_values, name)
        self.input_layers = [_input_layer(v) for v in self.input_values]

    @property
    def layers(self) -> list[Layer]:
        """Input layers and called layers, in order, each once."""
        called = [node.op.layer for node in self.nodes if isinstance(node.op, _LayerCall)]
        return list(dict.fromkeys([*self.input_layers, *called]))

    def run(self, args: Any) -> Any:
        """Repeat the calls on `args`, given in the structure of the inputs (or flat, or by name)."""
        given = self.match(args)
        known: dict[Value, Any] = {}
        for value, x in zip(self.input_values, given, strict=True):
            known[value] = self._checked(value, convert(x))
        for node in self.nodes:
            ins = [known[v] for v in node.inputs]
            made = node.op.call(ins) if isinstance(node.op, _LayerCall) else apply(node.op, *ins)
            known.update(zip(node.outputs, made if isinstance(made, list | tuple) else [made], strict=True))
        return tree.pack(self.outputs, [known[v] for v in self.output_values])

    def match(self, args: Any) -> list[Any]:
        """The flat list of inputs, in order, from a list, a dict by input name, or a single value."""
        if isinstance(args, dict):
            names = list(self.inputs) if isinstance(self.inputs, dict) else [v.name for v in self.input_values]
            missing = [n for n in names if n not in args]
            if missing:
                raise ShapeError(
                    explain(f"{self.name}: an input is missing.", expected=names, received=list(args))
                )
            return [args[n] for n in names]
        flat = tree.flatten(args)
        if len(flat) != len(self.input_values):
            raise ShapeError(
                explain(
                    f"{self.name}: the model has {len(self.input_values)} input(s).",
                    expected=[f"{v.name}: {v.shape}" for v in self.input_values],
                    received=[getattr(x, "shape", type(x).__name__) for x in flat],
                )
            )
        return flat

    def _checked(self, value: Value, x: Any) -> Any:
        """`x` in the input's dtype, its shape checked against the input's."""
        shape = tuple(x.shape)
        if len(shape) == len(value.shape) + 1 and shape[-1] == 1:
            shape = shape[:-1]
        fits = len(shape) == len(value.shape) and all(
            a is None or b is None or a == b for a, b in zip(shape, value.shape, strict=True)
        )
        if not fits:
            raise ShapeError(
                explain(
                    f"{self.name}: input {value.name!r} has the wrong shape.",
                    expected=value.shape,
                    received=tuple(x.shape),
                    fix=_shape_hint(tuple(x.shape), value.shape),
                )
            )
        mask = getattr(x, "mask", None)
        if str(x.dtype) != value.dtype and (is_float(value.dtype) or not is_float(str(x.dtype))):
            x = cast(x, value.dtype)
            if mask is not None:
                x.mask = mask
        return x


def _shape_hint(received: tuple[Any, ...], expected: tuple[Any, ...]) -> str:
    if len(received) == len(expected) - 1 and expected[-1] == 1:
        return "Add the channel axis: x.reshape(*x.shape, 1)."
    if len(received) == len(expected) - 1:
        return "A single sample needs a batch axis: x[None]."
    return "The first axis counts samples."


def _values(structure: Any, name: str, what: str) -> list[Value]:
    leaves = tree.flatten(structure)
    if not leaves or not all(isinstance(v, Value) for v in leaves):
        raise GraphError(
            explain(
                f"{name}: {what} must be symbolic values, as Input() and layers called on them return.",
                received=[type(v).__name__ for v in leaves],
            )
        )
    return leaves


def _between(inputs: Sequence[Value], outputs: Sequence[Value], name: str) -> list[Node]:
    """Nodes from the inputs to the outputs; nodes before an input are cut away."""
    cut = set(inputs)
    wanted: set[Node] = set()
    pending = [v for v in outputs if v not in cut]
    while pending:
        value = pending.pop()
        if value.node is None:
            raise GraphError(
                explain(
                    f"{name}: the outputs depend on an input that is not among the model's inputs.",
                    expected=[v.name for v in inputs],
                    received=value.name or repr(value),
                )
            )
        if value.node not in wanted:
            wanted.add(value.node)
            pending.extend(v for v in value.node.inputs if v not in cut)
    return [node for node in schedule(outputs) if node in wanted]


def _input_layer(value: Value) -> InputLayer:
    """The input layer of a value; a new one where a model is cut open in its middle."""
    if value.origin is not None:
        return value.origin  # type: ignore[no-any-return]
    return InputLayer(batch_shape=value.shape, dtype=value.dtype, name=value.name or None)


def in_trace() -> bool:
    """Whether values are being recorded into a program rather than into a functional model."""
    return current_trace() is not None
