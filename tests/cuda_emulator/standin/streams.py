"""Streams, events and captured graphs as `cupy.cuda` offers them. Work is done at once, or recorded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from tests.cuda_emulator.races import Clock, united
from tests.cuda_emulator.standin.errors import CUDARuntimeError
from tests.cuda_emulator.standin.world import RELAXED, Capture, Work, World


class Event:
    """A point in a stream."""

    _world: World

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.ptr = self._world.new_stream_address()
        self._timed = not disable_timing
        self.stream: Stream | None = None
        self.capture: Capture | None = None
        self.position = 0  # how much of the capture had been recorded
        self.time = 0.0
        self._clock: Clock = {}  # what is over when it is reached

    @property
    def done(self) -> bool:
        """Whether the device has come to it."""
        self._refuse_captured()
        self._world.races.host_learns([self._clock])
        return True

    def record(self, stream: Stream | None = None) -> None:
        """Put it at the end of a stream."""
        self.stream = stream if stream is not None else self._world.current_stream
        self.capture, self.time = self.stream.capture, time.perf_counter()
        if self.capture is not None:
            self.position = len(self.capture.nodes)
        self._clock = self._world.races.recorded(self.stream) if self.capture is None else {}

    def synchronize(self) -> None:
        """Wait until the device has come to it."""
        self._refuse_captured()
        self._world.statistics.note("sync", "Event.synchronize")
        self._world.races.host_learns([self._clock])

    def _refuse_captured(self) -> None:
        if self.capture is not None and self.capture in self._world.captures:
            self._world.invalidate(self.capture, 907)


class Stream:
    """A queue of work.

    Attributes:
        ptr: its address, 0 for the null stream.
        capture: the capture that it takes part in, or None.
    """

    _world: World
    null: ClassVar[Stream]
    ptds: ClassVar[Stream]

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None
    ) -> None:
        self.ptr = 0 if null else 2 if ptds else self._world.new_stream_address()
        self.device_id = -1 if null or ptds else 0
        self.capture: Capture | None = None
        self.is_non_blocking = non_blocking
        self.priority = priority if priority is not None else 0
        if not null and not ptds:
            self._world.streams[self.ptr] = self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return hash(self.ptr)

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __enter__(self) -> Stream:
        self._world.push_stream(self)
        return self

    def __exit__(self, *args: object) -> None:
        self._world.pop_stream()

    def use(self) -> Stream:
        """Make it the current stream."""
        self._world.set_stream(self)
        return self

    @property
    def done(self) -> bool:
        """Whether all its work is done."""
        if self.capture is not None:
            self._world.invalidate(self.capture)
        self._world.races.host_waits(self)
        return True

    def synchronize(self) -> None:
        """Wait for all its work."""
        self._world.sync("Stream.synchronize", self)

    def record(self, event: Event | None = None) -> Event:
        """Put an event at its end."""
        made: Event = self._world.classes["Event"]() if event is None else event
        made.record(self)
        return made

    def wait_event(self, event: Event) -> None:
        """Let what follows wait for an event; an event of a capture takes this stream into it."""
        capture = event.capture if event.capture in self._world.captures else None
        if capture is None:
            if self.capture is not None:
                self._world.invalidate(self.capture, 905)
            self._world.races.waits(self, event._clock)
            return
        if self.capture is None:
            if self.ptr == 0:
                self._world.invalidate(capture, 906)
            self.capture = capture
            capture.unjoined.add(self)
        elif self.capture is not capture:
            self._world.invalidate(capture, 902)
        if event.stream is not None and event.position >= capture.lengths.get(event.stream, 0):
            capture.unjoined.discard(event.stream)
        if self is not capture.origin:
            capture.unjoined.add(self)

    def launch_host_func(self, callback: Callable[[Any], None], arg: Any) -> None:
        """Let the host call a function when the stream comes to it."""
        self._world.submit(Work("function", "launch_host_func", lambda: callback(arg)), self)

    def add_callback(self, callback: Callable[[Any, int, Any], None], arg: Any) -> None:
        """Let the host call a function when the stream comes to it."""
        if self.capture is not None:
            self._world.invalidate(self.capture)
        callback(self, 0, arg)

    def begin_capture(self, mode: int | None = None) -> None:
        """Record from now on instead of working. `mode` is one of runtime.streamCaptureMode*."""
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.capture is not None:
            raise CUDARuntimeError(401)
        chosen = RELAXED if mode is None else int(mode)
        self.capture = Capture(self, chosen, threading.get_ident())
        self._world.captures.append(self.capture)

    def end_capture(self) -> Graph:
        """Stop recording; what was recorded becomes a graph."""
        capture = self.capture
        if capture is None:
            raise CUDARuntimeError(401)
        if capture.origin is not self:
            self._world.invalidate(capture, 903)
        if capture.mode != RELAXED and capture.thread != threading.get_ident():
            self._world.invalidate(capture, 908)
        self._world.captures.remove(capture)
        for stream in {self, *capture.lengths, *capture.unjoined}:
            stream.capture = None
        for stream in list(self._world.streams.values()):
            if stream.capture is capture:
                stream.capture = None
        if not capture.valid:
            raise CUDARuntimeError(901)
        if capture.unjoined:
            raise CUDARuntimeError(904)
        graph: Graph = self._world.classes["Graph"](capture.nodes)
        return graph

    def is_capturing(self) -> bool:
        """Whether work is recorded at present."""
        if self.capture is not None and not self.capture.valid:
            raise RuntimeError("the stream was capturing, but an error has invalidated the capture sequence")
        return self.capture is not None


class Graph:
    """Recorded work that can be done again and again. It keeps no array alive."""

    _world: World

    def __init__(self, nodes: list[Work]) -> None:
        self._nodes = nodes
        self._united = united(nodes)

    def launch(self, stream: Stream | None = None) -> None:
        """Do all of it, in a stream."""
        nodes, world = self._nodes, self._world
        works, target = self._united, stream if stream is not None else world.current_stream

        def run() -> None:
            world.races.works(target, works)
            world.replay(nodes)

        world.submit(Work("graph_launch", f"graph of {len(nodes)} nodes", run), target)

    def upload(self, stream: Stream | None = None) -> None:
        """Bring it to the device ahead of the first launch."""
