"""A checked recipe, turned into a compiled model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain import callbacks, layers, losses, metrics, models, optimizers
from gputrain.app.recipes import builders
from gputrain.app.recipes.arguments import find_class
from gputrain.app.recipes.data import Preparation
from gputrain.app.recipes.data.targets import ClassTargets, Targets
from gputrain.app.recipes.errors import Source, blaming
from gputrain.app.recipes.recipe import GIVE_PROBABILITIES, OUTPUTS, Recipe
from gputrain.utils.budget import LIMIT

_ROOMS = {"optimizer": optimizers, "loss": losses, "metric": metrics}
MOST_WEIGHTS = 4 << 30  # bytes; what trains them takes some four times as much
# What a constructor raises for arguments that it does not take.
_REFUSALS = (ValueError, TypeError, OverflowError, MemoryError)


def compiled_model(recipe: Recipe, preparation: Preparation) -> models.Model:
    """Return the recipe's model, built and compiled.

    Args:
        recipe: with what was found in its data (`Recipe.with_data`).
        preparation: of that data; says what goes in and how many outputs there are.

    Raises:
        RecipeError: a layer, the optimizer, the loss or a metric does not take its arguments, a layer does
            not fit on the one before it, or the last one has too few or too many outputs; the message names
            the key path. The weights take more than 4 GiB, which is found before there is memory for them.
    """
    settings, source, section = recipe.settings, recipe.source, recipe.settings["model"]
    shape, outputs = preparation.inputs.shape, preparation.targets.outputs
    with _limited(source):
        model = (
            _sequential(settings["name"], shape, section["layers"], source)
            if "layers" in section
            else builders.build(section, recipe.code, shape, outputs, source)
        )
    _check_outputs(model, preparation.targets, recipe)
    with blaming(source.file, _REFUSALS):
        model.compile(
            optimizer=_object("optimizer", settings["optimizer"], "optimizer", source),
            loss=_object("loss", settings["loss"], "loss", source),
            metrics=[
                item if isinstance(item, str) else _object("metric", item, f"metrics[{i}]", source)
                for i, item in enumerate(settings["metrics"])
            ],
        )
    return model


@contextmanager
def _limited(source: Source) -> Iterator[None]:
    """Within it the variables of a model take no more than there may be of weights."""
    before = LIMIT.set(_Limit(source))
    try:
        yield
    finally:
        LIMIT.reset(before)


class _Limit:
    """How much memory there is for what a recipe describes."""

    def __init__(self, source: Source) -> None:
        self._source, self._taken = source, 0

    def keep(self, where: str, shape: tuple[int, ...], dtype: str) -> None:
        """See `utils.budget.Budget`."""
        self.pass_by(where, shape, dtype)
        self._taken += math.prod(shape) * np.dtype(dtype).itemsize

    def pass_by(self, where: str, shape: tuple[int, ...], dtype: str) -> None:
        """See `utils.budget.Budget`."""
        total = self._taken + math.prod(shape) * np.dtype(dtype).itemsize
        if total > MOST_WEIGHTS:
            rule = "The weights of a recipe's model have a limit."
            expected = f"at most {MOST_WEIGHTS} bytes"
            received = f"{where} of shape {shape}, and so {total} bytes with those before it"
            fix = "Take smaller layers; a program of your own may have larger ones."
            raise self._source.error("model", rule, expected=expected, received=received, fix=fix)


def _check_outputs(model: models.Model, targets: Targets, recipe: Recipe) -> None:
    """Refuse a last layer that does not have an output for each class or number (or one for two classes)."""
    found, wanted = math.prod(model.output_shape[1:]), targets.outputs
    is_binary = isinstance(targets, ClassTargets) and wanted == 2 and not targets.one_hot
    if found == wanted or (is_binary and found == 1):
        return
    things = "classes" if isinstance(targets, ClassTargets) else "numbers to predict"
    stack = _stack(model)
    raise recipe.source.error(
        _layer_path(recipe, len(stack) - 1, stack[-1]),
        f"The last layer must have as many outputs as there are {things}.",
        expected=f"{wanted}, or 1" if is_binary else wanted,
        received=found,
        fix=f'units = "{OUTPUTS}" says it whatever the data.',
    )


def _sequential(
    name: str, shape: Sequence[int], tables: list[dict[str, Any]], source: Source
) -> models.Sequential:
    model = models.Sequential(name=name)
    model.add(layers.Input(shape=tuple(shape)))
    for index, table in enumerate(tables):
        path = f"model.layers[{index}]"
        with blaming(source.place(f"{path} ({table['type']})"), _REFUSALS):
            cls = find_class("layer", table["type"], path, source)
            model.add(cls.from_config(_arguments(table, "type")))
    return model


def callbacks_of(recipe: Recipe) -> list[callbacks.Callback]:
    """Return the callbacks that the recipe names.

    Raises:
        RecipeError: one does not take its arguments.
    """
    tables = enumerate(recipe.settings["callbacks"])
    return [_object("callback", table, f"callbacks[{i}]", recipe.source) for i, table in tables]


def gives_probabilities(model: models.Model) -> bool:
    """Return whether the last layer of a model is one that gives probabilities."""
    last = model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return isinstance(last, layers.Softmax) or activation in GIVE_PROBABILITIES


def adapt(model: models.Model, x: NDArray[Any], recipe: Recipe) -> None:
    """Give Normalization layers the mean and variance of the training inputs `x`.

    Raises:
        RecipeError: such a layer is not the first, so that what it gets is not the inputs.
    """
    for index, layer in enumerate(_stack(model)):
        if isinstance(layer, layers.Normalization) and layer.input_mean is None:
            if index:
                rule = "A Normalization layer is adapted to the inputs, so it must be the first layer."
                fix = "Or give it mean and variance."
                raise recipe.source.error(_layer_path(recipe, index, layer), rule, fix=fix)
            layer.adapt(x)


def _stack(model: models.Model) -> list[layers.Layer]:
    return [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]


def _layer_path(recipe: Recipe, index: int, layer: layers.Layer) -> str:
    """Where a layer stands in the recipe; one of a builder has no place of its own there."""
    in_list = "layers" in recipe.settings["model"]
    return f"model.layers[{index}]" if in_list else f"model.builder (layer {layer.name})"


def _object(kind: str, table: Mapping[str, Any], path: str, source: Source) -> Any:
    cls, arguments = find_class(kind, table["name"], path, source), _arguments(table, "name")
    with blaming(source.place(path), _REFUSALS):
        if kind in _ROOMS:
            return _ROOMS[kind].get({"class_name": cls.__name__, "config": arguments})
        return cls(**arguments)


def _arguments(table: Mapping[str, Any], name_key: str) -> dict[str, Any]:
    return {key: _argument(value) for key, value in table.items() if key != name_key}


def _argument(value: Any) -> Any:
    """Turn TOML's data into an argument: arrays into tuples, tables with a name into Keras's config dicts."""
    if isinstance(value, list | tuple):
        return tuple(map(_argument, value))
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return {"class_name": value["name"], "config": _arguments(value, "name")}
    return value
