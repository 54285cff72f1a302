"""Ends trainings with SIGKILL at random moments, resumes them, and compares with those that were let be.

python -m tests.saving.kills 50          # about four minutes
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from gputrain.callbacks.backup import NEWEST, PREVIOUS
from gputrain.saving import checkpoint
from tests.saving.trainings import CASES
from tests.subprocesses import environment


def started(case: str, folder: Path) -> subprocess.Popen[str]:
    """A process that trains, or goes on with a training."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.saving.trainings", case, str(folder)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def finished(case: str, folder: Path) -> float:
    """Train to the end; the seconds from the beginning of fit."""
    process = started(case, folder)
    assert process.stdout is not None
    process.stdout.readline()
    start = time.perf_counter()
    _, told = process.communicate()
    assert process.returncode == 0, told
    return time.perf_counter() - start


def killed(case: str, folder: Path, seconds: float, rng: random.Random) -> str:
    """Train and end it at a random moment; where it was, or "" if it was over before."""
    process = started(case, folder)
    assert process.stdout is not None
    if rng.random() > 0.1:  # else while it starts
        process.stdout.readline()
    time.sleep(rng.uniform(0, seconds))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if (folder / "result.json").exists():
        return ""
    return place(folder / "backup")


def place(backup: Path) -> str:
    """Where the newest checkpoint stands; both load, if they are there."""
    found = [checkpoint.read(backup / name).tree for name in (NEWEST, PREVIOUS) if (backup / name).exists()]
    if not found:
        return "no checkpoint yet"
    training = found[0]["training"]
    return f"epoch {training['epoch']}, batch {training['batch']}"


def run(times: int, seed: int, cases: list[str], say: bool = True) -> Counter[str]:
    """Kill so many times, over these cases in turn; how often where.

    Raises:
        AssertionError: a resumed training ended otherwise than the one that was let be.
    """
    rng, kills, number = random.Random(seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as base:
        expected: dict[str, tuple[float, dict[str, str]]] = {}
        while kills.total() < times:
            case, folder = cases[number % len(cases)], Path(base) / str(number)
            number += 1
            if case not in expected:
                through = Path(base) / f"through {len(expected)}"
                expected[case] = finished(case, through), results(through)
            seconds, result = expected[case]
            here: list[str] = []
            while kills.total() < times and (at := killed(case, folder, seconds, rng)):
                kills[at] += 1
                here.append(at)
            if not (folder / "result.json").exists():
                finished(case, folder)
            found = results(folder)
            other = [
                f"{name}: {found[name]}, not {result[name]}" for name in result if found[name] != result[name]
            ]
            assert not other, f"{case}, killed at {'; '.join(here)}: " + "; ".join(other)
            if say:
                print(f"{case}: {len(here)} kills ({'; '.join(here)}), equal bit for bit", flush=True)
    return kills


def results(folder: Path) -> dict[str, str]:
    """What a training left: weights, history and log."""
    found = json.loads((folder / "result.json").read_text())
    leftovers = [path.name for path in folder.rglob("*.part")]
    assert not leftovers, leftovers
    return {**found, "log": (folder / "log.csv").read_text()}


if __name__ == "__main__":
    os.environ.setdefault("GPUTRAIN_BACKEND", "numpy")
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    count = run(int(sys.argv[1]), seed, cases=sys.argv[3:] or list(CASES))
    print(f"{count.total()} kills, all resumed to equal weights, histories and logs")
