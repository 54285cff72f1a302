"""Runs side by side, from folders made by hand."""

import json

import pytest

from gputrain.app.recipes import toml_writer
from gputrain.app.recipes.comparing import compare, falls, flattened
from gputrain.app.recipes.errors import RecipeError
from gputrain.datasets import CorruptFileError


def made(folder, metrics, **settings):
    """Write what is read of a run: its settings and its figures."""
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(toml_writer.dumps({"name": folder.name, **settings}))
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture
def three(tmp_path):
    shared = {"seed": 1, "versions": {"numpy": "2"}}
    sgd, adam = {"name": "sgd", "rate": 0.1}, {"name": "adam"}
    return [
        made(
            tmp_path / "a-1",
            {"test_loss": 0.5, "test_accuracy": 0.8, "train_loss": 1, "epochs": 3},
            optimizer=sgd,
            **shared,
        ),
        made(
            tmp_path / "a-2",
            {"test_loss": 0.4, "val_accuracy": 0.9},
            optimizer=adam,
            **{**shared, "versions": {"numpy": "3"}},
        ),
        made(tmp_path / "a-3", None, optimizer=adam, layers=[{"units": 3}], **shared),
    ]


def test_what_differs_and_what_came_out(three):
    found = compare(three)
    assert found.settings == ["optimizer.name", "layers[0].units"]  # only SGD has that rate
    assert found.metrics == ["test_loss", "test_accuracy", "epochs", "val_accuracy"]
    assert [line.run for line in found.lines] == list(map(str, three))
    assert [line.settings["optimizer.name"] for line in found.lines] == ["sgd", "adam", "adam"]
    assert found.lines[2].metrics == {}


def test_layers_of_another_kind_are_told_by_their_kinds(tmp_path):
    dense, dropout = {"type": "Dense", "units": 3}, {"type": "Dropout", "rate": 0.5}
    runs = [
        made(tmp_path / "a-1", {}, model={"layers": [dense, dense]}, callbacks=[]),
        made(tmp_path / "a-2", {}, model={"layers": [dense, dropout, dense]}, callbacks=[{"name": "stop"}]),
        made(tmp_path / "a-3", {}),
    ]
    found = compare(runs)
    assert set(found.settings) == {"model", "callbacks"}
    shown = [line.settings for line in found.lines]
    assert [line["model"] for line in shown] == ["Dense Dense", "Dense Dropout Dense", "none"]
    assert [line["callbacks"] for line in shown] == ["none", "stop", "none"]


def test_arguments_of_equal_kinds_are_compared(tmp_path):
    runs = [
        made(tmp_path / f"a-{units}", {}, model={"layers": [{"type": "Dense", "units": units}]})
        for units in (1, 2)
    ]
    assert compare(runs).settings == ["model.layers[0].units"]


def test_what_follows_from_another_origin_of_data_is_left_out(tmp_path):
    table = {"file": "a.csv", "table": {"scaling": "standard"}, "split_seed": 0}
    runs = [
        made(tmp_path / "a-1", {}, data=table),
        made(tmp_path / "a-2", {}, data={"folder": "photos", "scale": 255.0, "split_seed": 1}),
    ]
    assert set(compare(runs).settings) == {"data.file", "data.folder", "data.split_seed"}
    runs[1] = made(tmp_path / "a-3", {}, data={"file": "a.csv", "split_seed": 0, "train_samples": 5})
    assert {"data.table.scaling", "data.train_samples"} == set(compare(runs).settings)


def test_a_schedule_beside_a_number_is_named(tmp_path):
    cosine = {"name": "cosine_decay", "decay_steps": 9}
    runs = [
        made(tmp_path / "a-1", {}, optimizer={"name": "adam", "learning_rate": 0.1}),
        made(tmp_path / "a-2", {}, optimizer={"name": "adam", "learning_rate": cosine}),
    ]
    assert set(compare(runs).settings) >= {"optimizer.learning_rate.name"}


def test_an_interrupted_run_is_marked(tmp_path):
    runs = [made(tmp_path / "a-1", {"interrupted": True, "epochs": 2}), made(tmp_path / "a-2", {"epochs": 9})]
    assert [line.run for line in compare(runs).lines] == [f"{runs[0]} (interrupted)", str(runs[1])]


def test_equal_runs_differ_in_nothing(three):
    assert compare([three[0], three[0]]).settings == []


@pytest.mark.parametrize(
    ("metric", "order"), [("test_loss", ["a-2", "a-1", "a-3"]), ("test_accuracy", ["a-1", "a-2", "a-3"])]
)
def test_the_best_first_and_those_without_a_figure_last(three, metric, order):
    assert [line.run.rpartition("/")[2] for line in compare(three, metric).lines] == order


def test_an_unknown_figure(three):
    with pytest.raises(
        RecipeError, match=r"No run has a figure 'test_acuracy'\..*Did you mean 'test_accuracy'"
    ):
        compare(three, "test_acuracy")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_loss", True),
        ("val_mean_absolute_error", True),
        ("seconds", True),
        ("test_categorical_crossentropy", True),
        ("test_kl_divergence", True),
        ("test_accuracy", False),
        ("auc", False),
    ],
)
def test_losses_and_errors_fall(name, expected):
    assert falls(name) is expected


def test_settings_as_key_paths():
    table = {"name": "a", "a": {"b": 1, "c": [1, 2]}, "l": [{"x": 1}, {"x": 2}], "e": []}
    assert dict(flattened(table)) == {"a.b": 1, "a.c": [1, 2], "l[0].x": 1, "l[1].x": 2, "e": []}


def test_a_sweep_stands_for_its_runs(tmp_path):
    folder = tmp_path / "s-sweep-1"
    for number in (1, 2):
        made(folder / f"{number}-seed-1" / "s-1", {"test_loss": number}, seed=number)
    (folder / "sweep.json").write_text("{}")
    found = compare([folder], "test_loss")
    assert [line.metrics["test_loss"] for line in found.lines] == [1, 2]


def test_what_is_no_run(tmp_path, three):
    with pytest.raises(RecipeError, match=r"A run folder holds a config\.toml\. Received: no such folder"):
        compare([three[0], tmp_path / "absent"])
    (three[0] / "metrics.json").write_text("[]")
    with pytest.raises(CorruptFileError, match=r"metrics\.json"):
        compare(three)
    (three[1] / "config.toml").write_text("= 3")
    with pytest.raises(RecipeError, match=r"a-2/config\.toml: A recipe must be valid TOML"):
        compare(three[1:])


def test_figures_that_are_no_numbers(three):
    (three[0] / "metrics.json").write_text(
        '{"test_loss": "low", "test_accuracy": null, "big": 1' + "0" * 400 + "}"
    )
    for metric in ("test_loss", "test_accuracy", "big"):
        assert compare(three, metric).lines[-1].run in map(str, three)
