"""Configs of Keras 2 as Keras 3 writes them: plain data in, plain data out; nothing is made or imported.

A call stood there as [[layer, call, output, arguments], ...], and the calls of a model within a model were
counted from 1. Arguments that Keras 3 has no more are left out where they change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RENAMED = {
    "Model": "Functional",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}
_MODELS = ("Functional", "Sequential")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM2D", "Bidirectional")
# Arguments of all classes: those that say nothing any more, and values that were the only meaning of others.
_SPENT = {"implementation", "input_length", "input_dtype"}
_SPENT_AT: dict[str, tuple[Any, ...]] = {
    "groups": (1,),
    "noise_shape": (None,),
    "ragged": (False, None),
    "sparse": (False, None),
    "time_major": (False,),
}
_SPENT_OF = {
    "SeparableConv": {"kernel_initializer", "kernel_regularizer", "kernel_constraint"},
    "SpatialDropout": {"trainable"},
    "Lambda": {"function_type", "module", "output_shape_module", "output_shape_type"},
}


def model_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a model or layer, with those within it.

    Args:
        config: {"class_name", "config"}, out of JSON.
    """
    return _layer(config, begins=True)


def _layer(item: Mapping[str, Any], begins: bool = False) -> dict[str, Any]:
    """A layer or a model; one that `begins` a model tells the shape of its data."""
    kind = _RENAMED.get(item["class_name"], item["class_name"])
    inner = item["config"]
    if kind == "Sequential":
        inner = _sequential(inner, item.get("name"))
    elif "input_layers" in inner:
        inner = _functional(inner)
    else:
        inner = _arguments(kind, inner, begins)
    return {**item, "class_name": kind, "config": inner}


def _sequential(config: Any, name: str | None) -> dict[str, Any]:
    """A Sequential, which was the list of its layers until Keras 2.2."""
    if isinstance(config, list):
        config = {"name": name, "layers": config}
    layers = [_layer(item, begins=place == 0) for place, item in enumerate(config["layers"])]
    return {**_without_policy(config), "layers": layers}


def _arguments(kind: str, config: Mapping[str, Any], begins: bool) -> dict[str, Any]:
    """What the constructor of a layer takes."""
    spent = {name for start, names in _SPENT_OF.items() if kind.startswith(start) for name in names}
    found = {}
    given = _named_functions(config) if kind == "Lambda" else _without_policy(config)
    for name, value in given.items():
        if name in _SPENT | spent or value in _SPENT_AT.get(name, ()):
            continue
        found[name] = _value(name, value)
    shape = found.pop("batch_input_shape", None)
    if shape is not None and kind == "InputLayer":
        found["batch_shape"] = shape
    elif shape is not None and begins:
        found["batch_input_shape"] = shape
    if isinstance(found.get("axis"), list) and len(found["axis"]) == 1:
        found["axis"] = found["axis"][0]
    if kind == "GRU":
        found.setdefault("reset_after", False)
    if kind == "LeakyReLU" and "alpha" in found:
        found["negative_slope"] = found.pop("alpha")
    if kind == "Embedding" and str(found.get("dtype")).startswith("int"):
        del found["dtype"]  # that of its inputs
    return found


def _named_functions(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a Lambda: functions by name; code stays code, which is refused."""
    found = _without_policy(config)
    kinds = {"function": config.get("function_type"), "output_shape": config.get("output_shape_type")}
    for name, kind in kinds.items():
        if kind == "lambda":
            found[name] = {"class_name": "__lambda__", "config": {"code": found[name]}}
        elif isinstance(found.get(name), str):
            found[name] = {"class_name": "function", "config": found[name]}
    return found


def _value(name: str, value: Any) -> Any:
    """An argument of a layer: another layer, an initializer, numbers ..."""
    if isinstance(value, list):
        return [_value("", item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("class_name") == "__tuple__":
        return _value("", list(value["items"]))
    if value.get("type") == "ndarray":
        return value["value"]
    is_object = "class_name" in value and isinstance(value.get("config"), Mapping | list)
    if not is_object or "module" in value or value["class_name"] == "__lambda__":
        return value
    if name.endswith("_initializer"):
        arguments = {key: item for key, item in value["config"].items() if key != "dtype"}
        return {**value, "config": arguments}
    return _layer(value)


def _without_policy(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config whose dtype is a name, where it was a policy of Keras 2."""
    dtype = config.get("dtype")
    if isinstance(dtype, Mapping) and str(dtype.get("class_name")).startswith("Policy"):
        return {**config, "dtype": dtype["config"]["name"]}
    return dict(config)


# ----------------------------------------------------------------------------------------- functional models


def _functional(config: Mapping[str, Any]) -> dict[str, Any]:
    """A functional model."""
    layers = [_layer(item) for item in config["layers"]]
    kinds = {item["name"]: item["class_name"] for item in layers}
    old = False
    for item in layers:
        nodes = item.get("inbound_nodes", [])
        old = old or any(isinstance(node, list) for node in nodes)
        item["inbound_nodes"] = [_call(node, item["class_name"], kinds) for node in nodes]
    changed = {**_without_policy(config), "layers": layers}
    if old:
        changed["output_layers"] = _outputs(config["output_layers"], kinds)
    return changed


def _call(node: Any, kind: str, kinds: Mapping[str, str]) -> Any:
    """A call: values where the places of others stood."""
    if not isinstance(node, list):
        return node
    values = [_tensor(item, kinds) for item in node]
    given: dict[str, Any] = {}
    for item in node:
        given |= item[3] if len(item) > 3 else {}
    kwargs = {name: _given(value, kinds) for name, value in given.items()}
    if kind in _RECURRENT and len(values) > 1:
        kwargs["initial_state"] = values[1:]
        values = values[:1]
    return {"args": values if len(values) == 1 else [values], "kwargs": kwargs}


def _tensor(place: Any, kinds: Mapping[str, str]) -> dict[str, Any]:
    """What stands for a value in a call, by its place: layer, call, output."""
    name, number, index = place[:3]
    history = [name, number - (kinds[name] in _MODELS), index]
    return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}


def _given(value: Any, kinds: Mapping[str, str]) -> Any:
    """An argument of a call by its name: a value, several, or plain data."""
    if not isinstance(value, list):
        return value
    is_place = len(value) in (3, 4) and isinstance(value[0], str) and value[0] in kinds
    return _tensor(value, kinds) if is_place else [_given(item, kinds) for item in value]


def _outputs(places: Any, kinds: Mapping[str, str]) -> Any:
    """Places of outputs, in their structure. Keras 3 counts only calls of functional models from 1."""
    if isinstance(places, Mapping):
        return {name: _outputs(place, kinds) for name, place in places.items()}
    if len(places) == 3 and isinstance(places[0], str):
        name, number, index = places
        return [name, number - (kinds[name] == "Sequential"), index]
    return [_outputs(place, kinds) for place in places]


# ------------------------------------------------------------------------------------- what compile was given


def compile_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `compile` was given.

    Args:
        config: the "training_config" of a file, out of JSON.
    """
    optimizer = config["optimizer_config"]
    found = {"optimizer": {**optimizer, "module": "keras.optimizers", "config": _rates(optimizer["config"])}}
    for name, room in (("loss", "losses"), ("metrics", "metrics"), ("weighted_metrics", "metrics")):
        found[name] = _objective(config.get(name), f"keras.{room}")
    return {**found, "loss_weights": config.get("loss_weights")}


def _rates(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an optimizer: Keras 2 wrote lr, and a decay that is a schedule now."""
    found = {key: value for key, value in config.items() if key not in ("jit_compile", "is_legacy_optimizer")}
    rate = found["learning_rate"] = found.pop("lr", found.get("learning_rate"))
    if decay := found.pop("decay", 0):
        falling = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
        found["learning_rate"] = {"class_name": "InverseTimeDecay", "config": falling}
    return found


def _objective(given: Any, room: str) -> Any:
    """Losses or metrics, in their structure."""
    if isinstance(given, list):
        return [_objective(item, room) for item in given]
    if not isinstance(given, Mapping):
        return given
    if not isinstance(given.get("config"), Mapping) or "class_name" not in given:
        return {name: _objective(item, room) for name, item in given.items()}
    settings = {key: value for key, value in given["config"].items() if key != "fn"}
    if "Wrapper" in given["class_name"]:
        settings = dict(given["config"])
    if settings.get("reduction") == "auto":
        settings["reduction"] = "sum_over_batch_size"
    return {"module": room, **given, "config": settings}
