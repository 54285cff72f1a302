"""Models as plain data: `get_config` and `from_config` of functional and Sequential models."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from gputrain import layers as layers_
from gputrain.config import floatx
from gputrain.errors import GraphError, explain
from gputrain.ir import Value
from gputrain.layers.base import Layer
from gputrain.layers.base.symbolic import LayerCall, Slot
from gputrain.layers.core.input_layer import InputLayer
from gputrain.models.functional import FunctionalGraph
from gputrain.utils import tree
from gputrain.utils.registry import Registry

models: Registry[Any] = Registry("model")  # those that may stand in other models


def as_nested_model(cls: type[Layer]) -> type[Layer]:
    """Let a class of models be described inside of other models, by its name; a decorator."""
    return models.register(cls, cls.__name__)


def sequential_config(model: Layer, stack: Sequence[Layer]) -> dict[str, Any]:
    """{"name", "trainable", "layers": [{"class_name", "config"}, ...]}, with the input layer if any."""
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": [layers_.serialize(layer) for layer in stack],
    }


def sequential_from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A Sequential from its config, with new weights."""
    stack = [from_plain(item, custom_objects) for item in config["layers"]]
    return cls(stack, trainable=config.get("trainable", True), name=config.get("name"))


def functional_config(model: Any, graph: FunctionalGraph) -> dict[str, Any]:
    """{"name", "layers", "calls", "inputs", "outputs"}: values are numbered in order of their making.

    The mask of value n has the number -1 - n.
    """
    numbers: dict[Value, int] = {v: i for i, v in enumerate(graph.input_values)}
    fresh = itertools.count(len(numbers))
    found = {layer: i for i, layer in enumerate(graph.layers)}
    calls = []
    for node in graph.nodes:
        if not isinstance(node.op, LayerCall):
            raise GraphError(
                explain(
                    f"{model.name}: get_config() needs a model made of layers.",
                    received=f"the bare operation {node.op}",
                    fix="Wrap it in a Layer subclass with get_config().",
                )
            )
        ins = [numbers[v] for v in node.inputs]
        calls.append({"layer": found[node.op.layer], "arguments": _plain(node.op.arguments, ins)})
        for value in tree.flatten(node.op.packed(node.outputs)):
            numbers[value] = next(fresh)
            if value.mask is not None:
                numbers[value.mask] = -1 - numbers[value]
    return {
        **model.plain_settings(),
        "layers": [layers_.serialize(layer) for layer in graph.layers],
        "calls": calls,
        "inputs": tree.map_leaves(lambda v: numbers[v], graph.inputs),
        "outputs": tree.map_leaves(lambda v: numbers[v], graph.outputs),
    }


def functional_from_config(
    cls: Any, config: dict[str, Any], custom_objects: Any = None, layers: Sequence[Layer] | None = None
) -> Any:
    """A functional model from its config, with new weights; of `layers` in place of those it describes."""
    made = layers or [from_plain(item, custom_objects) for item in config["layers"]]
    values: list[Value] = [layer.value for layer in made if isinstance(layer, InputLayer)]
    for call in config["calls"]:
        args, kwargs = _rebuilt(call["arguments"], values)
        values.extend(tree.flatten(made[call["layer"]](*args, **kwargs)))
    inputs, outputs = (
        tree.map_leaves(lambda i: _value(values, i), config[key]) for key in ("inputs", "outputs")
    )
    known = ("layers", "calls", "inputs", "outputs", "dtype" if config.get("dtype") == floatx() else "")
    settings = {key: value for key, value in config.items() if key not in known}
    return cls(inputs=inputs, outputs=outputs, **settings)


def _value(values: list[Value], number: int) -> Any:
    """The value of a number, or the mask of one."""
    return values[number] if number >= 0 else values[-1 - number].mask


def from_plain(item: Any, custom_objects: Any) -> Layer:
    """The layer or model that a config describes."""
    name = item.get("class_name") if isinstance(item, dict) else None
    known: dict[str, Any] = {one: models.find(one) for one in models.names()}
    target = {**known, **(custom_objects or {})}.get(name)
    if isinstance(target, type) and issubclass(target, tuple(known.values())):
        model: Any = target
        return model.from_config(item["config"], custom_objects)
    return layers_.deserialize(item, custom_objects)


def _plain(arguments: Any, numbers: list[int]) -> dict[str, Any]:
    """Arguments of a call with {"value": number} for each value; tuples become lists."""
    args, kwargs = tree.map_leaves(
        lambda leaf: _Reference(numbers[leaf.index]) if isinstance(leaf, Slot) else leaf, arguments
    )
    return {"args": _listed(args), "kwargs": _listed(kwargs)}


class _Reference(int):
    """Number of a value, told apart from a number that is an argument."""


def _listed(structure: Any) -> Any:
    if isinstance(structure, list | tuple):
        return [_listed(item) for item in structure]
    if isinstance(structure, dict):
        return {key: _listed(item) for key, item in structure.items()}
    return {"value": int(structure)} if isinstance(structure, _Reference) else structure


def _rebuilt(structure: Any, values: list[Value]) -> Any:
    def rebuild(item: Any) -> Any:
        if isinstance(item, dict):
            if set(item) == {"value"}:
                return _value(values, item["value"])
            return {key: rebuild(value) for key, value in item.items()}
        return [rebuild(value) for value in item] if isinstance(item, list) else item

    return rebuild(structure["args"]), rebuild(structure["kwargs"])
