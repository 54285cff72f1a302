"""A full disk, folders that cannot be written to: one message that names the file, and nothing half done."""

import contextlib
import csv
import json
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from gputrain.app import reporting
from gputrain.app.recipes import open_run, run_log
from gputrain.app.recipes.run_folder import RunFolder
from gputrain.app.reporting import plotting
from tests.app.recipes.material import flowers, write_csv, write_recipe

pytestmark = pytest.mark.cpu_only("files on the host")
FULL = "File too large"


def listed(folder):
    return sorted(path.name for path in Path(folder).iterdir())


@contextlib.contextmanager
def files_of_at_most(size):
    """Within it no file grows beyond `size` bytes, as on a disk that is full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def full(refused):
    """Runs a command on such a disk; returns its message."""

    def call(size, *argv):
        with files_of_at_most(size):
            told = refused(1, *argv)
        assert not list(Path().rglob("*.part"))
        return told

    return call


def check_lines(folder):
    """What is written line by line has whole lines only."""
    for name in ("history.csv", "history.jsonl", "log.txt"):
        assert (folder / name).read_text().endswith("\n"), name
    epochs = [json.loads(line)["epoch"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert epochs == list(range(len(epochs)))
    rows = list(csv.reader((folder / "history.csv").read_text().splitlines()))
    assert len({len(row) for row in rows}) == 1
    return epochs


def test_no_room_for_the_config(full):
    assert full(100, "train", "small.toml") == f"gputrain: runs/small-1/config.toml: {FULL}"
    assert listed("runs") == []


def test_no_room_for_the_preparation(full):
    config_size = 1700
    changes = ["--set", "data.table.missing=predicted"]
    told = full(config_size, "train", "small.toml", *changes)
    assert told == f"gputrain: runs/small-1/preparation.json: {FULL}"
    assert listed("runs") == []


def test_no_room_for_the_history(full):
    told = full(3000, "train", "small.toml", "--epochs", 200)
    name = told.removeprefix("gputrain: runs/small-1/").partition(":")[0]
    assert name in ("history.csv", "history.jsonl", "log.txt")
    assert f"{FULL}. " in told
    epochs = check_lines(Path("runs/small-1"))
    assert 5 < len(epochs) < 200
    assert "weights.npz" not in listed("runs/small-1")
    kept = Path("elsewhere/gputrain-small-1-1")
    assert f"{kept.resolve()} keeps the weights as of step" in told
    assert check_lines(kept) == epochs
    assert open_run(kept).metrics["interrupted"] is True
    assert open_run(kept).model().get_weights()


@pytest.fixture
def wide(tmp_path):
    """A recipe of a model whose weights take more room than anything else."""
    layers = [{"type": "Dense", "units": 300}, {"type": "Dense", "units": "outputs", "activation": "softmax"}]
    data = {"file": "flowers.csv", "target": "species"}
    return write_recipe(tmp_path / "wide.toml", data=data, model={"layers": layers})


def test_no_room_for_the_weights(full, wide):
    """That is found before training."""
    assert full(5000, "train", wide) == f"gputrain: runs/small-1/weights.npz: {FULL}"
    assert listed("runs") == []


def test_the_weights_have_room_on_a_disk_that_fills_up(full, wide, monkeypatch):
    """What is written in their place later may be as large, and nothing else may."""
    write = RunFolder.write_weights

    def later(folder, *arguments):
        size = (next(folder.path.glob(".weights.npz.*.part"))).stat().st_size
        monkeypatch.setattr(RunFolder, "write_weights", write)
        with files_of_at_most(size):
            write(folder, *arguments)
        raise OSError(28, "No space left on device", "metrics.json")

    monkeypatch.setattr(RunFolder, "write_weights", later)
    told = full(10**6, "train", wide)
    assert "metrics.json: No space left on device. " in told
    assert "weights.npz" in listed("runs/small-1")


def test_no_room_anywhere_but_for_the_weights(full, wide, monkeypatch):
    """As where the folder for temporary files lies on the same disk."""
    append = run_log.append

    def no_room(path, data):
        if b"epoch 2" in data:
            raise OSError(28, "No space left on device", str(path))
        append(path, data)

    monkeypatch.setattr(run_log, "append", no_room)
    monkeypatch.setattr(tempfile, "tempdir", "flowers.csv")  # in which no folder can be made
    told = full(10**6, "train", wide)
    assert told.startswith("gputrain: runs/small-1/log.txt: No space left on device. ")
    assert "runs/small-1 keeps the weights as of step 6, with all that" in told
    assert open_run("runs/small-1").model().get_weights()


def test_a_run_folder_that_is_gone_at_the_end(refused, gputrain, monkeypatch):
    write = RunFolder.write_weights

    def gone(folder, *arguments):
        monkeypatch.setattr(RunFolder, "write_weights", write)
        shutil.rmtree(folder.path)
        write(folder, *arguments)

    monkeypatch.setattr(RunFolder, "write_weights", gone)
    told = refused(1, "train", "small.toml")
    kept = Path("elsewhere/gputrain-small-1-1").resolve()
    assert told.startswith("gputrain: runs/small-1/weights.npz: No such file or directory. ")
    assert f"{kept} keeps the weights as of step 6, with all that `gputrain evaluate`" in told
    done = gputrain("evaluate", kept)
    assert done.code == 0
    assert "test_accuracy" in done.out


def test_no_room_for_the_report(full):
    told = full(10_000, "train", "small.toml")
    rule = "runs/small-1: the run is complete, but its report could not be written."
    assert told.startswith(f"gputrain: {rule} Received: ")
    assert told.endswith(f"{FULL}: 'runs/small-1/report.html'.")
    assert open_run("runs/small-1").metrics["test_loss"] > 0
    assert "weights.npz" in listed("runs/small-1")


def test_no_room_for_the_pictures(full, monkeypatch):
    pytest.importorskip("matplotlib.pyplot")  # which writes files of its own once
    for module in (reporting, plotting):
        monkeypatch.setattr(module, "has_plot", lambda: True)
    told = full(10_000, "train", "small.toml")
    assert "the run is complete, but its report could not be written" in told
    assert told.endswith(f"{FULL}: 'runs/small-1/curves.png'.")
    assert "curves.png" not in listed("runs/small-1")


def test_no_room_for_the_predictions(full, trained, tmp_path):
    path = write_csv(tmp_path / "more.csv", flowers(500))
    told = full(4000, "predict", trained("table"), path, "--output", "out.csv")
    assert told == f"gputrain: out.csv: {FULL}"
    assert not Path("out.csv").exists()
    Path("out.csv").write_text("old")
    full(4000, "predict", trained("table"), path, "--output", "out.csv")
    assert Path("out.csv").read_text() == "old"


def test_no_room_for_a_sweep(full, gputrain):
    told = full(100, "sweep", "small.toml", "--set", "training.epochs=1,2")
    assert told == f"gputrain: runs/small-sweep-1/recipe.toml: {FULL}"
    assert listed("runs") == []


def test_no_room_for_a_run_of_a_sweep(full, gputrain):
    told = full(3000, "sweep", "small.toml", "--set", "training.epochs=1,200")
    assert told.endswith(FULL) or "report" in told
    done = gputrain("sweep", "runs/small-sweep-1", "--json")
    assert done.code == 0
    assert [group["runs"] for group in json.loads(done.out)["results"]] == [1, 1]


def test_a_disk_of_64_kilobytes(refused, wide, tmp_path):
    """A real one, where this may be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        made = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("a file system cannot be mounted here")
    try:
        (disk / "filling").write_bytes(bytes(30_000))
        told = refused(1, "train", wide, "--set", "model.layers[0].units=3000", "--out", disk)
        assert told == f"gputrain: {disk}/small-1/weights.npz: No space left on device"
        assert listed(disk) == ["filling"]
        assert not list(disk.rglob("*.part"))
    finally:
        subprocess.run(["umount", str(disk)], check=False)


# ----------------------------------------------------------------------------------- folders for reading only


NOT_WRITABLE = [path for path in ("/proc/self", "/sys") if Path(path).is_dir()]


@pytest.mark.parametrize("place", ["file", "file/below", *NOT_WRITABLE])
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_a_folder_that_cannot_be_made(refused, place, command):
    Path("file").write_text("")
    told = refused(1, command, "small.toml", "--out", place)
    assert f"A run needs a folder to write to. {place} cannot hold it. Received: " in told
    assert told.endswith("Name another folder with --out.")
    assert Path("file").read_text() == ""


def test_a_file_in_the_place_of_the_runs(refused):
    Path("runs").write_text("mine")
    assert "runs cannot hold it. Received: " in refused(1, "train", "small.toml")
    assert Path("runs").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_for_reading_only(refused):
    Path("runs").mkdir(mode=0o555)
    assert "runs cannot hold it. Received: Permission denied." in refused(1, "train", "small.toml")


def test_predictions_where_nothing_can_be_written(refused, trained, tmp_path):
    path = write_csv(tmp_path / "more.csv", flowers(5))
    for place in NOT_WRITABLE:
        assert refused(1, "predict", trained("table"), path, "--output", f"{place}/x.csv").startswith(
            f"gputrain: {place}/x.csv: "
        )
