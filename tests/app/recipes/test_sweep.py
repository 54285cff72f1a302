"""Sweeps: the grid, means and spreads, failed points, and going on after a stop."""

import csv
import json
import statistics
from pathlib import Path

import pytest

from gputrain.app.recipes import load, sweep
from gputrain.app.recipes.errors import RecipeError
from gputrain.app.recipes.sweep import Sweep, split_values
from gputrain.datasets import CorruptFileError
from tests.app.recipes.material import flowers, write_csv, write_recipe

pytestmark = pytest.mark.cpu_only("what is trained is shown elsewhere")
GRID = [("optimizer.name", ["sgd", "adam"]), ("training.batch_size", [8, 16])]


@pytest.fixture
def small(tmp_path):
    """A recipe beside its data."""
    write_csv(tmp_path / "flowers.csv", flowers())
    optimizer = {"learning_rate": 0.01}
    write_recipe(tmp_path / "a.toml", data={"file": "flowers.csv", "target": "species"}, optimizer=optimizer)
    return load("a.toml")


def test_the_grid(small):
    made = Sweep.new(small, GRID, seeds=2)
    assert [point.folder for point in made.points[:3]] == ["1-seed-3", "1-seed-4", "2-seed-3"]
    assert len(made.points) == 8
    assert str(made.points[-1]) == "optimizer.name=adam training.batch_size=16 seed=4"
    assert made.folder == Path("runs/small-sweep-1")
    assert sorted(path.name for path in made.folder.iterdir()) == ["recipe.toml", "sweep.json"]


def test_means_and_spreads(small):
    made = Sweep.new(small, GRID[:1], seeds=3)
    made.run()
    groups = made.table()
    assert [group.settings for group in groups] == [{"optimizer.name": "sgd"}, {"optimizer.name": "adam"}]
    for number, group in enumerate(groups, start=1):
        figures = [
            json.loads((made.folder / f"{number}-seed-{seed}" / "small-1" / "metrics.json").read_text())
            for seed in (3, 4, 5)
        ]
        assert (group.runs, group.failed) == (3, 0)
        for name in ("test_loss", "test_accuracy", "train_loss"):
            values = [figure[name] for figure in figures]
            assert group.mean[name] == pytest.approx(statistics.fmean(values))
            assert group.deviation[name] == pytest.approx(statistics.stdev(values))
    with (made.folder / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["optimizer.name"], row["seed"]) for row in rows[2:4]] == [("sgd", "5"), ("adam", "3")]
    assert float(rows[-1]["test_loss"]) == figures[-1]["test_loss"]


def test_a_point_is_what_train_makes_of_it(small):
    made = Sweep.new(small, GRID[:1])
    made.run()
    alone = sweep.run(load("a.toml", [("optimizer.name", "sgd", "--set")]), verbose=0)
    first, second = made.folder / "1-seed-3" / "small-1", alone.folder
    for name in ("config.toml", "weights.npz", "history.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_one_run_has_no_spread(small):
    made = Sweep.new(small, [])
    made.run()
    (group,) = made.table()
    assert (group.runs, group.settings) == (1, {})
    assert group.deviation["test_loss"] is None


def test_a_sweep_goes_on_where_it_was_stopped(small, monkeypatch):
    made = Sweep.new(small, GRID, seeds=1)
    train, begun = sweep.run, []

    def stopping(recipe, out, verbose, stop):
        begun.append(Path(out).name)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return train(recipe, out, verbose, stop)

    monkeypatch.setattr(sweep, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        made.run()
    assert not (made.folder / "results.csv").exists()
    assert [group.runs for group in made.table()] == [1, 1, 0, 0]
    again = Sweep.open(made.folder)
    again.run()
    assert begun == ["1-seed-3", "2-seed-3", "3-seed-3", "3-seed-3", "4-seed-3"]
    assert [group.runs for group in again.table()] == [1, 1, 1, 1]
    again.run()
    assert len(begun) == 5


def test_an_interrupted_run_is_run_again(small):
    made = Sweep.new(small, [])
    made.run()
    path = made.folder / "1-seed-3" / "small-1" / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "interrupted": True}))
    assert made.table()[0].runs == 0
    made.run()
    assert (made.folder / "1-seed-3" / "small-2").is_dir()
    assert made.table()[0].runs == 1


def test_a_sweep_can_be_moved_and_its_recipe_changed(small, tmp_path, monkeypatch):
    """What is run stands in the sweep's folder, with full paths."""
    made = Sweep.new(small, GRID[:1])
    Path("a.toml").unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    made.folder.resolve()
    moved = (tmp_path / made.folder).rename(tmp_path / "elsewhere" / "sweep")
    again = Sweep.open(moved)
    again.run()
    assert [group.runs for group in again.table()] == [1, 1]


def test_a_point_that_fails_is_noted_and_the_others_go_on(small, capsys):
    made = Sweep.new(small, [("training.batch_size", [8, 16]), ("data.train_samples", [24, 1000])])
    made.run()
    assert [(group.runs, group.failed) for group in made.table()] == [(1, 0), (0, 1), (1, 0), (0, 1)]
    told = (made.folder / "2-seed-3" / "error.txt").read_text()
    assert told.startswith("data.train_samples cannot be more than")
    assert (
        "[2/4] training.batch_size=8 data.train_samples=1000 seed=3: failed: data.train_samples"
        in capsys.readouterr().err
    )
    assert not list((made.folder / "2-seed-3").glob("*/config.toml"))


def test_points_that_are_no_recipes_are_found_before_anything_runs(small):
    with pytest.raises(
        RecipeError, match=r"a\.toml: training\.batch_size \(from --set\): Wrong value\..*Received: 0"
    ):
        Sweep.new(small, [("training.batch_size", [8, 0])])
    with pytest.raises(RecipeError, match=r"optimizer\.name \(from --set\): Unknown optimizer 'adm'"):
        Sweep.new(small, [("optimizer.name", ["sgd", "adm"])])
    assert not Path("runs").exists()


def test_too_many_points(small):
    with pytest.raises(RecipeError, match=r"at most 10000 trainings\. Received: 10100"):
        Sweep.new(small, [("training.epochs", list(range(1, 102)))], seeds=100)


PLANS = [b"", b"[]", b"\xff", b"{}", b'{"points": 3}', b'{"points": [3]}', b'{"points": [{"folder": "a"}]}',
         b'{"points": [{"folder": "../up", "settings": {}, "seed": 1}]}', b"[" * 100_000,
         b'{"points": [{"folder": "a", "settings": {}, "seed": "x"}]}',
         b'{"points": [{"folder": "", "settings": {}, "seed": 1}]}']  # fmt: skip


@pytest.mark.parametrize("plan", PLANS)
def test_plans_that_are_none(small, plan):
    made = Sweep.new(small, [])
    (made.folder / "sweep.json").write_bytes(plan)
    with pytest.raises(
        CorruptFileError, match=r"sweep\.json: The plan of a sweep must be what gputrain wrote"
    ):
        Sweep.open(made.folder)


def test_settings_of_a_plan_are_checked_as_others_are(small):
    made = Sweep.new(small, [])
    points = [{"folder": "1-seed-3", "settings": {"zzz": 1}, "seed": 3}]
    (made.folder / "sweep.json").write_text(json.dumps({"version": 1, "points": points}))
    again = Sweep.open(made.folder)
    again.run()
    assert again.table()[0].failed == 1
    assert "zzz" in (made.folder / "1-seed-3" / "error.txt").read_text()


VALUES = [
    ("sgd,adam", ["sgd", "adam"]),
    ("32, 128", [32, 128]),
    ("1e-3,0.1", [1e-3, 0.1]),
    ([8, 8, 1], [[8, 8, 1]]),
    ("[8, 8, 1],[64]", [[8, 8, 1], [64]]),
    ("{name='a', x=1},{name='b', x=2}", [{"name": "a", "x": 1}, {"name": "b", "x": 2}]),
    ("'a,b',\"c,d\"", ["a,b", "c,d"]),
    ("true,false", [True, False]),
    (3, [3]),
    ("", [""]),
]


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_values_between_commas(value, expected):
    assert split_values(value) == expected
