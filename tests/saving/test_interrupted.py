"""Ctrl-C and SIGKILL at random moments: a few here, many by the scripts that this file imports."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gputrain.models.training import loop
from gputrain.models.training.interrupts import deferring, undivided
from gputrain.runtime import Executable
from tests.saving import interrupts as pressing
from tests.saving import kills
from tests.saving.trainings import CASES

pytestmark = pytest.mark.cpu_only("signals; the scripts run on any device")


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.001)  # for Python to notice


def test_it_waits_for_the_end_of_the_block() -> None:
    done = []

    def work() -> None:
        with deferring(), undivided:
            with undivided:
                press()
                done.append("inner")
            done.append("outer")
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_acts_at_once_between_blocks() -> None:
    def work() -> None:
        with deferring():
            with undivided:
                pass
            press()

    with pytest.raises(KeyboardInterrupt):
        work()


def test_it_is_told_after_an_error_of_the_block() -> None:
    def work() -> None:
        with deferring(), undivided:
            press()
            raise ValueError("first")

    with pytest.raises(KeyboardInterrupt) as told:
        work()
    assert isinstance(told.value.__context__, ValueError)


def test_handlers_of_others_stay() -> None:
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        handler = signal.getsignal(signal.SIGINT)
        with deferring(), undivided:
            assert signal.getsignal(signal.SIGINT) is handler
            press()
            assert seen == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_signals_and_threads_are_left_alone() -> None:
    others = [signal.SIGTERM, signal.SIGHUP]
    before, found = list(map(signal.getsignal, others)), []

    def elsewhere() -> None:
        with deferring(), undivided:
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    with deferring():
        assert list(map(signal.getsignal, others)) == before
    assert found == [signal.default_int_handler]


# Ctrl-C between opening a file and the block that closes it leaves that to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_interrupts_at_random_moments() -> None:
    found = pressing.run(24, seed=1, cases=list(CASES)[::2], say=False)
    print(f"{found.total()} interrupts: {dict(found)}")
    assert found.total() == 24


@pytest.mark.parametrize("waits", [True, False])
def test_ctrl_c_within_a_step(waits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits; where it does not, what the script looks at is a mixture."""
    trial, step, left = pressing.Trial("a schedule, arrays", tmp_path), Executable.step, [5]

    def pressed(self: Executable, load: Any = None) -> None:
        step(self, load)
        left[0] -= 1
        if not left[0]:
            press()

    if not waits:
        monkeypatch.setattr(loop, "undivided", contextlib.nullcontext())
    monkeypatch.setattr(Executable, "step", pressed)
    with pytest.raises(KeyboardInterrupt):
        trial.fit()
    if waits:
        trial.check()
        return
    with pytest.raises(AssertionError, match=r"mixture|is not"):
        trial.check()


def test_kills_at_random_moments() -> None:
    found = kills.run(3, seed=4, cases=["a plateau, arrays, steps", "a schedule, an iterable"], say=False)
    print(f"{found.total()} kills: {dict(found)}")
    assert found.total() == 3
