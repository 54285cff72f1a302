"""A recipe with its data and its model, ready to be trained or tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gputrain import backend, config, models
from gputrain.app.recipes import data
from gputrain.app.recipes.build import adapt, compiled_model, gives_probabilities
from gputrain.app.recipes.data import Dataset, Preparation
from gputrain.app.recipes.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """What a run works with.

    Attributes:
        recipe: with what was found in the data.
        dataset: the data, divided and prepared.
        model: built for it and compiled.
    """

    recipe: Recipe
    dataset: Dataset
    model: models.Model


def ready(recipe: Recipe) -> Job:
    """Load a recipe's data and build its model; seed and backend of the recipe become the process's.

    Args:
        recipe: as `load` returns it.

    Raises:
        RecipeError: the model cannot be built as the recipe says.
        DeviceError: the backend is not to be had.
        OSError, DataError, CorruptFileError: the data is not there, or cannot be used.
    """
    use_settings(recipe)
    dataset = data.load(recipe.settings["data"], recipe.logits)
    recipe = recipe.with_data(dataset.settings, dataset.outputs, len(dataset.train))
    config.set_seed(recipe.settings["seed"])
    model = compiled_model(recipe, dataset.preparation)
    if "builder" in recipe.settings["model"] and "from_logits" not in recipe.settings["loss"]:
        preparation = replace(dataset.preparation, logits=not gives_probabilities(model))
        dataset = replace(dataset, preparation=preparation)
    adapt(model, dataset.train.x, recipe)
    return Job(recipe, dataset, model)


def use_settings(recipe: Recipe) -> None:
    """Make the recipe's backend and seed those of the process.

    Raises:
        DeviceError: the backend is not to be had.
    """
    config.set_backend(recipe.settings["backend"])
    backend.current_device()
    config.set_seed(recipe.settings["seed"])


def class_weight(recipe: Recipe, preparation: Preparation) -> str | dict[int, float] | None:
    """Return training.class_weight as `fit` takes it: by class number.

    Raises:
        RecipeError: a class is named that the data does not have, or one is left out.
    """
    given: str | Mapping[str, Any] = recipe.settings["training"]["class_weight"]
    if isinstance(given, str):
        return None if given == "none" else given
    names = preparation.class_names or ()
    if set(given) != set(names):
        rule = "Each class needs a weight."
        expected = ", ".join(names)
        raise recipe.source.error("training.class_weight", rule, expected=expected, received=", ".join(given))
    return {names.index(name): float(weight) for name, weight in given.items()}
