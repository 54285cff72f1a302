"""Calls of layers outside a trace: on symbolic values (the functional API) and on arrays (at once)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain import backend, config
from gputrain.errors import GraphError, explain
from gputrain.ir import Node, Shape, Spec, Trace, Value
from gputrain.ops.base import Operation, convert
from gputrain.runtime import Variable
from gputrain.utils import tree

if TYPE_CHECKING:
    from gputrain.layers.base.layer import Layer

# Sizes that stand for unknown dimensions when user code is traced: far apart, equal under no small stride.
_FIRST = (127, 131, 137, 139, 149, 151)
_SECOND = (1021, 1031, 1033, 1039, 1049, 1051)


class _LayerCall(Operation, eq=False):
    """A node of a functional model: one call of a layer. `arguments` has a `Slot` for each input value."""

    layer: Layer
    arguments: Any
    structure: Any
    count: int

    @property
    def n_outputs(self) -> int:
        return self.count

    def call(self, values: Sequence[Value]) -> list[Any]:
        """Call the layer on other values; the flat list of what it returns."""
        args, kwargs = tree.map_leaves(
            lambda leaf: values[leaf.index] if isinstance(leaf, Slot) else leaf, self.arguments
        )
        return tree.flatten(self.layer(*args, **kwargs))

    def __str__(self) -> str:
        return self.layer.name


@dataclass(frozen=True)
class Slot:
    """Where an input value goes in the arguments of a layer."""

    index: int


def functional_call(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer on symbolic values outside a trace: build it, find its output shapes, record the call."""
    arguments = (args, kwargs)
    leaves = tree.flatten(arguments)
    values = [leaf for leaf in leaves if isinstance(leaf, Value)]
    numbers = iter(range(len(values)))
    slots = tree.map_leaves(lambda leaf: Slot(next(numbers)) if isinstance(leaf, Value) else leaf, arguments)
    structure, specs, masked = output_specs(layer, args, kwargs)
    op = _LayerCall(layer, slots, structure, len(specs))
    node = Node(op, tuple(values), tuple(specs), layer.name)
    for value, has_mask in zip(node.outputs, masked, strict=True):
        value.name = layer.name
        if has_mask:
            value.mask = Value(Spec(value.shape[:-1], "bool"))
    layer.calls.append(node)
    return tree.pack(structure, node.outputs)


def output_specs(layer: Layer, args: Any, kwargs: Any) -> tuple[Any, list[Spec], list[bool]]:
    """(structure, flat specs, which are masked) of what a layer returns for these symbolic arguments.

    The project's own layers pass unknown sizes through. User code may compute with sizes, so it is traced at
    two concrete sizes; dimensions that differ between the two are unknown.
    """
    values = [v for v in tree.flatten((args, kwargs)) if isinstance(v, Value)]
    if layer.is_own or all(v.spec.static for v in values):
        return _traced_specs(layer, args, kwargs, [v.spec for v in values])
    structure, first, masked = _traced_specs(layer, args, kwargs, _concrete(values, _FIRST))
    _, second, _ = _traced_specs(layer, args, kwargs, _concrete(values, _SECOND))
    merged = [a.with_shape(_merge(a.shape, b.shape)) for a, b in zip(first, second, strict=True)]
    return structure, merged, masked


def _concrete(values: Sequence[Value], sizes: tuple[int, ...]) -> list[Spec]:
    """Specs with unknown dimensions replaced: the batch size by the first size, others by one each."""
    found, used = [], 0
    for value in values:
        shape: list[int] = []
        for axis, dim in enumerate(value.shape):
            if dim is None and axis == 0:
                dim = sizes[0]
            elif dim is None:
                used += 1
                dim = sizes[used % len(sizes)]
            shape.append(dim)
        found.append(value.spec.with_shape(shape))
    return found


def _merge(a: Shape, b: Shape) -> Shape:
    return tuple(m if m == n else None for m, n in zip(a, b, strict=True))


def _traced_specs(
    layer: Layer, args: Any, kwargs: Any, specs: Sequence[Spec]
) -> tuple[Any, list[Spec], list[bool]]:
    fresh = iter([Value(spec) for spec in specs])

    def stand_in(leaf: Any) -> Any:
        if not isinstance(leaf, Value):
            return leaf
        value = next(fresh)
        value.mask = Value(Spec(value.shape[:-1], "bool")) if leaf.mask is not None else None
        return value

    new_args, new_kwargs = tree.map_leaves(stand_in, (args, kwargs))
    with Trace(counter=_step_variable()).active():
        result = layer(*new_args, **new_kwargs)
    leaves = tree.flatten(result)
    for leaf in leaves:
        if not isinstance(leaf, Value):
            raise GraphError(
                explain(
                    f"{layer.name}: call() must return values, or lists, tuples or dicts of them.",
                    received=type(leaf).__name__,
                )
            )
    structure = tree.map_leaves(lambda leaf: None, result)
    return structure, [leaf.spec for leaf in leaves], [leaf.mask is not None for leaf in leaves]


def _step_variable() -> Variable:
    return Variable(np.asarray(config.next_draw(), np.int64), trainable=False, name="step")


def eager_call(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer on arrays: trace it for their shapes and run the graph at once. New states are kept."""
    from gputrain.runtime import interpret

    arguments = tree.map_leaves(lambda leaf: convert(leaf) if _is_array(leaf) else leaf, (args, kwargs))
    arrays = [leaf for leaf in tree.flatten(arguments) if _is_array(leaf)]
    inputs = [Value(Spec(tuple(a.shape), a.dtype.name)) for a in arrays]
    fresh = iter(inputs)
    new_args, new_kwargs = tree.map_leaves(lambda leaf: next(fresh) if _is_array(leaf) else leaf, arguments)
    trace = Trace(counter=_step_variable())
    with trace.active():
        result = layer(*new_args, **new_kwargs)
    leaves = tree.flatten(result)
    for prepare in trace.preparations:
        prepare()
    outputs = interpret(trace.graph(inputs, leaves), arrays, backend.current_device())
    return tree.pack(result, outputs)


def _is_array(leaf: Any) -> bool:
    """Arrays of any library; numbers, strings, shapes and None are plain arguments."""
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and not isinstance(leaf, Value | Variable)
