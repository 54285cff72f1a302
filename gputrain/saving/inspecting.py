"""What a file of a model or of weights says of itself: nothing is built, and no array is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gputrain.data.io.errors import FilePath
from gputrain.names import snake_case
from gputrain.saving import keras_format, keras_paths, legacy, parts
from gputrain.saving.files import hdf5, npz, safetensors
from gputrain.saving.files.arrays import ArrayFile
from gputrain.saving.files.hdf5 import Hdf5File
from gputrain.saving.files.kinds import foreign, kind_of_place
from gputrain.utils.custom_objects import get_registered_object
from gputrain.utils.registry import REGISTRIES

_MOST_UNPACKED = 1 << 30  # bytes of weights that are compressed within a file
_ENDINGS = (".keras", ".h5", ".hdf5", ".safetensors", ".npz")
_LONGEST = 60  # characters of a name


@dataclass(frozen=True)
class LayerFacts:
    """What a file says of a layer.

    Attributes:
        name: of the layer, or its place in the file.
        kind: its class; "" where the file has weights alone.
        is_known: whether a class of that name is known here.
        weights: shapes, in the order of the file.
    """

    name: str
    kind: str
    is_known: bool
    weights: list[tuple[int, ...]]

    @property
    def parameters(self) -> int:
        """How many numbers its weights have."""
        return sum(map(math.prod, self.weights))


@dataclass(frozen=True)
class FileFacts:
    """What a file says of a model.

    Attributes:
        kind: the class of the model; "" where the file has weights alone.
        name: of the model, or "".
        layers: those of the model, without what is within them.
        optimizer: the class of its optimizer, or "".
        optimizer_parameters: how many numbers its state has.
    """

    kind: str = ""
    name: str = ""
    layers: list[LayerFacts] = field(default_factory=list)
    optimizer: str = ""
    optimizer_parameters: int = 0

    @property
    def parameters(self) -> int:
        """How many numbers the weights have together."""
        return sum(layer.parameters for layer in self.layers)


def is_model_file(path: FilePath) -> bool:
    """Whether a path is that of a model or of weights, by its ending or by what is there."""
    place = Path(path)
    if place.is_dir():
        return (place / parts.CONFIG).is_file()
    kinds = ("keras", "hdf5", "safetensors", "npz")
    return place.suffix in _ENDINGS or (place.is_file() and kind_of_place(place) in kinds)


def inspect_file(path: FilePath) -> FileFacts:
    """What a file says of a model and its weights.

    Args:
        path: a `.keras` file or folder, `.h5`, `.weights.h5`, `.safetensors` or `.npz`.

    Raises:
        CorruptFileError: the file is damaged or of another kind.
        OSError: it cannot be opened.
    """
    place = Path(path)
    kind = kind_of_place(place)
    formats: dict[str, Any] = {"safetensors": safetensors, "npz": npz}
    if kind == "hdf5":
        with hdf5.opened(place, attributes=True) as file:
            return _of_legacy(file) if legacy.is_legacy(file) else _of_arrays({}, file)
    if kind in formats:
        with formats[kind].opened(place) as file:
            return _of_arrays({}, file)
    if kind not in ("keras", "folder"):
        rule = "a model, or its weights, are in a file of one of these kinds"
        raise foreign(place, kind, rule, ", ".join(_ENDINGS))
    with parts.opened_parts(place) as held:
        config = keras_format.checked_config(held)
        with held.weights(_MOST_UNPACKED) as file:
            return _of_arrays(config, file)


def _of_arrays(config: Mapping[str, Any], file: ArrayFile) -> FileFacts:
    """Of a file whose arrays have Keras 3's paths."""
    places: dict[str, list[tuple[int, ...]]] = {}
    optimizer = 0
    for name, spec in file.specs.items():
        first = name.partition("/")[0]
        if first == keras_paths.OWN:
            continue
        if first == "optimizer":
            optimizer += math.prod(spec.shape)
        else:
            places.setdefault(_layer_place(name), []).append(spec.shape)
    layers = [_layer(item, places.pop(place, [])) for place, item in _described(config)]
    rest = [LayerFacts(printable(place), "", True, shapes) for place, shapes in places.items()]
    return _facts(config, [*layers, *rest], _class(config.get("compile_config"), "optimizer"), optimizer)


def _of_legacy(file: Hdf5File) -> FileFacts:
    """Of a file of Keras 2."""
    names = legacy.stored_names(file)
    shapes = {name: [file.specs[one].shape for one in arrays] for name, arrays in names.items()}
    config: Mapping[str, Any] = legacy.model_config(file) if legacy.is_whole(file) else {}
    layers = [_layer(item, shapes.pop(_name(item), [])) for _, item in _described(config)]
    rest = [LayerFacts(printable(name), "", True, held) for name, held in shapes.items() if held]
    optimizer, arrays = legacy.optimizer_of(file)
    return _facts(config, [*layers, *rest], optimizer, sum(math.prod(file.specs[n].shape) for n in arrays))


def _facts(config: Mapping[str, Any], layers: list[LayerFacts], optimizer: str, parameters: int) -> FileFacts:
    name = config["config"].get("name", "") if config else ""
    kind = printable(config["class_name"]) if config else ""
    return FileFacts(kind, printable(name), layers, printable(optimizer), parameters)


def _described(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The layers of a config, each with the place of its weights in a file of Keras 3."""
    counts: dict[str, int] = {}
    layers = config["config"].get("layers") if config else None
    for item in layers if isinstance(layers, list) else ():
        is_layer = isinstance(item, Mapping) and isinstance(item.get("config"), Mapping)
        if is_layer and isinstance(item.get("class_name"), str):
            snake = snake_case(item["class_name"])
            number = counts[snake] = counts.get(snake, -1) + 1
            yield f"layers/{snake}_{number}" if number else f"layers/{snake}", item


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("name") or item["config"].get("name") or "")


def _layer(item: Mapping[str, Any], weights: list[tuple[int, ...]]) -> LayerFacts:
    return LayerFacts(printable(_name(item)), printable(item["class_name"]), _is_known(item), weights)


def _is_known(item: Mapping[str, Any]) -> bool:
    name = item.get("registered_name") or item["class_name"]
    known = any(item["class_name"] in registry.names() for registry in REGISTRIES)
    return get_registered_object(str(name)) is not None or (known and ">" not in str(name))


def _layer_place(name: str) -> str:
    """The place of a layer of the model, by that of one of its variables."""
    parts = name.split("/")
    if parts[0] == "layers" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0] if parts[0] != "vars" else "(of the model itself)"


def _class(config: Any, key: str) -> str:
    """The class that a part of a config names."""
    part = config.get(key) if isinstance(config, Mapping) else None
    return str(part.get("class_name", "")) if isinstance(part, Mapping) else str(part or "")


def printable(text: Any) -> str:
    """Text out of a file as a terminal may show it."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(text)[:_LONGEST])
