"""Device memory, made of exact-size blocks of the host's heap, so that a sanitizer sees each overrun."""

from __future__ import annotations

import bisect
import ctypes
import sys
from collections import deque

from tests.cuda_emulator.build import sanitized

ALIGNMENT = 256
NEW = 0xFF  # fills new memory: NaN in every float type
FREED = 0xFB  # fills freed memory
QUARANTINE = 64 << 20  # bytes of freed blocks that are kept, so that a late reader meets FREED and no crash

_libc = ctypes.CDLL(None)
_libc.posix_memalign.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t)
_libc.free.argtypes = (ctypes.c_void_p,)
_libc.free.restype = None


class Heap:
    """Blocks of device memory by address."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._sorted: list[int] | None = []
        self._freed: deque[tuple[int, int]] = deque()
        self._freed_bytes = 0
        self._quarantine = 0 if sanitized() else QUARANTINE  # the sanitizer has one of its own

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self._quarantine = 0
            self._shrink()

    def allocate(self, size: int) -> int:
        """A new block, filled with NEW; 0 for no bytes."""
        if size == 0:
            return 0
        pointer = ctypes.c_void_p()
        if _libc.posix_memalign(ctypes.byref(pointer), ALIGNMENT, size) or pointer.value is None:
            raise MemoryError(f"the host has no {size} bytes left for the emulated device")
        ctypes.memset(pointer.value, NEW, size)
        self._sizes[pointer.value] = size
        self._sorted = None
        return pointer.value

    def release(self, address: int) -> None:
        """Overwrite a block and give it back, after a while."""
        size = self._sizes.pop(address, 0)
        if size == 0:
            return
        self._sorted = None
        ctypes.memset(address, FREED, size)
        self._freed.append((address, size))
        self._freed_bytes += size
        self._shrink()

    def _shrink(self) -> None:
        while self._freed_bytes > self._quarantine:
            oldest, nbytes = self._freed.popleft()
            self._freed_bytes -= nbytes
            _libc.free(oldest)

    def find(self, address: int) -> tuple[int, int] | None:
        """(start, size) of the block that an address lies in, or None."""
        starts = self.starts()
        i = bisect.bisect_right(starts, address) - 1
        if i < 0 or address >= starts[i] + self._sizes[starts[i]]:
            return None
        return starts[i], self._sizes[starts[i]]

    def starts(self) -> list[int]:
        """Addresses of all blocks, ascending."""
        if self._sorted is None:
            self._sorted = sorted(self._sizes)
        return self._sorted

    def covers(self, address: int, size: int) -> bool:
        """Whether `size` bytes from an address on lie in one block."""
        block = self.find(address)
        return block is not None and address + size <= sum(block)
