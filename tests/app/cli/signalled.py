"""Ends `gputrain train` by SIGINT, SIGTERM and SIGHUP at random moments, and resumes it.

python -m tests.app.cli.signalled 60          # about two minutes
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gputrain.callbacks.backup import NEWEST
from tests.app.recipes.material import flowers, write_csv, write_recipe

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RUN = "runs/small-1"
FILES = ("weights.npz", "history.csv", "history.jsonl")
LAYERS = [
    {"type": "Dense", "units": 16, "activation": "relu"},
    {"type": "Dropout", "rate": 0.3},
    {"type": "BatchNormalization"},
    {"type": "Dense", "units": "outputs", "activation": "softmax"},
]


def prepare(folder: Path) -> None:
    """Write data and a recipe: dropout, clipping, a rate that is lowered, an early end."""
    write_csv(folder / "flowers.csv", flowers(150))
    write_recipe(
        folder / "small.toml",
        data={"file": str(folder / "flowers.csv"), "target": "species", "validation_fraction": 0.2},
        model={"layers": LAYERS},
        optimizer={"clipnorm": 0.5},
        training={"epochs": 20, "save_freq": 4},
        callbacks=[
            {"name": "early_stopping", "patience": 5, "min_delta": 0.02, "restore_best_weights": True},
            {"name": "reduce_lr_on_plateau", "monitor": "loss", "patience": 3, "min_delta": 0.01},
        ],
    )


def forked(work: Callable[[], int], folder: Path) -> int:
    """The id of a process that does some work in a folder, saying nothing."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.chdir(folder)
        for descriptor in (1, 2):
            os.dup2(os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        for number in SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def command(*arguments: str) -> Callable[[], int]:
    """The command line, without pictures, in a process that has not imported anything of the device."""

    def work() -> int:
        from gputrain.app import reporting
        from gputrain.app.cli import main

        reporting.has_plot = lambda: False
        return main(list(arguments))

    return work


def recorded() -> int:
    """Train through, keeping the weights after each step."""
    from gputrain import callbacks
    from gputrain.app.recipes import running

    class Record(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            values = {f"v{i}": value for i, value in enumerate(self.model.get_weights())}
            np.savez(f"step-{int(self.model.step_counter)}.npz", **values)

    given = running.callbacks_of
    running.callbacks_of = lambda recipe: [Record(), *given(recipe)]
    return command("train", "small.toml")()


def ended(child: int) -> int:
    """The exit code of a process."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def same_arrays(first: Path, second: Path) -> bool:
    """Whether two npz files hold equal arrays, in order."""
    with np.load(first) as one, np.load(second) as two:
        return [one[name].tobytes() for name in one.files] == [two[name].tobytes() for name in two.files]


class Runs:
    """Runs of one recipe, compared with one that nobody disturbed.

    Args:
        base: a folder for all of them.
    """

    def __init__(self, base: Path) -> None:
        self.base, self.through = base, base / "through"
        self.through.mkdir()
        prepare(base)
        (self.through / "small.toml").symlink_to(base / "small.toml")
        start = time.perf_counter()
        assert ended(forked(recorded, self.through)) == 0, (self.through / "output.txt").read_text()
        self.seconds = time.perf_counter() - start
        self.training = json.loads((self.through / RUN / "metrics.json").read_text())["seconds"]

    def disturb(self, number: int, rng: random.Random) -> str:
        """Train, send a signal, look, resume if there is something, look; what happened, in words.

        Raises:
            AssertionError: something is not as it would be after an exact step, or at the end.
        """
        folder = self.base / str(number)
        folder.mkdir()
        (folder / "small.toml").symlink_to(self.base / "small.toml")
        child, sent = forked(command("train", "small.toml"), folder), SIGNALS[number % len(SIGNALS)]
        if rng.random() < 0.2:
            time.sleep(rng.uniform(0, self.seconds))
        else:
            while not (folder / RUN / "history.csv").exists() and not os.waitpid(child, os.WNOHANG)[0]:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, self.training))
        os.kill(child, sent)
        code, told = ended(child), (folder / "output.txt").read_text()
        if code == -sent:
            return "before it listens"
        assert code in (0, 128 + sent), f"code {code}: {told}"
        assert not list(folder.rglob("*.part")), told
        if code == 0 or not (folder / RUN).exists():
            return "after its end" if code == 0 else "before the first step"
        if (folder / RUN / "report.html").exists() or "complete but for its report" in told:
            return "while the report was written"
        self.check_step(folder / RUN, told)
        assert ended(forked(command("train", "--resume", RUN), folder)) == 0, told
        for name in FILES:
            both = [(place / RUN / name).read_bytes() for place in (folder, self.through)]
            assert both[0] == both[1], f"{name} is another one after the run resumed"
        return "while it trained or tested"

    def check_step(self, run: Path, told: str) -> None:
        """What an ended run keeps is that of an exact step, or of the end."""
        metrics = json.loads((run / "metrics.json").read_text())
        after = self.through / f"step-{metrics['steps']}.npz"
        ends = self.through / RUN / "weights.npz"
        assert same_arrays(run / "weights.npz", after) or same_arrays(run / "weights.npz", ends), told
        for name in FILES[1:]:
            assert (self.through / RUN / name).read_bytes().startswith((run / name).read_bytes()), name
        assert (run / NEWEST).exists(), told
        assert f"gputrain train --resume {RUN}" in told, told


def run(times: int, seed: int) -> Counter[str]:
    """So many signals; how often when."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as base:
        runs = Runs(Path(base).resolve())
        return Counter(runs.disturb(number, rng) for number in range(times))


if __name__ == "__main__":
    os.environ.setdefault("GPUTRAIN_BACKEND", "numpy")
    found = run(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"{found.total()} signals: {dict(found)}")
