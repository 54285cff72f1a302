"""Every shipped recipe trains, on a small budget, and reaches what such a budget allows."""

from pathlib import Path

import numpy as np
import pytest

from gputrain.app.recipes import evaluate, load, open_run, run
from gputrain.app.recipes.reading import shipped_recipes
from tests.test_reference_programs import DATA, few_images

pytestmark = pytest.mark.cpu_only("that recipes train on a GPU is shown by the tests of runs")

# Recipe, changes, figure, and what it must be at least. docs/recipes.md has the figures of whole trainings.
BUDGETS = [
    ("digits_mlp", {"training.epochs": 10}, "test_accuracy", 0.93),
    ("digits_cnn", {"training.epochs": 3}, "test_accuracy", 0.93),
    ("one_vs_rest", {}, "test_accuracy", 0.94),
    ("images", {"training.epochs": 3}, "test_accuracy", 0.93),
    ("tabular", {}, "test_balanced_accuracy", 0.93),
    ("tabular", {"data.dataset": "wine"}, "test_balanced_accuracy", 0.93),
    ("tabular", {"data.balance": "oversample", "training.class_weight": "none"}, "test_accuracy", 0.93),
    ("tabular", {"data.cost_matrix": [[0, 1], [1, 0]]}, "test_accuracy", 0.93),
    ("regression", {}, "test_r2", 0.45),
    ("early_stopping", {}, "test_r2", 0.45),
]
TABLES = ("tabular", "regression", "early_stopping", "overfitting")
# After 60 steps the averages of BatchNormalization (momentum 0.99) lag too far behind to test with.
OF_IMAGES = {
    "mnist_cnn": "test_accuracy",
    "fashion_mnist_cnn": "test_accuracy",
    "fashion_mnist_augmented": "train_accuracy",
}


def trained(name, changes):
    if name in TABLES:
        pytest.importorskip("sklearn", reason="the data set comes with scikit-learn")
    return run(load(name, [(path, value, "--set") for path, value in changes.items()]), verbose=0)


@pytest.mark.parametrize(
    ("name", "changes", "figure", "least"),
    [BUDGETS[0], *(pytest.param(*case, marks=pytest.mark.slow) for case in BUDGETS[1:])],
)
def test_a_recipe_reaches_its_mark(name, changes, figure, least):
    assert trained(name, changes).metrics[figure] >= least


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_IMAGES)
def test_recipes_of_large_sets_learn_from_a_few_images(name, tmp_path, monkeypatch):
    monkeypatch.setenv("GPUTRAIN_DATA", str(DATA))
    few_images(tmp_path / "data" / ("mnist" if name == "mnist_cnn" else "fashion_mnist"), 1280, 500)
    monkeypatch.setenv("GPUTRAIN_DATA", str(tmp_path / "data"))
    metrics = trained(name, {"training.epochs": 3, "training.batch_size": 64}).metrics
    assert metrics[OF_IMAGES[name]] > 0.55


@pytest.mark.slow
def test_the_overfitting_twin_overfits_and_is_told_so():
    bad, good = trained("overfitting", {}), trained("early_stopping", {})
    assert bad.metrics["train_loss"] < 0.1 < 0.3 < bad.metrics["val_loss"]
    assert bad.metrics["test_r2"] < good.metrics["test_r2"] - 0.1
    assert "Advice (overfitting" in (Path(bad.folder) / "log.txt").read_text()
    assert "Advice (overfitting" not in (Path(good.folder) / "log.txt").read_text()


def draw_shapes(folder, each):
    """Circles, squares and crosses in any colour, at any place: class folders of small PNG files."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(3)
    for name in ("circle", "square", "cross"):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            image = Image.new("RGB", (24, 24), tuple(rng.integers(180, 256, 3).tolist()))
            pen, ink = ImageDraw.Draw(image), tuple(rng.integers(0, 90, 3).tolist())
            (left, top), size = rng.integers(3, 8, 2).tolist(), int(rng.integers(10, 14))
            box = (left, top, left + size, top + size)
            if name == "cross":
                pen.line(box, ink, 2)
                pen.line((left, top + size, left + size, top), ink, 2)
            else:
                (pen.ellipse if name == "circle" else pen.rectangle)(box, outline=ink, width=2)
            image.save(folder / name / f"{number}.png")


@pytest.mark.slow
def test_images_learns_from_a_small_folder_what_it_also_tells_outside_of_training(tmp_path):
    """Few steps: the averages of BatchNormalization must have come to where the batches' are."""
    pytest.importorskip("PIL", reason="folders of images need the extra images")
    draw_shapes(tmp_path / "shapes", 20)
    stored = open_run(trained("images", {"data.folder": str(tmp_path / "shapes")}).folder)
    assert evaluate(stored, tmp_path / "shapes").metrics["test_accuracy"] > 0.9


def test_every_recipe_is_trained_here():
    assert {name for name, *_ in BUDGETS} | {*OF_IMAGES, "overfitting"} == set(shipped_recipes())


def test_marks_can_be_missed():
    """What a model that has learned nothing reaches lies far below the marks."""
    metrics = trained("digits_mlp", {"training.epochs": 1, "optimizer.learning_rate": 1e-7}).metrics
    assert metrics["test_accuracy"] < 0.5
    assert np.isfinite(metrics["test_loss"])
