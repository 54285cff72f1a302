"""Functional: a model given by symbolic inputs and outputs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from gputrain import tree
from gputrain.errors import GraphError, ShapeError, explain
from gputrain.ir import Node, Value, schedule
from gputrain.layers.base import Layer
from gputrain.layers.base.symbolic import LayerCall
from gputrain.layers.core.input_layer import InputLayer
from gputrain.ops import expand_dims, squeeze
from gputrain.ops.base import apply, cast, convert
from gputrain.ops.calls import Call

Place = tuple[str, int, int]  # name of a layer, number of its call, place among what the call returned


def _called(op: Any, values: list[Any]) -> Any:
    """What an operation makes of other values, as a list."""
    made = op.call(values) if isinstance(op, Call) else apply(op, *values)
    return made if isinstance(made, list | tuple) else [made]


class _Otherwise(Exception):
    """Data that is nested in another way than the inputs."""


def _leaves_like(structure: Any, given: Any) -> list[Any]:
    """What is given in the place of each leaf, flat; further keys of dicts are left out.

    Raises:
        _Otherwise: it is nested in another way.
    """
    if isinstance(structure, Value):
        if tree.is_nested(given):
            raise _Otherwise
        return [given]
    if isinstance(structure, dict):
        if not isinstance(given, dict) or any(key not in given for key in structure):
            raise _Otherwise
        given = {key: given[key] for key in structure}
    elif not isinstance(given, list | tuple) or len(given) != len(structure):
        raise _Otherwise
    keys = dict.fromkeys(path[0] for path, _ in tree.flatten_with_path(structure))
    return [leaf for key in keys for leaf in _leaves_like(structure[key], given[key])]


class FunctionalGraph:
    """The calls between symbolic inputs and outputs, to be repeated on other values.

    Args:
        inputs: symbolic values, or lists, tuples and dicts of them, nested in any way; dicts are taken in the
            order of their sorted keys.
        outputs: likewise.
        name: the model's name, for errors.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str) -> None:
        self.inputs, self.outputs, self.name = inputs, outputs, name
        self.input_values: list[Value] = _values(inputs, name, "inputs")
        self.output_values: list[Value] = _values(outputs, name, "outputs")
        self.nodes = _between(self.input_values, self.output_values, name)
        self.input_layers = [_input_layer(v) for v in self.input_values]
        _require_unique_names(self)

    def __getstate__(self) -> dict[str, Any]:
        """All nodes first, each after those it reads: so a copy goes from node to node and never deep."""
        return {"upstream": schedule([*self.input_values, *self.output_values]), **vars(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        upstream = state["upstream"]
        vars(self).update({name: value for name, value in state.items() if name != "upstream"})
        for node in upstream:
            if isinstance(node.op, LayerCall) and node not in node.op.layer.symbolic_calls:
                node.op.layer.symbolic_calls.append(node)

    @cached_property
    def operations(self) -> list[Any]:
        """Input layers, called layers, nodes of bare operations: those farthest from the outputs first.

        Each is there once. As in Keras, of those equally far the one that is met first comes first, on the
        way back from the first output.
        """
        return _by_distance(dict(zip(self.input_values, self.input_layers, strict=True)), self.output_values)

    @property
    def layers(self) -> list[Layer]:
        """The layers among `operations`."""
        return [subject for subject in self.operations if isinstance(subject, Layer)]

    @property
    def is_chain(self) -> bool:
        """Whether each call reads what the one before made and nothing else, and no layer is called twice."""
        if len(self.input_values) != 1 or len(self.operations) != 1 + len(self.nodes):
            return False
        made = (self.input_values, *(node.outputs for node in self.nodes))
        return all(
            len(node.inputs) == 1 and any(node.inputs[0] is value for value in before)
            for before, node in zip(made, self.nodes, strict=False)
        )

    def calls(self) -> dict[Any, list[Node]]:
        """The calls of each layer, in order, and of each operation, which is a node itself."""
        found: dict[Any, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.op.layer if isinstance(node.op, LayerCall) else node, []).append(node)
        return found

    def places(self) -> dict[Value, Place]:
        """Where each value is made."""
        inputs = zip(self.input_values, self.input_layers, strict=True)
        found: dict[Value, Place] = {value: (layer.name, 0, 0) for value, layer in inputs}
        for subject, nodes in self.calls().items():
            for number, node in enumerate(nodes):
                for i, value in enumerate(returned(node)):
                    found.setdefault(value, (name_of(subject), number, i))
        return found

    def run(self, args: Any) -> Any:
        """Repeat the calls on `args`, given in the structure of the inputs (or flat, or by name).

        Returns the outputs in their structure; of a list of one, that one.
        """
        given = self.match(args)
        known: dict[Value, Any] = {}
        for value, x in zip(self.input_values, given, strict=True):
            known[value] = self._checked(value, x)
        try:
            made = self.repeat(known)
        except ShapeError as error:
            hint = self._batch_hint(known)
            if not hint or "batch_size=" in str(error):
                raise
            raise ShapeError(f"{error} {hint}") from error
        return made[0] if isinstance(made, list | tuple) and len(made) == 1 else made

    def repeat(self, known: dict[Value, Any], call: Callable[[Any, list[Any]], Any] = _called) -> Any:
        """The outputs in their structure, where the inputs are those that `known` tells of.

        Args:
            known: what stands for each input; it learns what stands for the other values.
            call: repeats an operation on other values; returns what corresponds to the outputs of its node.
        """
        for node in self.nodes:
            made = call(node.op, [known[v] for v in node.inputs])
            known.update(zip(node.outputs, made, strict=True))
        return tree.pack_sequence_as(self.outputs, [known[v] for v in self.output_values])

    def _batch_hint(self, known: Mapping[Value, Any]) -> str:
        """What to do where an input came with another size of the batch than it was made for."""
        for value in self.input_values:
            made, came = value.shape[:1], tuple(getattr(known[value], "shape", value.shape)[:1])
            if made != (None,) and made != came:
                return (
                    f"Input {value.name!r} was made for batches of {made[0]} and got one of {came[0]}, which "
                    f"this layer does not take: pass batch_size={made[0]} and a number of samples that it "
                    "divides, or make the input without batch_size."
                )
        return ""

    def match(self, args: Any) -> list[Any]:
        """The flat list of inputs, in order: from what is nested like them, a dict by name, or a list.

        Keys beyond those of the inputs are left out.
        """
        names = self.names
        if names is not None and isinstance(args, dict):
            missing = [name for name in names if name not in args]
            if missing:
                rule = f"{self.name}: input {missing[0]!r} is missing."
                raise ShapeError(explain(rule, expected=names, received=list(args)))
            return [args[name] for name in names]
        try:
            flat = _leaves_like(self.inputs, args)
        except _Otherwise:
            flat = self._flat(args)
        return flat

    def _flat(self, args: Any) -> list[Any]:
        """Inputs that are nested in another way: by their names from a dict, or else in their order."""
        names = [value.name for value in self.input_values]
        if isinstance(args, dict) and all(name in args for name in names):
            return [args[name] for name in names]
        flat = tree.flatten(args)
        by_key = self.names if isinstance(self.inputs, dict) else None
        is_order = by_key is None or list(self.inputs) == by_key  # or else "in order" means either
        if len(flat) != len(self.input_values) or not is_order:
            raise ShapeError(
                explain(
                    f"{self.name}: the model has {len(self.input_values)} input(s).",
                    expected=[f"{v.name}: {v.shape}" for v in self.input_values],
                    received=[getattr(x, "shape", type(x).__name__) for x in flat],
                    fix="" if is_order else f"Pass a dict with {list(self.inputs)}.",
                )
            )
        return flat

    @cached_property
    def names(self) -> list[str] | None:
        """The keys by which a dict gives the inputs, in order; None where they are nested deeper."""
        parts = self.inputs.values() if isinstance(self.inputs, dict) else self.inputs
        if not all(isinstance(part, Value) for part in (parts if tree.is_nested(self.inputs) else ())):
            return None
        if isinstance(self.inputs, dict):
            return [path[0] for path, _ in tree.flatten_with_path(self.inputs)]
        return [value.name for value in self.input_values]

    def _checked(self, value: Value, given: Any) -> Any:
        """What is given, in the input's dtype and number of axes, its shape checked against the input's."""
        if given is None:
            if value.origin is None or not value.origin.optional:
                rule = f"{self.name}: input {value.name!r} is not optional."
                fix = "Make it with Input(..., optional=True)."
                raise ShapeError(explain(rule, received="None", fix=fix))
            return None
        x = convert(given)
        mask = getattr(x, "mask", None)
        fitted = _with_axes_of(value, x)
        expected = (None, *value.shape[1:]) if value.ndim else ()  # a fixed batch is what layers are told of
        if not _fits(fitted.shape, expected):
            raise ShapeError(
                explain(
                    f"{self.name}: input {value.name!r} has the wrong shape.",
                    expected=expected,
                    received=tuple(x.shape),
                    fix=_shape_hint(tuple(x.shape), expected),
                )
            )
        if str(fitted.dtype) != value.dtype:
            fitted = cast(fitted, value.dtype)
        if fitted is not x and mask is not None:
            fitted.mask = mask
        return fitted


def name_of(subject: Any) -> str:
    """The name of a layer, or of the operation of a node."""
    return str(subject.op if isinstance(subject, Node) else subject.name)


def returned(node: Node) -> list[Value]:
    """What a call returned, flat, dicts in the order of their keys; then the masks that it made."""
    values = tree.flatten(node.op.packed(node.outputs)) if isinstance(node.op, Call) else []
    return [*values, *(value for value in node.outputs if not any(value is known for known in values))]


def _with_axes_of(value: Value, x: Any) -> Any:
    """`x` with a last axis of size 1 added or taken away, where that gives it as many axes as the input."""
    if x.ndim == value.ndim + 1 and x.shape[-1] == 1:
        return squeeze(x, -1)
    if x.ndim == value.ndim - 1 and value.shape[-1] == 1:
        return expand_dims(x, -1)
    return x


def _fits(shape: Sequence[Any], expected: Sequence[Any]) -> bool:
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(shape, expected, strict=True)
    )


def _shape_hint(received: tuple[Any, ...], expected: tuple[Any, ...]) -> str:
    if len(received) == len(expected) - 1 and _fits(received, expected[1:]):
        return "A single sample needs a batch axis: x[None]."
    if len(received) > 1 and len(expected) > 1 and math.prod(received[1:]) == _size(expected[1:]):
        return f"The sizes agree, so reshape the data: x.reshape(-1, {', '.join(map(str, expected[1:]))})."
    return "The first axis counts samples."


def _size(shape: Sequence[Any]) -> int | None:
    return None if None in shape else math.prod(shape)


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


def _require_unique_names(graph: FunctionalGraph) -> None:
    """Refuse two layers of one name: neither could be asked for by it."""
    names = Counter(layer.name for layer in graph.layers)
    for value, layer in zip(graph.input_values, graph.input_layers, strict=True):
        if value.origin is None:  # where a model is cut open, the input has the name of what it stands for
            names[layer.name] -= 1
    name, count = max(names.items(), key=lambda item: item[1])
    if count > 1:
        raise ValueError(
            explain(
                f"{graph.name}: layer names must be unique.",
                received=f"{name!r} for {count} layers",
                fix="Pass name= to one of them.",
            )
        )


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


def _by_distance(inputs: Mapping[Value, Layer], outputs: Sequence[Value]) -> list[Any]:
    """The layers and nodes between, by how many calls they are from the outputs, and then as they are met.

    They are met on the way back, depth first, from the first output and the first argument of each call. A
    place on this way is an input, or a node; what stands there is a layer, that of several places if it is
    shared, or the node of an operation, which counts as a call.
    """

    def place_of(value: Value) -> Any:
        return value if value in inputs else value.node

    met: dict[Any, Any] = {}  # what stands at each place
    left: list[Any] = []  # places, each after all that it reads
    pending = [(place_of(value), False) for value in reversed(outputs)]
    while pending:
        place, back = pending.pop()
        if back:
            left.append(place)
        elif place not in met:
            called = place.op.layer if isinstance(getattr(place, "op", None), LayerCall) else place
            met[place] = inputs.get(place, called)
            pending.append((place, True))
            pending.extend((place_of(value), False) for value in reversed(_read_at(place)))
    unread = [layer for layer in inputs.values() if layer not in met.values()]
    away = dict.fromkeys([*unread, *met.values()], 0)
    place_away = dict.fromkeys(met, 0)
    for place in reversed(left):
        away[met[place]] = place_away[place] = max(place_away[place], away[met[place]])
        for value in _read_at(place):
            before = place_of(value)
            place_away[before] = max(place_away[before], place_away[place] + 1)
    return sorted(away, key=lambda subject: -away[subject])


def _read_at(place: Value | Node) -> Sequence[Value]:
    """What a node reads; an input reads nothing."""
    return place.inputs if isinstance(place, Node) else ()


def _input_layer(value: Value) -> InputLayer:
    """The input layer of a value; a new one where a model is cut open in its middle."""
    if value.origin is not None:
        return value.origin
    return InputLayer(batch_shape=value.shape, dtype=value.dtype, name=value.name or None)
