"""Show the layers and the size of a model: of a recipe or run, with its memory, or in a file.

examples:
  gputrain summary digits_cnn
  gputrain summary runs/digits_cnn-1
  gputrain summary digits_cnn --set "model.layers[0].filters=16" --json
  gputrain summary model.keras

The memory is what a training step with the recipe's batch size needs. Of a file (.keras, .h5, .safetensors,
.npz) nothing is built: layers of classes that are not known here are listed too, and marked with a star.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain.app import recipes
from gputrain.app.cli.command import JSON, SETTINGS, Arguments, Command, option
from gputrain.app.cli.output import print_fields, print_json, print_table
from gputrain.app.cli.settings import settings_of
from gputrain.app.recipes import Recipe
from gputrain.errors import UsageError, explain
from gputrain.models import Model
from gputrain.saving.inspecting import FileFacts, inspect_file, is_model_file


def _run(args: Arguments) -> None:
    if is_model_file(args.config):
        _run_file(args)
        return
    recipe, model = _built(args.config, settings_of(args))
    batch = int(recipe.settings["training"]["batch_size"])
    if args.json:
        print_json(_facts(str(recipe.settings["name"]), model, batch))
    else:
        model.summary()
        print(model.memory_plan(batch))


def _run_file(args: Arguments) -> None:
    if settings_of(args):
        rule = f"{args.config} is a file of a model, which has no settings."
        raise UsageError(explain(rule, fix="Leave out what changes a recipe."))
    facts = inspect_file(args.config)
    if args.json:
        print_json(_plain(facts))
        return
    print_table(
        ["layer", "type", "weights", "parameters"],
        [
            [layer.name, layer.kind + "*" * (not layer.is_known), _shapes(layer.weights), layer.parameters]
            for layer in facts.layers
        ],
    )
    fields: dict[str, Any] = {"model": f"{facts.kind} {facts.name!r}" if facts.kind else "weights alone"}
    fields["parameters"] = facts.parameters
    if facts.optimizer or facts.optimizer_parameters:
        fields["optimizer"] = f"{facts.optimizer}, {facts.optimizer_parameters} numbers".lstrip(", ")
    if unknown := sorted({layer.kind for layer in facts.layers if not layer.is_known}):
        fields["*"] = f"not known here: {', '.join(unknown)}"
    print()
    print_fields(fields)


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    more = ["..."] if len(shapes) > 4 else []
    return " ".join([*("(" + ", ".join(map(str, shape)) + ")" for shape in shapes[:4]), *more])


def _plain(facts: FileFacts) -> dict[str, Any]:
    layers = [
        {
            "name": layer.name,
            "type": layer.kind,
            "known": layer.is_known,
            "weights": [list(shape) for shape in layer.weights],
            "parameters": layer.parameters,
        }
        for layer in facts.layers
    ]
    return {
        "name": facts.name,
        "type": facts.kind,
        "layers": layers,
        "parameters": facts.parameters,
        "optimizer": facts.optimizer or None,
        "optimizer_parameters": facts.optimizer_parameters,
    }


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


_CONFIG = option(
    "config",
    "a recipe: a TOML file, the name of a shipped recipe, or a run folder; or a file of a model",
    "CONFIG",
)
COMMAND = Command(_run, __doc__, (_CONFIG, *SETTINGS, JSON))
