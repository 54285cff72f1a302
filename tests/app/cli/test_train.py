"""`gputrain train`, and what all commands share: exit codes, where output goes, what an error looks like."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import gputrain as package
from gputrain import backend
from gputrain.app.cli import main
from gputrain.errors import DeviceError
from tests.app.recipes.material import REGRESSION, flowers, write_csv, write_recipe
from tests.subprocesses import environment

FILES = [
    "config.toml", "history.csv", "history.jsonl", "log.txt", "metrics.json", "preparation.json",
    "report.html", "summary.txt", "weights.npz",
]  # fmt: skip


def listed(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_run_leaves_all_files_and_prints_the_result(gputrain):
    done = gputrain("train", "small.toml")
    assert done.code == 0
    folder = Path("runs/small-1")
    assert listed(folder) == FILES
    metrics = json.loads((folder / "metrics.json").read_text())
    fields = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert fields["run"] == "runs/small-1"
    assert fields["report"] == "runs/small-1/report.html"
    assert fields["test_accuracy"] == f"{metrics['test_accuracy']:.4f}"
    assert "Epoch" not in done.out
    assert "Epoch 1/2 - " in done.err
    assert "result: test_loss" in done.err
    assert metrics["parameters"] == 18
    assert metrics["epochs"] == 2


def test_the_result_as_json(gputrain):
    done = gputrain("train", "small.toml", "--json")
    table = json.loads(done.out)
    assert (table["run"], table["report"]) == ("runs/small-1", "runs/small-1/report.html")
    assert table["test_loss"] == json.loads(Path("runs/small-1/metrics.json").read_text())["test_loss"]


def test_weights_carry_the_paths_of_the_variables(gputrain):
    assert gputrain("train", "small.toml", "--epochs", 1).code == 0
    with np.load("runs/small-1/weights.npz", allow_pickle=False) as archive:
        assert {name: archive[name].shape for name in archive.files} == {
            "dense/kernel": (5, 3),
            "dense/bias": (3,),
        }


@pytest.mark.parametrize("again", ["runs/small-1", "runs/small-1/config.toml"])
def test_a_run_can_be_trained_again_bit_for_bit(gputrain, again):
    assert gputrain("train", "small.toml", "--set", "optimizer.learning_rate=0.01").code == 0
    assert gputrain("train", again).code == 0
    first, second = Path("runs/small-1"), Path("runs/small-2")
    for name in ("config.toml", "history.csv", "weights.npz"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_options_change_the_recipe(gputrain):
    options = ["--epochs", 1, "--seed", 9, "--backend", "numpy", "--out", "deep/er", "--set", "name=other"]
    assert gputrain("train", "small.toml", *options).code == 0
    settings = tomllib.loads(Path("deep/er/other-1/config.toml").read_text())
    assert (settings["training"]["epochs"], settings["seed"], settings["backend"]) == (1, 9, "numpy")
    assert settings["versions"]["gputrain"] == package.__version__


def test_a_path_on_the_command_line_counts_from_where_one_is(gputrain, tmp_path):
    (tmp_path / "recipes").mkdir()
    write_recipe(tmp_path / "recipes" / "a.toml", data={"file": "absent.csv", "target": "species"})
    assert gputrain("train", "recipes/a.toml", "--set", "data.file=flowers.csv").code == 0
    assert gputrain("train", "recipes/a.toml").err.endswith(
        f"{tmp_path}/recipes/absent.csv: No such file or directory\n"
    )


def test_a_shipped_recipe_with_another_file(gputrain):
    changes = ["--set", "data.file=flowers.csv", "--set", "data.target=species", "--epochs", 2]
    assert gputrain("train", "tabular", *changes).code == 0
    assert tomllib.loads(Path("runs/tabular-1/config.toml").read_text())["model"]["layers"][-1]["units"] == 3


WRONG = [
    (
        ["--set", "callbacks=[{name='early_stopping', monitor='x'}]"],
        "small.toml: Training cannot begin. EarlySt",
    ),
    (
        ["--epochs", "0"],
        r"small.toml: training.epochs (from --epochs): Wrong value. Expected: an integer from 1",
    ),
    (["--seed", "-1"], "small.toml: seed (from --seed): Wrong value."),
    (["--backend", "cuda"], "small.toml: backend (from --backend): Wrong value. Expected: one of 'auto'"),
    (["--backend", "gpu"], "Received: 'gpu' (text). Did you mean 'cupy'?"),
    (["--set", "backend=gpu"], "small.toml: backend (from --set): Wrong value."),
    (
        ["--set", "optimizer.nme=sgd"],
        "small.toml: optimizer.nme (from --set): Unknown argument of Adam. Did you",
    ),
    (["--set", "training.epocs=3"], "training.epocs (from --set): Unknown key. Did you mean 'epochs'?"),
    (["--set", "epochs"], "--set epochs: A setting must be a key path and a value. Expected: KEY=VALUE"),
    (["--set", "model.layers[1].units=-5"], "small.toml: model.layers[1] (Dense)"),
    (["--set", "model.layers[1].units=2"], "small.toml: model.layers[1]: The last layer must have as"),
    (
        ["--set", f"model.layers[1].units=1{'0' * 400}"],
        "small.toml: model.layers[1].units (from --set): Wrong value.",
    ),
    (["--set", "model.layers[0]={type='Conv2D', filters=3}"], "kernel_size (from --set): Conv2D needs"),
    (["--set", "model.layers[0]={type='Conv2D', filters=3, kernel_size=9}"], "model.layers[0] (Conv2D)"),
    (
        ["--set", "training.class_weight={a=1}"],
        "training.class_weight (from --set): Each class needs a weight.",
    ),
    (["--set", "loss=binary_crossentropy"], "small.toml: Training cannot begin. "),
    (
        ["--set", "callbacks=[{name='early_stopping', patience=-1}]"],
        "small.toml: callbacks[0] (from --set): EarlySt",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_settings_are_one_message_and_no_folder(refused, options, message):
    assert message in refused(2, "train", "small.toml", *options)
    assert not Path("runs").exists() or listed("runs") == []


def test_a_wrong_backend_in_the_environment_is_named(refused, monkeypatch):
    monkeypatch.setenv("GPUTRAIN_BACKEND", "gpu")
    told = refused(2, "train", "small.toml")
    assert "environment variable GPUTRAIN_BACKEND gives 'gpu'" in told
    assert "Did you mean 'cupy'?" in told


def test_a_backend_that_is_not_to_be_had(refused, monkeypatch):
    def absent(number):
        raise DeviceError('backend="cupy" is not available')

    monkeypatch.setattr(backend, "_devices", {})
    monkeypatch.setitem(backend._openers, "cupy", absent)
    told = refused(1, "train", "small.toml", "--set", "backend=cupy")
    assert told == 'gputrain: backend="cupy" is not available'
    assert not Path("runs").exists()


def test_classes_for_a_loss_of_numbers(refused):
    told = refused(1, "train", "small.toml", "--set", "loss=mse")
    assert "A target to predict must be a finite number. Received: 'setosa' in 'species'" in told
    assert "for classes take a loss for them" in told


def test_numbers_for_a_loss_of_classes(refused, tmp_path):
    write_csv(tmp_path / "a.csv", {"x": list(range(2000)), "y": [i / 7 for i in range(2000)]})
    write_recipe(tmp_path / "a.toml", data={"file": "a.csv", "target": "y"})
    assert "A target of classes has several of them. Expected: 2 to 1000." in refused(1, "train", "a.toml")


# --------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "argv",
    [[], ["trian"], ["train"], ["train", "a", "--epochs", "x"], ["train", "a", "--epoch", "1"], ["config"]],
)
def test_wrong_usage(gputrain, argv):
    done = gputrain(*argv)
    assert (done.code, done.out) == (2, "")
    assert "usage: gputrain" in done.err


def test_a_misspelt_command_names_the_nearest(gputrain):
    assert "there is no command 'trian'. Did you mean 'train'?" in gputrain("trian").err


def test_a_wrong_option_shows_the_usage_of_its_command(gputrain):
    err = gputrain("train", "a", "--epoch", 1).err
    assert "usage: gputrain train " in err
    assert "unrecognized arguments: --epoch 1" in err


def test_absent_recipe(refused):
    assert refused(2, "train", "smal.toml").startswith("gputrain: smal.toml: There is no such recipe file.")


def test_version(gputrain):
    assert gputrain("--version") == (0, f"gputrain {package.__version__}\n", "")


def test_as_a_module():
    command = [sys.executable, "-m", "gputrain", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert (done.returncode, done.stdout) == (0, f"gputrain {package.__version__}\n")


def test_debug_shows_the_traceback():
    Path("file").write_text("")
    with pytest.raises(OSError, match="A run needs a folder"):
        main(["train", "small.toml", "--out", "file", "--debug"])


def test_a_regression(gputrain, tmp_path):
    columns = {name: cells for name, cells in flowers().items() if name in ("length", "width")}
    write_csv(tmp_path / "b.csv", columns)
    write_recipe(tmp_path / "b.toml", REGRESSION, data={"file": "b.csv", "target": "width"})
    done = gputrain("train", "b.toml", "--json")
    assert done.code == 0
    assert json.loads(done.out)["test_loss"] > 0
