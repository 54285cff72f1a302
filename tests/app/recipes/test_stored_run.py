"""Runs read again: what they hold, and damaged or hostile files in their folders."""

import copy
import json
import pickle
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import gputrain as keras
from gputrain.app.recipes import evaluate, open_run
from gputrain.app.recipes.errors import RecipeError
from gputrain.app.recipes.job import ready
from gputrain.app.recipes.recipe import load
from gputrain.datasets import CorruptFileError

pytestmark = pytest.mark.cpu_only("files on the host")


def test_a_run_is_read_again(trained):
    folder = trained("arrays")
    run = open_run(folder)
    assert run.folder == folder
    assert run.metrics == json.loads((folder / "metrics.json").read_text())
    with np.load(folder / "weights.npz", allow_pickle=False) as archive:
        model = run.model()
        for weight in model.weights:
            name = weight.path.removeprefix(f"{model.name}/")
            np.testing.assert_array_equal(weight.numpy(), archive[name])
    assert open_run(folder / "weights.npz").folder == folder


def test_what_is_no_run(tmp_path, trained):
    with pytest.raises(
        RecipeError, match=r"x: A run folder holds a config\.toml\. Received: no such folder\. `gputra"
    ):
        open_run("x")
    shutil.copytree(trained("table"), "runs/small-1")
    told = r"Received: a folder without config\.toml\. Runs here: runs/small-1\."
    with pytest.raises(RecipeError, match=told):
        open_run(tmp_path)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "m.keras")
    (tmp_path / "x.csv").write_text("1,2")
    for name, told in (
        ("m.keras", r"a file: a saved model .*load_model\('.*/m\.keras'\) in Python reads it\. Runs here: "),
        ("x.csv", r"the folder of a run .*Received: a file: a text file\. Runs here: runs/small-1\."),
    ):
        with pytest.raises(RecipeError, match=told):
            open_run(tmp_path / name)


def test_load_model_names_what_opens_a_run(trained):
    folder = trained("table")
    told = rf"the folder of a run .*open_run\('{folder}'\)\.model\(\) loads its model"
    with pytest.raises(CorruptFileError, match=told):
        keras.models.load_model(folder)


def test_a_run_that_did_not_come_to_its_end(trained, tmp_path):
    folder = trained.copy("table", tmp_path)
    (folder / "metrics.json").unlink()
    assert open_run(folder).metrics == {}
    (folder / "weights.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"weights\.npz"):
        open_run(folder).model()
    (folder / "preparation.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"preparation\.json"):
        open_run(folder)


def changed(path, *steps):
    """Change a JSON file: all but the last of `steps` lead to a place, the last is put there."""
    table = json.loads(path.read_text())
    place = table
    *outer, last, value = steps
    for step in outer:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    path.write_text(json.dumps(table))


PREPARATIONS = [
    ("table", ("version", 2), "version 2, not 1"),
    ("table", ("inputs", ...), "no 'inputs'"),
    ("table", ("inputs", 3), ""),
    ("table", ("inputs", "kind", "code"), "kind must be"),
    ("table", ("inputs", "table", {}), "format"),
    ("table", ("inputs", "table", "columns", []), "at least one input"),
    ("table", ("inputs", "table", "columns", 0, "fill", float("inf")), "finite|number"),
    ("table", ("inputs", "table", "settings", "missing", "__import__"), "__import__"),
    ("table", ("targets", "kind", "x"), "kind must be"),
    ("table", ("targets", "names", ["a"]), "as many names as classes"),
    ("table", ("targets", "labels", "classes", [1, 2, 3]), "different texts"),
    ("table", ("targets", None), ""),
    ("table", ("cost_matrix", [[0, 1], [1, 0]]), "cost matrix"),
    ("table", ("cost_matrix", "x"), ""),
    ("houses", ("targets", "deviation", [1.0, 0.0]), "deviations above 0"),
    ("houses", ("targets", "mean", [1.0]), "a finite mean and deviation for each"),
    ("houses", ("targets", "mean", [10**400, 1]), ""),
    ("houses", ("cost_matrix", [[0, 1], [1, 0]]), "a cost matrix is for classes"),
    ("arrays", ("inputs", "sample", [4, 5]), "as many numbers"),
    ("arrays", ("inputs", "sample", [2**40, 2**40]), "sizes from 1 on"),
    ("arrays", ("inputs", "sample", [4.0, 4.0]), "sizes from 1 on"),
    ("arrays", ("inputs", "scale", 0), "above 0"),
    ("arrays", ("inputs", "scale", float("nan")), "above 0"),
    ("arrays", ("inputs", "scale", []), ""),
]


@pytest.mark.parametrize(("kind", "steps", "reason"), PREPARATIONS)
def test_preparations_that_are_none(trained, tmp_path, kind, steps, reason):
    path = trained.copy(kind, tmp_path) / "preparation.json"
    changed(path, *steps)
    with pytest.raises(
        CorruptFileError, match=r"preparation\.json: A preparation must be what .*Received: .*" + reason
    ):
        open_run(path.parent)


DAMAGE = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"version": 1}',
    b"[" * 100_000,
    b'{"version": 1, "inputs": {"kind"',
]


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_preparation(trained, tmp_path, content):
    path = trained.copy("table", tmp_path) / "preparation.json"
    path.write_bytes(content)
    with pytest.raises(
        CorruptFileError, match=r"preparation\.json: A preparation must be what a training run wrote"
    ):
        open_run(path.parent)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"a": ', b'{"a": "' + b"x" * 2**20]
)
def test_damaged_figures(trained, tmp_path, content):
    path = trained.copy("table", tmp_path) / "metrics.json"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"metrics\.json: The figures of a run are a JSON object"):
        open_run(path.parent)


CONFIGS = [
    ('name = "small"', 'name = "../up"', "name: Wrong value"),
    ('"Flatten"', '"os.system"', r"Unknown layer 'os\.system'"),
    ("units = 3", "units = 4", "as many outputs as there are classes"),
    ("units = 3", "units = -3", r"model\.layers\[1\] \(Dense\)"),
    ("epochs = 2", "epochs = 0", r"training\.epochs: Wrong value"),
    ('name = "small"', "", "name: This key is required"),
    ("[data]", "[dat]", r"dat: Unknown key\. Did you mean 'data'"),
    ("seed = 3", "seed = 3\nseed = 4", "valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "message"), CONFIGS)
def test_configs_that_are_none(trained, tmp_path, old, new, message):
    path = trained.copy("arrays", tmp_path) / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError, match=rf"copied(/config\.toml)?: .*{message}"):
        open_run(path.parent).model()


def arrays_of(folder):
    with np.load(folder / "weights.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


WEIGHTS = [
    (
        lambda a: {**a, "dense/kernel": a["dense/kernel"].T},
        r"dense/kernel of shape \(16, 3\)\. Received: shape \(3, 16\)",
    ),
    (lambda a: {"dense/kernel": a["dense/kernel"]}, r"dense/bias of shape \(3,\)\. Received: none"),
    (lambda a: {**a, "more": np.ones(2)}, r"Expected: no more\. Received: shape \(2,\)"),
    (lambda a: {**a, "dense/bias": np.array(["a", "b", "c"])}, r"weights\.npz"),
    (
        lambda a: {**a, "dense/bias": np.ones(3, complex)},
        r"dense/bias in finite float32\. Received: dense/bias, complex128",
    ),
]


@pytest.mark.parametrize(("change", "message"), WEIGHTS)
def test_weights_of_another_model(trained, tmp_path, change, message):
    folder = trained.copy("arrays", tmp_path)
    np.savez(folder / "weights.npz", **change(arrays_of(folder)))
    with pytest.raises(CorruptFileError, match=message):
        open_run(folder).model()


def test_weights_that_are_not_finite(trained, tmp_path):
    folder = trained.copy("arrays", tmp_path)
    found = arrays_of(folder)
    np.savez(folder / "weights.npz", **{**found, "dense/bias": np.full(3, np.nan, np.float32)})
    with pytest.raises(CorruptFileError, match=r"weights\.npz: Weights are finite.*Received: dense/bias"):
        open_run(folder).model()


def test_weights_with_objects(trained, tmp_path):
    folder = trained.copy("arrays", tmp_path)
    np.savez(folder / "weights.npz", **{**arrays_of(folder), "dense/bias": np.array([{}, {}, {}], object)})
    with pytest.raises(CorruptFileError, match="weights"):
        open_run(folder).model()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x05\x06" + bytes(18)])
def test_weights_that_are_none(trained, tmp_path, content):
    folder = trained.copy("arrays", tmp_path)
    (folder / "weights.npz").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"weights\.npz"):
        open_run(folder).model()


def test_weights_cut_short(trained, tmp_path):
    path = trained.copy("arrays", tmp_path) / "weights.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptFileError, match=r"weights\.npz"):
        open_run(path.parent).model()


def test_a_bomb_among_the_weights(trained, tmp_path):
    folder = trained.copy("arrays", tmp_path)
    with zipfile.ZipFile(folder / "weights.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "bomb.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2**60,)}"
        )
    with pytest.raises(CorruptFileError, match=r"weights\.npz"):
        open_run(folder).model()


def test_a_layer_too_large_for_memory(trained, tmp_path):
    path = trained.copy("arrays", tmp_path) / "config.toml"
    first = '[[model.layers]]\ntype = "Flatten"'
    huge = f'[[model.layers]]\ntype = "Dense"\nunits = {10**12}\n\n{first}'
    path.write_text(path.read_text().replace(first, huge, 1))
    with pytest.raises(RecipeError, match=r"model\.layers\[0\] \(Dense\)|memory"):
        open_run(path.parent).model()


def test_the_data_of_a_run_may_be_gone(trained, tmp_path):
    folder = trained.copy("arrays", tmp_path)
    path = folder / "config.toml"
    path.write_text(path.read_text().replace("arrays.npz", "gone.npz"))
    with pytest.raises(FileNotFoundError, match=r"gone\.npz"):
        evaluate(open_run(folder))
    assert evaluate(open_run(folder), Path(trained("arrays")).parent / "arrays.npz").metrics["test_loss"] > 0


@pytest.mark.parametrize("name", ["arrays", "table", "houses"])
def test_a_trained_model_and_its_run_are_copied(trained, name):
    run = open_run(trained(name))
    model = run.model()
    for make in (copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))):  # noqa: S301
        other = make({"run": run, "model": model})
        assert other["run"].metrics == run.metrics
        assert other["run"].preparation.inputs.names == run.preparation.inputs.names
        assert all(map(np.array_equal, other["model"].get_weights(), model.get_weights()))
        again = other["run"].model()
        assert all(map(np.array_equal, again.get_weights(), model.get_weights()))


def most_memory(call):
    """What `call` takes at most, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("units", "told"),
    [
        ([30_000_000], r"model\.layers\[0\] \(Dense\): "),
        ([50_000, 50_000], r"model\.layers\[1\] \(Dense\): "),
    ],
)
def test_weights_that_the_file_cannot_hold_take_no_memory(trained, tmp_path, units, told):
    path = trained.copy("arrays", tmp_path) / "config.toml"
    more = "".join(f'[[model.layers]]\ntype = "Dense"\nunits = {size}\n\n' for size in units)
    path.write_text(path.read_text().replace("[[model.layers]]", f"{more}[[model.layers]]", 1))

    def load():
        with pytest.raises(RecipeError, match=rf"{told}.*weights\.npz: the weights that the config desc"):
            open_run(path.parent).model()

    assert most_memory(load) < 100 << 20


def test_a_builder_of_weights_that_the_file_cannot_hold(trained, tmp_path):
    path = trained.copy("arrays", tmp_path) / "config.toml"
    text = path.read_text()
    start, end = text.index("[[model.layers]]"), text.index("[optimizer]")
    model = '[model]\nbuilder = "mlp"\n\n[model.arguments]\nunits = [20000, 20000]\n\n'
    path.write_text(text[:start] + model + text[end:])

    def load():
        with pytest.raises(RecipeError, match=r"The builder failed.*the weights that the config describes"):
            open_run(path.parent).model()

    assert most_memory(load) < 100 << 20


def test_a_model_beyond_the_limit_takes_no_memory(trained, tmp_path):
    """Where there are no weights to compare with: of a recipe, and of a summary."""
    path = trained.copy("arrays", tmp_path) / "config.toml"
    path.write_text(path.read_text().replace("units = 3", "units = 100000000", 1))
    told = r"copied.*: model: The weights of a recipe's model have a limit\. Expected: at most 4294967296 "

    def build():
        with pytest.raises(RecipeError, match=told):
            open_run(path.parent).bare_model()
        with pytest.raises(RecipeError, match=told):
            ready(load(path))

    assert most_memory(build) < 100 << 20
