"""Where the state of a model stands in Keras 3's files: one flat mapping of paths to what holds arrays.

Keras names a place by the attributes that lead to it, and a layer in a list by its class: "optimizer/vars/0",
"layers/dense_1/vars/0", "layers/bidirectional/forward_layer/cell/vars/1". It goes through the layers of a
model first and then through the attributes in the order of their names. An object stands where it is met
first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from gputrain.layers.base import Layer
from gputrain.layers.base.places import kept_states, seed_generators
from gputrain.names import snake_case
from gputrain.optimizers import Optimizer
from gputrain.random import SeedGenerator
from gputrain.utils.states import Holder

OWN = "gputrain"  # in front of what Keras's files do not have, and Keras does not look at
_VARIABLES = "vars"


class Seeds:
    """The state of a seed generator, as if it were a variable."""

    shape = (2,)
    dtype = "uint64"

    def __init__(self, generator: SeedGenerator) -> None:
        self.generator, self.name = generator, generator.name

    def numpy(self) -> np.ndarray:
        """Its seed and the number of its draws."""
        return self.generator.state

    def fill(self, value: Any) -> None:
        """Let it go on from there."""
        self.generator.set_state(value)


def saved_objects(model: Any, skip: Iterable[Any] = ()) -> dict[str, Any]:
    """The layers and optimizers of a model, itself first, by the paths that Keras gives them.

    Args:
        model: a model or a layer.
        skip: layers that are left out, with what is below them.
    """
    found: dict[str, Any] = {}
    _visit(model, "", {id(item) for item in skip}, found)
    return found


def names_of(objects: Mapping[str, Any]) -> dict[str, str]:
    """What some objects are called, by their paths; Keras's files tell it beside the variables."""
    return {path: str(item.name) for path, item in objects.items()}


def variables_below(path: str) -> str:
    """The beginning of the paths of an object's own variables."""
    return f"{path}/{_VARIABLES}/" if path else f"{_VARIABLES}/"


def own_holders(item: Any) -> dict[str, Holder] | None:
    """What holds the own variables of an object; None of a class that keeps them in its own way."""
    if isinstance(item, Optimizer):
        return {str(i): holder for i, holder in enumerate(item.saved_variables())}
    if item.keeps_its_own_variables():
        return None
    return {str(i): variable for i, variable in enumerate(item.own_variables())}


def of_gputrain(model: Any) -> dict[str, Holder]:
    """What gputrain keeps beside Keras's variables: states of seed generators and of stateful layers."""
    seeds = {f"{OWN}/seeds/{place}": Seeds(generator) for place, generator in seed_generators(model).items()}
    states = {f"{OWN}/states/{place}": variable for place, variable in kept_states(model).items()}
    return {**seeds, **states}


def saved_arrays(objects: Mapping[str, Any]) -> dict[str, Any]:
    """What a file holds of some objects: variables, and arrays of classes that keep them in their own way.

    Args:
        objects: by their paths, the model itself first.
    """
    found: dict[str, Any] = {}
    for path, item in objects.items():
        store: dict[str, Any] = {}
        if isinstance(item, Optimizer):
            store.update(own_holders(item) or {})
        else:
            item.save_own_variables(store)
        found.update({variables_below(path) + name: value for name, value in store.items()})
    model = next(iter(objects.values()), None)
    return found if model is None else {**found, **of_gputrain(model)}


def _visit(item: Any, path: str, visited: set[int], found: dict[str, Any]) -> None:
    """Note an object and what is below it."""
    if id(item) in visited:
        return
    visited.add(id(item))
    found[path] = item
    if isinstance(item, Layer):
        for name, value in _attributes(item):
            below = f"{path}/{name}" if path else name
            if isinstance(value, Layer | Optimizer):
                _visit(value, below, visited, found)
            else:
                _visit_all(value, below, visited, found, set())


def _visit_all(items: Any, path: str, visited: set[int], found: dict[str, Any], open_: set[int]) -> None:
    """The same for what a list or a dict holds: each by its class, those of one class numbered."""
    if id(items) in open_:
        return
    open_.add(id(items))
    counts: dict[str, int] = {}
    for value in items.values() if isinstance(items, dict) else items:
        is_nested = isinstance(value, list | tuple | dict)
        if not is_nested and not isinstance(value, Layer | Optimizer):
            continue
        name = "container" if is_nested else snake_case(type(value).__name__)
        number = counts[name] = counts.get(name, -1) + 1
        below = f"{path}/{name}_{number}" if number else f"{path}/{name}"
        if is_nested:
            _visit_all(value, below, visited, found, open_)
        else:
            _visit(value, below, visited, found)


def _attributes(item: Layer) -> Iterator[tuple[str, Any]]:
    """What an object's attributes hold, in Keras's order: private ones last, the layers of a graph first."""
    held = {
        item.saved_names.get(key, key): value
        for key, value in vars(item).items()
        if isinstance(value, Layer | Optimizer | list | tuple | dict)
    }
    layers = getattr(type(item), "layers", None)
    if isinstance(layers, property):
        held["layers"] = item.layers
        if hasattr(item, "graph"):
            yield "layers", held.pop("layers")
    yield from sorted(held.items(), key=lambda pair: "~" + pair[0] if pair[0].startswith("_") else pair[0])
