"""summary() and memory_plan(): what a model says of itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gputrain as keras
from gputrain import layers, ops
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
    words = [line.split() for line in text.splitlines() if "  conv (" in line or "  pool (" in line]
    assert {line[0]: line[-1] for line in words} == {"conv": "N", "pool": "-"}
    assert max(map(len, text.splitlines())) >= 90
    part = _text(reference(), layer_range=("pool", "fl.*"))
    assert "pool" in part
    assert "flat" in part
    assert "conv (" not in part
    assert "54,538" in part
    with pytest.raises(ValueError, match=r"layer_range: no layer is named 'poll'. Did you mean 'pool'"):
        reference().summary(layer_range=("poll", "flat"))


def _header(**options: Any) -> str:
    return _text(reference(), **options).splitlines()[2]


def test_the_column_of_what_is_trained_comes_behind_the_positions() -> None:
    places = {"line_length": 100, "positions": [0.5, 0.8, 1.0]}
    assert _header(**places).index("Param") == 80
    told = _header(**places, show_trainable=True)
    assert (told.index("Output"), told.index("Param"), told.index("Trainable")) == (45, 72, 90)
    with pytest.raises(ValueError, match="Expected: 3 ascending numbers above 0"):
        _header(positions=[0.3, 0.6, 0.8, 1.0], show_trainable=True)


def _cells(model: keras.Model) -> dict[str, list[str]]:
    """What stands in the columns after that of the name, for each row."""
    rows = [re.split(r"\s{3,}", line) for line in _text(model).splitlines()[4:-4]]
    return {name: cells for name, *cells in rows}


def test_what_reads_many_has_several_lines() -> None:
    parts = [keras.Input((2,), name=f"part_{i}") for i in range(9)]
    lines = _text(keras.Model(parts, layers.Concatenate(name="all")(parts))).splitlines()
    column = lines[2].index("Connected to")
    read = [line[column:] for line in lines[13:-4]]
    assert " ".join(read) == ", ".join(f"part_{i}[0][0]" for i in range(9))
    assert len(read) == 4
    assert all(len(text) <= 40 for text in read)
    assert lines[13].startswith("all (Concatenate)")
    assert not any(line[:column].strip() for line in lines[14:-4])


def test_operations_that_are_no_functions_of_ops_have_rows() -> None:
    class Thrice(ops.Operation):
        def infer(self, x: Any) -> Any:
            return x

    x = keras.Input((3,), name="x")
    y = ops.apply(Thrice(), x)
    assert _cells(keras.Model(x, [y, layers.Flatten(name="flat")(x)])) == {
        "x (InputLayer)": ["(None, 3)", "0", "-"],
        "Thrice (Thrice)": ["(None, 3)", "0", "x[0][0]"],
        "flat (Flatten)": ["(None, 3)", "0", "x[0][0]"],
    }


def test_calls_that_a_stack_has_forgotten_are_told() -> None:
    stack = reference()
    other = layers.Dense(2, name="other")(stack.get_layer("flat").output)
    model = keras.Model(stack.inputs, [stack.output, other])
    stack.pop()
    assert _cells(model)["top (Dense)"][-1] == "flat[0][0]"


def test_shapes_follow_from_what_layers_were_built_for() -> None:
    class Holder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.attention = layers.MultiHeadAttention(2, 2, name="attention")
            self.cell = layers.LSTMCell(3, name="cell")
            self.dense = layers.Dense(2, name="dense")

    model = Holder()
    model.attention.build((None, 5, 4), (None, 6, 4))
    model.cell.build((None, 4))
    model.dense.build((None, 4))
    assert [cells[0] for cells in _cells(model).values()] == ["(None, 5, 4)", "?", "(None, 2)"]
    model.dense.input_spec = keras.InputSpec(ndim=3)  # its call refuses what it was built for
    assert _cells(model)["dense (Dense)"] == ["?", "10"]


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
