"""The main job: train a recipe's model, test it, and keep what came of it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gputrain import backend, callbacks, config, models
from gputrain.errors import DeviceError
from gputrain.recipes import data
from gputrain.recipes.build import compiled_model
from gputrain.recipes.errors import RecipeError, Source, blaming
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
    metrics.json and weights.npz. Each file is there whole or not at all. A run that fails before its
    first epoch is over leaves no folder; one that fails later keeps config.toml and history.csv; one that is
    interrupted after its first step also keeps the weights, and metrics.json with `"interrupted": true`.
    Progress goes to stderr. The seed and backend of the recipe become the process's.

    Args:
        recipe: as `load` returns it.
        out: the folder of all runs.

    Returns:
        The folder and the metrics.

    Raises:
        RecipeError: the backend is not to be had, the model cannot be built as the recipe says, or data,
            model, loss and metrics do not fit together.
        OSError: the run folder cannot be written to, or the data set is not to be had.
        KeyboardInterrupt: Ctrl-C, with words on how far the run came.

    Example:
        >>> run(load("digits_cnn")).metrics["test_accuracy"] > 0.98
        True
    """
    settings = recipe.settings
    with blaming(recipe.source.place("backend"), (DeviceError,)):
        config.set_backend(settings["backend"])
        backend.current_device()
    config.set_seed(settings["seed"])
    splits = data.load(settings["data"], settings["seed"])
    model = compiled_model(recipe)
    folder = RunFolder(Path(out), settings["name"])
    history, start = callbacks.History(), time.perf_counter()
    try:
        folder.write_config(recipe.resolved())
        with _blaming_the_recipe(model, recipe.source):
            metrics = _train_and_test(model, splits, settings["training"], folder, history)
        folder.write_weights(model.weights)
        folder.write_metrics(metrics)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_keep_interrupted(model, folder, history, start)) from None
    except BaseException:
        if not folder.epochs_recorded():
            folder.discard()
        raise
    return RunResult(folder.path, metrics)


@contextlib.contextmanager
def _blaming_the_recipe(model: models.Sequential, source: Source) -> Iterator[None]:
    """Before its first step `fit` only checks that all parts fit together; what it refuses is the recipe."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if int(model.step_counter):
            raise
        rule = "data, model.layers, loss and metrics do not fit together."
        raise RecipeError(f"{source.place('')}: {rule} {error}") from error


def _train_and_test(
    model: models.Sequential,
    splits: data.Splits,
    training: Mapping[str, Any],
    folder: RunFolder,
    history: callbacks.History,
) -> dict[str, Any]:
    start = time.perf_counter()
    # stdout is for results; what fit and evaluate say on the way is not one.
    with contextlib.redirect_stdout(sys.stderr):
        model.fit(
            *splits.train,
            batch_size=training["batch_size"],
            epochs=training["epochs"],
            shuffle=training["shuffle"],
            class_weight=None if training["class_weight"] == "none" else training["class_weight"],
            validation_data=splits.validation,
            callbacks=[history, callbacks.CSVLogger(folder.history)],
        )
        trained = _trained(model, history, start)
        tested = model.evaluate(*splits.test, batch_size=training["batch_size"], verbose=0, return_dict=True)
    return {**{f"test_{name}": float(value) for name, value in tested.items()}, **trained}


def _trained(model: models.Sequential, history: callbacks.History, start: float) -> dict[str, Any]:
    """What metrics.json says of the training: the logs of the last complete epoch, and how much it was."""
    return {
        **{_split_name(name): float(values[-1]) for name, values in history.history.items()},
        "epochs": len(history.epoch),
        "seconds": round(time.perf_counter() - start, 3),
        "parameters": model.count_params(),
    }


def _split_name(name: str) -> str:
    return name if name.startswith("val_") else f"train_{name}"


def _keep_interrupted(
    model: models.Sequential, folder: RunFolder, history: callbacks.History, start: float
) -> str:
    """Save what was trained before Ctrl-C, and return what was saved, in words."""
    steps = int(model.step_counter)
    if not steps:
        folder.discard()
        return "No step was complete; no run folder is kept."
    folder.write_weights(model.weights)
    folder.write_metrics({**_trained(model, history, start), "steps": steps, "interrupted": True})
    return (
        f"{folder.path} keeps weights.npz as of step {steps}, config.toml, and the history and metrics of "
        f"{len(history.epoch)} complete epoch(s)."
    )
