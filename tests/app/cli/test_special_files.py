"""Pipes, sockets, folders and links in the place of a run's files: refused at once, never waited for."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gputrain.callbacks.backup import NEWEST
from tests.app.recipes.material import flowers, write_csv

pytestmark = pytest.mark.cpu_only("files on the host")
RUN = Path("copied")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = [a_pipe, a_socket, a_device, Path.mkdir]


@pytest.fixture(autouse=True)
def _nobody_waits() -> Iterator[None]:
    def late(*arguments: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def replaced(trained: Any, tmp_path: Path) -> Callable[..., None]:
    """Puts something else in the place of a file of a run."""

    def call(name: str, make: Callable[[Path], None]) -> None:
        shutil.rmtree(RUN, ignore_errors=True)
        trained.copy("table", tmp_path)
        (RUN / name).unlink(missing_ok=True)
        make(RUN / name)

    return call


COMMANDS = {
    "evaluate": (["evaluate", RUN], ["config.toml", "preparation.json", "weights.npz", "metrics.json"]),
    "predict": (
        ["predict", RUN, "more.csv"],
        ["config.toml", "preparation.json", "weights.npz", "metrics.json"],
    ),
    "compare": (["compare", RUN], ["config.toml", "metrics.json"]),
    "summary": (["summary", RUN], ["config.toml", "metrics.json"]),
    "train": (["train", RUN], ["config.toml"]),
}


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_in_the_place_of_a_file_of_a_run(
    refused: Any, replaced: Any, tmp_path: Path, command: str, make: Callable[[Path], None]
) -> None:
    write_csv(tmp_path / "more.csv", flowers(5))
    argv, names = COMMANDS[command]
    for name in names:
        replaced(name, make)
        told = refused(2 if name == "config.toml" else 1, *argv)
        if name == "config.toml":
            assert "config.toml" in told
        else:
            assert f"copied/{name}: only regular files are read. Expected: a file. " in told


@pytest.mark.parametrize("name", ["history.csv", "history.jsonl", "log.txt", "summary.txt", NEWEST])
@pytest.mark.parametrize("make", [a_pipe, a_socket, a_device])
def test_in_a_run_that_resumes(refused: Any, replaced: Any, name: str, make: Callable[[Path], None]) -> None:
    replaced("metrics.json", lambda path: (path.parent / NEWEST).write_bytes(b""))
    (RUN / name).unlink(missing_ok=True)
    make(RUN / name)
    told = refused(1, "train", "--resume", RUN)
    assert f"copied/{name}: a run that resumes has plain files. Expected: a file. " in told


def test_a_link_in_a_run_that_resumes_is_not_written_to(refused: Any, replaced: Any) -> None:
    Path("mine").write_text("mine")
    replaced("metrics.json", lambda path: (path.parent / NEWEST).write_bytes(b""))
    (RUN / "log.txt").unlink()
    (RUN / "log.txt").symlink_to(Path("mine").resolve())
    assert "copied/log.txt: a run that resumes has plain files" in refused(1, "train", "--resume", RUN)
    assert Path("mine").read_text() == "mine"


@pytest.mark.parametrize("make", [a_pipe, a_socket, Path.mkdir])
def test_in_the_place_of_the_plan_of_a_sweep(gputrain: Any, make: Callable[[Path], None]) -> None:
    gputrain("sweep", "small.toml", "--set", "training.epochs=1,2")
    folder = Path("runs/small-sweep-1")
    for name in ("recipe.toml", "sweep.json"):
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        make(folder / name)
        done = gputrain("sweep", folder)
        assert (done.code, done.out) in ((1, ""), (2, "")), done
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
        (folder / name).write_bytes(kept)
