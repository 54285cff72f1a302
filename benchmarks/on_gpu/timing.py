"""Rounds in turn, and what is made of their times."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

WARM_ROUNDS = 2


class Side(Protocol):
    """One of those that are compared."""

    name: str

    def round(self) -> None:
        """Train for a round of steps, as fast as it goes."""

    def wait(self) -> None:
        """Return when the device has done all that it was asked to."""

    def losses(self, batches: Sequence[np.ndarray]) -> list[float]:
        """The loss of each training step on these rows."""

    def inference_loss(self, rows: np.ndarray) -> float:
        """The loss on these rows without training."""


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and the least of some samples."""
    first, middle, third = np.quantile(samples, [0.25, 0.5, 0.75]).tolist()
    return {"median": middle, "first_quartile": first, "third_quartile": third, "best": min(samples)}


@contextmanager
def without_collection() -> Iterator[None]:
    """Within it, Python's garbage collector rests, as under timeit."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def time_round(side: Side) -> float:
    """Milliseconds of a round, from an idle device to an idle device."""
    side.wait()
    start = time.perf_counter()
    side.round()
    side.wait()
    return (time.perf_counter() - start) * 1e3


def warm_up(side: Side) -> str | None:
    """Rounds that compile, record and choose algorithms; why the side cannot be timed, or None."""
    try:
        for _ in range(WARM_ROUNDS):
            time_round(side)
    except Exception as error:  # noqa: BLE001 - a peer that fails is left out, whatever it died of
        return in_a_line(error)
    return None


def in_a_line(error: BaseException) -> str:
    """An exception for people, on one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")


def alternate(sides: Mapping[str, Side], rounds: Iterator[int], steps: int) -> dict[str, list[float]]:
    """Milliseconds per step of every round, the sides taking turns, so that a busy moment hits all.

    Args:
        sides: warmed up.
        rounds: numbers of the rounds; a progress bar may stand behind it.
        steps: of one round.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    with without_collection():
        for number in rounds:
            order = list(sides)[:: 1 if number % 2 == 0 else -1]
            for name in order:
                times[name].append(time_round(sides[name]) / steps)
    return times


def ratios(times: Mapping[str, Mapping[str, Any]], ours: str) -> dict[str, float]:
    """How many times longer each other side takes than ours."""
    mine = times[ours]["median"]
    return {name: figures["median"] / mine for name, figures in times.items() if name != ours}
