"""A warm step of fit walks through the rooms; it does not run to and fro between them.

A profiler hook records each function of gputrain that is called from one batch to the next, and the room it
belongs to. What the device calls while it runs the plan belongs to the device: references of operations and
random words are bound into the plan, and called by nobody else.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import gputrain
from gputrain import callbacks
from gputrain.backend.base import InOrder
from gputrain.models.training.nonfinite import HealthWatch
from tests.test_floors import FLOOR, room
from tests.workloads import WORKLOADS

pytestmark = pytest.mark.cpu_only("a GPU runs a recorded step, of which Python sees nothing")

PACKAGE = Path(gputrain.__file__).resolve().parent
STEPS = 5
MOST_VISITS = 3  # a room is entered, and entered again at most twice
RUNS_THE_PLAN = InOrder.__call__.__code__


class Recorder(callbacks.Callback):
    """Records the rooms that are entered in each step of a fit.

    Attributes:
        steps: for each step, the rooms of the calls in order; it begins as its batch does.
        planned: the rooms of the calls that the device makes while it runs the plan.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[str]] = []
        self.planned: set[str] = set()
        self._plan: FrameType | None = None
        self._rooms: dict[str, str | None] = {}

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.steps.append([])

    def record(self, train: Callable[[], Any]) -> None:
        """Call `train` with the hook in place."""
        sys.setprofile(self._hook)
        try:
            train()
        finally:
            sys.setprofile(None)

    def _hook(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "return" and frame is self._plan:
            self._plan = None
        if event != "call" or not self.steps:
            return
        name = self._room(frame.f_code.co_filename)
        if name is None:
            return
        if self._plan is not None:
            self.planned.add(name)
            return
        self.steps[-1].append(name)
        if frame.f_code is RUNS_THE_PLAN:
            self._plan = frame

    def _room(self, file: str) -> str | None:
        """The room of a module's file; None for what is not of gputrain."""
        if file not in self._rooms:
            path = Path(file)
            inside = path.is_relative_to(PACKAGE)
            module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts) if inside else ""
            self._rooms[file] = room(module) if inside else None
        return self._rooms[file]


def visits(step: Iterable[str]) -> Counter[str]:
    """How often each room is entered in a step, where one that ends in a room goes on there."""
    calls = list(step)
    return Counter(now for before, now in zip([calls[-1], *calls], calls, strict=False) if before != now)


def record(name: str) -> Recorder:
    """The rooms of the steps of a model that was fitted before."""
    workload = WORKLOADS[name]
    model = workload.build(gputrain)
    model.fit(*workload.data(2), batch_size=workload.batch, verbose=0)
    x, y = workload.data(STEPS)
    recorder = Recorder()
    recorder.record(lambda: model.fit(x, y, batch_size=workload.batch, verbose=0, callbacks=[recorder]))
    return recorder


def warm_steps(recorder: Recorder) -> list[list[str]]:
    """All but the first step and the last, with which an epoch begins and ends."""
    assert len(recorder.steps) == STEPS
    return recorder.steps[1:-1]


@pytest.mark.parametrize("name", ["reference CNN", "MLP", "regularized classifier"])
def test_no_room_is_entered_again_more_than_twice(name: str) -> None:
    recorder = record(name)
    for step in warm_steps(recorder):
        found = visits(step)
        assert {"models", "data", "runtime", "backend"} <= set(found)
        assert max(found.values()) <= MOST_VISITS, f"{found}\n{' '.join(step)}"


@pytest.mark.parametrize("name", ["reference CNN", "MLP", "regularized classifier"])
def test_the_plan_calls_nothing_above_the_device(name: str) -> None:
    recorder = record(name)
    assert "backend" in recorder.planned
    assert all(FLOOR[found] <= FLOOR["backend"] for found in recorder.planned), recorder.planned


def test_visits_are_counted_in_a_circle() -> None:
    assert visits(["models", "models", "data", "models", "backend", "models"]) == {
        "models": 2,
        "data": 1,
        "backend": 1,
    }


def test_a_room_that_is_entered_once_too_often_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before = HealthWatch.before_steps

    def planted(watch: HealthWatch) -> None:
        gputrain.config.floatx()
        before(watch)

    monkeypatch.setattr(HealthWatch, "before_steps", planted)
    recorder = record("MLP")
    assert any(max(visits(step).values()) > MOST_VISITS for step in warm_steps(recorder))
