"""Models made of descriptions of others: `clone_model` and `model_from_json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gputrain.errors import explain
from gputrain.layers.base import Layer
from gputrain.layers.core.input_layer import InputLayer
from gputrain.models.configs import from_plain
from gputrain.models.model import Functional, Model
from gputrain.utils.custom_objects import finished

__all__ = ["clone_model", "model_from_json"]


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Any = None,
    recursive: bool = False,
) -> Any:
    """A model of the same layers and calls, with new weights.

    Args:
        model: a Sequential or functional model, or one whose `get_config` describes it.
        input_tensors: as in Keras; not in this version.
        clone_function: makes the new layer of each layer; default by its config. Inputs are always made anew.
        call_function: as in Keras; not in this version.
        recursive: whether `clone_function` is called for the layers of models within the model, too, in place
            of these models.

    Raises:
        ValueError: an argument that cannot be honoured.
        TypeError: not a model.

    Example:
        >>> model = Sequential([Input((3,)), layers.Dense(2)])
        >>> clone_model(model).count_params()
        8
    """
    for name, given in (("input_tensors", input_tensors), ("call_function", call_function)):
        if given is not None:
            rule, fix = f"clone_model: {name} is not offered.", "Call the clone on your inputs instead."
            raise ValueError(explain(rule, received=repr(given), fix=fix))
    if not isinstance(model, Model):
        raise TypeError(explain("clone_model takes a model.", received=repr(model)))
    if not (isinstance(model, Functional) and model.describes_calls()):
        if clone_function is not None:
            rule = "clone_model: clone_function is for Sequential and functional models."
            raise ValueError(explain(rule, received=type(model).__name__))
        return _by_config(model)

    def clone(layer: Layer) -> Any:
        if isinstance(layer, InputLayer):
            return _by_config(layer)
        if recursive and isinstance(layer, Functional):
            return clone_model(layer, clone_function=clone_function, recursive=True)
        return (clone_function or _by_config)(layer)

    return model.with_layers(clone)


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model that `model.to_json()` described, with new weights.

    Args:
        json_string: what `to_json` returned.
        custom_objects: classes and functions of yours by the names in it.

    Raises:
        ValueError: not such a text, or a name that is not known.

    Example:
        >>> model_from_json(Sequential([Input((3,)), layers.Dense(2)]).to_json()).count_params()
        8
    """
    config = json.loads(json_string)
    return finished(from_plain(config, custom_objects), config)


def _by_config(layer: Layer) -> Any:
    return layer.made_again()
