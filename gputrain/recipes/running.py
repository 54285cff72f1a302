"""The main job: train a recipe's model, test it, and keep what came of it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gputrain import callbacks, config, models
from gputrain.recipes import data
from gputrain.recipes.build import compiled_model
from gputrain.recipes.recipe import Recipe
from gputrain.recipes.run_folder import RunFolder


@dataclass(frozen=True)
class RunResult:
    """What a run leaves behind.

    Attributes:
        folder: the run folder.
        metrics: what stands in metrics.json.
    """

    folder: Path
    metrics: Mapping[str, Any]


def run(recipe: Recipe, out: str | Path = "runs") -> RunResult:
    """Train and test `recipe`, in a new run folder.

    The folder holds config.toml (every setting; it can be run again), history.csv (a line an epoch),
    metrics.json and weights.npz. Each file is there whole or not at all. A run that ends before its first
    epoch leaves no folder; one that ends later keeps config.toml and history.csv. Progress goes to stderr.
    The seed and backend of the recipe become the process's.

    Args:
        recipe: as `load` returns it.
        out: the folder of all runs.

    Returns:
        The folder and the metrics.

    Raises:
        RecipeError: the model cannot be built as the recipe says.
        OSError: the run folder cannot be written to, or the data set is not to be had.
        KeyboardInterrupt: Ctrl-C, with words on how far the run came.

    Example:
        >>> run(load("digits_cnn")).metrics["test_accuracy"] > 0.98
        True
    """
    settings = recipe.settings
    config.set_backend(settings["backend"])
    config.set_seed(settings["seed"])
    splits = data.load(settings["data"], settings["seed"])
    model = compiled_model(recipe)
    folder = RunFolder(Path(out), settings["name"])
    try:
        folder.write_config(recipe.resolved())
        metrics = _train_and_test(model, splits, settings["training"], folder)
        folder.write_weights(model.weights)
        folder.write_metrics(metrics)
    except BaseException as error:
        epochs = folder.epochs_recorded()
        if not epochs:
            folder.discard()
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(_how_far(folder, epochs)) from None
        raise
    return RunResult(folder.path, metrics)


def _train_and_test(
    model: models.Sequential, splits: data.Splits, training: Mapping[str, Any], folder: RunFolder
) -> dict[str, Any]:
    start = time.perf_counter()
    # stdout is for results; what fit and evaluate say on the way is not one.
    with contextlib.redirect_stdout(sys.stderr):
        history = model.fit(
            *splits.train,
            batch_size=training["batch_size"],
            epochs=training["epochs"],
            shuffle=training["shuffle"],
            class_weight=None if training["class_weight"] == "none" else training["class_weight"],
            validation_data=splits.validation,
            callbacks=[callbacks.CSVLogger(folder.history)],
        )
        seconds = time.perf_counter() - start
        tested = model.evaluate(*splits.test, batch_size=training["batch_size"], verbose=0, return_dict=True)
    return {
        **{f"test_{name}": float(value) for name, value in tested.items()},
        **{_split_name(name): float(values[-1]) for name, values in history.history.items()},
        "epochs": len(history.epoch),
        "seconds": round(seconds, 3),
        "parameters": model.count_params(),
    }


def _split_name(name: str) -> str:
    return name if name.startswith("val_") else f"train_{name}"


def _how_far(folder: RunFolder, epochs: int) -> str:
    if not epochs:
        return "No epoch was complete; no run folder is kept."
    return f"{folder.path} keeps config.toml and the history of {epochs} epoch(s)."
