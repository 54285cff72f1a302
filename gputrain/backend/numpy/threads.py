"""Threads on the CPU: BLAS's own for large products, ours for blocks of images, never both.

Work on cache-sized blocks calls many small products; there BLAS's threads only wait for one another, most of
all on a busy machine. So blocks run with one BLAS thread, and images of a convolution are shared out among
Python threads (NumPy releases the interpreter lock inside its loops). Elementwise passes are not: they are
bound by memory, and two threads took as long as one.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

WAITING = "OPENBLAS_THREAD_TIMEOUT"
CYCLES = 18  # BLAS's threads wait 2 ** this many for the next product: less than 0.1 ms


@cache
def cores() -> int:
    """Python threads that share a large product: as many as there are cores, or GPUTRAIN_THREADS."""
    given = os.environ.get("GPUTRAIN_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(given)) if given.isdigit() else available


@cache
def workers() -> int:
    """Python threads that share a pass: two where there are two cores, else one, or GPUTRAIN_THREADS.

    More than two do not pay: the interpreter lock is taken between calls.
    """
    return cores() if os.environ.get("GPUTRAIN_THREADS", "").isdigit() else min(2, cores())


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, cores() - 1), thread_name_prefix="gputrain")


def shares(items: Sequence[T], threads: int | None = None) -> list[Sequence[T]]:
    """The items in as many runs of nearly equal length as there are threads, or workers; no run is empty."""
    count = min(workers() if threads is None else threads, len(items))
    ends = [round(i * len(items) / count) for i in range(count + 1)] if count else [0]
    return [items[a:b] for a, b in pairwise(ends)]


def together(tasks: Sequence[Callable[[], None]]) -> Callable[[], None]:
    """A function that runs the tasks at the same time and returns when all are done; errors are raised."""
    if len(tasks) <= 1:
        return tasks[0] if tasks else lambda: None

    def run() -> None:
        others = [_pool().submit(_quietly, task) for task in tasks[1:]]
        try:
            tasks[0]()
        finally:
            wait(others)  # nobody may touch the buffers while a task still writes to them
        for other in others:
            other.result()

    return run


def _quietly(task: Callable[[], None]) -> None:
    with np.errstate(all="ignore"):  # the error state of a thread is its own
        task()


@cache
def _openblas() -> tuple[ctypes.CDLL, Callable[[int], Any], Callable[[], int]] | None:
    """The OpenBLAS that NumPy brought, set and get of its number of threads; None for any other BLAS."""
    folder = Path(np.__file__).parent
    for path in [*folder.parent.glob("numpy.libs/*openblas*"), *folder.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(path))
        for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
            put = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
            get = getattr(library, f"{prefix}openblas_get_num_threads{suffix}", None)
            if put is not None and get is not None:
                return library, put, get
    return None


def let_blas_threads_sleep() -> None:
    """Have BLAS's threads sleep soon after a product, for the rest of the process.

    By itself OpenBLAS has them wait for the next product for about 20 ms without letting go of their cores.
    All else is slower meanwhile: ours by a quarter on an idle machine, and several times beside other
    programs. OpenBLAS reads how long from the environment, once, when its threads start; so they are
    started anew. A number of the user's stays; so does all, where another thread may be in a product.
    """
    found = _openblas()
    if found is None or WAITING in os.environ or threading.active_count() > 1:
        return
    library, *_ = found
    read, end = (getattr(library, name, None) for name in ("openblas_read_env", "blas_thread_shutdown_"))
    if read is None or end is None:
        return
    os.environ[WAITING] = str(CYCLES)
    read()
    del os.environ[WAITING]
    end()  # the next product starts them


class _OneBlasThread:
    """Products within a `with` block use one thread each; blocks of several threads may overlap.

    The number is the process's: products of other Python threads have one thread meanwhile, too.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nobody is inside."""
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        found = _openblas()
        if found is None:
            return
        _, put, get = found
        with self._lock:
            if self._inside == 0:
                self._before = get()
                put(1)
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        found = _openblas()
        if found is None:
            return
        _, put, _ = found
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                put(self._before)


one_blas_thread = _OneBlasThread()


def _after_fork() -> None:
    """A forked process has none of the parent's threads: it starts with a pool and a lock of its own."""
    _pool.cache_clear()
    one_blas_thread.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
