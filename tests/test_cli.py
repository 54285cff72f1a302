"""The command line: exit codes, where output goes, and what an error looks like."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

import gputrain
from gputrain import backend, callbacks, config
from gputrain.cli import main
from gputrain.errors import DeviceError
from gputrain.recipes import running
from tests.on_device import child_environment

SMALL = """\
name = "small"
seed = 3
loss = "sparse_categorical_crossentropy"
[data]
dataset = "digits"
validation_fraction = 0.2
[[model.layers]]
type = "Flatten"
[[model.layers]]
type = "Dense"
units = 10
activation = "softmax"
[training]
epochs = 2
batch_size = 64
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    yield
    config.reset()


def test_a_run_leaves_all_files_and_prints_the_result(capsys):
    assert main(["train", "small.toml"]) == 0
    out, err = capsys.readouterr()
    folder = Path("runs/small-1")
    assert sorted(os.listdir(folder)) == ["config.toml", "history.csv", "metrics.json", "weights.npz"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert out.splitlines()[0].split() == ["run", str(folder)]
    assert f"test_accuracy   {metrics['test_accuracy']:.4f}".split() in [
        line.split() for line in out.splitlines()
    ]
    assert "Epoch" not in out
    assert "Traceback" not in err
    assert metrics["parameters"] == 650
    assert metrics["epochs"] == 2
    assert {"test_loss", "train_accuracy", "val_accuracy", "seconds"} <= set(metrics)


def test_history_has_a_line_for_each_epoch():
    assert main(["train", "small.toml"]) == 0
    lines = Path("runs/small-1/history.csv").read_text().splitlines()
    assert sorted(lines[0].split(",")) == ["accuracy", "epoch", "loss", "val_accuracy", "val_loss"]
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1"]


def test_weights_carry_the_paths_of_the_variables():
    assert main(["train", "small.toml", "--epochs", "1"]) == 0
    with np.load("runs/small-1/weights.npz", allow_pickle=False) as archive:
        shapes = {name.rpartition("/")[2]: archive[name].shape for name in archive.files}
    assert shapes == {"kernel": (64, 10), "bias": (10,)}


def test_the_resolved_config_repeats_the_run_bit_for_bit():
    assert main(["train", "small.toml", "--set", "optimizer.learning_rate=0.01"]) == 0
    assert main(["train", "runs/small-1/config.toml"]) == 0
    first, second = Path("runs/small-1"), Path("runs/small-2")
    for name in ("config.toml", "history.csv", "weights.npz"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_options_change_the_recipe():
    options = [
        "--epochs",
        "1",
        "--seed",
        "9",
        "--backend",
        "numpy",
        "--out",
        "deep/er",
        "--set",
        "name=other",
    ]
    assert main(["train", "small.toml", *options]) == 0
    settings = tomllib.loads(Path("deep/er/other-1/config.toml").read_text())
    assert (settings["training"]["epochs"], settings["seed"], settings["backend"]) == (1, 9, "numpy")
    assert settings["versions"]["gputrain"] == gputrain.__version__


WRONG = [
    (
        ["--epochs", "0"],
        r"small.toml: training.epochs (from --epochs): Wrong value. Expected: an integer from 1",
    ),
    (["--seed", "-1"], "small.toml: seed (from --seed): Wrong value."),
    (["--backend", "cuda"], "small.toml: backend (from --backend): Wrong value. Expected: one of 'auto'"),
    (
        ["--set", "optimizer.nme=sgd"],
        "small.toml: optimizer.nme (from --set): Unknown argument of Adam. Did you",
    ),
    (["--set", "training.epocs=3"], "training.epocs (from --set): Unknown key. Did you mean 'epochs'?"),
    (["--set", "epochs"], "--set epochs: A setting must be a key path and a value. Expected: KEY=VALUE"),
    (["--set", "model.layers[1].units=-5"], "small.toml: model.layers[1] (Dense)"),
    (
        ["--set", "model.layers[0].type=Conv2D", "--set", "model.layers[0].filters=3"],
        "kernel_size: Conv2D needs",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_settings_are_one_message_and_no_folder(options, message, capsys):
    assert main(["train", "small.toml", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gputrain: ")
    assert message in err
    assert "Traceback" not in err
    assert not Path("runs").exists()


def test_a_layer_that_does_not_fit_names_its_place(capsys):
    options = [
        "--set",
        "model.layers[0]={type='Conv2D', filters=3, kernel_size=9}",
        "--set",
        "data.reshape=[8,8,1]",
    ]
    assert main(["train", "small.toml", *options]) == 2
    assert "small.toml: model.layers[0] (Conv2D)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("loss=mse", "small.toml: data, model.layers, loss and metrics do not fit together. mean_squared"),
        ("model.layers[1].units=5", "small.toml: data, model.layers, loss and metrics do not fit together."),
    ],
)
def test_parts_that_do_not_fit_together_are_a_wrong_recipe(setting, message, capsys):
    assert main(["train", "small.toml", "--set", setting]) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists() or os.listdir("runs") == []


def test_a_backend_that_is_not_there_is_a_wrong_recipe(monkeypatch, capsys):
    def absent(number):
        raise DeviceError('backend="cupy" is not available')

    monkeypatch.setattr(backend, "_devices", {})
    monkeypatch.setitem(backend._openers, "cupy", absent)
    assert main(["train", "small.toml", "--set", "backend=cupy"]) == 2
    message = 'small.toml: backend (from --set): backend="cupy" is not available'
    assert message in capsys.readouterr().err
    assert not Path("runs").exists() or os.listdir("runs") == []


@pytest.mark.parametrize(
    "argv", [[], ["trian"], ["train"], ["train", "a", "--epochs", "x"], ["train", "a", "--epoch", "1"]]
)
def test_wrong_usage(argv, capsys):
    assert main(argv) == 2
    assert "usage: gputrain" in capsys.readouterr().err


def test_a_misspelt_command_names_the_nearest(capsys):
    assert main(["trian"]) == 2
    assert "there is no command 'trian'. Did you mean 'train'?" in capsys.readouterr().err


def test_a_wrong_option_shows_the_usage_of_its_command(capsys):
    assert main(["train", "a", "--epoch", "1"]) == 2
    err = capsys.readouterr().err
    assert "usage: gputrain train " in err
    assert "unrecognized arguments: --epoch 1" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_stdout_that_is_full():
    command = [sys.executable, "-m", "gputrain", "train", "small.toml", "--epochs", "1"]
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment()
        )
    assert run.returncode == 1
    message = "the result could not be written to stdout: No space left on device. It is in runs/small-1.\n"
    assert run.stderr.endswith(f"gputrain: {message}")


def test_absent_recipe(capsys):
    assert main(["train", "smal.toml"]) == 2
    assert "gputrain: smal.toml: There is no such recipe file." in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["train", "--help"]])
def test_help_names_the_exit_codes(argv, capsys):
    assert main(argv) == 0
    assert "130 interrupted" in capsys.readouterr().out


def test_help_has_examples(capsys):
    main(["train", "--help"])
    assert "gputrain train digits_cnn --set optimizer.name=sgd" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gputrain {gputrain.__version__}\n"


def test_a_folder_that_cannot_be_made(capsys):
    Path("file").write_text("")
    assert main(["train", "small.toml", "--out", "file"]) == 1
    err = capsys.readouterr().err
    assert "A run needs a folder to write to. file cannot hold it." in err
    assert "--out" in err


def test_debug_shows_the_traceback():
    Path("file").write_text("")
    with pytest.raises(OSError, match="A run needs a folder"):
        main(["train", "small.toml", "--out", "file", "--debug"])


def interrupt_after(epochs):
    """Return a `CSVLogger.on_epoch_end` that behaves like Ctrl-C once `epochs` epochs are written."""
    original = callbacks.CSVLogger.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch + 1 == epochs:
            raise KeyboardInterrupt

    return on_epoch_end


def interrupt_at_once(*args):
    raise KeyboardInterrupt


def test_ctrl_c_after_an_epoch_keeps_whole_files_only(monkeypatch, capsys):
    monkeypatch.setattr(callbacks.CSVLogger, "on_epoch_end", interrupt_after(1))
    assert main(["train", "small.toml"]) == 130
    err = capsys.readouterr().err
    assert "gputrain: interrupted. runs/small-1 keeps weights.npz as of step " in err
    assert "metrics of 1 complete epoch(s)." in err
    check_interrupted(Path("runs/small-1"), epochs=1)


def test_ctrl_c_within_the_first_epoch_keeps_the_weights(monkeypatch, capsys):
    monkeypatch.setattr(callbacks.CSVLogger, "on_train_batch_end", interrupt_at_once, raising=False)
    assert main(["train", "small.toml"]) == 130
    assert "keeps weights.npz as of step 1," in capsys.readouterr().err
    check_interrupted(Path("runs/small-1"), epochs=0)


def check_interrupted(folder, epochs):
    assert sorted(os.listdir(folder)) == ["config.toml", "history.csv", "metrics.json", "weights.npz"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["interrupted"] is True
    assert metrics["epochs"] == epochs
    assert ("train_loss" in metrics) == (epochs > 0)
    with np.load(folder / "weights.npz", allow_pickle=False) as archive:
        assert all(np.isfinite(archive[name]).all() for name in archive.files)


def test_ctrl_c_before_an_epoch_leaves_nothing(monkeypatch, capsys):
    monkeypatch.setattr(callbacks.CSVLogger, "on_train_begin", interrupt_at_once)
    assert main(["train", "small.toml"]) == 130
    assert "No step was complete; no run folder is kept." in capsys.readouterr().err
    assert os.listdir("runs") == []


def test_a_real_ctrl_c():
    command = [sys.executable, "-m", "gputrain", "train", "small.toml", "--epochs", "1000000"]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    try:
        history = Path("runs/small-1/history.csv")
        deadline = time.monotonic() + 60
        while lines_in(history) < 2 and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
    assert (run.returncode, out) == (130, "")
    assert "gputrain: interrupted. runs/small-1 keeps weights.npz as of step" in err
    assert "Traceback" not in err
    assert sorted(os.listdir("runs/small-1")) == ["config.toml", "history.csv", "metrics.json", "weights.npz"]
    assert history.read_text().endswith("\n")


def test_a_full_disk_is_one_message(monkeypatch, capsys):
    def full(self, weights):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running.RunFolder, "write_weights", full)
    assert main(["train", "small.toml", "--epochs", "1"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(os.listdir("runs/small-1")) == ["config.toml", "history.csv"]


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "gputrain", "--version"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stdout) == (0, f"gputrain {gputrain.__version__}\n")


def lines_in(path):
    return path.read_text().count("\n") if path.exists() else 0


def environment():
    """Return an environment in which a new Python finds the gputrain that is under test."""
    return {**child_environment(), "PYTHONPATH": str(Path(gputrain.__file__).parents[1])}
