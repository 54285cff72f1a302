"""Ctrl-C at every stage: one line, exit code 130, and whole files only."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from gputrain import callbacks
from gputrain.app.recipes import find_lr, job, predicting, running, sweep, testing
from gputrain.app.recipes.data import origins
from tests.app.recipes.material import flowers, write_csv, write_recipe
from tests.subprocesses import started

pytestmark = pytest.mark.cpu_only("what is computed is shown elsewhere")
BEGUN = ["config.toml", "history.csv", "history.jsonl", "log.txt", "preparation.json", "summary.txt"]
DONE = sorted([*BEGUN, "metrics.json", "weights.npz"])
KEPT = sorted([*DONE, "checkpoint.npz"])
RESUME = " Resume: gputrain train --resume runs/small-1"


def listed(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


def interrupt_after(function, calls):
    """Return `function`, which is interrupted once it has done its work so often."""
    left = [calls]

    def interrupted(*arguments, **options):
        result = function(*arguments, **options)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return result

    return interrupted


@pytest.fixture
def stopped(refused):
    """Runs a command that is interrupted; returns what it says of that."""

    def call(*argv):
        told = refused(130, *argv)
        assert told.startswith("gputrain: interrupted.")
        assert not list(Path().rglob("*.part"))
        return told

    return call


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (origins, "read"),
        (job, "compiled_model"),
        (running, "callbacks_of"),
        (callbacks.CSVLogger, "on_train_begin"),
    ],
)
def test_before_the_first_step_nothing_is_left(stopped, monkeypatch, place, name):
    monkeypatch.setattr(place, name, interrupt)
    stopped("train", "small.toml")
    assert not Path("runs").exists() or listed("runs") == []


def check_interrupted(folder, epochs, kept=KEPT):
    assert listed(folder) == kept
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["interrupted"] is True
    assert metrics["epochs"] == epochs
    assert ("train_loss" in metrics) == (epochs > 0)
    lines = (folder / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(epochs))
    with np.load(folder / "weights.npz", allow_pickle=False) as archive:
        assert all(np.isfinite(archive[name]).all() for name in archive.files)


def test_within_the_first_epoch_the_weights_are_kept(stopped, monkeypatch):
    monkeypatch.setattr(callbacks.CSVLogger, "on_train_batch_end", interrupt, raising=False)
    told = stopped("train", "small.toml")
    assert told == (
        "gputrain: interrupted. runs/small-1 keeps weights.npz as of step 1, config.toml, and the history "
        "and metrics of 0 complete epoch(s)."
    )
    check_interrupted(Path("runs/small-1"), epochs=0, kept=DONE)  # where nobody could save the state


def test_after_an_epoch_its_figures_are_kept(stopped, monkeypatch):
    # The third line of the log is that of the first epoch; samples and classes come before it.
    monkeypatch.setattr(running.RunLog, "write", interrupt_after(running.RunLog.write, 3))
    told = stopped("train", "small.toml")
    assert "runs/small-1 keeps weights.npz as of step 3, " in told
    assert "metrics of 1 complete epoch(s)." in told
    check_interrupted(Path("runs/small-1"), epochs=1, kept=DONE)


@pytest.mark.parametrize("name", ["test", "test_figures"])
def test_while_testing_the_trained_weights_are_kept(stopped, monkeypatch, name):
    monkeypatch.setattr(running, name, interrupt)
    told = stopped("train", "small.toml")
    assert "runs/small-1 keeps weights.npz as of step 6, " in told
    assert told.endswith(RESUME)
    check_interrupted(Path("runs/small-1"), epochs=2)


def test_while_the_report_is_written_the_run_is_complete(stopped, monkeypatch):
    monkeypatch.setattr(running, "write_report", interrupt)
    assert (
        stopped("train", "small.toml")
        == "gputrain: interrupted. runs/small-1 is complete but for its report."
    )
    assert listed("runs/small-1") == DONE
    metrics = json.loads(Path("runs/small-1/metrics.json").read_text())
    assert "interrupted" not in metrics
    assert "test_accuracy" in metrics


def test_twice(stopped, monkeypatch):
    """The second Ctrl-C comes while the first one's weights are saved."""
    monkeypatch.setattr(testing.models.Sequential, "evaluate", interrupt)
    monkeypatch.setattr(running.RunFolder, "write_weights", interrupt)
    assert stopped("train", "small.toml") == "gputrain: interrupted."
    assert listed("runs/small-1") == sorted([*BEGUN, "checkpoint.npz"])


def test_a_sweep_says_how_to_go_on(stopped, gputrain, monkeypatch):
    monkeypatch.setattr(sweep, "run", interrupt_after(sweep.run, 2))
    told = stopped("sweep", "small.toml", "--set", "optimizer.name=sgd,adam,rmsprop")
    assert told == "gputrain: interrupted. `gputrain sweep runs/small-sweep-1` goes on."
    done = gputrain("sweep", "runs/small-sweep-1")
    assert done.code == 0
    assert "[3/3] optimizer.name=rmsprop" in done.err
    assert "optimizer.name=sgd" not in done.err


def test_a_run_of_a_sweep_resumes(stopped, gputrain, monkeypatch):
    monkeypatch.setattr(running, "test", interrupt_after(running.test, 2))
    told = stopped("sweep", "small.toml", "--set", "optimizer.name=sgd,adam")
    assert "small-1 keeps weights.npz as of step 6" in told
    assert told.endswith("`gputrain sweep runs/small-sweep-1` goes on.")
    done = gputrain("sweep", "runs/small-sweep-1", "--json")
    assert [group["runs"] for group in json.loads(done.out)["results"]] == [1, 1]
    assert listed("runs/small-sweep-1/2-seed-3") == ["small-1"]


def test_find_lr_is_stopped(stopped, monkeypatch):
    monkeypatch.setattr(find_lr, "_loss", interrupt_after(find_lr._loss, 5))
    assert stopped("find-lr", "small.toml", "--plot", "a.png") == "gputrain: interrupted."
    assert not Path("a.png").exists()


def test_predictions_are_whole_or_not_there(stopped, trained, monkeypatch, tmp_path):
    path = write_csv(tmp_path / "more.csv", flowers(600))
    monkeypatch.setattr(predicting, "ROWS", 256)
    monkeypatch.setattr(predicting, "_portion", interrupt_after(predicting._portion, 2))
    assert stopped("predict", trained("table"), path, "--output", "out.csv") == "gputrain: interrupted."
    assert not Path("out.csv").exists()


def test_evaluate_is_stopped(stopped, trained, monkeypatch):
    monkeypatch.setattr(origins, "read_file", interrupt)
    assert stopped("evaluate", trained("table")) == "gputrain: interrupted."


# ------------------------------------------------------------------------------------------- real signals


def lines_in(path):
    return path.read_text().count("\n") if path.exists() else 0


@pytest.mark.parametrize("times", [1, 3])
def test_a_real_ctrl_c(times):
    process = started("train", "small.toml", "--epochs", "1000000")
    try:
        history = Path("runs/small-1/history.csv")
        deadline = time.monotonic() + 60
        while lines_in(history) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("gputrain: interrupted.")
    assert not list(Path().rglob("*.part"))
    assert history.read_text().endswith("\n")
    if times == 1:
        assert "runs/small-1 keeps weights.npz as of step" in err
        assert listed("runs/small-1") == KEPT


def has_open(process, path):
    """Whether a process is reading a file."""
    descriptors = Path(f"/proc/{process.pid}/fd")
    try:
        return any(os.path.realpath(descriptor) == str(path) for descriptor in descriptors.iterdir())
    except FileNotFoundError:  # it has ended, or has just closed one
        return False


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say which files are open")
def test_a_real_ctrl_c_while_data_is_read(tmp_path):
    """The recipe's data is a large file, which takes seconds to read."""
    with (tmp_path / "large.csv").open("w") as stream:
        stream.write("x,species\n" + "1.5,a\n2.5,b\n" * 1_500_000)
    write_recipe(tmp_path / "large.toml", data={"file": "large.csv", "target": "species"})
    process = started("train", "large.toml")
    try:
        deadline = time.monotonic() + 60
        while not has_open(process, tmp_path / "large.csv") and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, ""), err
    assert err.splitlines()[-1] == "gputrain: interrupted."
    assert not Path("runs").exists()
