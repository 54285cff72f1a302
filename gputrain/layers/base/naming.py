"""Names of layers and paths of their variables: "dense", "dense_1", "block/dense/kernel", as in Keras."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gputrain.runtime import Variable


class _Scope:
    """The layers whose call or build is under way, outermost first, and whether one of them made a weight."""

    def __init__(self, grew: bool) -> None:
        self.grew = grew
        self.layers: list[Any] = []


_scope: ContextVar[_Scope | None] = ContextVar("layers_being_called", default=None)


@contextmanager
def inside(layer: Any) -> Iterator[None]:
    """While a layer is called or built: the paths of weights that are made begin with its name.

    When the outermost layer is done, and it or a weight is new, each of its variables gets a path of its own.
    """
    scope = _scope.get()
    if scope is None:
        scope = _Scope(grew=not layer.built)
        token = _scope.set(scope)
        try:
            with _pushed(scope, layer):
                yield
        finally:
            _scope.reset(token)
        if scope.grew:
            make_paths_unique(layer.variables)
    elif scope.layers[-1] is layer:
        yield
    else:
        with _pushed(scope, layer):
            yield


@contextmanager
def _pushed(scope: _Scope, layer: Any) -> Iterator[None]:
    scope.layers.append(layer)
    try:
        yield
    finally:
        scope.layers.pop()


def path_of(layer: Any, name: str) -> str:
    """The path of a new weight: that of its layer, and its own name."""
    scope = _scope.get()
    if scope is not None:
        scope.grew = True
    return f"{place_of(layer)}/{name}"


def place_of(layer: Any) -> str:
    """The path of a layer: the names of the layers being called, and its own."""
    scope = _scope.get()
    around = scope.layers if scope is not None else []
    layers = around if around[-1:] == [layer] else [*around, layer]
    if len(layers) > 1 and not layers[0].heads_paths:
        layers = layers[1:]
    return "/".join(each.name for each in layers)


def make_paths_unique(variables: Iterable[Variable]) -> None:
    """Number the paths that several variables have, in order: "d/kernel", "d/kernel_1"."""
    known = list(variables)
    taken = {variable.path for variable in known}
    if len(taken) == len(known):
        return
    seen: set[str] = set()
    for variable in known:
        path, number = variable.path, 0
        while variable.path in seen or (number and variable.path in taken):
            number += 1
            variable.path = f"{path}_{number}"
        seen.add(variable.path)
