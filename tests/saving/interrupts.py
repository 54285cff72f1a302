"""Interrupts trainings of this process by Ctrl-C at random moments: what is in memory and in files then?

python -m tests.saving.interrupts 1000          # about five minutes
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gputrain import callbacks
from gputrain.callbacks.backup import NEWEST
from gputrain.saving import checkpoint, set_state_tree, state_tree
from tests.saving.trainings import CASES, built, of_step, settings

LONGEST = 0.3  # seconds from the beginning of a fit to Ctrl-C


class Steps(callbacks.Callback):
    """Keeps what each step makes, and where fit stands then."""

    saves_state = True

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, set[str]] = {}
        self.steps_of_epochs: list[int] = []

    def keep(self) -> None:
        """Keep the state of now."""
        tree = state_tree(self.model)
        self.made.setdefault(int(tree["training"]["step"]), set()).add(of_step(tree))

    def on_train_begin(self, logs: Any = None) -> None:
        self.keep()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.keep()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.keep()  # a callback may have set the learning rate
        self.steps_of_epochs.append(int(self.model.step_counter))

    def on_train_end(self, logs: Any = None) -> None:
        self.keep()  # or the best weights


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Send this process SIGINT after so many seconds, unless the block is over by then."""
    over = threading.Event()

    def send() -> None:
        if not over.wait(seconds):
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Trial:
    """One training that is interrupted again and again, and resumes from its last checkpoint.

    Args:
        case: which.
        folder: for its files.
    """

    def __init__(self, case: str, folder: Path) -> None:
        self.case, self.folder = case, folder
        self.model, listeners = built(case)
        self.steps, self.first = Steps(), First()
        self._fit([self.first, *listeners, self.steps])
        self.log = (folder / "log.csv").read_text()

    def _listeners(self) -> list[Any]:
        """All that a training has; the model is at its beginning, where no checkpoint is."""
        if not (self.folder / "backup" / NEWEST).exists():
            set_state_tree(self.model, self.first.tree)
        return [*CASES[self.case][0]()[1], callbacks.BackupAndRestore(self.folder / "backup", save_freq=3)]

    def _fit(self, listeners: list[Any]) -> None:
        data = {
            **settings(self.case),
            "callbacks": [*listeners, callbacks.CSVLogger(self.folder / "log.csv")],
        }
        self.model.fit(**data)

    def fit(self) -> None:
        """Train on, to the end."""
        self._fit(self._listeners())

    def interrupt(self, rng: random.Random) -> bool:
        """Train on, send Ctrl-C at a random moment, look at everything; whether it came before the end."""
        try:
            with interrupted_after(rng.uniform(0, LONGEST)):
                self.fit()
        except KeyboardInterrupt:
            self.check()
            return True
        return False

    def check(self) -> None:
        """Memory and files are those of an exact step.

        Raises:
            AssertionError: they are not.
        """
        tree = state_tree(self.model)
        step, training = int(tree["training"]["step"]), tree["training"]
        assert of_step(tree) in self.steps.made[step], f"a mixture at step {step}"
        before = [0, *self.steps.steps_of_epochs][training["epoch"]]
        assert before + training["batch"] == step, f"{before} + {training['batch']} is not {step}"
        assert self.log.startswith((self.folder / "log.csv").read_text()), "a log of something else"
        newest = self.folder / "backup" / NEWEST
        if newest.exists():
            kept = checkpoint.read(newest).tree
            assert of_step(kept) in self.steps.made[int(kept["training"]["step"])], "a mixture in a file"
        leftovers = [path for path in self.folder.rglob("*.part") if not path.name.startswith(f".{NEWEST}")]
        assert not leftovers, leftovers


class First(callbacks.Callback):
    """Keeps the state at the beginning."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.tree = state_tree(self.model)


def run(times: int, seed: int, cases: list[str], say: bool = True) -> Counter[str]:
    """Interrupt so many times, over these cases in turn; how often in each."""
    rng, found = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as base:
        for number, case in enumerate(cases):
            folder = Path(base) / str(number)
            folder.mkdir()
            trial = Trial(case, folder)
            while found[case] < times // len(cases) + (number < times % len(cases)):
                found[case] += trial.interrupt(rng)
            if say:
                print(f"{case}: {found[case]} interrupts, each at an exact step", flush=True)
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs behind it ignore it
    count = run(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0, cases=list(CASES))
    print(f"{count.total()} interrupts, all at an exact step")
