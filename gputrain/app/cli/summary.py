"""Build the model of a recipe or run, and show its layers, its size and its memory.

examples:
  gputrain summary digits_cnn
  gputrain summary runs/digits_cnn-1
  gputrain summary digits_cnn --set "model.layers[0].filters=16" --json

The memory is what a training step with the recipe's batch size needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain.app import recipes
from gputrain.app.cli.command import CONFIG, JSON, SETTINGS, Arguments, Command
from gputrain.app.cli.output import print_json
from gputrain.app.cli.settings import settings_of
from gputrain.app.recipes import Recipe
from gputrain.models import Model


def _run(args: Arguments) -> None:
    recipe, model = _built(args.config, settings_of(args))
    batch = int(recipe.settings["training"]["batch_size"])
    if args.json:
        print_json(_facts(str(recipe.settings["name"]), model, batch))
    else:
        model.summary()
        print(model.memory_plan(batch))


def _facts(name: str, model: Model, batch: int) -> dict[str, Any]:
    plan = model.memory_plan(batch)
    layers = [
        {"name": layer.name, "type": type(layer).__name__, "parameters": layer.count_params()}
        for layer in model.layers
    ]
    return {
        "name": name,
        "layers": layers,
        "parameters": model.count_params(),
        "batch_size": batch,
        "memory_bytes": {"weights": plan.weights, "optimizer": plan.optimizer, "arena": plan.arena},
    }


def _built(name: str, settings: Sequence[tuple[str, Any, str]]) -> tuple[Recipe, Model]:
    """The recipe and its model: of a run without its data, which may be gone."""
    if recipes.is_run_folder(name):
        run = recipes.open_run(name, settings)
        return run.recipe, run.bare_model()
    job = recipes.ready(recipes.load(name, settings))
    return job.recipe, job.model


COMMAND = Command(_run, __doc__, (CONFIG, *SETTINGS, JSON))
