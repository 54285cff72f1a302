"""Arrays between the host, where tests look at them, and the device that the suite runs on."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from gputrain import backend, config

T = TypeVar("T")


def on_cpu() -> bool:
    """Whether the suite runs on the CPU device, whose arrays are NumPy's."""
    return backend.current_device().name == "numpy"


def emulated() -> bool:
    """Whether the suite runs on the emulator, where a case costs some ten times what it does elsewhere."""
    return backend.current_device().name == "emulated"


def fewer(cases: Sequence[T], count: int) -> Sequence[T]:
    """At most `count` of the cases on the emulator, spread over all of them; everywhere else every case.

    For random cases, each of which has kernels of its own that the emulator builds first, and for cases that
    show on a device what others show already.
    """
    if not emulated() or len(cases) <= count:
        return cases
    return [cases[i * len(cases) // count] for i in range(count)]


def child_environment() -> dict[str, str]:
    """The environment for a Python started by a test, where the emulator is not: that one runs on the CPU."""
    emulated = os.environ["GPUTRAIN_BACKEND"] == "emulated"
    return {**os.environ, "GPUTRAIN_BACKEND": "numpy"} if emulated else dict(os.environ)


@contextmanager
def using(name: str) -> Iterator[None]:
    """Within it, another device is the current one: "numpy", for references."""
    config.set_backend(name)
    try:
        yield
    finally:
        config.put("backend", None)


def put(arrays: Iterable[Any]) -> list[Any]:
    """The arrays on the device."""
    device = backend.current_device()
    return [device.asarray(a) for a in arrays]


def host(array: Any) -> np.ndarray:
    """The contents of an array of the device."""
    return backend.current_device().download(array)


def hosts(arrays: Iterable[Any]) -> list[np.ndarray]:
    """The contents of arrays of the device."""
    return [host(a) for a in arrays]


def fill(array: Any, byte: int) -> Any:
    """The array, all its bytes overwritten."""
    filled = np.full(array.nbytes, byte, np.uint8).view(array.dtype).reshape(array.shape)
    backend.current_device().upload(filled, array)
    return array


def address(array: Any) -> int:
    """Where an array's first byte lies in the memory of the device."""
    return int(array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr)


def lies_in(array: Any, memory: Any) -> bool:
    """Whether an array lies in the memory of another."""
    start, begin = address(array), address(memory)
    return begin <= start and start + array.nbytes <= begin + memory.nbytes


def held() -> int:
    """Bytes of a GPU's memory that living arrays take; 0 on the CPU, where the host's memory is looked at."""
    return 0 if on_cpu() else int(backend.current_device().cupy.get_default_memory_pool().used_bytes())


def allocated(call: Callable[[], object]) -> int:
    """The most bytes that a call held at a time on the CPU, or all that it asked of a GPU."""
    device = backend.current_device()
    if not on_cpu():
        return _asked_of(device, call)
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _asked_of(device: Any, call: Callable[[], object]) -> int:
    pool, asked = device.cupy.get_default_memory_pool(), 0

    def counting(nbytes: int) -> Any:
        nonlocal asked
        asked += nbytes
        return pool.malloc(nbytes)

    with device.running(), device.cupy.cuda.using_allocator(counting):
        call()
    return asked
