"""Device memory as `cupy.cuda` offers it: blocks, pointers into them, pools."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cuda_emulator.races import Act, Races
from tests.cuda_emulator.standin.errors import CUDARuntimeError, OutOfMemoryError
from tests.cuda_emulator.standin.world import Work, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cuda_emulator.standin.streams import Stream

ROUNDING = 512  # bytes that a pool's blocks are multiples of
RAW = ctypes.POINTER(ctypes.c_char)


class BaseMemory:
    """A piece of device memory.

    Attributes:
        ptr: its address.
        size: its bytes.
        device_id: of the device it belongs to.
    """

    _world: World
    ptr: int
    size: int
    device_id: int = 0

    @property
    def device(self) -> Any:
        """The device it belongs to."""
        return self._world.classes["Device"](self.device_id)

    @property
    def _buffer(self) -> ctypes.Array[ctypes.c_char]:
        """The memory as a buffer, which does not keep it alive."""
        return (ctypes.c_char * self.size).from_address(self.ptr)


class Memory(BaseMemory):
    """Memory straight from the device, given back when it dies."""

    def __init__(self, size: int) -> None:
        self.size, self.ptr = int(size), 0
        if size:
            self._world.take(self.size)
        self.ptr = self._world.new_block(self.size, {}) if size else 0

    def __del__(self) -> None:
        if getattr(self, "ptr", 0):
            self._world.release(self.ptr)
            self._world.give_back(self.size)


class UnownedMemory(BaseMemory):
    """Memory that another library owns."""

    def __init__(self, ptr: int, size: int, owner: object, device_id: int = -1) -> None:
        self.ptr, self.size, self._owner = int(ptr), int(size), owner
        self.device_id = max(0, device_id)


@dataclass(eq=False)
class Region:
    """What a pool took from the device in one piece.

    Attributes:
        size: its bytes.
        kept: what of it is free: bytes of each part, and who used it last, by where it begins.
    """

    size: int
    kept: dict[int, tuple[int, dict[int, Act]]] = field(default_factory=dict)

    @property
    def unused(self) -> bool:
        """Whether all of it is free, so that it can go back to the device."""
        return 0 in self.kept and self.kept[0][0] == self.size

    def take(self, start: int, nbytes: int) -> dict[int, Act]:
        """Use the first bytes of a free part; the rest of it stays free."""
        size, history = self.kept.pop(start)
        if size > nbytes:
            self.kept[start + nbytes] = size - nbytes, history
        return history

    def put(self, start: int, nbytes: int, history: dict[int, Act]) -> None:
        """Bytes are free again; free neighbours become one part."""
        for other, (size, before) in self.kept.copy().items():
            if other + size == start or other == start + nbytes:
                del self.kept[other]
                start, nbytes = min(start, other), nbytes + size
                history = _latest(before, history)
        self.kept[start] = nbytes, history


def _latest(*histories: dict[int, Act]) -> dict[int, Act]:
    """The last use by each stream."""
    found: dict[int, Act] = {}
    for stream, act in (item for history in histories for item in history.items()):
        if stream not in found or found[stream].count < act.count:
            found[stream] = act
    return found


class PooledMemory(BaseMemory):
    """Memory from a pool, given back to it when it dies."""

    def __init__(self, pool: MemoryPool, size: int, part: tuple[Region, int, dict[int, Act]]) -> None:
        self._pool, self.size = pool, size
        self._region, self._start, history = part
        self.ptr = self._world.new_block(size, history)

    def free(self) -> None:
        """Give the memory back before it dies."""
        pointer, self.ptr = self.ptr, 0
        if pointer:
            self._pool._put(self.size, self._region, self._start, self._world.release(pointer))

    def __del__(self) -> None:
        if getattr(self, "ptr", 0):
            self.free()


def host_address(mem: Any) -> int:
    """The address of host memory given as an int, a ctypes pointer or a buffer."""
    if isinstance(mem, int):
        return mem
    if isinstance(mem, ctypes.c_void_p):
        return mem.value or 0
    raise TypeError(f"Unsupported type {type(mem)}")


class MemoryPointer:
    """A place in a piece of device memory, which it keeps alive.

    Attributes:
        mem: the memory.
        ptr: the address.
    """

    _world: World

    def __init__(self, mem: BaseMemory, offset: int) -> None:
        self.mem, self.ptr = mem, mem.ptr + int(offset)

    @property
    def device(self) -> Any:
        """The device that the memory belongs to."""
        return self.mem.device

    @property
    def device_id(self) -> int:
        """Number of that device."""
        return self.mem.device_id

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return type(self)(self.mem, self.ptr - self.mem.ptr + int(offset))

    __radd__ = __add__

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -int(offset)

    def __repr__(self) -> str:
        return f"<MemoryPointer 0x{self.ptr:x} device={self.device_id} mem={self.mem!r}>"

    def copy_from_device(self, src: MemoryPointer, size: int) -> None:
        """Copy from device memory."""
        self.copy_from_device_async(src, size)

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Stream | None = None) -> None:
        """Copy from device memory, in a stream."""
        copy_memory(self._world, "device_to_device", self.ptr, src.ptr, size, stream)

    def copy_from_host(self, mem: Any, size: int) -> None:
        """Copy from host memory and wait."""
        stream = null_stream(self._world)
        self._world.may_sync("copy_from_host")
        copy_memory(self._world, "host_to_device", self.ptr, host_address(mem), size, stream)
        self._world.races.host_waits(stream)

    def copy_from_host_async(self, mem: Any, size: int, stream: Stream | None = None) -> None:
        """Copy from host memory, in a stream."""
        copy_memory(self._world, "host_to_device", self.ptr, host_address(mem), size, stream)

    def copy_from(self, mem: Any, size: int) -> None:
        """Copy from device or host memory."""
        if isinstance(mem, MemoryPointer):
            self.copy_from_device(mem, size)
        else:
            self.copy_from_host(mem, size)

    def copy_from_async(self, mem: Any, size: int, stream: Stream | None = None) -> None:
        """Copy from device or host memory, in a stream."""
        if isinstance(mem, MemoryPointer):
            self.copy_from_device_async(mem, size, stream)
        else:
            self.copy_from_host_async(mem, size, stream)

    def copy_to_host(self, mem: Any, size: int) -> None:
        """Copy to host memory and wait."""
        stream = null_stream(self._world)
        self._world.may_sync("copy_to_host")
        copy_memory(self._world, "device_to_host", host_address(mem), self.ptr, size, stream)
        self._world.races.host_waits(stream)

    def copy_to_host_async(self, mem: Any, size: int, stream: Stream | None = None) -> None:
        """Copy to host memory, in a stream."""
        copy_memory(self._world, "device_to_host", host_address(mem), self.ptr, size, stream)

    def memset(self, value: int, size: int) -> None:
        """Fill with a byte."""
        self.memset_async(value, size)

    def memset_async(self, value: int, size: int, stream: Stream | None = None) -> None:
        """Fill with a byte, in a stream."""
        fill_memory(self._world, self.ptr, value, size, stream)


def null_stream(world: World) -> Any:
    """The stream that everything happens in that does not say otherwise."""
    return world.classes["Stream"].null


def copy_memory(world: World, kind: str, dst: int, src: int, size: int, stream: Stream | None) -> None:
    """Copy bytes, in a stream; both ends are checked where they are on the device."""
    ends = {"device_to_device": (dst, src), "host_to_device": (dst,), "device_to_host": (src,)}[kind]
    for end in ends:
        require_device(world, end, size)
    if size:
        uses = world.races.uses(src, size, False) + world.races.uses(dst, size, True)
        world.submit(
            Work(kind, "memcpy", lambda: void(ctypes.memmove(dst, src, size)), size, 0, uses), stream
        )


def fill_memory(world: World, ptr: int, value: int, size: int, stream: Stream | None) -> None:
    """Fill device memory with a byte, in a stream."""
    require_device(world, ptr, size)
    if size:
        uses = world.races.uses(ptr, size, True)
        world.submit(
            Work("memset", "memset", lambda: void(ctypes.memset(ptr, value & 255, size)), size, 0, uses),
            stream,
        )


def require_device(world: World, address: int, size: int) -> None:
    """Refuse a range that is no device memory, which a real copy may or may not do."""
    if size and not world.heap.covers(address, size):
        raise CUDARuntimeError(1)


def void(_: object) -> None:
    """Drop a result."""


class MemoryPool:
    """A pool: what it gave out and got back is kept, and cut into parts, for the next that asks.

    Each block is new host memory all the same, so that nobody depends on what a block held before. The pool
    counts as a real one does; blocks that it keeps are what it can give without asking the device. Who used a
    kept block goes on with it to the next owner, who must wait for them.
    """

    _world: World

    def __init__(self, allocator: Callable[[int], MemoryPointer] | None = None) -> None:
        self._allocator = allocator
        self._regions: dict[int, list[Region]] = {}  # by stream
        self._returned: deque[tuple[int, Region, int, dict[int, Act]]] = deque()
        self._used = 0
        self._total = 0
        self._limit = 0
        self._lock = threading.RLock()

    def malloc(self, size: int) -> MemoryPointer:
        """A block of at least `size` bytes."""
        pointer = self._world.classes["MemoryPointer"]
        if size == 0:
            return pointer(self._world.classes["UnownedMemory"](0, 0, None), 0)
        stream = self._world.current_stream.ptr
        with self._lock:
            self._settle()
            part = self._reserve(_rounded(size), stream)
            self._used += _rounded(size)
        return pointer(self._world.classes["PooledMemory"](self, size, part), 0)

    def used_bytes(self) -> int:
        """Bytes in use."""
        self._settle()
        return self._used

    def total_bytes(self) -> int:
        """Bytes taken from the device."""
        return self._total

    def free_bytes(self) -> int:
        """Bytes kept for later."""
        return self._total - self.used_bytes()

    def n_free_blocks(self) -> int:
        """Blocks kept for later."""
        self._settle()
        return sum(len(region.kept) for regions in self._regions.values() for region in regions)

    def free_all_blocks(self, stream: Stream | None = None) -> None:
        """Give back to the device what is kept, of one stream when it is named; not what is used in part."""
        with self._lock:
            self._settle()
            for address in list(self._regions) if stream is None else [stream.ptr]:
                regions = self._regions.pop(address, [])
                nbytes = sum(region.size for region in regions if region.unused)
                self._regions[address] = [region for region in regions if not region.unused]
                self._total -= nbytes
                self._world.give_back(nbytes)

    def free_all_free(self) -> None:
        """An old name of `free_all_blocks`."""
        self.free_all_blocks()

    def get_limit(self) -> int:
        """The most bytes that the pool takes from the device, 0 for no limit."""
        return self._limit

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Set the most bytes that the pool takes from the device."""
        if (size is None) == (fraction is None):
            raise ValueError("Exactly one of the arguments must be specified")
        self._limit = int(self._world.memory_limit * fraction) if fraction is not None else int(size or 0)

    def _reserve(self, nbytes: int, stream: int) -> tuple[Region, int, dict[int, Act]]:
        """A part that is kept, the smallest that fits, or one from the device; who used it before."""
        kept = [
            (size, region, start)
            for region in self._regions.get(stream, ())
            for start, (size, _) in region.kept.items()
            if size >= nbytes
        ]
        if kept:
            _, region, start = min(kept, key=lambda part: part[0])
            return region, start, region.take(start, nbytes)
        self._take_or_shrink(nbytes)
        made = Region(nbytes)
        self._regions.setdefault(stream, []).append(made)
        return made, 0, {}

    def _take_or_shrink(self, nbytes: int) -> None:
        """Take bytes from the device, after giving back what is kept if need be."""
        for attempt in (0, 1):
            try:
                self._take(nbytes)
            except OutOfMemoryError:
                if attempt:
                    raise
                self.free_all_blocks()
            else:
                return

    def _take(self, nbytes: int) -> None:
        if self._limit and self._total + nbytes > self._limit:
            raise OutOfMemoryError(nbytes, self._total, self._limit)
        try:
            self._world.take(nbytes)
        except OutOfMemoryError:
            raise OutOfMemoryError(nbytes, self._total, self._limit) from None
        self._total += nbytes

    def _put(self, size: int, region: Region, start: int, history: dict[int, Act]) -> None:
        self._returned.append((_rounded(size), region, start, history))  # wherever Python collects garbage

    def _settle(self) -> None:
        """Take in what has been freed."""
        with self._lock:
            while self._returned:
                size, region, start, history = self._returned.popleft()
                self._used -= size
                region.put(start, size, history)


def _rounded(size: int) -> int:
    return (size + ROUNDING - 1) // ROUNDING * ROUNDING


class PinnedMemoryPool:
    """A pool of page-locked host memory; nothing is kept."""

    _world: World

    def malloc(self, size: int) -> Any:
        """A block."""
        return pinned(self._world.races, size)

    def free_all_blocks(self) -> None:
        """Give all kept blocks back."""

    def n_free_blocks(self) -> int:
        """Blocks kept for later."""
        return 0


def pinned(races: Races, size: int) -> Any:
    """Page-locked host memory with the buffer protocol, an attribute `ptr` and a method `size`.

    Python classes can offer that protocol from 3.12 on only, so this is an array of ctypes.
    """

    class PinnedMemory(ctypes.c_char * size):  # type: ignore[misc]
        """Page-locked host memory."""

        @property
        def ptr(self) -> int:
            return ctypes.addressof(self)

        def size(self) -> int:
            return len(self)

        def __int__(self) -> int:
            return ctypes.addressof(self)

    made = PinnedMemory()
    races.pin(made.ptr, size)
    weakref.finalize(made, races.unpin, made.ptr).atexit = False
    return made


def allocation_functions(world: World) -> dict[str, Any]:
    """`alloc` and its kin of `cupy.cuda`."""

    def alloc(size: int) -> MemoryPointer:
        """A block from the present allocator."""
        result: MemoryPointer = world.allocator(int(size))
        return result

    def set_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> None:
        """Allocate with `allocator` from now on."""
        device_malloc = world.classes["_malloc"]
        world.default_allocator = device_malloc if allocator is None else allocator

    @contextmanager
    def using_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> Iterator[None]:
        """Within it, this thread allocates with `allocator`."""
        kept = getattr(world._local, "allocator", None)
        world.allocator = world.classes["_malloc"] if allocator is None else allocator
        try:
            yield
        finally:
            world.allocator = kept

    def get_allocator() -> Callable[[int], MemoryPointer]:
        """The present allocator."""
        allocator: Callable[[int], MemoryPointer] = world.allocator
        return allocator

    def alloc_pinned_memory(size: int) -> Any:
        """Page-locked host memory."""
        return pinned(world.races, int(size))

    return {
        f.__name__: f for f in (alloc, set_allocator, using_allocator, get_allocator, alloc_pinned_memory)
    }
