"""Models made of descriptions of others: `clone_model` and `model_from_json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gputrain import tree
from gputrain.errors import explain
from gputrain.ir import Value
from gputrain.layers.base import Layer
from gputrain.models.configs import from_plain
from gputrain.models.model import Functional, Model
from gputrain.models.sequential import Sequential
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
        input_tensors: symbolic values to call the new layers on, in the structure of `model.input`; default
            new inputs like those of the model.
        clone_function: makes the new layer of each layer; default by its config. Inputs are always made anew.
        call_function: called as `call_function(layer, *args, **kwargs)` for each call of a new layer, whose
            result it returns; for functional models.
        recursive: whether `clone_function` and `call_function` are used for the layers of models within the
            model, too, in place of these models.

    Raises:
        ValueError: an argument that cannot be honoured, or input_tensors that are not as above.
        TypeError: not a model.

    Example:
        >>> model = Sequential([Input((3,)), layers.Dense(2)])
        >>> clone_model(model).count_params()
        8
    """
    if not isinstance(model, Model):
        raise TypeError(explain("clone_model takes a model.", received=repr(model)))
    is_functional = isinstance(model, Functional) and model.describes_calls()
    given = {"clone_function": clone_function, "input_tensors": input_tensors, "call_function": call_function}
    for name, value in given.items():
        is_of_graphs = name == "call_function"
        if value is not None and (not is_functional or (is_of_graphs and isinstance(model, Sequential))):
            kinds = "functional models" if is_of_graphs else "Sequential and functional models"
            rule = f"clone_model: {name} is for {kinds}."
            raise ValueError(explain(rule, received=type(model).__name__))
    if not is_functional:
        return _by_config(model)
    if input_tensors is not None:
        _require_inputs(model, input_tensors)

    def clone(layer: Layer) -> Any:
        if recursive and isinstance(layer, Functional):
            call = None if isinstance(layer, Sequential) else call_function
            return clone_model(layer, clone_function=clone_function, call_function=call, recursive=True)
        return (clone_function or _by_config)(layer)

    return model.with_layers(clone, input_tensors, call_function)


def _require_inputs(model: Any, given: Any) -> None:
    """Refuse what is no symbolic value in the place of each input of a model."""
    rule = "clone_model: input_tensors are symbolic values, as Input() gives them."
    if not all(isinstance(value, Value) for value in tree.flatten(given)):
        raise ValueError(explain(rule, received=repr(given)))
    if isinstance(model, Sequential):
        fits = len(tree.flatten(given)) == 1
    else:
        fits = _paths(given) == _paths(model.input)
    if not fits:
        rule = "clone_model: input_tensors are nested as the inputs of the model are."
        raise ValueError(explain(rule, expected=repr(getattr(model, "input", None)), received=repr(given)))


def _paths(structure: Any) -> list[Any]:
    return [path for path, _ in tree.flatten_with_path(structure)]


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
    return finished(from_plain(config, custom_objects), config, custom_objects)


def _by_config(layer: Layer) -> Any:
    return layer.made_again()
