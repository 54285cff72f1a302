"""Models made by a function: trained, tested, used, shown and swept; and no code runs that nobody named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.app import recipes
from gputrain.app.cli.codes import OK, USAGE
from gputrain.app.recipes import toml_writer
from tests.app.recipes.material import CLASSIFIER, changed

CODE = """
from pathlib import Path

import gputrain as keras

Path("code_was_run").touch()


def build(input_shape, outputs, units=8):
    inputs = keras.Input(input_shape)
    left = keras.layers.Dense(units, activation="relu")(inputs)
    both = keras.layers.Add()([left, keras.layers.Dense(units)(inputs)])
    return keras.Model(inputs, keras.layers.Dense(outputs, activation="softmax")(both))


def scores(input_shape, outputs):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(outputs)])


def shares(input_shape, outputs):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(outputs), keras.layers.Softmax()])


def fails(input_shape, outputs):
    raise KeyError("a bug")


def none(input_shape, outputs):
    return None


def other_inputs(input_shape, outputs):
    return scores((7,), outputs)


def too_few_outputs(input_shape, outputs):
    return scores(input_shape, 2)


def takes_nothing():
    return None
"""
LINE = CODE.splitlines().index('    raise KeyError("a bug")') + 1
WITH_CODE = ("--builder-file", "my_models.py")


@pytest.fixture(autouse=True)
def _code(tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text(CODE)
    write("build", units=4)


def write(function: str, **arguments: object) -> None:
    write_model({"builder": f"my_models.py:{function}", "arguments": arguments})


def write_model(model: dict[str, Any], **sections: Any) -> None:
    base = changed(CLASSIFIER, data={"file": "flowers.csv", "target": "species"})
    table = {**changed(base, **sections), "model": model}
    Path("built.toml").write_text(toml_writer.dumps(table))


def was_run() -> bool:
    return Path("code_was_run").exists()


def test_a_run_from_its_recipe_to_its_predictions(gputrain: Callable) -> None:
    done = gputrain("train", "built.toml", *WITH_CODE, "--json")
    assert done.code == OK, done.err
    run = json.loads(done.out)["run"]
    assert Path(run, "my_models.py").read_text() == CODE
    assert "builder_file" not in Path(run, "config.toml").read_text()

    kept = ("--builder-file", f"{run}/my_models.py")
    tested = json.loads(gputrain("evaluate", run, *kept, "--json").out)
    assert tested["test_accuracy"] == json.loads(done.out)["test_accuracy"]
    predicted = gputrain("predict", run, "flowers.csv", *kept)
    assert predicted.code == OK
    assert len(predicted.out.splitlines()) == 61
    shown = json.loads(gputrain("summary", run, *kept, "--json").out)
    assert [layer["type"] for layer in shown["layers"]] == ["InputLayer", "Dense", "Dense", "Add", "Dense"]
    again = json.loads(gputrain("train", run, *kept, "--json").out)
    assert again["test_loss"] == json.loads(done.out)["test_loss"]
    assert gputrain("compare", run, again["run"]).code == OK


def test_weights_have_the_same_names_whatever_was_built_before(gputrain: Callable) -> None:
    runs = [json.loads(gputrain("train", "built.toml", *WITH_CODE, "--json").out)["run"] for _ in range(2)]
    names = [sorted(np.load(f"{run}/weights.npz").files) for run in runs]
    assert names[0] == names[1]


def test_a_sweep_of_its_arguments_and_its_resumption(gputrain: Callable, tmp_path: Path) -> None:
    swept = gputrain("sweep", "built.toml", *WITH_CODE, "--set", "model.arguments.units=2,3", "--json")
    assert swept.code == OK, swept.err
    results = json.loads(swept.out)["results"]
    assert [group["runs"] for group in results] == [1, 1]
    folder = Path(json.loads(swept.out)["sweep"])
    for metrics in (folder / "2-seed-3").glob("*/metrics.json"):
        metrics.unlink()
    assert gputrain("sweep", folder, *WITH_CODE).code == OK
    assert len(list((folder / "2-seed-3").glob("*/metrics.json"))) == 1


def test_a_range_test(gputrain: Callable) -> None:
    assert gputrain("find-lr", "built.toml", *WITH_CODE, "--steps", "12").code == OK


def test_a_builder_of_gputrain_needs_no_file(gputrain: Callable) -> None:
    write_model({"builder": "mlp", "arguments": {"units": [5, 4], "dropout": 0.1}})
    assert gputrain("train", "built.toml").code == OK
    shown = json.loads(gputrain("summary", "built.toml", "--json").out)
    kinds = ["Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert [layer["type"] for layer in shown["layers"]] == kinds
    assert 'last_activation = "softmax"' in gputrain("config", "show", "built.toml").out
    assert not was_run()


@pytest.mark.parametrize(("function", "logits"), [("scores", True), ("shares", False)])
def test_a_loss_that_does_not_say_goes_by_the_last_layer(function: str, logits: bool) -> None:
    table = {"file": "flowers.csv", "target": "species", "one_hot": True}
    write_model({"builder": f"my_models.py:{function}"}, loss="categorical_hinge", data=table)
    recipe = recipes.load("built.toml", [("model.builder_file", "my_models.py", "this test")])
    assert recipes.ready(recipe).dataset.preparation.logits is logits


# -------------------------------------------------------------------------------------- code of strangers


def test_a_recipe_never_runs_code_by_itself(refused: Callable) -> None:
    message = refused(USAGE, "train", "built.toml")
    assert "my_models.py, which is run only if you name that file" in message
    assert "--builder-file my_models.py" in message
    assert not was_run()


@pytest.mark.parametrize("command", ["evaluate", "predict", "summary", "train", "sweep", "find-lr"])
def test_the_folder_of_a_run_never_runs_code_by_itself(
    gputrain: Callable, refused: Callable, command: str
) -> None:
    run = json.loads(gputrain("train", "built.toml", *WITH_CODE, "--json").out)["run"]
    Path("code_was_run").unlink()
    more = ("flowers.csv",) if command == "predict" else ()
    assert "run only if you name that file" in refused(USAGE, command, run, *more)
    assert not was_run()


def test_nor_does_the_folder_of_a_sweep(gputrain: Callable, refused: Callable) -> None:
    swept = gputrain("sweep", "built.toml", *WITH_CODE, "--set", "model.arguments.units=2,3", "--json")
    folder = Path(json.loads(swept.out)["sweep"])
    for metrics in folder.glob("*/*/metrics.json"):
        metrics.unlink()
    Path("code_was_run").unlink()
    assert not was_run()
    done = gputrain("sweep", folder)
    assert "run only if you name that file" in done.err
    assert not was_run()


def test_a_recipe_cannot_name_the_file_to_run(refused: Callable) -> None:
    write_model({"builder": "my_models.py:build", "builder_file": "my_models.py"})
    message = refused(USAGE, "train", "built.toml")
    assert message.startswith("gputrain: built.toml: model.builder_file: Only whoever runs a recipe")
    assert not was_run()


@pytest.mark.parametrize(
    "builder",
    ["../my_models.py:build", "/tmp/my_models.py:build", "a/b.py:f", "os.py", "os:system", "os.system", ""],
)
def test_a_builder_is_a_known_name_or_a_function_of_a_file(refused: Callable, builder: str) -> None:
    write_model({"builder": builder})
    message = refused(USAGE, "train", "built.toml", *WITH_CODE)
    assert message.startswith("gputrain: built.toml: model.builder")
    assert not was_run()


def test_the_file_named_must_be_the_one_of_the_recipe(refused: Callable) -> None:
    Path("other.py").write_text(CODE)
    message = refused(USAGE, "train", "built.toml", "--builder-file", "other.py")
    assert "This is not the recipe's file. Expected: my_models.py. Received: 'other.py'" in message
    Path("my_models.py").unlink()
    assert "There is no such file" in refused(USAGE, "train", "built.toml", *WITH_CODE)
    assert not was_run()


def test_a_list_of_layers_runs_no_code(refused: Callable) -> None:
    assert "Only whoever runs a recipe with a builder" in refused(USAGE, "train", "small.toml", *WITH_CODE)


# ------------------------------------------------------------------------------------------ wrong builders


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("fails", f"The builder failed at my_models.py:{LINE}. Received: KeyError: 'a bug'."),
        ("none", "A builder returns a Sequential model that begins with Input, or a functional Model."),
        ("other_inputs", "The model takes other inputs. Expected: (5,). Received: (7,)."),
        ("too_few_outputs", "The last layer must have as many outputs as there are classes. Expected: 3"),
        ("takes_nothing", "takes_nothing must take input_shape and outputs"),
        ("missing", "my_models.py has no function missing"),
    ],
)
def test_builders_that_make_no_such_model(refused: Callable, function: str, words: str) -> None:
    write(function)
    message = refused(USAGE, "train", "built.toml", *WITH_CODE)
    assert message.startswith("gputrain: built.toml: model.builder")
    assert words in message


def test_wrong_arguments(refused: Callable) -> None:
    write("build", unitz=3)
    assert "unexpected keyword argument 'unitz'" in refused(USAGE, "train", "built.toml", *WITH_CODE)
    write_model({"builder": "mlp", "arguments": {"unit": 3}})
    message = refused(USAGE, "train", "built.toml")
    assert "model.arguments.unit: Unknown argument of mlp. Did you mean 'units'?" in message
    write_model({"builder": "mpl"})
    assert "There is no builder 'mpl'. Did you mean 'mlp'?" in refused(USAGE, "train", "built.toml")


@pytest.mark.parametrize(
    ("model", "received"),
    [({}, "none of them"), ({"builder": "mlp", "layers": [{"type": "Flatten"}]}, "both")],
)
def test_a_model_is_made_in_one_way(refused: Callable, model: dict, received: str) -> None:
    write_model(model)
    message = refused(USAGE, "train", "built.toml")
    assert "model: A model is a list of layers, or what a builder makes. Expected: one of" in message
    assert f"Received: {received}" in message


def test_arguments_are_for_a_builder(refused: Callable) -> None:
    write_model({"layers": [{"type": "Flatten"}], "arguments": {"units": 3}})
    assert "model.arguments: These are for a builder." in refused(USAGE, "train", "built.toml")
