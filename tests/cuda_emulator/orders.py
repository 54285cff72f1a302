"""The orders in which threads and blocks run, and a check that a launch does not depend on them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from tests.cuda_emulator.errors import OrderError
from tests.cuda_emulator.heap import Heap

ORDERS = "GPUTRAIN_EMULATOR_ORDERS"  # environment: "all" checks every launch of every device in all orders


class Order(NamedTuple):
    """An order of threads within a block and of blocks within a grid.

    Attributes:
        mode: "ascending", "descending" or "shuffled".
        seed: of the shuffle.
    """

    mode: str = "ascending"
    seed: int = 0

    @property
    def code(self) -> int:
        """The emulator's number of the mode."""
        return ("ascending", "descending", "shuffled").index(self.mode)


ASCENDING, DESCENDING = Order("ascending"), Order("descending")
ALL = (ASCENDING, DESCENDING, Order("shuffled", 1), Order("shuffled", 2))


class Orders:
    """How a stand-in runs its launches.

    Attributes:
        order: of every launch.
        checking: whether every launch runs in all orders, which must agree bit for bit.
    """

    def __init__(self) -> None:
        self.order = ASCENDING
        self.checking = os.environ.get(ORDERS) == "all"

    @contextmanager
    def use(self, order: Order) -> Iterator[None]:
        """Within it, launches run in this order."""
        kept, self.order = self.order, order
        try:
            yield
        finally:
            self.order = kept

    @contextmanager
    def check_all(self) -> Iterator[None]:
        """Within it, every launch runs in all orders, and OrderError is raised where they disagree."""
        kept, self.checking = self.checking, True
        try:
            yield
        finally:
            self.checking = kept


def in_all_orders(
    launch: Callable[[Order], None], buffers: Iterable[tuple[int, int]], what: str = "launch"
) -> None:
    """Run a launch in four orders from the same start, and demand equal bits.

    Args:
        launch: runs it in an order.
        buffers: (address, size) of all memory that it can reach.
        what: names it in the error.
    """
    blocks = list(buffers)
    before = [ctypes.string_at(*block) for block in blocks]
    launch(ALL[0])
    expected = [ctypes.string_at(*block) for block in blocks]
    for order in ALL[1:]:
        for (address, _), content in zip(blocks, before, strict=True):
            ctypes.memmove(address, content, len(content))
        launch(order)
        for i, (block, content) in enumerate(zip(blocks, expected, strict=True)):
            if ctypes.string_at(*block) != content:
                raise OrderError(_difference(what, i, order, content, ctypes.string_at(*block)))


def _difference(what: str, buffer: int, order: Order, expected: bytes, received: bytes) -> str:
    unequal = np.flatnonzero(np.frombuffer(expected, np.uint8) != np.frombuffer(received, np.uint8))
    return (
        f"{what}: the result depends on the order of threads and blocks: buffer {buffer} of"
        f" {len(expected)} bytes differs in {len(unequal)} bytes, the first at byte {unequal[0]}, between"
        f" {ALL[0].mode} and {order.mode} order. A barrier is missing, or two threads write the same place."
    )


def reachable(heap: Heap, addresses: Iterable[int]) -> list[tuple[int, int]]:
    """All blocks that addresses lie in, and those whose addresses stand in one of them.

    Tables of pointers are found by their looks: every aligned word that lies in a block counts as a pointer.
    """
    found: dict[int, int] = {}
    pending = list(addresses)
    starts = np.array(heap.starts(), np.uint64)
    while pending:
        block = heap.find(pending.pop())
        if block is None or block[0] in found:
            continue
        found[block[0]] = block[1]
        words = np.frombuffer(ctypes.string_at(block[0], block[1] // 8 * 8), np.uint64)
        likely = words[(words >= starts[0]) & (words < starts[-1] + np.uint64(heap_end(heap)))]
        pending.extend(int(word) for word in np.unique(likely))
    return sorted(found.items())


def heap_end(heap: Heap) -> int:
    """Bytes of the block with the highest address."""
    last = heap.find(heap.starts()[-1])
    return last[1] if last else 0
