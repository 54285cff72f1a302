"""Tasks that run at the same time: all are waited for, and an error of any of them is raised."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from gputrain.backend.numpy.threads import together


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
