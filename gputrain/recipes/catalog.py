"""The closed list of what a recipe may name: the public classes of gputrain's own rooms.

A name in a recipe is looked up here or is an error. Nothing is imported by a name.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

from gputrain import layers, losses, metrics, optimizers
from gputrain.utils.names import snake_case

# Kind of object: its room, the class that all of them extend, and short names that people use.
_ROOMS: Mapping[str, tuple[ModuleType, type, Mapping[str, str]]] = {
    "layer": (layers, layers.Layer, {}),
    "optimizer": (optimizers, optimizers.Optimizer, {}),
    "loss": (losses, losses.Loss, {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError"}),
    "metric": (metrics, metrics.Metric, {}),
}
# Layers by their class name, as Keras users write them; the rest in snake_case.
_CLASS_NAMES = ("layer",)
# The recipe's data section says what goes in, so a recipe has no input layer of its own.
_LEFT_OUT = ("InputLayer",)


@cache
def classes(kind: str) -> Mapping[str, type[Any]]:
    """Return the classes that a recipe may name, by their names in a recipe.

    Args:
        kind: "layer", "optimizer", "loss" or "metric".

    Example:
        >>> classes("optimizer")["adam"].__name__
        'Adam'
    """
    room, base, aliases = _ROOMS[kind]
    public = {name: getattr(room, name) for name in room.__all__}
    found = {
        name: item
        for name, item in public.items()
        if inspect.isclass(item) and issubclass(item, base) and item is not base and name not in _LEFT_OUT
    }
    named = found if kind in _CLASS_NAMES else {snake_case(name): item for name, item in found.items()}
    short = {alias: found[name] for alias, name in aliases.items() if name in found}
    return MappingProxyType({**named, **short})
