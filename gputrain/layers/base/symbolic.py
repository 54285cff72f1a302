"""Calls of layers outside a trace: on symbolic values (the functional API) and on arrays (at once)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain import backend, config
from gputrain.data.lookups import check_lookups, lookups_in
from gputrain.errors import GraphError, explain
from gputrain.ir import Node, Shape, Spec, Stored, Trace, Value, dtype_name
from gputrain.ir.interpreter import record
from gputrain.layers.base.policy import is_array
from gputrain.layers.base.tracking import Tracked
from gputrain.ops.base import as_value, convert, is_number, spec_of
from gputrain.ops.calls import Call, with_slots
from gputrain.runtime import Variable, interpret
from gputrain.utils import tree
from gputrain.utils.states import yielding


class TriedSize(int):
    """A size tried in place of an unknown one: it computes as a number, and is shown as the None it is."""

    def __repr__(self) -> str:
        return "None"


def _still_tried(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Arithmetic of ints whose results are tried sizes, too."""

    def method(*numbers: Any) -> Any:
        found = compute(*numbers)
        return TriedSize(found) if isinstance(found, int) else found

    return method


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "mod", "neg"):
    setattr(TriedSize, f"__{_name}__", _still_tried(getattr(int, f"__{_name}__")))

# Sizes that stand for unknown dimensions when user code is traced: far apart, equal under no small stride.
_FIRST = tuple(map(TriedSize, (127, 131, 137, 139, 149, 151)))
_SECOND = tuple(map(TriedSize, (1021, 1031, 1033, 1039, 1049, 1051)))


# So many elements are computed in a trial, for code that looks at values; of more, only the shape is found.
_SEEN = 1 << 20  # less than an array of two of the second sizes has


class _Trial(Trace):
    """A trace of which only shapes and dtypes are asked: what depends on sizes alone is no more computed."""

    def only_shape(self, spec: Spec) -> bool:
        """Whether such an array is too large to be made for its shape."""
        return spec.size > _SEEN

    def compute(self, op: Any, inputs: Sequence[Any]) -> Any:
        """The results of an operation on arrays; recorded where they are large."""
        if any(map(self.only_shape, op.output_specs(*map(spec_of, inputs)))):
            return record(op, inputs, self.path)
        return super().compute(op, inputs)


class _LayerCall(Call, eq=False):
    """A node of a functional model: one call of a layer.

    Its outputs are the values that the layer returns, flat, and then the masks of those that have one.
    """

    layer: Any
    results: Results

    @property
    def n_outputs(self) -> int:
        return len(self.results.specs) + len(self.results.masks)

    def packed(self, outputs: Sequence[Value]) -> Any:
        """What the layer returned, without the masks behind it."""
        return tree.pack(self.results.structure, outputs)

    def call(self, values: Sequence[Any]) -> list[Any]:
        """Call the layer on other values; what corresponds to the outputs of the node."""
        args, kwargs = self.given(values)
        return self.flat(self.layer(*args, **kwargs))

    def flat(self, result: Any) -> list[Any]:
        """What corresponds to the outputs of the node in what such a call returned."""
        made = _as_values(self.layer, result)
        return [*made, *(made[i].mask for i in self.results.masks)]

    def __str__(self) -> str:
        return self.layer.name


LayerCall = _LayerCall  # no operation of a device: classes of a public name are registered as such


class Results:
    """What a layer returns for some arguments, found without computing.

    Args:
        structure: of lists, tuples and dicts.
        specs: of the values, flat.
        masks: specs of the masks by the numbers of their values.
    """

    def __init__(self, structure: Any, specs: list[Spec], masks: dict[int, Spec]) -> None:
        self.structure, self.specs, self.masks = structure, specs, masks

    def merged(self, other: Results) -> Results:
        """The results where sizes that differ from those of `other` are unknown."""
        return Results(
            self.structure,
            [_merged(a, b) for a, b in zip(self.specs, other.specs, strict=True)],
            {i: _merged(spec, other.masks[i]) for i, spec in self.masks.items()},
        )


class SymbolicCalls(Tracked):
    """What is known of a layer's calls outside of a trace."""

    _eager_calls = 0  # how often it was called on arrays

    @property
    def input(self) -> Any:
        """Symbolic input(s) of the layer's only call in a functional model."""
        values = list(self._only_call().inputs)
        return values[0] if len(values) == 1 else values

    @property
    def output(self) -> Any:
        """Symbolic output(s) of the layer's only call in a functional model."""
        node = self._only_call()
        return node.op.packed(node.outputs)

    def _only_call(self) -> Node:
        calls = self.symbolic_calls
        if len(calls) != 1:
            fix = "Keep the values that calls return." if calls else "Give the model an input shape first."
            raise AttributeError(
                f"{self.name} was called {len(calls)} times on symbolic inputs; input and output need "
                f"exactly one call. {fix}"
            )
        return calls[0]

    def symbolic_results(self, results: Any) -> Any:
        """What a call on symbolic values returns, where one on data returns `results`: the same."""
        return results

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Shape of the output for inputs of this shape; nothing is computed. Builds the layer.

        Args:
            input_shape: a tuple with the batch (None where unknown), or a list or dict of them.
        """
        return shapes_returned(self, (input_shape,), {})

    @yielding
    def is_own(self) -> bool:
        """Whether no user code runs in this layer's call, so that unknown sizes may pass through it."""
        return all(layer._has_known_call() for layer in self.all_layers())

    def _has_known_call(self) -> bool:
        """Whether the code of this layer's `call`, without that of layers below it, is gputrain's."""
        call: Any = getattr(type(self), "call")  # noqa: B009  (that of a subclass)
        return bool(call.__module__.startswith(__name__.partition(".")[0] + "."))


def shapes_returned(layer: Any, shapes: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The shapes that a layer returns for arguments of these shapes, by place and by name."""
    dtype = layer.compute_dtype
    args = tuple(_stand_ins(shape, dtype) for shape in shapes)
    results = results_of(layer, args, {name: _stand_ins(shape, dtype) for name, shape in named.items()})
    return tree.pack(results.structure, [spec.shape for spec in results.specs])


def _stand_ins(shape: Any, dtype: str) -> Any:
    """A value of this shape, or a list or dict of values for a list or dict of shapes."""
    if isinstance(shape, dict):
        return {key: _stand_ins(item, dtype) for key, item in shape.items()}
    if all(size is None or isinstance(size, int) for size in shape):
        return Value(Spec(tuple(shape), dtype))
    return [_stand_ins(item, dtype) for item in shape]


def functional_call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer on symbolic values outside a trace: build it, find its output shapes, record the call."""
    slots, values = with_slots((args, kwargs))
    results = results_of(layer, args, kwargs)
    specs = (*results.specs, *results.masks.values())
    op = LayerCall(slots, layer, results)
    node = Node(op, tuple(values), specs, layer.name)
    outputs, masks = node.outputs[: len(results.specs)], node.outputs[len(results.specs) :]
    for value in outputs:
        value.name = layer.name
    for i, mask in zip(results.masks, masks, strict=True):
        outputs[i].mask = mask
    layer.symbolic_calls.append(node)
    return op.packed(outputs)


def results_of(layer: Any, args: Any, kwargs: Any) -> Results:
    """What a layer returns for these symbolic arguments.

    The project's own layers pass unknown sizes through. User code may compute with sizes, so it is traced at
    two concrete sizes; dimensions that differ between the two are unknown.
    """
    values = [v for v in tree.flatten((args, kwargs)) if isinstance(v, Value)]
    if layer.is_own or all(v.spec.static for v in values):
        return _traced(layer, args, kwargs, lambda spec, known=(): spec)
    first, second = (_traced(layer, args, kwargs, _Sizes(sizes)) for sizes in (_FIRST, _SECOND))
    return first.merged(second)


class _Sizes:
    """Concrete sizes for unknown dimensions: the first one for batches, others by one each."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes, self.used = sizes, 0

    def __call__(self, spec: Spec, known: Shape = ()) -> Spec:
        """`spec` without unknown dimensions; those that are `known` of the value it belongs to are taken."""
        shape = (
            self._size(axis, known[axis] if axis < len(known) else None) if dim is None else dim
            for axis, dim in enumerate(spec.shape)
        )
        return spec.with_shape(tuple(shape))

    def _size(self, axis: int, known: int | None) -> int:
        if known is not None or axis == 0:
            return known or self.sizes[0]
        self.used += 1
        return self.sizes[self.used % len(self.sizes)]


def shape_of(value: Value) -> Shape:
    """The shape of a value, unknown sizes None, whatever is tried in their place."""
    return tuple(None if isinstance(size, TriedSize) else size for size in value.shape)


def _merged(a: Spec, b: Spec) -> Spec:
    return a.with_shape(tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)))


def _traced(layer: Any, args: Any, kwargs: Any, sized: Callable[..., Spec]) -> Results:
    """What a layer returns for stand-ins of its arguments, of `sized` shapes."""

    def stand_in(leaf: Any) -> Any:
        if not isinstance(leaf, Value):
            return leaf
        value = Value(sized(leaf.spec))
        if leaf.mask is not None:
            value.mask = Value(sized(leaf.mask.spec, value.shape))
        return value

    new_args, new_kwargs = tree.map_leaves(stand_in, (args, kwargs))
    with _Trial(counter=_step_variable()).active():
        result = layer(*new_args, **new_kwargs)
        leaves = _as_values(layer, result)
    structure = tree.map_leaves(lambda leaf: None, layer.symbolic_results(result))
    masks = {i: leaf.mask.spec for i, leaf in enumerate(leaves) if leaf.mask is not None}
    return Results(structure, [leaf.spec for leaf in leaves], masks)


def _as_values(layer: Any, result: Any) -> list[Value]:
    """What a layer returned, flat, each as a value."""
    leaves = tree.flatten(result)
    for leaf in leaves:
        if not (isinstance(leaf, Value | Stored) or is_number(leaf) or is_array(leaf)):
            raise GraphError(
                explain(
                    f"{layer.name}: call() must return values, or lists, tuples or dicts of them.",
                    received=type(leaf).__name__,
                )
            )
    return [as_value(leaf) for leaf in leaves]


def _step_variable() -> Variable:
    return Variable(np.asarray(config.next_draw(), np.int64), trainable=False, name="step")


def eager_call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer on arrays: trace it for their shapes and run the graph at once.

    New states are kept, and losses that were added. What `call` returns beside values is returned as it is.
    """
    arguments = tree.map_leaves(lambda leaf: convert(leaf) if is_array(leaf) else leaf, (args, kwargs))
    arrays = [leaf for leaf in tree.flatten(arguments) if is_array(leaf)]
    inputs = [Value(Spec(tuple(a.shape), dtype_name(a.dtype))) for a in arrays]
    fresh = iter(inputs)
    new_args, new_kwargs = tree.map_leaves(lambda leaf: next(fresh) if is_array(leaf) else leaf, arguments)
    trace = Trace(counter=_step_variable(), calls=layer._eager_calls)
    layer._eager_calls += 1
    with trace.active():
        result = layer(*new_args, **new_kwargs)
    values = [leaf for leaf in tree.flatten(result) if isinstance(leaf, Value)]
    added = [loss for _, loss in trace.losses]
    check_lookups(arrays, lookups_in(inputs, trace.looked_up))
    for prepare in trace.preparations:
        prepare()
    computed = iter(interpret(trace.graph(inputs, [*values, *added]), arrays, backend.current_device()))
    made = tree.map_leaves(lambda leaf: next(computed) if isinstance(leaf, Value) else leaf, result)
    layer._keep_losses(zip((owner for owner, _ in trace.losses), computed, strict=True))
    return made
