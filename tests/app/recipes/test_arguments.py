"""Every argument of everything that a recipe can name, with values that it does not take."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import losses
from gputrain.app.recipes import build, data
from gputrain.app.recipes.arguments import parameters
from gputrain.app.recipes.catalog import classes
from gputrain.app.recipes.errors import RecipeError, Source
from tests.app.recipes.material import CLASSIFIER, changed, pictures, recipe
from tests.selection import quick

pytestmark = pytest.mark.cpu_only("what is computed is shown elsewhere")
VALUES = [True, -1, 2.5, 1e300, 10**400, "zzz", "", [], ["a"], [[1]], {"name": "l2"}, {"name": "zzz"}, {}]
# Where a class needs arguments to be built.
NEEDED = {
    "Conv2D": {"filters": 2, "kernel_size": 2},
    "Dense": {"units": 2},
    "Dropout": {"rate": 0.5},
    "Activation": {"activation": "relu"},
    "Reshape": {"target_shape": [16]},
}
SCHEDULE = {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.1}
LAST = [{"type": "Flatten"}, {"type": "Dense", "units": 3}]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    x, y = pictures()
    path = tmp_path_factory.mktemp("data") / "a.npz"
    np.savez(path, x=x, y=y)
    section = {"file": str(path), "reshape": [4, 4, 1]}
    return data.load(data.resolve(section, losses.SparseCategoricalCrossentropy, Source("a.toml")))


def sections(kind, name, argument, value):
    """The sections of a recipe that give an argument a value."""
    table = {**NEEDED.get(name, {}), argument: value}
    if kind == "layer":
        return {"model": {"layers": [{"type": name, **table}, *LAST]}}
    if kind in ("optimizer", "loss"):
        return {kind: {"name": name, **table}}
    if kind in ("metric", "callback"):
        return {f"{kind}s": [{"name": name, **table}]}
    if kind == "schedule":
        own = {key: SCHEDULE[key] for key in parameters(classes(kind)[name]) if key in SCHEDULE}
        return {"optimizer": {"name": "sgd", "learning_rate": {"name": name, **own, argument: value}}}
    return {"model": {"layers": [LAST[0], {**LAST[1], f"kernel_{kind}": {"name": name, **table}}]}}


KINDS = [
    "layer",
    "optimizer",
    "loss",
    "metric",
    "callback",
    "schedule",
    "initializer",
    "regularizer",
    "constraint",
]


@pytest.mark.filterwarnings("ignore:.*does not support masks")  # of Masking before Flatten
@pytest.mark.parametrize("kind", quick(("loss", "callback", "regularizer"), KINDS))
def test_arguments_are_taken_or_refused_as_a_wrong_recipe(kind, dataset):
    """Nothing but a RecipeError that names the place comes out, whatever an argument is given."""
    refusals = []
    tried = 0
    for name, cls in classes(kind).items():
        for argument in parameters(cls):
            for value in VALUES:
                tried += 1
                table = changed(CLASSIFIER, data={"file": "a.npz"})
                try:
                    made = recipe(table, **sections(kind, name, argument, value))
                    made = made.with_data(dataset.settings, dataset.outputs, len(dataset.train))
                    build.compiled_model(made, dataset.preparation)
                    build.callbacks_of(made)
                except RecipeError as error:
                    refusals.append(str(error))
    assert all(text.startswith("a.toml: ") for text in refusals)
    assert tried >= len(refusals) > 5
