"""Recipes: TOML files that say data, model and training; `gputrain train` runs them.

recipe = load("digits_cnn", [("training.epochs", 3, "--epochs")])
result = run(recipe)
result.metrics["test_accuracy"]
"""

from gputrain.recipes.errors import RecipeError
from gputrain.recipes.overrides import parse_setting
from gputrain.recipes.reading import shipped_recipes
from gputrain.recipes.recipe import Recipe, load
from gputrain.recipes.running import RunResult, run

__all__ = ["Recipe", "RecipeError", "RunResult", "load", "parse_setting", "run", "shipped_recipes"]
