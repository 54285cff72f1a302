"""Reading ahead: threads prepare the coming batches while the device works on one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from gputrain.utils.notes import note

DEPTH = 2  # batches that are ready at most
PATIENCE = 1.0  # seconds that the end of training waits for a generator
POLL = 0.1  # seconds after which a waiting thread looks whether it is still wanted

_local = threading.local()
_END = object()


def is_reader() -> bool:
    """Whether this thread reads ahead for another one."""
    return getattr(_local, "reads", False)


def _begin_reading() -> None:
    _local.reads = True


def by_threads(
    sequence: Any,
    numbers: Iterable[int],
    threads: int,
    most: int,
    within: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Iterator[Any]:
    """The items of a sequence of these numbers in order, made ahead by threads.

    Args:
        sequence: gives an item for a number.
        numbers: which items.
        threads: how many make them.
        most: so many are waited for at most, beside the next one.
        within: gives what a thread enters for an item.

    Example:
        >>> list(by_threads("abc", [2, 0], threads=2, most=1))
        ['c', 'a']
    """
    from concurrent.futures import Future, ThreadPoolExecutor  # for those who ask for threads

    pool = ThreadPoolExecutor(threads, "gputrain-batches", _begin_reading)
    coming: deque[Future[Any]] = deque()
    try:
        for number in numbers:
            coming.append(pool.submit(_item, sequence, number, within()))
            if len(coming) > most:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _item(sequence: Any, number: int, within: AbstractContextManager[object]) -> Any:
    with within:
        return sequence[number]


class Ahead:
    """The items of an iterator, fetched by a thread of their own.

    An error of the iterator is raised where its item is asked for. `close` ends the thread; at most DEPTH + 1
    items were taken from the iterator and not asked for then.

    Args:
        items: what to read.
        within: entered by the thread.

    Example:
        >>> list(Ahead(iter([1, 2, 3])))
        [1, 2, 3]
    """

    def __init__(self, items: Iterator[Any], within: AbstractContextManager[object] | None = None) -> None:
        self._items, self._within = items, within or nullcontext()
        self._ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(DEPTH)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name="gputrain-read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Any]:
        try:
            while True:
                item, error = self._ready.get()
                if error is not None:
                    raise error
                if item is _END:
                    return
                yield item
        finally:
            self.close()

    def close(self) -> None:
        """End the thread once it is through with the item at hand; do not wait for one that never comes."""
        self._closed.set()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            note("A generator that was read ahead is still busy with its next batch; it is left to itself.")

    def _read(self) -> None:
        _begin_reading()
        try:
            with self._within:
                for item in self._items:
                    if not self._offer(item, None):
                        return
            self._offer(_END, None)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that asked for the items
            self._offer(None, error)

    def _offer(self, item: Any, error: BaseException | None) -> bool:
        """Put an item where it is asked for; False if nobody will ask any more."""
        while not self._closed.is_set():
            try:
                self._ready.put((item, error), timeout=POLL)
            except queue.Full:
                continue
            return True
        return False
