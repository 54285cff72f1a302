"""A step recorded as CUDA graphs: hundreds of launches become one.

What a graph replays are addresses and numbers, so whatever changes from step to step lies in device memory.
Capture does not execute: a step runs once as it is (which compiles kernels), then it is recorded and
launched. A thunk that cannot be recorded runs between the graphs of what comes before and after it.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gputrain import config
from gputrain.backend.base import OnHost, Thunk, leaves
from gputrain.backend.cupy import memory
from gputrain.errors import DeviceError
from gputrain.utils.notes import note

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

MOST_TRIES = 3  # recordings that others may break
FEWEST = 2  # launches below which a graph gains nothing


class Copy:
    """A copy within the device, on the device's stream."""

    __slots__ = ("_call", "_kept", "name")

    def __init__(self, device: CupyDevice, target: Any, source: Any) -> None:
        runtime = device.cupy.cuda.runtime
        arguments = (target.data.ptr, source.data.ptr, target.nbytes, runtime.memcpyDeviceToDevice)
        stream = device.stream.ptr
        self._kept = (target, source)
        self._call: Callable[[], None] = lambda: runtime.memcpyAsync(*arguments, stream)
        self.name = "copy"

    def __call__(self) -> None:
        self._call()


def _bytes_of(error: MemoryError) -> int:
    """How much was asked for, as CuPy words it ("... allocating 1,024 bytes ...")."""
    found = re.search(r"allocating ([\d,]+) bytes", str(error))
    return int(found[1].replace(",", "")) if found else 0


class _Disturbed(Exception):
    """A capture was invalid at its end although every thunk went well."""


class Recorded:
    """Thunks that run as they are at first, then from CUDA graphs.

    Attributes:
        parts: graphs and thunks in between, once recorded.
    """

    def __init__(self, device: CupyDevice, thunks: Sequence[Thunk]) -> None:
        self.device = device
        self.thunks = [leaf for thunk in thunks for leaf in leaves(thunk)]
        self.parts: list[Thunk] | None = None
        self._ran, self._tries = False, 0

    def __call__(self) -> None:
        if not self._ran or not config.cuda_graphs():
            self._ran = True
            for thunk in self.thunks:
                try:
                    thunk()
                except MemoryError as error:
                    name = getattr(thunk, "name", type(thunk).__name__)
                    raise memory.memory_error(self.device, name, _bytes_of(error)) from error
            return
        if self.parts is None:
            try:
                self.parts = self._record()
            except _Disturbed as error:
                self._give_up(error)
                for thunk in self.thunks:
                    thunk()
                return
        for part in self.parts:
            part()

    def _give_up(self, error: _Disturbed) -> None:
        """Somebody else's work broke the recording: try again at the next step, but not for ever."""
        self._tries += 1
        if self._tries >= MOST_TRIES:
            note(f"A step could not be recorded as a CUDA graph: its kernels are launched singly ({error}).")
            self.parts = list(self.thunks)

    def _record(self) -> list[Thunk]:
        """Graphs of the longest stretches that can be recorded."""
        parts: list[Thunk] = []
        start = 0
        while start < len(self.thunks):
            stop = self._next_on_host(start)
            if stop - start >= FEWEST:
                graph, bad = _capture(self.device, self.thunks[start:stop])
                if bad is not None:
                    self._leave_out(start + bad[0], bad[1])
                    continue
                parts.append(graph.launch)
            else:
                parts += self.thunks[start:stop]
            parts += self.thunks[stop : stop + 1]
            start = stop + 1
        return parts

    def _next_on_host(self, start: int) -> int:
        for i in range(start, len(self.thunks)):
            if isinstance(self.thunks[i], OnHost):
                return i
        return len(self.thunks)

    def _leave_out(self, i: int, error: Exception) -> None:
        """Run this thunk outside of the graphs from now on, and say so."""
        thunk = self.thunks[i]
        name = getattr(thunk, "name", type(thunk).__name__)
        reason = f"{type(error).__name__}: {error}"
        note(f"{name} cannot be part of a CUDA graph, so the step runs in parts ({reason}).")
        self.thunks[i] = OnHost(thunk, name, reason)


def _capture(device: CupyDevice, thunks: Sequence[Thunk]) -> tuple[Any, tuple[int, Exception] | None]:
    """(graph of the thunks, None), or (None, (number, error)) of the one that could not be recorded."""
    cuda = device.cupy.cuda
    stream, failed = device.stream, None
    graph: Any = None
    with _no_collection():
        stream.begin_capture(mode=cuda.runtime.streamCaptureModeThreadLocal)
        try:
            with _no_allocation(device):
                for i, thunk in enumerate(thunks):
                    try:
                        thunk()
                    except Exception as error:  # noqa: BLE001 - running it as it is shows it again
                        failed = (i, error)
                        break
        finally:
            try:
                graph = stream.end_capture()
            except Exception as error:  # a capture that was broken ends in an error
                if failed is None:
                    raise _Disturbed(f"{type(error).__name__}: {error}") from error
    if failed is None:
        graph.upload(stream)
        return graph, None
    return None, failed


@contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage may hold modules and pinned memory, and to give those back would end the capture."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _no_allocation(device: CupyDevice) -> Iterator[None]:
    """Memory that is allocated while recording would be given away again before the graph is launched."""

    def refuse(nbytes: int) -> Any:
        raise DeviceError(f"it allocates {nbytes} bytes")

    with device.cupy.cuda.using_allocator(refuse):
        yield
