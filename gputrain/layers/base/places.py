"""Names for all that a layer holds, by its place: what saves and restores state goes by them."""

from __future__ import annotations

from typing import Any

from gputrain.random import SeedGenerator
from gputrain.runtime import Variable
from gputrain.utils.states import unique


def named_variables(layer: Any) -> dict[str, Variable]:
    """All weights by their place below `layer`: "kernel", "0/kernel", "encoder/dense/bias", as in `weights`.

    The places are those that random streams are named by. They follow from how a model is built, and not
    from the numbers in automatic names, so an equal model has equal places.
    """
    found: dict[Variable, str] = {}
    for inner, place in _places(layer).items():
        own = inner.own_variables()
        for variable, name in zip(own, unique(v.name for v in own), strict=True):
            found.setdefault(variable, place + name)
    return {name: variable for variable, name in found.items()}


def seed_generators(layer: Any) -> dict[str, SeedGenerator]:
    """All seed generators that are attributes of `layer` and of those below it, by their place."""
    return {
        f"{place}{key}": value
        for inner, place in _places(layer).items()
        for key, value in vars(inner).items()
        if isinstance(value, SeedGenerator)
    }


def kept_states(layer: Any) -> dict[str, Variable]:
    """What layers keep from batch to batch beside their weights, by its place: "0/states/1"."""
    return {
        f"{place}states/{i}": variable
        for inner, place in _places(layer).items()
        for i, variable in enumerate(inner._kept_states())
    }


def _places(layer: Any) -> dict[Any, str]:
    """Each layer below `layer`, itself first, with the beginning of the names of what it holds."""
    places = {layer: ""}
    for inner in layer.all_layers():
        for child in inner.sublayers():
            places.setdefault(child, f"{places[inner]}{inner.child_key(child)}/")
    return {inner: places[inner] for inner in layer.all_layers()}
