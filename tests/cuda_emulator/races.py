"""A race detector for streams: the stand-in does all work at once, so a missing wait shows here alone.

Vector clocks: each stream counts its work, and knows up to which count it is ordered after each other stream.
A block of memory keeps who used which part of it last. Work that uses a part, and is not ordered after those
it must not overlap with, is an error. That submits are in order orders nothing; what the host has waited for
is ordered before all that is submitted afterwards, by whichever thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tests.cuda_emulator.errors import RaceError
from tests.cuda_emulator.heap import Heap

if TYPE_CHECKING:
    from tests.cuda_emulator.standin.streams import Stream
    from tests.cuda_emulator.standin.world import Work

STREAMS = "GPUTRAIN_EMULATOR_STREAMS"  # environment: "unchecked" lets missing waits pass
NULL = 0  # address of the legacy stream, which waits for blocking streams, and they for it
HERE = str(Path(__file__).resolve().parent) + os.sep
CALLERS = 3  # lines of the program that a report names for each piece of work
ENTRIES = 512  # parts of a block, from which on those are forgotten that nobody can race with any more

Clock = dict[int, int]  # how much of each stream's work is over, by the stream's address


class Use(NamedTuple):
    """Memory that a piece of work reads or writes.

    Attributes:
        block: where its block begins.
        start, stop: the part that is used.
        writes: whether it may be written.
        table: whether addresses that stand in it are followed; what they lead to may be written.
    """

    block: int
    start: int
    stop: int
    writes: bool
    table: bool = False


class Act(NamedTuple):
    """A piece of work that was given to a stream.

    Attributes:
        stream: its address.
        count: which of its work this is.
        name: for people.
        where: (file, line) of its callers, the innermost first.
        before: whether the memory has been freed and handed out again since.
    """

    stream: int
    count: int
    name: str
    where: tuple[tuple[str, int], ...]
    before: bool = False

    def __str__(self) -> str:
        lines = " < ".join(f"{Path(file).name}:{line}" for file, line in self.where)
        return f"{self.name} in {stream_name(self.stream)}" + (f" ({lines})" if lines else "")


class Entry:
    """Who used a part of a block last: those that wrote, and those that have read since, by stream."""

    __slots__ = ("reads", "writes")

    def __init__(self, writes: dict[int, Act] | None = None) -> None:
        self.writes = writes or {}
        self.reads: dict[int, Act] = {}


class Block:
    """What is remembered of a block.

    Attributes:
        latest: the last use by each stream, of any part.
        entries: for each part (start, stop) its last uses. Parts may overlap.
        limit: of entries, before some are forgotten.
    """

    __slots__ = ("entries", "latest", "limit")

    def __init__(self) -> None:
        self.latest: dict[int, Act] = {}
        self.entries: dict[tuple[int, int], Entry] = {}
        self.limit = ENTRIES


class Races:
    """Clocks of all streams of a device, and the uses of its memory.

    Attributes:
        enabled: whether anything is looked at.
    """

    def __init__(self, heap: Heap, enabled: bool) -> None:
        self.enabled = enabled
        self._heap = heap
        self._lock = threading.RLock()
        self._host: Clock = {}
        self._clocks: dict[int, Clock] = {}
        self._blocking: set[int] = set()  # streams that the null stream waits for
        self._blocks: dict[int, Block] = {}
        self._pinned: dict[int, int] = {}  # sizes of page-locked memory by address
        # Copies from it, by (start, stop, stream): who copies, and what lay there.
        self._flights: dict[tuple[int, int, int], tuple[Act, bytes]] = {}
        self._late: list[RaceError] = []  # found where nothing can be raised

    # ------------------------------------------------------------------------------------------------- order

    def work(self, stream: Stream, work: Work) -> None:
        """Work is given to a stream. Raises RaceError where a wait is missing."""
        if self.enabled:
            self.works(stream, ((work.name, work.uses),))

    def works(self, stream: Stream, works: Iterable[tuple[str, Iterable[Use]]]) -> None:
        """Names and uses of works that are given to a stream as one."""
        if not self.enabled:
            return
        self.check()
        where = _callers()
        with self._lock:
            clock = self._arrive(stream)
            count = clock[stream.ptr] = clock.get(stream.ptr, 0) + 1
            for name, uses in works:
                act = Act(stream.ptr, count, name, where)
                for use in uses:
                    self._use(use, act, clock)
                    if use.table:
                        for start, size in self._pointed(use):
                            self._use(Use(start, start, start + size, True), act, clock)

    def recorded(self, stream: Stream) -> Clock:
        """What is over when an event is reached that is recorded now."""
        with self._lock:
            return dict(self._arrive(stream)) if self.enabled else {}

    def waits(self, stream: Stream, clock: Clock) -> None:
        """A stream waits for an event."""
        with self._lock:
            if self.enabled:
                _merge(self._arrive(stream), clock)

    def host_waits(self, stream: Stream | None = None) -> None:
        """The host waits for a stream, or for all."""
        with self._lock:
            if self.enabled:
                self.host_learns([self._arrive(stream)] if stream is not None else self._clocks.values())

    def host_learns(self, clocks: Iterable[Clock]) -> None:
        """The host knows that this is over."""
        self.check()
        with self._lock:
            for clock in clocks:
                _merge(self._host, clock)
            for key, (act, content) in self._flights.copy().items():
                if self._over(act, {}):
                    self._flights.pop(key, None)
                    self._require_unchanged(key, act, content)

    def later(self, error: RaceError) -> None:
        """Keep what was found where nothing can be raised: as memory dies, and below C."""
        self._late.append(error)

    def check(self) -> None:
        """Raise what was kept."""
        if self._late:
            raise self._late.pop()

    def _arrive(self, stream: Stream) -> Clock:
        """The clock of a stream to which something is added now."""
        clock = self._clocks.setdefault(stream.ptr, {})
        if stream.ptr == NULL:
            for other in self._blocking:
                _merge(clock, self._clocks[other])
        elif not stream.is_non_blocking:
            self._blocking.add(stream.ptr)
            _merge(clock, self._clocks.get(NULL, {}))
        return clock

    def _over(self, act: Act, clock: Clock) -> bool:
        """Whether an act is ordered before what the clock, or the host, submits next."""
        return act.count <= clock.get(act.stream, 0) or act.count <= self._host.get(act.stream, 0)

    # ------------------------------------------------------------------------------------------------ memory
    # Without the lock: memory may die wherever Python collects garbage, as while items are listed, but not
    # while a dict is copied.

    def allocated(self, address: int, size: int, history: dict[int, Act]) -> None:
        """A block is handed out; `history` tells who used its memory before."""
        block = self._blocks[address] = Block()
        kept = {s: act._replace(before=True) for s, act in history.items() if not self._over(act, {})}
        if kept:
            block.latest = kept
            block.entries[address, address + size] = Entry(dict(kept))

    def released(self, address: int) -> dict[int, Act]:
        """A block is freed: who used it last."""
        block = self._blocks.pop(address, None)
        return block.latest if block is not None else {}

    def pin(self, address: int, size: int) -> None:
        """Page-locked memory is handed out."""
        self._pinned[address] = size

    def unpin(self, address: int) -> None:
        """It is freed, and the next that asks may have it and write at once."""
        end = address + self._pinned.pop(address, 0)
        for key in list(self._flights):
            if address <= key[0] < end:
                self._flights.pop(key, None)
        for act in self.released(address).values():
            if not self._over(act, {}):
                self.later(RaceError(_FREED.format(act=act, stream=stream_name(act.stream))))

    def is_pinned(self, address: int) -> bool:
        """Whether an address lies in page-locked memory."""
        return any(start <= address < start + size for start, size in self._pinned.copy().items())

    def block_of(self, address: int) -> tuple[int, int] | None:
        """(start, size) of device memory or page-locked memory."""
        for start, size in self._pinned.copy().items():
            if start <= address < start + size:
                return start, size
        return self._heap.find(address)

    def uses(self, address: int, size: int | None, writes: bool) -> tuple[Use, ...]:
        """The use of `size` bytes from an address on; all that follow where it is None."""
        block = self.block_of(address) if self.enabled else None
        if block is None or size == 0:
            return ()
        stop = sum(block) if size is None else address + size
        return (Use(block[0], address, stop, writes),)

    def _pointed(self, use: Use) -> set[tuple[int, int]]:
        """The blocks whose addresses stand in a table."""
        starts = self._heap.starts()
        if not starts or self._heap.find(use.start) is None:
            return set()
        words = np.frombuffer(ctypes.string_at(use.start, (use.stop - use.start) // 8 * 8), np.uint64)
        likely = words[words >= starts[0]]
        found = (self._heap.find(word) for word in set(likely.tolist())) if likely.size else ()
        return {block for block in found if block is not None}

    # -------------------------------------------------------------------------------------------------- uses

    def _use(self, use: Use, act: Act, clock: Clock) -> None:
        if use.block in self._pinned:
            self._fly(use, act)
        block = self._blocks.get(use.block)
        if block is None:
            block = self._blocks[use.block] = Block()
        for stream, other in block.latest.items():
            if stream != act.stream and not self._over(other, clock):
                self._search(block, use, act, clock)
                break
        entry = block.entries.get((use.start, use.stop))
        if entry is None:
            entry = block.entries[use.start, use.stop] = Entry()
            if len(block.entries) > block.limit:
                self._forget(block)
        if use.writes:
            entry.writes, entry.reads = {act.stream: act}, {}
        else:
            entry.reads[act.stream] = act
        block.latest[act.stream] = act

    def _forget(self, block: Block) -> None:
        """Drop parts whose uses the host knows to be over."""
        block.entries = {
            part: entry
            for part, entry in block.entries.items()
            if not all(self._over(act, {}) for act in (*entry.writes.values(), *entry.reads.values()))
        }
        block.limit = max(ENTRIES, 2 * len(block.entries))

    def _search(self, block: Block, use: Use, act: Act, clock: Clock) -> None:
        """Raise where an earlier use of the same part may still go on."""
        for (start, stop), entry in block.entries.items():
            if not (start < use.stop and use.start < stop):
                continue
            for verb, others in (("writes", entry.writes), ("reads", entry.reads if use.writes else {})):
                for other in others.values():
                    if other.stream != act.stream and not self._over(other, clock):
                        shared = min(stop, use.stop) - max(start, use.start)
                        raise RaceError(self._describe(act, use, other, verb, shared, clock))

    def _describe(self, act: Act, use: Use, other: Act, verb: str, shared: int, clock: Clock) -> str:
        waited = max(clock.get(other.stream, 0), self._host.get(other.stream, 0))
        mine, theirs = stream_name(act.stream), stream_name(other.stream)
        if other.before:
            verb = "used before they were freed and handed out again,"
        return (
            f"{act} {'writes' if use.writes else 'reads'} {shared} bytes that {other} {verb} and nothing"
            f" orders the two. {mine[0].upper()}{mine[1:]} has waited for the first {waited} pieces of work"
            f" of {theirs}; {other.name} is number {other.count}. Missing: {mine} waits for an event that"
            f" {theirs} records after {other.name}, or the host waits for it, before {act.name} is submitted."
        )

    # ----------------------------------------------------------------------------------- page-locked memory

    def _fly(self, use: Use, act: Act) -> None:
        """A copy from page-locked memory begins, or one into it. The host must leave it alone meanwhile."""
        for key, (other, content) in self._flights.copy().items():
            if key[0] < use.stop and use.start < key[1]:
                self._flights.pop(key, None)
                self._require_unchanged(key, other, content)
        if not use.writes:
            content = ctypes.string_at(use.start, use.stop - use.start)
            self._flights[use.start, use.stop, act.stream] = act, content

    def _require_unchanged(self, key: tuple[int, int, int], act: Act, content: bytes) -> None:
        if ctypes.string_at(key[0], len(content)) != content:
            raise RaceError(_REFILLED.format(act=act, stream=stream_name(act.stream), n=len(content)))


_FREED = (
    "Pinned memory was freed while {act} may still use it: the next that asks for pinned memory may get it"
    " and write into it. Missing: the host waits for {stream}, or for an event recorded after the copy,"
    " before the memory dies."
)
_REFILLED = (
    "The host wrote into {n} bytes of pinned memory while {act} may still have been reading them. Missing:"
    " the host waits for {stream}, or for an event recorded after the copy, before it writes there again."
)


def united(works: Iterable[Work]) -> list[tuple[str, list[Use]]]:
    """Names and uses of works that are done in a row: each part of memory once, with its last user."""
    last: dict[tuple[int, int], tuple[str, Use]] = {}
    for work in works:
        for use in work.uses:
            before = last.get((use.start, use.stop), ("", use))[1]
            both = use._replace(writes=use.writes or before.writes, table=use.table or before.table)
            last[use.start, use.stop] = work.name, both
    names: dict[str, list[Use]] = {}
    for name, use in last.values():
        names.setdefault(name, []).append(use)
    return list(names.items())


def stream_name(address: int) -> str:
    """A stream in words."""
    return "the null stream" if address == NULL else f"stream 0x{address:x}"


def checked(streams: str | None) -> bool:
    """Whether missing waits are looked for: as asked for, else as the environment says, else they are."""
    chosen = streams or os.environ.get(STREAMS, "checked")
    if chosen not in ("checked", "unchecked"):
        raise ValueError(f'streams are "checked" or "unchecked", not "{chosen}"')
    return chosen == "checked"


def _merge(clock: Clock, other: Clock) -> None:
    for stream, count in other.items():
        if count > clock.get(stream, 0):
            clock[stream] = count


def _callers() -> tuple[tuple[str, int], ...]:
    """(file, line) of the program's frames that gave the work."""
    found: list[tuple[str, int]] = []
    frame: Any = sys._getframe(2)
    while frame is not None and len(found) < CALLERS:
        name = frame.f_code.co_filename
        if not name.startswith(HERE):
            found.append((name, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)
