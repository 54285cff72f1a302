"""`gputrain summary`: the layers of a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gputrain.app.cli import parser as shared
from gputrain.app.cli.codes import OK
from gputrain.app.cli.output import print_json

if TYPE_CHECKING:
    from gputrain.app.recipes import Recipe
    from gputrain.models import Sequential

_EXAMPLES = """\
examples:
  gputrain summary digits_cnn
  gputrain summary runs/digits_cnn-1
  gputrain summary digits_cnn --set "model.layers[0].filters=16" --json

The memory is what a training step with the recipe's batch size needs.
"""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = shared.add_command(
        commands,
        "summary",
        _run,
        help="show the layers of a recipe's model, its size and its memory",
        description="Build the model of a recipe or run, and show its layers, its size and its memory.",
        examples=_EXAMPLES,
    )
    shared.add_config(parser)
    shared.add_settings(parser)
    shared.add_json(parser)


def _run(args: argparse.Namespace) -> int:
    recipe, model = _built(args.config, shared.settings_of(args))
    batch = int(recipe.settings["training"]["batch_size"])
    plan = model.memory_plan(batch)
    if args.json:
        layers = [
            {"name": layer.name, "type": type(layer).__name__, "parameters": layer.count_params()}
            for layer in model.layers
        ]
        print_json(
            {
                "name": recipe.settings["name"],
                "layers": layers,
                "parameters": model.count_params(),
                "batch_size": batch,
                "memory_bytes": {"weights": plan.weights, "optimizer": plan.optimizer, "arena": plan.arena},
            }
        )
        return OK
    model.summary()
    print(plan)
    return OK


def _built(name: str, settings: Sequence[tuple[str, Any, str]]) -> tuple[Recipe, Sequential]:
    """The recipe and its model: of a run without its data, which may be gone."""
    from gputrain.app import recipes

    if recipes.is_run_folder(name):
        run = recipes.open_run(name, settings)
        return run.recipe, run.bare_model()
    job = recipes.ready(recipes.load(name, settings))
    return job.recipe, job.model
