"""The data section of a recipe: what a model is trained on, read, divided and prepared.

section = resolve({"dataset": "digits"}, losses.SparseCategoricalCrossentropy, source)
dataset = load(section)
dataset.train.x.shape, dataset.preparation.targets.names
"""

from gputrain.app.recipes.data.dataset import Dataset, Part, load, prepared
from gputrain.app.recipes.data.preparation import Preparation, read_preparation
from gputrain.app.recipes.data.section import PATHS, resolve

__all__ = ["PATHS", "Dataset", "Part", "Preparation", "load", "prepared", "read_preparation", "resolve"]
