"""The recipe `tabular` beside scikit-learn's gradient boosting: 10% of the cells missing, a class of 5%."""

import numpy as np
import pytest

from gputrain import config

pytest.importorskip("sklearn", reason="gradient boosting is scikit-learn's")
tabular = pytest.importorskip("benchmarks.tabular")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.peer,
    pytest.mark.cpu_only("the device does not matter to what is compared"),
]


@pytest.fixture(autouse=True)
def fresh_settings():
    yield
    config.reset()


@pytest.mark.parametrize("name", ["few", "breast_cancer"])
def test_the_recipe_is_within_two_points_of_boosting(name):
    found = tabular.compare(name, splits=1 if name == "few" else 3)
    assert found["recipe"] >= max(found["boosting"], found["boosting_balanced"]) - tabular.ALLOWED


def test_the_tables_are_as_they_are_said_to_be():
    data = tabular.with_gaps(tabular.SETS["credit"](0), np.random.default_rng(0))
    blank = [np.mean([cell == "" or cell != cell for cell in column]) for column in data.columns.values()]
    assert np.mean(blank) == pytest.approx(0.10, abs=0.005)
    assert data.y.mean() == pytest.approx(0.05, abs=0.002)
    train, held = tabular.parts(data.y, seed=1)
    assert not set(train) & set(held)
    assert len(held) / len(data.y) == pytest.approx(0.30, abs=0.001)
