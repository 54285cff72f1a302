"""Recipes: TOML files that say data, model and training; `gputrain train` runs them.

recipe = load("digits_cnn", [("training.epochs", 3, "--epochs")])
result = run(recipe)
result.metrics["test_accuracy"]
open_run(result.folder).model().summary()
"""

from gputrain.app.recipes.errors import RecipeError
from gputrain.app.recipes.evaluating import evaluate
from gputrain.app.recipes.job import Job, ready
from gputrain.app.recipes.overrides import parse_setting
from gputrain.app.recipes.predicting import predict
from gputrain.app.recipes.reading import shipped_recipes
from gputrain.app.recipes.recipe import Recipe, load
from gputrain.app.recipes.running import RunResult, resume, run
from gputrain.app.recipes.stored_run import StoredRun, is_run_folder, open_run

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
    "resume",
    "run",
    "shipped_recipes",
]
