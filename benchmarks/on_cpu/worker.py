"""A process that measures one side: it reads requests, one a line, and answers each with a line.

    python -m benchmarks.on_cpu.worker SIDE

A request is a JSON list: the name of what to do, then its arguments. The first line that it writes says what
runs, or why the side is not here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from typing import Any, TextIO

from tests.networks import NETWORKS

SIDES = {  # module and class
    "gputrain": ("ours", "Ours"),
    "gputrain on NumPy": ("ours", "Ours"),
    "pytorch": ("torch_peer", "Torch"),
    "keras jax": ("keras_peer", "Keras"),
    "keras tensorflow": ("keras_peer", "Keras"),
}
WARM = 2  # steps of a round at least
TRIALS = 3  # the first ones trace, compile and plan


def make(name: str) -> Any:
    """A side by its name; ImportError where it is not installed."""
    module, kind = SIDES[name]
    return getattr(import_module(f"benchmarks.on_cpu.{module}"), kind)()


def prepare(side: Any, name: str, seconds: float, most: int) -> int:
    """Make a network ready and warm it up; how many steps last about so many seconds."""
    side.prepare(NETWORKS[name], most)
    step = min(side.round(WARM) for _ in range(TRIALS)) / WARM
    steps = min(most, max(WARM, round(seconds / step)))
    side.round(steps)
    return steps


def best(measure: Callable[[int], float], size: int, repeats: int) -> float:
    """The least of several times."""
    return min(measure(size) for _ in range(repeats))


def answer(side: Any, what: str, *given: Any) -> Any:
    """What one request asks for."""
    if what == "prepare":
        return prepare(side, *given)
    if what == "best":
        measure = getattr(side, given[0], None)
        return best(measure, *given[1:]) if measure else None
    found = getattr(side, what)(*given)
    return asdict(found) if what == "work" else found


def serve(name: str, requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end."""

    def say(found: Any) -> None:
        print(json.dumps(found), file=answers, flush=True)

    try:
        side = make(name)
    except ImportError as error:
        return say({"missing": str(error)})
    say({"version": side.version, "words": side.words})
    for line in requests:
        try:
            say({"found": answer(side, *json.loads(line))})
        except Exception as error:  # noqa: BLE001 - a side that fails is left out, whatever it died of
            say({"failed": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    serve(sys.argv[1], sys.stdin, replies)
