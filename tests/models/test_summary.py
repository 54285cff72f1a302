"""summary() and memory_plan(): what a model says of itself."""

from __future__ import annotations

from typing import Any

import pytest

import gputrain as keras
from gputrain import layers
from gputrain.errors import ShapeError
from tests.models.small import QUIET, X, classifier
from tests.models.test_subclassed import Branching


def reference() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flat"),
            layers.Dense(10, name="top"),
        ],
        name="reference",
    )


def _text(model: keras.Model, **options: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lines.append, **options)
    (text,) = lines
    return text


def test_the_table_of_a_model() -> None:
    lines = _text(reference()).splitlines()
    assert lines[0] == 'Model: "reference"'
    cells = [line.split("   ") for line in lines[4:9]]
    rows = [[cell.strip() for cell in row if cell.strip()] for row in cells]
    assert rows == [
        ["conv (Conv2D)", "(None, 26, 26, 32)", "320"],
        ["pool (MaxPooling2D)", "(None, 13, 13, 32)", "0"],
        ["norm (BatchNormalization)", "(None, 13, 13, 32)", "128"],
        ["flat (Flatten)", "(None, 5408)", "0"],
        ["top (Dense)", "(None, 10)", "54,090"],
    ]
    assert lines[-3:] == [
        "Total params: 54,538 (213.04 KB)",
        "Trainable params: 54,474 (212.79 KB)",
        "Non-trainable params: 64 (256.00 B)",
    ]


def test_options() -> None:
    model = keras.Sequential([keras.Input((28, 28, 1)), reference()])
    model.layers[0].get_layer("conv").trainable = False
    text = _text(model, expand_nested=True, show_trainable=True, line_length=90)
    assert "  conv (Conv2D)" in text
    assert [line.split()[-1] for line in text.splitlines() if "conv (" in line or "top (" in line] == [
        "no",
        "yes",
    ]
    assert max(map(len, text.splitlines())) >= 90
    part = _text(reference(), layer_range=("pool", "fl.*"))
    assert "pool" in part
    assert "flat" in part
    assert "conv (" not in part
    assert "54,538" in part
    with pytest.raises(ValueError, match=r"layer_range: no layer is named 'poll'. Did you mean 'pool'"):
        reference().summary(layer_range=("poll", "flat"))


def test_models_that_are_not_built() -> None:
    assert "(no layers)" in _text(keras.Sequential())
    assert "0 (unbuilt)" in _text(keras.Sequential([layers.Dense(3)]))
    model = Branching()
    assert "0 (unbuilt)" in _text(model)
    model.predict(X, **QUIET)
    assert "Total params: 75 " in _text(model)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy", "mse"])
def test_memory_is_known_before_anything_runs(loss: str) -> None:
    model = classifier(loss=loss, metrics=["accuracy"])
    small, large = (model.memory_plan(size) for size in (8, 64))
    assert small.weights == 4 * model.count_params()
    assert small.optimizer >= 2 * small.weights
    assert small.arena < large.arena < large.unshared
    assert large.total == large.weights + large.optimizer + large.arena
    assert "Memory of a train step, batch size 64:" in str(large)
    assert model.memory_plan(64, "predict").arena < large.arena
    assert int(model.step_counter) == 0


def test_memory_plan_errors() -> None:
    with pytest.raises(ValueError, match=r'kind names a step. Expected: "train", "test" or "predict"'):
        classifier().memory_plan(8, "fit")
    with pytest.raises(ShapeError, match=r"needs a model with known inputs"):
        Branching().memory_plan(8)
