"""A recipe: a TOML file, checked against what gputrain knows, with every default filled in."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import config
from gputrain.app.recipes import builders, data, overrides, reading, schema
from gputrain.app.recipes.arguments import check_arguments, check_named, find_class
from gputrain.app.recipes.errors import Source
from gputrain.names import snake_case
from gputrain.release import __version__

_DEFAULT_METRIC = {"classification": "accuracy", "regression": "mean_absolute_error"}
GIVE_PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid", "sparsemax", "sparse_sigmoid")
OUTPUTS = "outputs"  # units = "outputs": as many as there are classes or targets
_CODE = builders.FILE_KEY.rpartition(".")[2]
ALL = "all"  # decay_steps = "all": over all steps of the training


@dataclass(frozen=True)
class Recipe:
    """A checked recipe.

    Attributes:
        settings: plain data in the form of the TOML file, with every default; written out and read again it
            gives the same recipe.
        source: where it came from, for errors.
        given: the table as it was read and changed, without defaults.
        code: the Python file of the model's builder, named by whoever runs the recipe.
    """

    settings: Mapping[str, Any]
    source: Source
    given: Mapping[str, Any]
    code: Path | None = None

    def resolved(self) -> dict[str, Any]:
        """Return the settings and, for the reader, the versions they ran with."""
        versions = {
            "gputrain": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        return {**self.settings, "versions": versions}

    def portable(self) -> dict[str, Any]:
        """Return what was given as a table that means the same anywhere: with full paths, seed and backend.

        Unlike the settings it has no defaults of, say, an optimizer, so that another one can be put there.
        """
        paths = {key: self.settings["data"][key] for key in data.PATHS if key in self.settings["data"]}
        own = {key: self.settings[key] for key in ("seed", "backend")}
        return {**self.given, **own, "data": {**self.given["data"], **paths}}

    @property
    def logits(self) -> bool:
        """Whether the model's outputs are scores that are no probabilities.

        A loss that takes probabilities or logits says which; with another one it goes by the last activation,
        which only the model can tell where a builder makes it (see `job.ready`).
        """
        loss, model = self.settings["loss"], self.settings["model"]
        if "from_logits" in loss:
            return bool(loss["from_logits"])
        last = model["layers"][-1] if "layers" in model else {"type": ""}
        return last["type"] != "Softmax" and last.get("activation") not in GIVE_PROBABILITIES

    def with_data(self, data: Mapping[str, Any], outputs: int, samples: int) -> Recipe:
        """Return the recipe with what was found in its data.

        Args:
            data: the data section.
            outputs: how many outputs a model of it has, for units = "outputs".
            samples: how many samples there are to train on, for decay_steps = "all".
        """
        model = dict(self.settings["model"])
        if "layers" in model:
            model["layers"] = [_sized(table, outputs) for table in model["layers"]]
        optimizer = _timed(self.settings["optimizer"], self.settings["training"], samples)
        found = {"data": dict(data), "model": model, "optimizer": optimizer}
        return replace(self, settings={**self.settings, **found})


def load(name: str | Path, settings: Iterable[tuple[str, Any, str]] = ()) -> Recipe:
    """Read, change and check a recipe.

    Args:
        name: a TOML file, a run folder, or the name of a shipped recipe, as "digits_cnn".
        settings: changes: (key path, value, the option that asks for it, for errors).

    Returns:
        The recipe; nothing has been loaded or built yet.

    Raises:
        RecipeError: it cannot be read, or a key or value in it is wrong; the message names file and key path.

    Example:
        >>> load("digits_cnn", [("training.epochs", 3, "--epochs")]).settings["training"]["epochs"]
        3
    """
    changes = list(settings)
    path, base = reading.find_recipe(str(name))
    source = Source(str(name), {path: option for path, _, option in changes}, base)
    table = reading.read_table(path, source)
    overrides.apply(table, [(path, value) for path, value, _ in changes], source)
    return check(table, source)


def check(table: Mapping[str, Any], source: Source) -> Recipe:
    """Return the recipe that the TOML table `table` describes.

    Raises:
        RecipeError: an unknown key, a missing one, or a wrong value.
    """
    top = schema.check(table, schema.TOP, "", source)
    loss = check_named("loss", top["loss"], "loss", source)
    loss_class = find_class("loss", loss["name"], "loss", source)
    section = data.resolve(top["data"], loss_class, source)
    model, code = _model(top["model"], source)
    metrics = top.get("metrics", [_DEFAULT_METRIC[section["task"]]])
    training = schema.check(top["training"], schema.TRAINING, "training", source)
    if section["task"] == "regression" and training["class_weight"] != "none":
        raise source.error("training.class_weight", "This key is for classes, not for numbers to predict.")
    settings = {
        "name": top["name"],
        "seed": top.get("seed", config.seed() % (schema.MAX_SEED + 1)),
        "backend": top.get("backend", config.backend()),
        "data": section,
        "model": model,
        "optimizer": check_named("optimizer", top["optimizer"], "optimizer", source, default="adam"),
        "loss": loss,
        "metrics": [_metric(item, f"metrics[{i}]", source) for i, item in enumerate(metrics)],
        "training": training,
        "callbacks": [
            check_named("callback", item, f"callbacks[{i}]", source)
            for i, item in enumerate(top["callbacks"])
        ],
    }
    return Recipe(settings, source, {**table, "model": _without_code(table["model"])}, code)


def _model(given: Mapping[str, Any], source: Source) -> tuple[dict[str, Any], Path | None]:
    """The checked model section, and the file whose code may be run to make it."""
    file = given.get(_CODE)
    model = schema.check(_without_code(given), schema.MODEL, "model", source)
    if ("layers" in model) == ("builder" in model):
        received = "both" if "layers" in model else "none of them"
        rule = "A model is a list of layers, or what a builder makes."
        raise source.error("model", rule, expected="one of layers and builder", received=received)
    if file is not None and (builders.FILE_KEY not in source.options or builders.file_name(model) is None):
        rule = "Only whoever runs a recipe with a builder in a file can name that file."
        raise source.error(builders.FILE_KEY, rule, fix=f"Leave it out, or use {builders.OPTION}.")
    if "builder" in model:
        return builders.check_builder(model, file, source), None if file is None else Path(file)
    if "arguments" in model:
        raise source.error("model.arguments", "These are for a builder.", fix="Leave them out.")
    return {"layers": _layers(model["layers"], source)}, None


def _without_code(model: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in model.items() if key != _CODE}


def _layers(tables: list[Mapping[str, Any]], source: Source) -> list[dict[str, Any]]:
    checked = [_layer(table, f"model.layers[{i}]", source) for i, table in enumerate(tables)]
    taken = {table["name"] for table in checked if "name" in table}
    named = []
    for table in checked:
        name = table.pop("name", None) or _free_name(snake_case(table["type"]), taken)
        taken.add(name)
        named.append({"type": table.pop("type"), "name": name, **table})
    return named


def _layer(table: Mapping[str, Any], path: str, source: Source) -> dict[str, Any]:
    arguments = dict(table)
    name = arguments.pop("type", None)
    cls = find_class("layer", name, f"{path}.type", source)
    own = arguments.get("name", name)
    if not schema.is_name(own):
        rule = "Wrong value."
        raise source.error(f"{path}.name", rule, expected=schema.NAME_RULE, received=schema.describe(own))
    return {"type": name, **check_arguments(cls, arguments, path, source, beside=("type",))}


def _sized(table: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    return {key: outputs if key == "units" and value == OUTPUTS else value for key, value in table.items()}


def _timed(optimizer: Mapping[str, Any], training: Mapping[str, Any], samples: int) -> dict[str, Any]:
    rate = optimizer.get("learning_rate")
    if not isinstance(rate, Mapping) or rate.get("decay_steps") != ALL:
        return dict(optimizer)
    steps = -(-samples // training["batch_size"]) * training["epochs"]
    return {**optimizer, "learning_rate": {**rate, "decay_steps": steps}}


def _free_name(prefix: str, taken: set[str]) -> str:
    """Name a layer by its place in the recipe alone, so that the names of the weights repeat as well."""
    numbered = (f"{prefix}_{number}" for number in count(1))
    return next(name for name in (prefix, *islice(numbered, len(taken))) if name not in taken)


def _metric(given: str | Mapping[str, Any], path: str, source: Source) -> str | dict[str, Any]:
    # "accuracy" stands for whichever accuracy fits the loss and the labels, so it stays a name.
    if given in ("accuracy", "acc"):
        return str(given)
    return check_named("metric", given, path, source)
