"""A run: what it trains, what it leaves behind, and that it repeats bit for bit."""

import csv
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import gputrain
from gputrain import layers, losses, models, optimizers
from gputrain.app.recipes import job, load, open_run, run, running
from gputrain.app.recipes.errors import RecipeError
from tests.app.recipes.material import REGRESSION, flowers, houses, pictures, recipe, write_csv

FILES = [
    "config.toml", "history.csv", "history.jsonl", "log.txt", "metrics.json", "preparation.json",
    "report.html", "summary.txt", "weights.npz",
]  # fmt: skip


@pytest.fixture
def table(tmp_path):
    return {"file": str(write_csv(tmp_path / "flowers.csv", flowers())), "target": "species"}


@pytest.fixture
def arrays(tmp_path):
    x, y = pictures(60)
    np.savez(tmp_path / "arrays.npz", x_train=x[:48], y_train=y[:48], x_test=x[48:], y_test=y[48:])
    return {"file": str(tmp_path / "arrays.npz")}


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def weights(folder):
    with np.load(folder / "weights.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def test_the_folder_of_a_run(arrays):
    result = run(recipe(data={**arrays, "validation_fraction": 0.25}), verbose=0)
    assert listed(result.folder) == FILES
    assert result.report == result.folder / "report.html"
    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert metrics == result.metrics
    expected = {"epochs", "seconds", "parameters", "train_loss", "train_accuracy", "val_loss", "val_accuracy"}
    assert expected <= set(metrics)
    assert {"test_loss", "test_accuracy", "test_balanced_accuracy"} <= set(metrics)
    settings = tomllib.loads((result.folder / "config.toml").read_text())
    assert settings["versions"]["gputrain"] == gputrain.__version__
    assert settings["model"]["layers"][1]["units"] == 3
    assert settings["data"]["scale"] == 255.0
    rows = list(csv.DictReader((result.folder / "history.csv").read_text().splitlines()))
    lines = [json.loads(line) for line in (result.folder / "history.jsonl").read_text().splitlines()]
    assert [int(row["epoch"]) for row in rows] == [line["epoch"] for line in lines] == [0, 1]
    assert [float(row["loss"]) for row in rows] == [line["loss"] for line in lines]
    assert "Total params: 51" in (result.folder / "summary.txt").read_text()


def test_what_is_trained_is_what_the_recipe_says(arrays):
    """Against the same model, written by hand."""
    result = run(recipe(data=arrays), verbose=0)
    gputrain.config.set_seed(3)
    with np.load(arrays["file"]) as found:
        x, y = found["x_train"].astype(np.float32) / np.float32(255), found["y_train"]
    model = models.Sequential(name="small")
    model.add(layers.Input((4, 4)))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(3, activation="softmax", name="dense"))
    model.compile(optimizers.Adam(0.01), losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    for weight, value in zip(model.weights, weights(result.folder).values(), strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_the_log_tells_what_was_said_and_holds_no_control_codes(arrays):
    folder = run(recipe(data={**arrays, "validation_fraction": 0.25})).folder
    log = (folder / "log.txt").read_bytes()
    assert re.search(rb"[^\n\x20-\x7e]", log) is None
    lines = log.decode().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line) for line in lines)
    told = [line[20:] for line in lines]
    assert told[0] == "runs/small-1: 36 train, 12 validation, 12 test samples; 51 parameters"
    assert [line.split(" - ")[0] for line in told if line.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    assert any(line.startswith("result: test_loss ") for line in told)


def test_the_report_shows_it(arrays):
    page = run(recipe(data=arrays), verbose=0).report.read_text()
    assert "small-1" in page
    assert "sparse_categorical_crossentropy" in page


def test_pictures(arrays, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.undo()
    folder = run(recipe(data=arrays), arrays["file"].replace("arrays.npz", "runs"), verbose=0).folder
    assert set(listed(folder)) >= {*FILES, "curves.png", "confusion.png"}
    assert "data:image/png" in (folder / "report.html").read_text()


@pytest.mark.parametrize("kind", ["table", "arrays"])
def test_the_resolved_config_repeats_the_run_bit_for_bit(kind, request):
    section = {**request.getfixturevalue(kind), "validation_fraction": 0.2, "train_samples": 24}
    first = run(recipe(data=section), verbose=0)
    second = run(load(first.folder), verbose=0)
    for name in ("config.toml", "history.csv", "history.jsonl", "preparation.json", "weights.npz"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name
    assert {**first.metrics, "seconds": 0} == {**second.metrics, "seconds": 0}


def test_another_seed_gives_other_weights_for_the_same_parts(table):
    first, second = (run(recipe(data=table, seed=seed), verbose=0).folder for seed in (1, 2))
    assert (first / "preparation.json").read_bytes() == (second / "preparation.json").read_bytes()
    assert not np.array_equal(weights(first)["dense/kernel"], weights(second)["dense/kernel"])


def test_numbers_to_predict_are_reported_in_their_units(tmp_path):
    section = {"file": str(write_csv(tmp_path / "houses.csv", houses())), "target": ["price", "rent"]}
    result = run(recipe(REGRESSION, data=section, training={"epochs": 60}), verbose=0)
    stored = open_run(result.folder)
    part = job.ready(load(result.folder)).dataset.test
    found = stored.preparation.targets.decode(stored.model().predict(part.x, verbose=0))
    mistakes = found - part.truth
    expected = np.abs(mistakes).mean(axis=0)
    named = {key: value for key, value in result.metrics.items() if "absolute" in key or key.endswith("mae")}
    assert any(np.isclose(value, expected.mean(), rtol=1e-4) for value in named.values()), (named, expected)


def test_one_classifier_for_each_class(table):
    section = {**table, "one_hot": True}
    layers = [{"type": "Dense", "units": "outputs", "activation": "sigmoid"}]
    made = recipe(data=section, loss="binary_crossentropy", model={"layers": layers}, training={"epochs": 60})
    assert run(made, verbose=0).metrics["test_accuracy"] > 0.6


def test_callbacks(table):
    stop = {"name": "early_stopping", "monitor": "val_loss", "patience": 1, "min_delta": 10.0}
    section = {**table, "validation_fraction": 0.25}
    result = run(recipe(data=section, callbacks=[stop], training={"epochs": 50}), verbose=0)
    assert result.metrics["epochs"] == 2
    settings = tomllib.loads((result.folder / "config.toml").read_text())
    assert settings["callbacks"][0] == {
        "name": "early_stopping", "monitor": "val_loss", "min_delta": 10.0, "patience": 1, "verbose": 0,
        "mode": "auto", "restore_best_weights": False, "start_from_epoch": 0,
    }  # fmt: skip


def test_a_callback_that_does_not_take_its_arguments(table):
    stop = {"name": "early_stopping", "patience": -1}
    with pytest.raises(RecipeError, match=r"a\.toml: callbacks\[0\]: EarlyStopping: patience"):
        run(recipe(data=table, callbacks=[stop]), verbose=0)


def test_normalization_is_adapted_to_the_training_inputs(arrays):
    layers = [
        {"type": "Flatten"},
        {"type": "Dense", "units": "outputs", "activation": "softmax"},
    ]
    first = {"type": "Normalization"}
    made = job.ready(recipe(data=arrays, model={"layers": [first, *layers]}))
    x = made.dataset.train.x
    shifted = gputrain.ops.convert_to_numpy(made.model.layers[0](x))
    np.testing.assert_allclose(shifted.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(shifted.std(axis=(0, 1)), 1, atol=1e-3)
    result = run(recipe(data=arrays, model={"layers": [first, *layers]}), verbose=0)
    model = open_run(result.folder).model()
    found = model.evaluate(
        made.dataset.test.x, made.dataset.test.y, batch_size=16, verbose=0, return_dict=True
    )
    assert found["loss"] == result.metrics["test_loss"]
    with pytest.raises(
        RecipeError, match=r"model\.layers\[1\]: A Normalization layer is .* must be the first"
    ):
        job.ready(recipe(data=arrays, model={"layers": [layers[0], first, layers[1]]}))


CLASS_WEIGHTS = [
    ({"iris": 1, "setosa": 2.5, "virginica": 0}, {0: 1.0, 1: 2.5, 2: 0.0}),
    ("balanced", "balanced"),
    ("none", None),
]


@pytest.mark.parametrize(("given", "expected"), CLASS_WEIGHTS)
def test_class_weights_are_given_by_name(table, given, expected, monkeypatch):
    seen = []
    fit = models.Sequential.fit

    def spy(self, *args, **kwargs):
        seen.append(kwargs["class_weight"])
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(models.Sequential, "fit", spy)
    run(recipe(data=table, training={"class_weight": given}), verbose=0)
    assert seen == [expected]


def test_class_weights_of_other_classes(table):
    with pytest.raises(
        RecipeError, match=r"training\.class_weight: Each class needs .*iris, setosa.*Received: a, b"
    ):
        run(recipe(data=table, training={"class_weight": {"a": 1, "b": 2}}), verbose=0)


def test_costs_decide(table):
    """What costs much is said only where it is all but certain."""
    costs = [[0, 0.001, 0.001], [1000, 0, 0.001], [1000, 0.001, 0]]
    made = recipe(data={**table, "cost_matrix": costs}, training={"epochs": 1})
    result = run(made, verbose=0)
    stored = open_run(result.folder)
    np.testing.assert_array_equal(stored.preparation.cost_matrix, costs)
    part = job.ready(made).dataset.test
    shares = stored.model().predict(part.x, verbose=0).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    chosen = (shares @ np.array(costs)).argmin(axis=1)
    assert 0 not in chosen
    assert result.metrics["test_accuracy"] == pytest.approx(np.mean(shares.argmax(axis=1) == part.truth))
    figures = [value for name, value in result.metrics.items() if "cost" in name]
    expected = np.mean([costs[true][said] for true, said in zip(part.truth, chosen, strict=True)])
    assert any(value == pytest.approx(expected) for value in figures), result.metrics


OUTPUTS = [
    (
        {"loss": "sparse_categorical_crossentropy"},
        {"units": 5},
        r"as there are classes\. Expected: 3\. Received: 5",
    ),
    (
        {"loss": "sparse_categorical_crossentropy"},
        {"units": 1},
        r"as there are classes\. Expected: 3\. Received: 1",
    ),
]


@pytest.mark.parametrize(("sections", "arguments", "message"), OUTPUTS)
def test_outputs_that_do_not_fit(arrays, sections, arguments, message):
    layers = [{"type": "Flatten"}, {"type": "Dense", **arguments}]
    with pytest.raises(
        RecipeError, match=rf"a\.toml: model\.layers\[1\]: The last layer must .*{message}\. units ="
    ):
        run(recipe(data=arrays, model={"layers": layers}, **sections), verbose=0)


def test_parts_that_do_not_fit_together(table, tmp_path):
    with pytest.raises(
        RecipeError, match=r"a\.toml: Training cannot begin\. .*one_hot|a\.toml: Training cannot begin"
    ):
        run(recipe(data=table, loss="binary_crossentropy"), tmp_path / "runs", verbose=0)
    assert listed(tmp_path / "runs") == []


def test_a_run_that_fails_after_an_epoch_keeps_it_and_tells_why(table, monkeypatch):
    monkeypatch.setattr(running, "test", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(recipe(data=table), verbose=0)
    folder = Path("runs/small-1")
    assert set(listed(folder)) == {*FILES, "checkpoint.npz"} - {"metrics.json", "report.html"}
    assert "failed: division by zero" in (folder / "log.txt").read_text()


def test_a_run_that_diverges(tmp_path):
    section = {
        "file": str(write_csv(tmp_path / "houses.csv", houses())),
        "target": "price",
        "scale_targets": False,
    }
    optimizer = {"name": "sgd", "learning_rate": 1e30}
    with pytest.raises(ArithmeticError, match=r"NaN|infinit"):
        run(recipe(REGRESSION, data=section, optimizer=optimizer), verbose=0)


def test_no_report_does_not_lose_the_run(table, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "curves.png")

    monkeypatch.setattr(running, "write_report", full)
    with pytest.raises(
        OSError, match=r"runs/small-1: the run is complete, but its report could not .*No space left"
    ):
        run(recipe(data=table), verbose=0)
    assert "test_accuracy" in open_run("runs/small-1").metrics
    assert set(listed(Path("runs/small-1"))) == set(FILES) - {"report.html"}


def test_without_a_test_part(table):
    result = run(recipe(data={**table, "test_fraction": 0.0}), verbose=0)
    assert not [name for name in result.metrics if name.startswith("test_")]
    assert "done; there was no test part" in (result.folder / "log.txt").read_text()


def test_missing_values_in_one_class_alone(tmp_path):
    """Rows of class b all are dropped: there is nothing to tell apart, but nothing breaks."""
    columns = {"x": [1, None] * 10, "target": ["a", "b"] * 10}
    section = {"file": str(write_csv(tmp_path / "a.csv", columns)), "table": {"missing": "drop"}}
    assert run(recipe(data=section), verbose=0).metrics["epochs"] == 2


def test_the_log_tells_missing_cells_and_the_numbers_of_classes(tmp_path, capsys):
    rows = [["1.5" if i % 5 else "", "blue", "yes" if i % 4 else "no"] for i in range(80)]
    (tmp_path / "own.csv").write_text("\n".join(map(",".join, [["size", "colour", "bought"], *rows])))
    data = {"data.file": str(tmp_path / "own.csv"), "data.target": "bought", "training.epochs": 1}
    folder = run(load("tabular", [(path, value, "--set") for path, value in data.items()]), verbose=0).folder
    log = (folder / "log.txt").read_text()
    training = [line for line in log.splitlines() if "missing cells" in line or "classes (" in line]
    missing = re.search(r"filled \(numbers: predicted\): size (\d+)$", training[0])
    assert 8 <= int(missing[1]) <= 16  # of 16 in all
    assert training[1].endswith("classes (training samples): 0 'no' (16), 1 'yes' (48)")
