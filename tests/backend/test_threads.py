"""Tasks that run at the same time: all are waited for, and an error of any of them is raised."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial

import pytest

from gputrain.backend.numpy import threads
from gputrain.backend.numpy.threads import together
from tests.subprocesses import environment


class TaskError(Exception):
    """What a task of these tests raises."""


def _raise() -> None:
    raise TaskError


def _slow(done: list[str], started: threading.Event) -> Callable[[], None]:
    def task() -> None:
        started.set()
        threading.Event().wait(0.2)
        done.append("worker")

    return task


def test_no_task_and_one_task() -> None:
    done: list[int] = []
    together([])()
    together([lambda: done.append(1)])()
    assert done == [1]


def test_every_task_runs_in_each_call() -> None:
    done: list[int] = []
    run = together([lambda i=i: done.append(i) for i in range(3)])  # type: ignore[misc]
    run()
    run()
    assert sorted(done) == [0, 0, 1, 1, 2, 2]


def test_a_worker_is_waited_for() -> None:
    done: list[str] = []
    together([lambda: None, _slow(done, threading.Event())])()
    assert done == ["worker"]


def test_a_worker_is_waited_for_when_the_first_task_raises() -> None:
    done: list[str] = []
    started = threading.Event()

    def fail_while_the_worker_runs() -> None:
        assert started.wait(10)
        raise TaskError

    with pytest.raises(TaskError):
        together([fail_while_the_worker_runs, _slow(done, started)])()
    assert done == ["worker"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_error_of_any_task_is_raised(place: int) -> None:
    done: list[int] = []
    tasks: list[Callable[[], None]] = [partial(done.append, i) for i in range(3)]
    tasks[place] = _raise
    with pytest.raises(TaskError):
        together(tasks)()
    assert sorted(done) == [i for i in range(3) if i != place]


# The CPU time of a process that sleeps after a product of two threads: that of BLAS's threads.
WAITS = """
import sys, time
import numpy as np
from gputrain.backend.numpy import threads
from gputrain.backend.numpy.device import NumpyDevice
if sys.argv[1] == "ours":
    NumpyDevice()
threads._openblas()[1](2)
matrix = np.ones((512, 512), np.float32)
used = []
for _ in range(5):
    assert (matrix @ matrix)[0, 0] == 512
    start = time.process_time()
    time.sleep(0.1)
    used.append(time.process_time() - start)
print(sorted(used)[2], max(used))
"""


@pytest.mark.skipif(threads._openblas() is None, reason="NumPy's BLAS is not OpenBLAS")
@pytest.mark.skipif(threads.cores() < 2, reason="needs two cores")
def test_the_threads_of_blas_sleep_after_a_product() -> None:
    def used(whose: str, **variables: str) -> list[float]:
        """The median of five sleeps, and the longest."""
        command = [sys.executable, "-c", WAITS, whose]
        plain = {name: text for name, text in environment().items() if "NUM_THREADS" not in name}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=plain | variables)
        return [float(number) for number in done.stdout.split()]

    assert used("ours")[0] < 0.002
    # 2 ** 26 cycles, about 20 ms, are a number of the user's, which stays.
    assert used("ours", OPENBLAS_THREAD_TIMEOUT="26")[1] > 0.005
