"""The state of one emulated device, and the one door through which it is given work."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cuda_emulator.heap import Heap
from tests.cuda_emulator.orders import Orders
from tests.cuda_emulator.races import Act, Races, Use
from tests.cuda_emulator.standin.errors import CUDARuntimeError, OutOfMemoryError
from tests.cuda_emulator.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cuda_emulator.standin.streams import Stream

GLOBAL, THREAD_LOCAL, RELAXED = 0, 1, 2  # modes of capture, as in CUDA


class Work(NamedTuple):
    """Something the device does.

    Attributes:
        kind: see `statistics.Event`.
        name: for listings.
        run: does it; holds addresses, never arrays.
        nbytes: of copies and memsets.
        scalars: arguments passed by value.
        uses: memory that it reads and writes.
    """

    kind: str
    name: str
    run: Callable[[], None]
    nbytes: int = 0
    scalars: int = 0
    uses: tuple[Use, ...] = ()


@dataclass(eq=False)
class Capture:
    """A capture that has begun.

    Attributes:
        origin: the stream it began in.
        mode: GLOBAL, THREAD_LOCAL or RELAXED.
        thread: that began it.
        nodes: what was recorded.
        lengths: for each stream that takes part, how much of `nodes` there was at its last one.
        unjoined: streams with work that the origin does not yet wait for.
        valid: False after a forbidden call.
    """

    origin: Stream
    mode: int
    thread: int
    nodes: list[Work] = field(default_factory=list)
    lengths: dict[Stream, int] = field(default_factory=dict)
    unjoined: set[Stream] = field(default_factory=set)
    valid: bool = True


class World:
    """One emulated device with everything that belongs to it.

    Attributes:
        heap: its memory.
        statistics: what it was asked to do.
        orders: how launches run.
        races: which work is ordered after which.
        memory_limit: bytes of device memory.
        multiprocessors: from which programs size their grids; small, because blocks run one after another.
        captures: those that have begun.
        streams: living streams by address.
    """

    def __init__(self, memory: int = 8 << 30, multiprocessors: int = 4, checked: bool = True) -> None:
        self.heap = Heap()
        self.statistics = Statistics()
        self.orders = Orders()
        self.races = Races(self.heap, checked)
        self.memory_limit = memory
        self.multiprocessors = multiprocessors
        self.allocated = 0  # bytes taken from the device, by pools and by single blocks
        self.captures: list[Capture] = []
        self.streams: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
        self.classes: dict[str, Any] = {}
        self.lock = threading.RLock()
        self._local = threading.local()
        self._next_stream = 0x10000

    # ------------------------------------------------------------------------------------------------- work

    def submit(self, work: Work, stream: Stream | None = None) -> None:
        """Do `work` in a stream (the current one by default), or record it when the stream is capturing."""
        target = stream if stream is not None else self.current_stream
        capture = target.capture
        with self.lock:
            self.statistics.scalars += work.scalars
            if capture is None:
                if target.ptr == 0 and self.captures:
                    self._forbid_null_stream()
                self.statistics.note(work.kind, work.name, "run", work.nbytes)
                self.races.work(target, work)
                work.run()
                return
            if not capture.valid:
                raise CUDARuntimeError(901)
            self.statistics.note(work.kind, work.name, "capture", work.nbytes)
            capture.nodes.append(work)
            capture.lengths[target] = len(capture.nodes)
            if target is not capture.origin:
                capture.unjoined.add(target)

    def replay(self, nodes: list[Work]) -> None:
        """Do all that was recorded."""
        for work in nodes:
            self.statistics.note(work.kind, work.name, "replay", work.nbytes)
            work.run()

    def sync(self, name: str, stream: Stream | None = None) -> None:
        """The host waits for a stream, or for the device: not while that is being captured."""
        with self.lock:
            self.may_sync(name, stream)
            self.races.host_waits(stream)

    def may_sync(self, name: str, stream: Stream | None = None) -> None:
        """A call that waits, or may wait."""
        with self.lock:
            if stream is None:
                self.forbid_in_captures()
            elif stream.capture is not None:
                self.invalidate(stream.capture)
            self.statistics.note("sync", name)

    def forbid_in_captures(self) -> None:
        """A call such as cudaMalloc that is not allowed during captures, other than relaxed ones."""
        me = threading.get_ident()
        for capture in self.captures:
            if capture.mode == GLOBAL or (capture.mode == THREAD_LOCAL and capture.thread == me):
                self.invalidate(capture)

    def _forbid_null_stream(self) -> None:
        """The null stream waits for all streams but `non_blocking` ones, which ends their captures."""
        for capture in self.captures:
            if not capture.origin.is_non_blocking:
                self.invalidate(capture, 906)

    def invalidate(self, capture: Capture, status: int = 900) -> None:
        """A forbidden call: the capture is lost, and the call fails."""
        capture.valid = False
        raise CUDARuntimeError(status)

    # ----------------------------------------------------------------------------------------------- streams

    @property
    def current_stream(self) -> Stream:
        """The stream that this thread gives work to."""
        return self._stack()[-1]

    def stream_at(self, address: int) -> Stream:
        """The stream with an address, as the runtime's functions name it."""
        if address in (0, 1, 2):
            cls: Any = self.classes["Stream"]
            own: Stream = cls.ptds if address == 2 else cls.null
            return own
        if address not in self.streams:
            raise CUDARuntimeError(400)
        return self.streams[address]

    @contextmanager
    def in_stream(self, stream: Stream) -> Iterator[Stream]:
        """Within it, `stream` is the current one."""
        self.push_stream(stream)
        try:
            yield stream
        finally:
            self.pop_stream()

    def push_stream(self, stream: Stream) -> None:
        self._stack().append(stream)

    def pop_stream(self) -> None:
        self._stack().pop()

    def set_stream(self, stream: Stream) -> None:
        self._stack()[-1] = stream

    def _stack(self) -> list[Stream]:
        if not hasattr(self._local, "streams"):
            self._local.streams = [self.classes["Stream"].null]
        stack: list[Stream] = self._local.streams
        return stack

    def new_stream_address(self) -> int:
        """An address for a new stream."""
        self._next_stream += 0x10
        return self._next_stream

    # ------------------------------------------------------------------------------------------------ memory

    def take(self, nbytes: int) -> None:
        """Take bytes from the device, as cudaMalloc does."""
        self.forbid_in_captures()
        if self.allocated + nbytes > self.memory_limit:
            raise OutOfMemoryError(nbytes, self.allocated)
        self.allocated += nbytes

    def give_back(self, nbytes: int) -> None:
        """Return bytes to the device."""
        self.allocated -= nbytes

    def new_block(self, nbytes: int, history: dict[int, Act]) -> int:
        """A block of host memory that plays device memory; `history` tells who used that before."""
        self.statistics.note("allocation", "memory", "run", nbytes)
        address = self.heap.allocate(nbytes)
        self.races.allocated(address, nbytes, history)
        return address

    def release(self, address: int) -> dict[int, Act]:
        """Free a block; who used it last."""
        self.heap.release(address)
        return self.races.released(address)

    @property
    def allocator(self) -> Any:
        """What the current thread allocates with."""
        return getattr(self._local, "allocator", None) or self.default_allocator

    @allocator.setter
    def allocator(self, value: Any) -> None:
        self._local.allocator = value

    default_allocator: Any = None
