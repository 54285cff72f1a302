"""Files of Keras 2, and of Keras 3's `model.save("model.h5")`: whole models, or weights alone.

Groups of an HDF5 file stand for layers. The attribute "layer_names" lists them in the order of the model, and
"weight_names" of each its arrays: trainable weights first. A whole model has them in the group
"model_weights", and JSON in the attributes "model_config" and "training_config" of the file.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gputrain.data.io.errors import CorruptFileError
from gputrain.errors import explain
from gputrain.runtime import Variable
from gputrain.saving import keras_paths, legacy_configs
from gputrain.saving.configs import built, json_object
from gputrain.saving.files import hdf5
from gputrain.saving.files.arrays import ArrayFile
from gputrain.saving.files.hdf5 import Hdf5File
from gputrain.saving.files.kinds import foreign
from gputrain.saving.loading import told
from gputrain.utils.custom_objects import CustomObjectScope

_LAYERS, _WEIGHTS = "layer_names", "weight_names"
_MODEL, _TRAINING = "model_config", "training_config"
_OF_MODEL, _OF_OPTIMIZER, _TOP = "model_weights", "optimizer_weights", "top_level_model_weights"
_HARD_SIGMOID = (
    "hard_sigmoid was 0.2 x + 0.5 within 0 and 1 in the Keras that wrote the file, and is x / 6 + 0.5 as in "
    "Keras 3: predictions differ a little from those of then."
)
Names = dict[str, list[str]]  # layers, and the arrays of each


def is_legacy(file: ArrayFile) -> bool:
    """Whether an open file has weights by the names of layers.

    Args:
        file: an HDF5 file is open with its attributes.
    """
    return isinstance(file, Hdf5File) and _place(file) is not None


def load_model(
    path: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """A whole model; see `keras_format.load_model`."""
    with hdf5.opened(path, attributes=True) as file:
        config = model_config(file)
        trained = _translated(file, _TRAINING, legacy_configs.compile_config) if compile else None
    model = built(config, path, _MODEL, path.stat().st_size, custom_objects, safe_mode)
    if version_of(file) < 3 and "hard_sigmoid" in json.dumps(config):
        warnings.warn(f"{path}: {_HARD_SIGMOID}", stacklevel=3)
    if trained is not None:
        with CustomObjectScope(custom_objects or {}):
            model.compile_from_config(trained)
    with hdf5.opened(path, attributes=True) as file:  # anew: making a model may take longer than reading may
        load_into(model, file, is_whole=True)
        if trained is not None:
            _load_optimizer(model.optimizer, model.trainable_variables, file)
    return model


def is_whole(file: Hdf5File) -> bool:
    """Whether an open file has a model, and not weights alone."""
    return _MODEL in file.attributes.get("", {})


def optimizer_of(file: Hdf5File) -> tuple[str, list[str]]:
    """The class of the optimizer in an open file, "" without one, and the arrays of its state."""
    config = _translated(file, _TRAINING, legacy_configs.compile_config) or {}
    kind = str(config["optimizer"].get("class_name", "")) if config else ""
    return kind, _arrays(file, _OF_OPTIMIZER)


def model_config(file: Hdf5File) -> dict[str, Any]:
    """The config of a model as Keras 3 has it.

    Args:
        file: an open one.

    Raises:
        CorruptFileError: it is no whole model.
    """
    config = _translated(file, _MODEL, legacy_configs.model_config)
    if config is None or not is_legacy(file):
        rule = "load_model reads models that were saved as a whole"
        raise foreign(Path(file.path), "hdf5", rule, "a .keras file, or a .h5 file with the model")
    return config


def load_into(
    model: Any, file: ArrayFile, skip_mismatch: bool = False, by_name: bool = False, is_whole: bool = False
) -> None:
    """Set the weights of a model to those of a file; none is changed unless all fit.

    Args:
        model: its weights exist.
        file: an open one, of which `is_legacy` is true.
        skip_mismatch: warn about weights of other shapes, and leave them as they are.
        by_name: find layers by their names and leave others as they are; else the layers that have weights
            are those of the file in their order.
        is_whole: the layers have the names of the file, and are found by them.

    Raises:
        ValueError: layers or weights are missing, too many or of other shapes.
        CorruptFileError: the file lacks what it names.
    """
    assert isinstance(file, Hdf5File)
    names = stored_names(file)
    top = names.pop(_TOP, [])
    layers = [layer for layer in model.layers if layer.weights]
    of_layers = {layer.name: layer for layer in layers}
    if by_name:
        found = [(of_layers[name], arrays) for name, arrays in names.items() if name in of_layers]
    else:
        kept = {name: arrays for name, arrays in names.items() if arrays}
        if len(kept) != len(layers):
            raise ValueError(_other_layers(model, file, list(kept), [layer.name for layer in layers]))
        in_order = map(of_layers.get, kept) if is_whole and kept.keys() == of_layers.keys() else layers
        found = list(zip(in_order, kept.values(), strict=True))
    pairs: list[tuple[str, Variable]] = []
    problems: dict[str, list[str]] = {}
    for layer, arrays in found:
        _match(layer.name, _variables(layer), arrays, file, pairs, problems)
    own = {id(variable) for variable in model.own_variables()}
    if top or own:
        at_top = [variable for variable in _variables(model) if id(variable) in own]
        _match(model.name, at_top, top, file, pairs, problems)
    if problems:
        text = told(model, file.path, problems, skip_mismatch)
        if not skip_mismatch:
            raise ValueError(text)
        warnings.warn(text, stacklevel=4)
    arrays_read = file.arrays([name for name, _ in pairs])
    for (_, array), (_, variable) in zip(arrays_read, pairs, strict=True):
        variable.fill(array)


def _match(
    layer: str,
    variables: list[Variable],
    arrays: list[str],
    file: Hdf5File,
    pairs: list[tuple[str, Variable]],
    problems: dict[str, list[str]],
) -> None:
    """Pair the arrays of a layer with its variables, or say what does not fit."""
    if len(arrays) != len(variables):
        text = f"{layer!r}: {len(arrays)} weights are in the file, and {len(variables)} here"
        problems[layer] = [text]
        return
    for name, variable in zip(arrays, variables, strict=True):
        shape = file.specs[name].shape
        if shape == variable.shape:
            pairs.append((name, variable))
        else:
            what = f"{layer!r}: {name} ({variable.name})"
            text = f"{what} has shape {shape} in the file and {variable.shape} here"
            problems.setdefault(layer, []).append(text)


def _variables(layer: Any) -> list[Variable]:
    """The weights in the order of these files."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _other_layers(model: Any, file: Hdf5File, found: list[str], wanted: list[str]) -> str:
    return explain(
        f"{file.path}: the layers with weights are not those of {model.name!r}.",
        expected=f"{len(wanted)} layers: {_listed(wanted)}",
        received=f"{len(found)} layers: {_listed(found)}",
        fix="load_weights(..., by_name=True) takes layers of the same names.",
    )


def _listed(names: list[str]) -> str:
    more = ", ..." if len(names) > 8 else ""
    return ", ".join(name[:80] for name in names[:8]) + more


# ------------------------------------------------------------------------------------------ what a file says


def _place(file: Hdf5File) -> str | None:
    """The group of the layers, "" for the file itself, or None."""
    for place in ("", _OF_MODEL):
        held = file.attributes.get(place, {})
        if _LAYERS in held or f"{_LAYERS}0" in held:
            return place
    return None


def version_of(file: Hdf5File) -> int:
    """The number of the Keras that wrote the file."""
    held = [file.attributes.get(place, {}).get("keras_version") for place in ("", _OF_MODEL)]
    number = str(next(filter(None, held), "")).partition(".")[0]
    return int(number) if number.isdecimal() else 2


def stored_names(file: Hdf5File) -> Names:
    """The names of the arrays of each layer, and of the model's own, in the order of the file."""
    place = _place(file)
    assert place is not None
    names = dict.fromkeys(_names(file, place, _LAYERS))
    return {name: _arrays(file, f"{place}/{name}".lstrip("/")) for name in (*names, _TOP)}


def _arrays(file: Hdf5File, group: str) -> list[str]:
    """The paths of the arrays of a group, in their order."""
    found = [f"{group}/{name}" for name in _names(file, group, _WEIGHTS)]
    if strange := next((name for name in found if name not in file.specs), None):
        rule = f"the file holds the weights that {group!r} names"
        raise CorruptFileError(file.path, rule, f"numbers at {strange[:200]!r}", "none")
    return found


def _names(file: Hdf5File, group: str, attribute: str) -> list[str]:
    """An attribute that lists names; a long list is in several, with numbers."""
    held = file.attributes.get(group, {})
    if attribute in held:
        found = held[attribute]
    else:
        found, number = [], 0
        while isinstance(part := held.get(f"{attribute}{number}"), list):
            found, number = [*found, *part], number + 1
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        received = type(found).__name__ if not isinstance(found, list) else "other things in a list"
        rule = f"{attribute!r} of {group or 'the file'!r} lists names"
        raise CorruptFileError(file.path, rule, "a list of text", received)
    return found


def _translated(
    file: Hdf5File, attribute: str, translate: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any] | None:
    """JSON of an attribute of the file, as Keras 3 has it; None where there is none."""
    text = file.attributes.get("", {}).get(attribute)
    if text is None:
        return None
    if not isinstance(text, str):
        raise CorruptFileError(file.path, f"{attribute} is text", "JSON", type(text).__name__)
    found = json_object(text.encode("utf-8", "surrogatepass"), Path(file.path), attribute)
    try:
        return translate(found)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        rule = f"{attribute} is written as Keras writes it"
        received = f"{type(error).__name__}: {error}"[:300]
        raise CorruptFileError(file.path, rule, "layers with their arguments and calls", received) from error


# --------------------------------------------------------------------------------------------- the optimizer


def _load_optimizer(optimizer: Any, variables: list[Variable], file: Hdf5File) -> None:
    """Set the state of an optimizer, where the file has one in the order of Keras 3."""
    names = _arrays(file, _OF_OPTIMIZER)
    if not names:
        return
    if len(names) > len(optimizer.saved_variables()):
        optimizer.build(variables)
    holders = list((keras_paths.own_holders(optimizer) or {}).values())
    if [tuple(holder.shape) for holder in holders] != [file.specs[name].shape for name in names]:
        what = f"{file.path}: the state of optimizer {optimizer.name!r}"
        warnings.warn(f"{what} begins anew: the file has none in the order of Keras 3.", stacklevel=4)
        return
    for (_, array), holder in zip(file.arrays(names), holders, strict=True):
        holder.fill(array)
