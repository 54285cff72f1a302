"""Data that cannot be used, from the command line: one message, its exit code, and nothing left behind."""

import gzip
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.app.recipes.material import (
    REGRESSION,
    flowers,
    pictures,
    write_csv,
    write_image_folder,
    write_recipe,
)

pytestmark = pytest.mark.cpu_only("files on the host")


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path):
    yield
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.glob("runs/*"))


def png(path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(pictures(1)[0][0]).save(path, "png")


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")


def columns(**changes):
    return lambda path: write_csv(path, {**flowers(), **changes})


def some(cells, **others):
    """Cells of a column: those given by row number, the others None or `rest`."""
    return [cells.get(row, others.get("rest")) for row in range(60)]


def arrays(**found):
    return lambda path: np.savez(path, **found)


ONE = {"x": list(range(12)), "species": ["a"] * 11 + ["b"]}
X, Y = pictures()

# file, what writes it, settings, exit code, message
FILES = [
    ("a.csv", png, [], 1, "a PNG image"),
    ("a.csv", lambda path: path.write_text("<html></html>"), [], 1, "a web page (HTML)"),
    ("a.csv", lambda path: path.write_bytes(b""), [], 1, "an empty file"),
    (
        "a.csv",
        lambda path: path.write_bytes(pickle.dumps([1])),
        [],
        1,
        "a Python pickle, which is never loaded",
    ),
    ("a.csv", lambda path: path.write_bytes(gzip.compress(b"x,species\n1,a\n")), [], 1, "a gzip file"),
    ("a.csv", lambda path: path.mkdir(), [], 1, "a file is needed here. Received: a folder."),
    ("a.csv", lambda path: None, [], 1, "a.csv: No such file or directory"),
    ("a.csv", lambda path: os.symlink(path, path), [], 1, "a.csv: "),
    ("a.csv", lambda path: os.mkfifo(path), [], 1, "only regular files are read"),
    (
        "a.npy",
        zipped,
        ["data.target_file=a.npy"],
        1,
        "Expected: NPY as its name says. Received: a zip archive",
    ),
    (
        "a.npz",
        lambda path: path.write_text("hello"),
        [],
        1,
        "Expected: NPZ as its name says. Received: a text file",
    ),
    ("a.npz", lambda path: path.write_bytes(b"PK\3\4" + bytes(99)), [], 1, "a.npz"),
    ("a.csv", columns(species=some({}, rest="iris")), [], 1, "A target of classes has several of them."),
    (
        "a.csv",
        lambda path: write_csv(path, ONE),
        [],
        1,
        "need a sample of each class. Received: a single one of 'b'.",
    ),
    ("a.csv", columns(species=some({})), [], 1, "no row has a target. Received: 60 row(s) without one."),
    (
        "a.csv",
        columns(length=some({3: "long"}, rest=1)),
        ["data.table.numeric=['length']"],
        1,
        "'long' in line 5 of",
    ),
    (
        "a.csv",
        columns(colour=[f"c{row}" for row in range(60)]),
        ["data.table.max_categories=9"],
        1,
        "'colour' is neither",
    ),
    ("a.csv", columns(), ["data.target=specie"], 1, "no column 'specie' to predict."),
    ("a.csv", columns(), ["data.table.ignore=['lenght']"], 1, "No column 'lenght'"),
    ("a.csv", columns(), ["data.table.ignore=['length','width','colour']"], 1, "at least one column"),
    ("a.csv", columns(), ["data.train_samples=100"], 1, "data.train_samples cannot be more than there are"),
    (
        "a.csv",
        columns(),
        ["data.cost_matrix=[[0,1],[1,0]]"],
        1,
        "A cost matrix has a row for each true class",
    ),
    ("a.csv", columns(), ["data.table.checks={length={min=3, max=2}}"], 1, "min is at most max"),
    ("a.csv", lambda path: path.write_text("x,x,species\n1,2,a\n"), [], 1, "Column names are unique."),
    ("a.csv", lambda path: path.write_text('x,species\n1,"a\n2,b\n'), [], 1, "ends with one"),
    (
        "a.npz",
        arrays(x=X.astype(float) * np.nan, y=Y),
        [],
        1,
        "Inputs must be finite numbers, as float32 too.",
    ),
    (
        "a.npz",
        arrays(x=np.where(X > 250, np.inf, X), y=Y),
        [],
        1,
        "Inputs must be finite numbers, as float32 too.",
    ),
    ("a.npz", arrays(x=X, y=Y + 0.5), [], 1, "Classes are text or whole numbers. Received: 0.5 as target 0."),
    ("a.npz", arrays(x=X, y=np.array([{}] * 30, object)), [], 1, "a.npz"),
    ("a.npz", arrays(x=X.astype("U3"), y=Y), [], 1, "a.npz"),
    ("a.npz", arrays(x=X[:3], y=Y), [], 1, "inputs and targets must be as many"),
    ("a.npz", arrays(x=X[:0], y=Y[:0]), [], 1, "inputs and targets must be as many, and at least one"),
    ("a.npz", arrays(a=X), [], 1, "inputs and targets are two arrays of the file"),
    (
        "a.npz",
        arrays(x=X, y=Y),
        ["data.reshape=[5]"],
        1,
        "data.reshape must hold as many numbers as a sample.",
    ),
    ("a.npz", arrays(x=X, y=Y), ["data.scale=0"], 2, "data.scale (from --set): Wrong value."),
    ("a.npz", arrays(x=X, y=Y), ["data.target=['a','b']"], 1, "data.target names one array of an npz file"),
]


@pytest.mark.parametrize(("name", "write", "settings", "code", "message"), FILES)
def test_files_to_train_on(refused, tmp_path, name, write, settings, code, message):
    write(tmp_path / name)
    section = {"file": name} | ({"target": "species"} if name == "a.csv" else {})
    write_recipe(tmp_path / "a.toml", data=section)
    options = [part for setting in settings for part in ("--set", setting)]
    assert message in refused(code, "train", "a.toml", *options)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_cannot_be_read(refused):
    Path("flowers.csv").chmod(0)
    assert refused(1, "train", "small.toml").endswith("flowers.csv: Permission denied")


def test_numbers_that_are_none(refused, tmp_path):
    write_csv(tmp_path / "a.csv", {"x": list(range(20)), "y": [1.5] * 19 + ["much"]})
    write_recipe(tmp_path / "a.toml", REGRESSION, data={"file": "a.csv", "target": "y"})
    told = refused(1, "train", "a.toml")
    assert "A target to predict must be a finite number. Received: 'much' in 'y', sample " in told


# ------------------------------------------------------------------------------------------ image folders


@pytest.fixture
def photos(tmp_path):
    pytest.importorskip("PIL")
    write_recipe(tmp_path / "a.toml", data={"folder": "photos"})
    return write_image_folder(tmp_path / "photos", X, Y, ["ant", "bee", "cow"])


def emptied(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def one_class(folder):
    for name in ("ant", "bee"):
        shutil.rmtree(folder / name)


def one_image(folder):
    write_image_folder(folder, X[:1], Y[:1], ["dog"])


def one_size_more(folder):
    write_image_folder(folder, pictures(1, size=9)[0], [0], ["ant"])


FOLDERS = [
    (emptied, "photos"),
    (shutil.rmtree, "There is no folder"),
    (one_class, "class"),
    (one_image, "Received: a single one of 'dog'."),
    (one_size_more, "All images must have one size"),
    (lambda folder: (folder / "dog").mkdir(), "dog"),
    (lambda folder: (folder / "ant" / "a.png").write_text("hello"), "a.png: "),
    (lambda folder: (folder / "ant" / "a.png").write_bytes(b""), "a.png: "),
    (lambda folder: (shutil.rmtree(folder), folder.write_text("")), "photos"),
]


@pytest.mark.parametrize(("change", "message"), FOLDERS)
def test_folders_to_train_on(refused, photos, change, message):
    change(photos)
    assert message in refused(1, "train", "a.toml")


# ----------------------------------------------------------------------------------------------- own runs


def damaged(folder, name, content):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"\0\xff\xfe", b"[1]", b"[" * 10_000, b"PK\3\4" + bytes(50)])
@pytest.mark.parametrize(
    ("name", "code"), [("config.toml", 2), ("preparation.json", 1), ("weights.npz", 1), ("metrics.json", 1)]
)
def test_damaged_runs(refused, trained, tmp_path, name, code, content):
    folder = trained.copy("table", tmp_path)
    (folder / name).write_bytes(content)
    write_csv(tmp_path / "more.csv", flowers(5))
    for argv in (["evaluate", folder], ["predict", folder, "more.csv"]):
        assert name in refused(code, *argv) or "copied" in refused(code, *argv)
    if name == "metrics.json" or (name == "config.toml" and b"\0" in content):
        assert name in refused(code, "compare", folder)


@pytest.mark.parametrize("name", ["preparation.json", "weights.npz"])
def test_runs_that_lack_a_file(refused, trained, tmp_path, name):
    folder = trained.copy("table", tmp_path)
    (folder / name).unlink()
    assert refused(1, "evaluate", folder) == f"gputrain: {folder}/{name}: No such file or directory"


def test_labels_of_unknown_classes(refused, trained, tmp_path):
    write_csv(tmp_path / "more.csv", {**flowers(), "species": some({4: "rose"}, rest="iris")})
    told = refused(1, "evaluate", trained("table"), "more.csv")
    assert "A label is none of the classes. Expected: iris, setosa, virginica. Received: 'rose'" in told


def test_columns_that_lack(refused, trained, tmp_path):
    write_csv(tmp_path / "more.csv", {"length": [1], "colour": ["red"]})
    told = refused(1, "predict", trained("table"), "more.csv")
    assert "every column that the model was trained on must be there. Expected: also 'width'." in told


def test_a_damaged_sweep(gputrain, refused, tmp_path):
    gputrain("sweep", "small.toml", "--epochs", 1)
    Path("runs/small-sweep-1/sweep.json").write_text(json.dumps({"points": [{"folder": "../x"}]}))
    assert "The plan of a sweep must be what gputrain wrote" in refused(1, "sweep", "runs/small-sweep-1")
    shutil.rmtree("runs")
