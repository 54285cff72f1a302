"""Models as plain data, in the schema of Keras 3: `get_config` and `from_config`.

A functional model is {"name", "trainable", "layers", "input_layers", "output_layers"}. Each of the layers is
described as `layers.serialize` does, with its "name" and its "inbound_nodes", one for each call. Where a
symbolic value stood in the arguments of a call there is its history: the name of the layer that made it, the
number of that layer's call, and the place among what the call returned.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gputrain import layers as layers_
from gputrain import tree
from gputrain.config import floatx
from gputrain.errors import GraphError, explain
from gputrain.ir import Node, Value
from gputrain.layers.base import Layer
from gputrain.layers.base.symbolic import LayerCall
from gputrain.layers.core.input_layer import InputLayer
from gputrain.models.functional import FunctionalGraph, Place, name_of, returned
from gputrain.models.operations import describes_operation, operation_config, operation_from
from gputrain.ops.calls import FunctionCall
from gputrain.utils.custom_objects import deserialize_keras_object, serialize_keras_object
from gputrain.utils.registry import Registry

models: Registry[Any] = Registry("model")  # those that may stand in other models
_TENSOR = "__keras_tensor__"
# Layers whose `call` in Keras leaves `training` to the caller; of others it is False, of augmentation True.
_LEFT_OPEN = (
    *("BatchNormalization", "Bidirectional", "GroupQueryAttention", "GroupedQueryAttention"),
    *("MultiHeadAttention", "TimeDistributed"),
)


def as_nested_model(cls: type[Layer]) -> type[Layer]:
    """Let a class of models be described inside of other models, by its name; a decorator."""
    return models.register(cls, cls.__name__)


def sequential_config(model: Layer, stack: Sequence[Layer]) -> dict[str, Any]:
    """{"name", "trainable", "dtype", "layers", "build_input_shape"}, with the input layer if any."""
    config = model.plain_settings() | {"layers": [layers_.serialize(layer) for layer in stack]}
    if stack and isinstance(stack[0], InputLayer):
        config["build_input_shape"] = list(stack[0].batch_shape)
    return config


def sequential_from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A Sequential from its config, with new weights."""
    stack = [from_plain(item, custom_objects) for item in config["layers"]]
    made = cls(stack, trainable=config.get("trainable", True), name=config.get("name"))
    shape = config.get("build_input_shape")
    if shape is not None and not made.built:
        made.build(tuple(shape))
    return made


# ---------------------------------------------------------------------------------------- functional models


def functional_config(model: Any, graph: FunctionalGraph) -> dict[str, Any]:
    """The layers of a functional model, their calls, and where its inputs and outputs are."""
    _require_described(graph)
    places, calls = graph.places(), graph.calls()
    described = [_described(subject, calls.get(subject, ()), places) for subject in graph.operations]
    return {
        **functional_settings(model),
        "layers": described,
        "input_layers": _placed(graph.inputs, places),
        "output_layers": _placed(graph.outputs, _counted_as_keras(places)),
    }


def _is_model(layer: Any) -> bool:
    """Whether a layer is a functional model, whose calls Keras counts from 1 where it tells of outputs."""
    return hasattr(layer, "graph") and type(layer).__name__ != "Sequential"


def _counted_as_keras(places: Mapping[Value, Place]) -> dict[Value, Place]:
    """Places as `output_layers` has them."""
    found = {}
    for value, (name, number, index) in places.items():
        made_by = value.node.op if value.node is not None else None
        extra = isinstance(made_by, LayerCall) and _is_model(made_by.layer) and made_by.layer.name == name
        found[value] = (name, number + extra, index)
    return found


def functional_settings(model: Any) -> dict[str, Any]:
    """What the constructor of a functional model takes beside inputs and outputs."""
    settings = model.plain_settings()
    if model.dtype == floatx():
        del settings["dtype"]
    return dict(settings)


def _described(subject: Any, calls: Sequence[Node], places: Mapping[Value, Place]) -> dict[str, Any]:
    """A layer or an operation, with its calls."""
    if isinstance(subject, Node):
        plain, args = operation_config(subject.op, subject.inputs)
        nodes = [{"args": _plain(args, places), "kwargs": {}}]
        return {**serialize_keras_object(plain), "name": name_of(subject), "inbound_nodes": nodes}
    nodes = []
    for node in calls:
        args, kwargs = node.op.given(node.inputs)
        nodes.append({"args": _plain(args, places), "kwargs": _plain(kwargs, places)})
    return {**layers_.serialize(subject), "name": subject.name, "inbound_nodes": nodes}


def _require_described(graph: FunctionalGraph) -> None:
    """Refuse an operation that is no function of `keras.ops`: nothing says its arguments."""
    for subject in graph.operations:
        if isinstance(subject, Node) and not isinstance(subject.op, FunctionCall):
            raise GraphError(
                explain(
                    f"{graph.name}: get_config() needs a model of layers and of operations of keras.ops.",
                    received=f"the bare operation {subject.op}",
                    fix="Wrap it in a Layer subclass with get_config().",
                )
            )


def _plain(structure: Any, places: Mapping[Value, Place]) -> Any:
    """Arguments of a call with the histories of values in their places; tuples become lists."""
    if isinstance(structure, Value):
        kept = {"shape": list(structure.shape), "dtype": structure.dtype}
        return {"class_name": _TENSOR, "config": {**kept, "keras_history": list(places[structure])}}
    if isinstance(structure, list | tuple):
        return [_plain(item, places) for item in structure]
    if isinstance(structure, dict):
        return {key: _plain(item, places) for key, item in structure.items()}
    return serialize_keras_object(structure)


def _placed(structure: Any, places: Mapping[Value, Place]) -> Any:
    """The places of inputs or outputs, in their structure."""
    if isinstance(structure, Value):
        return list(places[structure])
    if isinstance(structure, dict):
        return {key: _placed(item, places) for key, item in structure.items()}
    parts = [_placed(item, places) for item in structure]
    return tuple(parts) if isinstance(structure, tuple) else parts


def functional_from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A functional model from its config, with new weights.

    Raises:
        ValueError: a call reads what no call makes, or is written as before Keras 3.
    """
    if "calls" in config:
        rule = "This config of a functional model is from an older gputrain and is read no more."
        raise ValueError(explain(rule, fix="Write it again: to_json() now writes as Keras 3 does."))
    made = {item["name"]: _subject(item, custom_objects) for item in config["layers"]}
    known: dict[tuple[str, int], list[Value]] = {
        (name, 0): [layer.value] for name, layer in made.items() if isinstance(layer, InputLayer)
    }
    calls = {
        (item["name"], number): call
        for item in config["layers"]
        for number, call in enumerate(item.get("inbound_nodes", ()))
    }
    for name, number in _in_order(calls, known):
        args, kwargs = (
            _rebuilt(calls[name, number][key], known, custom_objects) for key in ("args", "kwargs")
        )
        known[name, number] = _values_of(made[name], args, kwargs)
    of_outputs = {(name, number + _is_model(made[name])): values for (name, number), values in known.items()}
    inputs, outputs = _found(config["input_layers"], known), _found(config["output_layers"], of_outputs)
    settings = {
        key: value for key, value in config.items() if key not in ("layers", "input_layers", "output_layers")
    }
    return cls(inputs=inputs, outputs=outputs, **settings)


def _subject(item: Any, custom_objects: Any) -> Any:
    return operation_from(item) if describes_operation(item) else from_plain(item, custom_objects)


def _values_of(subject: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Value]:
    """What the call of a layer or an operation returns, flat, and the masks that it makes.

    Keras writes what `call` has as `training` where nobody said so, and goes by what the model is told.
    """
    if isinstance(subject, Layer) and kwargs.get("training") == _unsaid_training(subject):
        kwargs = {key: value for key, value in kwargs.items() if key != "training"}
    result = subject(*args, **kwargs)
    nodes = [leaf.node for leaf in tree.flatten(result) if isinstance(leaf, Value) and leaf.node is not None]
    return returned(nodes[0])


def _unsaid_training(layer: Layer) -> bool | None:
    """What Keras's `call` of a layer has as `training` where nobody says so."""
    parameter = inspect.signature(layer.call).parameters.get("training")
    if parameter is None or parameter.default is not None or not layer.is_own:
        return None if parameter is None else parameter.default
    kind = type(layer).__name__
    return None if kind in (*models.names(), *_LEFT_OPEN) else ".augmentation" in type(layer).__module__


def _in_order(calls: Mapping[tuple[str, int], Any], known: Mapping[tuple[str, int], Any]) -> Iterator[Any]:
    """The calls, each after those that it reads and after the calls of its layer before it."""
    from graphlib import CycleError, TopologicalSorter  # no training needs it

    reads: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for (name, number), call in calls.items():
        if not (isinstance(call, Mapping) and "args" in call and "kwargs" in call):
            rule = f"The calls of layer {name!r} are written as before Keras 3."
            raise ValueError(explain(rule, received=repr(call), fix="Write the model with Keras 3."))
        reads[name, number] = [(one, i) for one, i, _ in _histories(call)]
        if number:
            reads[name, number].append((name, number - 1))
    for (name, _), read in reads.items():
        strange = [place for place in read if place not in calls and place not in known]
        if strange:
            rule = f"Layer {name!r} reads what no layer of the config makes."
            raise ValueError(explain(rule, received=f"call {strange[0][1]} of {strange[0][0]!r}"))
    try:
        yield from (place for place in TopologicalSorter(reads).static_order() if place in calls)
    except CycleError as error:
        rule = "Layers of the config read each other in a circle."
        raise ValueError(explain(rule, received=[name for name, _ in error.args[1]])) from None


def _is_tensor(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("class_name") == _TENSOR


def _histories(structure: Any) -> Iterator[tuple[str, int, int]]:
    if _is_tensor(structure):
        yield _history(structure)
    elif isinstance(structure, Mapping | list):
        for item in structure.values() if isinstance(structure, Mapping) else structure:
            yield from _histories(item)


def _history(tensor: Mapping[str, Any]) -> tuple[str, int, int]:
    """Where a value of the model is made."""
    return _place(tensor["config"]["keras_history"])


def _place(found: Any) -> tuple[str, int, int]:
    """The layer, its call, and the place among what that returns.

    Raises:
        ValueError: it is something else.
    """
    kinds = [type(each) for each in found] if isinstance(found, list | tuple) else None
    if kinds != [str, int, int]:
        rule = "A value of a model is named by a layer, the number of its call and a place in its result."
        raise ValueError(explain(rule, expected="['dense', 0, 0]", received=repr(found)[:200]))
    return found[0], found[1], found[2]


def _rebuilt(structure: Any, known: Mapping[tuple[str, int], list[Value]], custom_objects: Any) -> Any:
    """Arguments of a call, with the values of the histories."""
    if _is_tensor(structure):
        return _found(_history(structure), known)
    if isinstance(structure, list):
        return [_rebuilt(item, known, custom_objects) for item in structure]
    if isinstance(structure, dict) and "class_name" not in structure:
        return {key: _rebuilt(item, known, custom_objects) for key, item in structure.items()}
    return deserialize_keras_object(structure, custom_objects)


def _found(structure: Any, known: Mapping[tuple[str, int], list[Value]]) -> Any:
    """The values of places, in their structure.

    Raises:
        ValueError: a place where nothing is.
    """
    if isinstance(structure, dict):
        return {key: _found(item, known) for key, item in structure.items()}
    if not isinstance(structure, list | tuple) or (structure and isinstance(structure[0], str)):
        name, number, index = _place(structure)
        values = known.get((name, number), [])
        if not 0 <= index < len(values):
            raise ValueError(explain("Nothing is made at this place of the model.", received=list(structure)))
        return values[index]
    parts = [_found(item, known) for item in structure]
    return tuple(parts) if isinstance(structure, tuple) else parts


def from_plain(item: Any, custom_objects: Any) -> Layer:
    """The layer or model that a config describes; built only where its calls build it."""
    name = item.get("class_name") if isinstance(item, dict) else None
    known: dict[str, Any] = {one: models.find(one) for one in models.names()}
    target = {**known, **(custom_objects or {})}.get(name)
    if isinstance(target, type) and issubclass(target, tuple(known.values())):
        model: Any = target
        return model.from_config(item["config"], custom_objects)
    return layers_.registry.deserialize(item, custom_objects)
