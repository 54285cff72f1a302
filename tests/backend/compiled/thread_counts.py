"""The same work on other numbers of threads, each in a process of its own: a pool never gets smaller."""

from __future__ import annotations

import subprocess
import sys

from tests.on_device import child_environment

START = """
import hashlib, sys
import numpy as np
from gputrain.backend import current_device
from gputrain.runtime.eager import run_once
on = current_device("numpy")
rng = np.random.default_rng(0)
def show(op, *inputs):
    outs = run_once(op, list(inputs), on)
    print(hashlib.sha256(b"".join(np.ascontiguousarray(out).tobytes() for out in outs)).hexdigest())
    return outs
"""


def without_sanitizer() -> dict[str, str]:
    """The environment of a process that has the library of the package, whatever this one has."""
    return {name: text for name, text in child_environment().items() if name != "LD_PRELOAD"}


def same_on_all(program: str, level: str) -> None:
    """The same bits from one thread and from several: the program shows results with `show(op, *inputs)`."""
    found = set()
    for threads in (1, 2, 5):
        env = {
            **without_sanitizer(),
            "GPUTRAIN_THREADS": str(threads),
            "GPUTRAIN_BACKEND": "numpy",
            "GPUTRAIN_CPU_INSTRUCTIONS": level,
        }
        done = subprocess.run(
            [sys.executable, "-c", START + program], env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
    assert found.pop()
