"""A run that was trained before: its recipe, preparation, figures and weights."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gputrain import models
from gputrain.datasets import CorruptFileError
from gputrain.datasets.npz import names_and_shapes, read_npz
from gputrain.errors import explain
from gputrain.recipes.build import compiled_model
from gputrain.recipes.data import Preparation, read_preparation
from gputrain.recipes.errors import RecipeError
from gputrain.recipes.job import use_settings
from gputrain.recipes.reading import CONFIG
from gputrain.recipes.recipe import Recipe, load
from gputrain.recipes.run_folder import METRICS, PREPARATION, WEIGHTS

MAX_METRICS_BYTES = 1 << 20


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

    def model(self) -> models.Sequential:
        """Return the compiled model with the weights of the run; the run's backend becomes the process's.

        Raises:
            DeviceError: the backend is not to be had.
            RecipeError: the model cannot be built.
            OSError, CorruptFileError: the weights are not there, damaged, or those of another model.
        """
        use_settings(self.recipe)
        model = compiled_model(self.recipe, self.preparation.inputs.shape)
        _load_weights(model, self.folder / WEIGHTS)
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
    received = "no such folder" if not folder.exists() else "a folder without it"
    raise RecipeError(f"{path}: " + explain("A run folder holds a config.toml.", received=received, fix=hint))


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return what stands in metrics.json of the run folder, {} where it is not there.

    Raises:
        OSError, CorruptFileError: it cannot be read, or is not what a run wrote.
    """
    path = folder / METRICS
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_METRICS_BYTES + 1)
    except FileNotFoundError:
        return {}
    try:
        table = json.loads(data[:MAX_METRICS_BYTES])
        if not isinstance(table, dict):
            raise ValueError("no JSON object")
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(path, "The figures of a run are a JSON object", "one", error) from error
    return table


def _load_weights(model: models.Sequential, path: Path) -> None:
    """Set the model's weights; names and shapes are compared before anything is read."""
    wanted = {weight.path: tuple(weight.shape) for weight in model.weights}
    there = {name: tuple(shape) for name, shape in names_and_shapes(path).items()}
    for name in dict.fromkeys((*wanted, *there)):
        if wanted.get(name) != there.get(name):
            raise CorruptFileError(
                path,
                "The weights must be those of the model in config.toml",
                f"{name} of shape {wanted[name]}" if name in wanted else f"no {name}",
                f"shape {there[name]}" if name in there else "none",
            )
    size = 8 * sum(math.prod(shape) for shape in wanted.values()) + 4096
    arrays = read_npz(path, tuple(wanted), max_bytes=size)
    model.set_weights([arrays[weight.path] for weight in model.weights])
