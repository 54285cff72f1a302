"""A run that was trained before: its recipe, preparation, figures and weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import models
from gputrain.app.recipes.build import compiled_model
from gputrain.app.recipes.builders import FILE_KEY
from gputrain.app.recipes.data import Preparation, read_preparation
from gputrain.app.recipes.errors import RecipeError
from gputrain.app.recipes.job import use_settings
from gputrain.app.recipes.json_files import read_json
from gputrain.app.recipes.reading import CONFIG
from gputrain.app.recipes.recipe import Recipe, load
from gputrain.app.recipes.run_folder import METRICS, PREPARATION, WEIGHTS, name_within
from gputrain.callbacks.backup import NEWEST
from gputrain.data.io.npz import names_and_shapes, read_npz
from gputrain.data.io.sniff import describe, kind_of
from gputrain.datasets import CorruptFileError
from gputrain.saving.loading import Budget
from gputrain.utils.budget import FROM_FILE
from gputrain.utils.plain import by_path


@dataclass(frozen=True)
class StoredRun:
    """A run folder, opened.

    Attributes:
        folder: the run folder.
        recipe: its resolved recipe.
        preparation: how inputs are made and what outputs mean.
        metrics: what stands in metrics.json; empty where a run did not come so far.
    """

    folder: Path
    recipe: Recipe
    preparation: Preparation
    metrics: Mapping[str, Any]

    def bare_model(self) -> models.Model:
        """Return the compiled model with fresh weights; the run's backend becomes the process's.

        Raises:
            DeviceError: the backend is not to be had.
            RecipeError: the model cannot be built.
        """
        use_settings(self.recipe)
        return compiled_model(self.recipe, self.preparation)

    def model(self) -> models.Model:
        """Return the compiled model with the weights of the run.

        Raises:
            OSError, CorruptFileError: the weights are not there, damaged, or those of another model.
            RecipeError: as `bare_model`; the model has weights that their file cannot hold, which is found
                before there is memory for them.
            DeviceError: as `bare_model`.
        """
        path = self.folder / WEIGHTS
        there = names_and_shapes(path)
        before = FROM_FILE.set(Budget(path, path.stat().st_size))
        try:
            model = self.bare_model()
        finally:
            FROM_FILE.reset(before)
        _load_weights(model, path, there)
        return model


def open_run(path: str | Path, settings: Iterable[tuple[str, Any, str]] = ()) -> StoredRun:
    """Open the run folder at `path`.

    Args:
        path: the folder, or a file in it.
        settings: changes of its recipe, as for `load`.

    Raises:
        RecipeError: it is no run folder, or its config.toml is not one.
        OSError, CorruptFileError: a file in it is not there or damaged.

    Example:
        >>> run = open_run("runs/digits_cnn-1")  # doctest: +SKIP
        >>> run.metrics["test_accuracy"]  # doctest: +SKIP
        0.9972
    """
    folder = require_run_folder(path)
    recipe = load(folder / CONFIG, settings)
    return StoredRun(folder, recipe, read_preparation(folder / PREPARATION), read_metrics(folder))


def resumable(path: str | Path, settings: Iterable[tuple[str, Any, str]] = ()) -> tuple[Path, Recipe]:
    """Return the folder and the recipe of a run that can go on.

    Args:
        path: the folder, or a file in it.
        settings: changes, as for `load`: only of the backend, and the file of the model's builder.

    Raises:
        RecipeError: it is no run folder, is complete, has no checkpoint, or would change what the run is of.
        OSError, CorruptFileError: a file in it is not there or damaged.
    """
    folder, changes = require_run_folder(path), list(settings)
    metrics = read_metrics(folder)
    if metrics and not metrics.get("interrupted"):
        fix = f"Train it once more: gputrain train {folder}"
        raise RecipeError(f"{folder}: The run is complete, so there is nothing to resume.", fix=fix)
    if not (folder / NEWEST).exists():
        rule = f"{folder}: A run resumes from its {NEWEST}, which is not there."
        raise RecipeError(rule, fix=f"Begin anew: gputrain train {folder}")
    recipe = load(folder / CONFIG, changes)
    code = [change for change in changes if change[0] == FILE_KEY]
    before, now = by_path(load(folder / CONFIG, code).settings), by_path(recipe.settings)
    names = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    told = [f"{n}: {before.get(n)} there, {now.get(n)} here" for n in names if n != "backend"]
    if told:
        fix = "Leave that out, or begin a run of its own without --resume."
        raise RecipeError(f"{folder}: A run resumes as it was begun.", received="; ".join(told), fix=fix)
    return folder, recipe


def is_run_folder(path: str | Path) -> bool:
    """Return whether a run was begun in the folder `path`."""
    return (Path(path) / CONFIG).is_file() and (Path(path) / PREPARATION).is_file()


def require_run_folder(path: str | Path) -> Path:
    """Return the run folder that `path`, the folder or a file in it, stands for.

    Raises:
        RecipeError: it is none.
    """
    folder = Path(path)
    if folder.is_file():
        folder = folder.parent
    if (folder / CONFIG).is_file():
        return folder
    known = sorted(str(config.parent) for config in Path("runs").glob(f"*/{CONFIG}"))[-5:]
    hint = f"Runs here: {', '.join(known)}." if known else "`gputrain train` makes one."
    if Path(path).is_file():
        kind = kind_of(path)
        loads = f"keras.models.load_model({str(path)!r}) in Python reads it. " if kind == "keras" else ""
        rule = f"{path}: This takes the folder of a run that gputrain train made."
        raise RecipeError(rule, received=f"a file: {describe(kind)}", fix=loads + hint)
    received = f"a folder without {CONFIG}" if folder.exists() else "no such folder"
    raise RecipeError(f"{path}: A run folder holds a {CONFIG}.", received=received, fix=hint)


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return what stands in metrics.json of the run folder, {} where it is not there.

    Raises:
        OSError, CorruptFileError: it cannot be read, or is not what a run wrote.
    """
    path = folder / METRICS
    return read_json(path, "The figures of a run are a JSON object", _object) if path.exists() else {}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__}, which is none")
    return value


def _load_weights(model: models.Model, path: Path, there: Mapping[str, tuple[int, ...]]) -> None:
    """Set the model's weights; names and shapes are compared before anything is read."""
    weights = {name_within(weight, model.name): weight for weight in model.weights}
    wanted = {name: tuple(weight.shape) for name, weight in weights.items()}
    for name in dict.fromkeys((*wanted, *there)):
        if wanted.get(name) != there.get(name):
            rule = "The weights must be those of the model in config.toml"
            expected = f"{name} of shape {wanted[name]}" if name in wanted else f"no {name}"
            received = f"shape {there[name]}" if name in there else "none"
            raise CorruptFileError(path, rule, expected, received)
    size = 8 * sum(math.prod(shape) for shape in wanted.values()) + 4096
    arrays = read_npz(path, tuple(wanted), max_bytes=size)
    for name, weight in weights.items():
        array = arrays[name]
        if str(array.dtype) != str(weight.dtype) or not np.isfinite(array).all():
            expected, found = f"{name} in finite {weight.dtype}", f"{name}, {array.dtype}"
            raise CorruptFileError(path, "Weights are finite numbers", expected, found)
    model.set_weights([arrays[name] for name in weights])
