"""Tables of the documentation that no generator writes, compared with what they speak of."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import gputrain as keras
from gputrain import callbacks, optimizers
from gputrain.app import advice, recipes
from gputrain.app.recipes import schema
from gputrain.app.recipes.arguments import parameters
from tests.docs.pages import DOCS, ROOT, blocks

pytestmark = pytest.mark.cpu_only("nothing of it depends on the device")


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def first_column(page: str) -> list[str]:
    """The code in the first cell of each line of the tables in a part of a page."""
    cells = re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def advice_keys() -> set[str]:
    """The first argument of each `Advice(...)` and `advise(...)`."""
    found = set()
    for path in Path(advice.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                found |= {str(node.args[0].value)} if name in ("advise", "Advice") else set()
    return found


def test_every_advice_is_listed():
    keys = advice_keys()
    assert len(keys) > 20
    listed = first_column(text("advice.md"))
    assert sorted(listed) == sorted(keys)


def test_every_shipped_recipe_is_listed():
    listed = first_column(text("recipes.md").partition("## Change")[0])
    assert sorted(listed) == recipes.shipped_recipes()


def test_every_extra_is_listed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = first_column(text("index.md").partition("## The first")[0])
    assert set(listed) == set(project["optional-dependencies"])


def keys_named(page: str) -> list[str]:
    """The keys of recipes in the code of a page's text, as data.table.missing."""
    found = re.findall(r"`((?:data|training|optimizer)\.[a-z_.]+)(?:`| ?=)", page)
    return [name for name in found if ".checks." not in name]


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_every_key_that_is_named_exists(page):
    sections = {**schema.SECTIONS, "optimizer": parameters(optimizers.AdamW)}
    for name in keys_named(text(page)):
        section, _, key = name.rpartition(".")
        assert key in sections.get(section, ()) or (section, key) == ("optimizer", "name"), name


def test_keys_are_found():
    assert keys_named("`data.scale`, `training.epochs = 3` `model.fit(x)` data.x") == [
        "data.scale",
        "training.epochs",
    ]


def test_every_room_of_callbacks_is_named_rightly():
    named = set(re.findall(r"callbacks\.([A-Z]\w+)", text("training.md")))
    assert named <= set(callbacks.__all__)


def test_the_mean_iou_of_the_page_is_that_of_the_counts():
    (page,) = [b.text for b in blocks(DOCS / "training.md") if "class MeanIoU" in b.text]
    names: dict[str, object] = {"keras": keras, "ops": keras.ops}
    exec(page.partition("\n\n\nmodel = ")[0], names)  # noqa: S102
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 3, (50, 2, 2)), rng.random((50, 2, 2, 5))
    y_pred[..., 4] = 0  # neither in the targets nor in the outputs
    metric = names["MeanIoU"](5)
    for rows in (slice(30), slice(30, 50)):
        metric.update_state(y_true[rows], y_pred[rows])
    predicted = y_pred.argmax(axis=-1)
    shares = []
    for index in range(4):
        both = np.sum((y_true == index) & (predicted == index))
        shares.append(both / np.sum((y_true == index) | (predicted == index)))
    assert float(metric.result()) == pytest.approx(np.mean(shares), rel=1e-6)


def test_a_call_traces_each_time_and_predict_on_batch_once():
    """What training.md says of model(x) in a loop."""
    traced = []

    class Layer(keras.layers.Layer):
        def call(self, inputs):
            traced.append(inputs.shape)
            return 2 * inputs

    def traces(call):
        call()  # the first one may find out more
        traced.clear()
        for _ in range(5):
            call()
        return len(traced)

    model = keras.Sequential([keras.Input((3,)), Layer()])
    row = np.ones((1, 3), "float32")
    assert traces(lambda: model(row)) == 5
    assert traces(lambda: model.predict_on_batch(row)) == 0
    assert traces(lambda: model.predict(row, verbose=0)) == 0
