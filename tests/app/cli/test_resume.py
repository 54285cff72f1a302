"""`gputrain train --resume`, and signals that end a run with its state saved."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.app.recipes import running
from gputrain.callbacks.backup import NEWEST
from tests.app.cli import signalled
from tests.app.recipes.material import flowers, write_csv
from tests.subprocesses import started

pytestmark = pytest.mark.cpu_only("what is computed is shown elsewhere")
RUN = Path("runs/small-1")


@pytest.fixture
def interrupted(gputrain: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run that was ended by Ctrl-C in the middle of its second epoch, as `main` hears of it."""

    def call() -> None:
        look, left = running.StopAtStep.on_train_batch_end, [5]

        def pressed(self: Any, batch: int, logs: Any = None) -> None:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            look(self, batch, logs)

        monkeypatch.setattr(running.StopAtStep, "on_train_batch_end", pressed)
        done = gputrain("train", "small.toml")
        assert (done.code, done.out) == (130, "")
        assert done.err.endswith("Resume: gputrain train --resume runs/small-1\n")
        monkeypatch.setattr(running.StopAtStep, "on_train_batch_end", look)

    return call


def arrays(folder: Path) -> dict[str, bytes]:
    with np.load(folder / "weights.npz") as archive:
        return {name: archive[name].tobytes() for name in archive.files}


def test_a_run_resumes_to_the_same_end(gputrain: Any, interrupted: Any) -> None:
    interrupted()
    assert json.loads((RUN / "metrics.json").read_text())["steps"] == 5
    assert (RUN / "history.csv").read_text().count("\n") == 2
    done = gputrain("train", "--resume", RUN, "--json")
    assert done.code == 0
    through = gputrain("train", "small.toml", "--json")
    both = [json.loads(text) for text in (done.out, through.out)]
    assert both[0]["test_loss"] == both[1]["test_loss"]
    other = Path("runs/small-2")
    assert arrays(RUN) == arrays(other)
    for name in ("history.csv", "history.jsonl"):
        assert (RUN / name).read_text() == (other / name).read_text()
    assert "the run resumes" in (RUN / "log.txt").read_text()
    assert sorted(path.name for path in RUN.iterdir()) == sorted(path.name for path in other.iterdir())


def test_what_is_complete_does_not_resume(gputrain: Any, refused: Any) -> None:
    gputrain("train", "small.toml")
    told = refused(2, "train", "--resume", RUN)
    assert told.startswith("gputrain: runs/small-1: The run is complete, so there is nothing to resume.")
    assert told.endswith("gputrain train runs/small-1")


def test_what_has_no_checkpoint_does_not_resume(interrupted: Any, refused: Any) -> None:
    interrupted()
    (RUN / NEWEST).unlink()
    assert "A run resumes from its checkpoint.npz, which is not there." in refused(
        2, "train", "--resume", RUN
    )


def test_a_damaged_checkpoint(interrupted: Any, refused: Any) -> None:
    interrupted()
    (RUN / NEWEST).write_bytes((RUN / NEWEST).read_bytes()[:-50])
    told = refused(1, "train", "--resume", RUN)
    assert "runs/small-1/checkpoint.npz: the zip file must be whole" in told
    assert told.endswith("Begin anew: gputrain train runs/small-1")
    assert (RUN / "weights.npz").exists()


def test_another_recipe_is_refused(interrupted: Any, refused: Any) -> None:
    interrupted()
    told = refused(2, "train", "--resume", RUN, "--set", "optimizer.learning_rate=0.5", "--epochs", 9)
    assert "A run resumes as it was begun. Received: optimizer.learning_rate: 0.01 there, 0.5 here; " in told
    assert "training.epochs: 2 there, 9 here." in told


def test_other_data_is_refused(interrupted: Any, refused: Any) -> None:
    interrupted()
    write_csv(Path("flowers.csv"), flowers(seed=4))
    told = refused(2, "train", "--resume", RUN)
    assert (
        "checkpoint.npz is of another training, so this one cannot resume there. Received: data.x: " in told
    )
    assert (RUN / NEWEST).exists()


@pytest.mark.parametrize("arguments", [(), ("small.toml", "--resume", "runs/small-1")])
def test_a_recipe_or_a_run(gputrain: Any, arguments: tuple[str, ...]) -> None:
    done = gputrain("train", *arguments)
    assert done.code == 2
    assert "name a recipe, or a run folder with --resume" in done.err


def test_no_run_folder(refused: Any) -> None:
    assert "A run folder holds a config.toml." in refused(2, "train", "--resume", "runs/nothing")


def test_handlers_are_put_back(gputrain: Any) -> None:
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = list(map(signal.getsignal, numbers))
    gputrain("train", "small.toml", "--epochs", 1)
    assert list(map(signal.getsignal, numbers)) == before


def test_signals_at_random_moments() -> None:
    found = signalled.run(6, seed=3)
    print(f"{found.total()} signals: {dict(found)}")
    assert found.total() == 6


def test_an_ignored_signal_stays_ignored() -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started("train", "small.toml", "--epochs", "400")
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        deadline = time.monotonic() + 60
        while not (RUN / "history.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0
