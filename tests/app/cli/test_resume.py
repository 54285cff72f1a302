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

from gputrain import callbacks
from gputrain.app import recipes
from gputrain.app.cli import signals
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


def lost(*arguments: Any) -> None:
    raise OSError(5, "Input/output error")


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


def test_a_run_that_is_still_going_on_does_not_resume(gputrain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another tries while it writes; the run itself ends as ever, and lets go."""
    look, tries = running.StopAtStep.on_epoch_end, []

    def other_tries(self: Any, epoch: int, logs: Any = None) -> None:
        told = r"runs/small-1: The run is still going on\. Wait for its end"
        with pytest.raises(BlockingIOError, match=told):
            recipes.resume(RUN, verbose=0)
        tries.append(epoch)
        look(self, epoch, logs)

    monkeypatch.setattr(running.StopAtStep, "on_epoch_end", other_tries)
    assert gputrain("train", "small.toml").code == 0
    assert tries == [0, 1]
    with pytest.raises(recipes.RecipeError, match="The run is complete"):
        recipes.resume(RUN)


@pytest.mark.parametrize("first", ["the signal", "the error"])
def test_a_signal_does_not_hide_an_error(gputrain: Any, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    def terminated() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)

    def full(self: Any, epoch: int, logs: Any = None) -> None:
        if first == "the signal":
            terminated()
        raise OSError(28, "No space left on device", "history.csv")

    keep = running._keep_elsewhere

    def kept(*arguments: Any) -> Any:
        if first == "the error":
            terminated()
        return keep(*arguments)

    monkeypatch.setattr(callbacks.CSVLogger, "on_epoch_end", full)
    monkeypatch.setattr(running, "_keep_elsewhere", kept)
    done = gputrain("train", "small.toml")
    assert done.code == 128 + signal.SIGTERM
    assert "gputrain: interrupted. history.csv: No space left on device. " in done.err
    assert "keeps the weights as of step 3, with all that" in done.err


def test_a_signal_in_an_import_is_told_without_its_words() -> None:
    def imports() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        except signals.Ended as ended:
            raise ImportError("no such module") from ended

    with pytest.raises(signals.Ended, match=r"^$"), signals.heeded():
        imports()


def test_what_could_not_be_saved_is_told(gputrain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At SIGTERM the state cannot be written."""

    def terminated(self: Any, batch: int, logs: Any = None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        self._stop.look()

    def full(self: Any) -> None:
        raise OSError(28, "No space left on device", "checkpoint.npz")

    monkeypatch.setattr(running.StopAtStep, "on_train_batch_end", terminated)
    monkeypatch.setattr(callbacks.BackupAndRestore, "save", full)
    done = gputrain("train", "small.toml")
    assert done.code == 128 + signal.SIGTERM
    assert "runs/small-1 keeps weights.npz as of step 1" in done.err
    assert "StopAtStep.on_exception failed: OSError: [Errno 28] No space left on device" in done.err


def test_a_lost_terminal_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(os, "isatty", lambda descriptor: descriptor == stream.fileno())
        monkeypatch.setattr(signals.sys, "__stdout__", stream)
        os.close(master)
        monkeypatch.setattr(os, "write", lost)
        lowest = os.dup(0)
        os.close(lowest)
        signals._let_go_of_lost_terminals()
        after = os.dup(0)
        os.close(after)
        assert os.fstat(stream.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    assert after == lowest


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
