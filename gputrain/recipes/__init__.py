"""Recipes: TOML files that say data, model and training; `gputrain train` runs them.

recipe = load("digits_cnn", [("training.epochs", 3, "--epochs")])
result = run(recipe)
result.metrics["test_accuracy"]
open_run(result.folder).model().summary()
"""

from gputrain.recipes.errors import RecipeError
from gputrain.recipes.evaluating import evaluate
from gputrain.recipes.job import Job, ready
from gputrain.recipes.overrides import parse_setting
from gputrain.recipes.predicting import predict
from gputrain.recipes.reading import shipped_recipes
from gputrain.recipes.recipe import Recipe, load
from gputrain.recipes.running import RunResult, run
from gputrain.recipes.stored_run import StoredRun, is_run_folder, open_run

__all__ = [
    "Job",
    "Recipe",
    "RecipeError",
    "RunResult",
    "StoredRun",
    "evaluate",
    "is_run_folder",
    "load",
    "open_run",
    "parse_setting",
    "predict",
    "ready",
    "run",
    "shipped_recipes",
]
