"""Where batches come from: arrays in memory, or an iterator of batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import getitem
from typing import Any

import numpy as np

from gputrain import config
from gputrain.backend import Feeder, Thunk, current_device
from gputrain.data.ahead import Ahead, by_threads
from gputrain.data.arrays import Arrays, Batches, make_arrays
from gputrain.errors import DataError, explain
from gputrain.utils import PyDataset
from gputrain.utils.notes import note
from gputrain.utils.states import check_names

Check = Callable[[Arrays], None]
Cursor = tuple[int, int]  # number of the pass, batches of it that were given out
_END = object()


@dataclass(frozen=True)
class Batch:
    """Some rows of some arrays, to be loaded into the input buffers of a step.

    Attributes:
        arrays: where the rows are.
        order: row numbers of a whole pass; None means that the batch is all of the arrays.
        start, stop: which of them are this batch's.
        size: samples of the batch.
    """

    arrays: Arrays
    order: np.ndarray | None = None
    start: int = 0
    stop: int = 0
    size: int = field(init=False)

    def __post_init__(self) -> None:
        size = self.arrays.count if self.order is None else self.stop - self.start
        object.__setattr__(self, "size", size)

    @property
    def rows(self) -> np.ndarray | None:
        """Row numbers of this batch; None means all of them in order."""
        return None if self.order is None else self.order[self.start : self.stop]

    def load(
        self, feeder: Feeder, buffers: Sequence[Any], scales: Sequence[tuple[float, float]]
    ) -> Thunk | None:
        """Copy the rows into the buffers, one per array, or return what does it as part of the step."""
        rows = self.order, self.start, self.stop
        return feeder.load(self.arrays, self.arrays.leaves, *rows, buffers, scales)


class Source:
    """Batches, epoch by epoch.

    A source knows where it stands: which pass over the data it is in, and how many of its batches were given
    out. The number of a pass names its order. Where an epoch is a pass, that is the step with which it
    begins; where epochs have `steps` of their own, passes are counted from the step with which the run began.

    Args:
        what: the method that was called, for notes and errors.
        steps: batches per epoch; None means once through the data.
        there: batches of a pass, where that is known.
        repeat: whether an epoch of `steps` goes on where the last one ended, pass after pass (training);
            otherwise each epoch begins with the first batch and ends with the data at the latest.

    Attributes:
        steps: batches per epoch; None where nobody knows.
        cursor: where it stands: a pass, and batches of it that were given out.
    """

    def __init__(self, what: str, steps: int | None, there: int | None, repeat: bool) -> None:
        self.what, self._there = what, there
        self.steps: int | None = _steps(steps, there, repeat, what)
        self._goes_on = steps is not None and repeat
        self.cursor: Cursor | None = None

    def first(self) -> Batch:
        """A batch of the usual size, to trace a step with."""
        raise NotImplementedError

    def check_with(self, check: Check) -> None:
        """Check the data: all at once, or each batch as it comes."""
        raise NotImplementedError

    def epoch(self, number: int, done: int = 0) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
            number: the training step, which names the order of a pass that begins with it.
            done: batches of this epoch that were trained on before it was interrupted.
        """
        cursor = self.cursor if self._goes_on or done else None
        for batch, after in self._given_out(cursor or (number - done, done), done):
            self.cursor = after
            yield batch

    def begin(self, step: Any, epoch: int) -> None:
        """Stand where a run stands that trained `epoch` epochs, up to the training step `step`."""
        if epoch and self._goes_on and self.steps is not None:
            self._stand_after(epoch * self.steps, int(step))

    def state(self) -> dict[str, Any]:
        """Where the source stands: {"pass": number of the pass, "batch": batches of it given out}."""
        number, batch = self.cursor or (0, 0)
        return {"pass": number, "batch": batch}

    def set_state(self, state: Mapping[str, int]) -> None:
        """Stand where `state` says.

        Raises:
            ValueError: an entry is missing or unknown.
        """
        check_names(f"the source of {self.what}", ("pass", "batch"), state)
        self.cursor = int(state["pass"]), int(state["batch"])

    def fingerprint(self) -> dict[str, str]:
        """What tells the data from other data, part by part."""
        raise NotImplementedError

    def _stand_after(self, done: int, step: int) -> None:
        """Stand after `done` batches of a run that has come to `step`."""
        passes, batch = divmod(done, self._there) if self._there else (0, done)
        self.cursor = max(step - done, 0) + passes, batch

    def _given_out(self, cursor: Cursor, done: int) -> Iterable[tuple[Batch, Cursor]]:
        """What is left of an epoch from the cursor on: each batch, and the cursor after it."""
        raise NotImplementedError


class _PassSource(Source):
    """A source that knows its batches by number, so that a pass has an order and can begin anywhere."""

    batch_size = 1

    def _given_out(self, cursor: Cursor, done: int) -> Iterable[tuple[Batch, Cursor]]:
        number, first = cursor
        left = (self.steps or 0) - done
        while left > 0:
            order = self._order(number)
            count = -(-len(order) // self.batch_size)
            stop = max(first, min(count, first + left))
            if first < stop:
                self._tell("on_epoch_begin")
                for i, batch in enumerate(self._batches(order, first, stop), first + 1):
                    yield batch, (number, i)
                self._tell("on_epoch_end")
            left -= stop - first
            if not self._goes_on:
                return
            number, first = number + 1, 0

    def _order(self, number: int) -> np.ndarray:
        """All rows in the order of a pass."""
        raise NotImplementedError

    def _batches(self, order: np.ndarray, first: int, stop: int) -> Iterator[Batch]:
        """Some of the batches of a pass."""
        raise NotImplementedError

    def _tell(self, moment: str) -> None:
        """Called where an epoch or a pass of its own begins ("on_epoch_begin") and ends ("on_epoch_end")."""


class ArraySource(_PassSource):
    """Batches of arrays in memory.

    Args:
        arrays: the data.
        batch_size: samples per batch; the last one may be smaller.
        shuffle: whether each pass has an order of its own.
        steps, repeat, what: as for `Source`.
    """

    def __init__(
        self,
        arrays: Arrays,
        batch_size: int,
        shuffle: bool | str = False,
        steps: int | None = None,
        repeat: bool = False,
        what: str = "fit",
    ) -> None:
        self.arrays, self.batch_size = arrays, batch_size
        self.batches = Batches(arrays.count, batch_size, shuffle)
        super().__init__(what, steps, self.batches.steps, repeat)
        self._known: tuple[int, np.ndarray] | None = None  # the order that was asked for last

    def first(self) -> Batch:
        """A batch of the usual size, to trace a step with."""
        size = self.batches.batch_size
        if size >= self.arrays.count:
            return Batch(self.arrays)
        return Batch(self.arrays, np.arange(size), 0, size)

    def check_with(self, check: Check) -> None:
        """Check the data, all of it at once."""
        check(self.arrays)

    def fingerprint(self) -> dict[str, str]:
        """Shapes and contents of the arrays."""
        from gputrain.data import fingerprint

        return fingerprint.of_arrays(self.arrays)

    def _order(self, number: int) -> np.ndarray:
        if self._known is None or self._known[0] != number:
            self._known = number, self.batches.order(number)
        return self._known[1]

    def _batches(self, order: np.ndarray, first: int, stop: int) -> Iterator[Batch]:
        return map(partial(self._batch, order), range(first, stop))

    def _batch(self, order: np.ndarray, number: int) -> Batch:
        start = number * self.batch_size
        return Batch(self.arrays, order, start, min(start + self.batch_size, len(order)))


class Reading(Source):
    """What the sources share that read batches from a user's object.

    Attributes:
        weigh: gives each batch that is read its weights, if anything.
    """

    weigh: Callable[[Arrays], Arrays] | None = None
    _peeked: Batch | None = None
    _check: Check | None = None

    def check_with(self, check: Check) -> None:
        """Check each batch as it comes."""
        self._check = check
        if self._peeked is not None:
            check(self._peeked.arrays)

    def fingerprint(self) -> dict[str, str]:
        """Shapes of samples, and how many batches a pass has; contents are not known before they come."""
        from gputrain.data import fingerprint

        count = {} if self._there is None else {"batches": str(self._there)}
        return {**fingerprint.of_batch(self.first().arrays), **count}

    def _ahead(self, coming: Iterator[tuple[Batch, Cursor]]) -> Iterable[tuple[Batch, Cursor]]:
        """The same batches, read by a thread of their own where the device works by itself meanwhile."""
        device = current_device()
        return Ahead(coming, device.carried()) if config.read_ahead() and device.asynchronous else coming

    def _convert(self, item: Any) -> Batch:
        """A batch from x, (x, y) or (x, y, sample_weight), in a tuple or a list."""
        parts = item if isinstance(item, tuple | list) else (item,)
        if not 1 <= len(parts) <= 3:
            rule = f"{self.what}: a batch is x, (x, y) or (x, y, sample_weight)."
            raise DataError(explain(rule, received=f"{len(parts)} parts"))
        x, y, sample_weight = (*parts, None, None)[:3]
        arrays = make_arrays(x, y, sample_weight, self.what)
        if self._check is not None:
            self._check(arrays)
        if self.weigh is not None:
            arrays = self.weigh(arrays)
        # A generator may fill its buffers again before a device that works by itself has read them.
        return Batch(arrays.copied() if current_device().asynchronous else arrays)


class SequenceSource(Reading, _PassSource):
    """Batches by number, from an object with __len__ and __getitem__, or a `PyDataset` that knows how many.

    Its `on_epoch_begin` and `on_epoch_end`, if it has them, are called before and after each epoch, and each
    pass where an epoch has more than one.

    Args:
        sequence: gives x, (x, y) or (x, y, sample_weight) for a number.
        shuffle: whether each pass has an order of its own.
        steps, repeat, what: as for `Source`.
    """

    def __init__(
        self, sequence: Any, steps: int | None, shuffle: bool | str, what: str, repeat: bool = False
    ) -> None:
        super().__init__(what, steps, _length(sequence), repeat)
        self.sequence, self.shuffle = sequence, shuffle

    def first(self) -> Batch:
        """The batch of number 0, to trace a step with."""
        if self._peeked is None and self._count():
            self._peeked = self._convert(self.sequence[0])
        assert self._peeked is not None
        return self._peeked

    def _given_out(self, cursor: Cursor, done: int) -> Iterable[tuple[Batch, Cursor]]:
        self._peeked = None
        return self._ahead(iter(super()._given_out(cursor, done)))

    def _order(self, number: int) -> np.ndarray:
        return Batches(self._count(), 1, self.shuffle).order(number)

    def _batches(self, order: np.ndarray, first: int, stop: int) -> Iterator[Batch]:
        numbers = map(int, order[first:stop])
        if isinstance(self.sequence, PyDataset) and self.sequence.workers > 1:
            device, sizes = current_device(), (self.sequence.workers, self.sequence.max_queue_size)
            return map(self._convert, by_threads(self.sequence, numbers, *sizes, device.carried))
        return map(self._convert, map(partial(getitem, self.sequence), numbers))

    def _count(self) -> int:
        count = _length(self.sequence)
        if not count:
            raise DataError(explain(f"{self.what} needs at least one batch.", received="an empty sequence"))
        return count

    def _tell(self, moment: str) -> None:
        if hasattr(self.sequence, moment):
            getattr(self.sequence, moment)()


def _length(data: Any) -> int | None:
    """The batches that a sequence says it has; None where it says that there is no end of them."""
    return data.num_batches if isinstance(data, PyDataset) else len(data)


class StreamSource(Reading):
    """Batches from a generator, an iterator, or an iterable that can begin again.

    Args:
        stream: gives x, (x, y) or (x, y, sample_weight), one after the other.
        steps, repeat, what: as for `Source`. An iterable begins again within an epoch of `steps`.
    """

    def __init__(self, stream: Any, steps: int | None, what: str, repeat: bool = False) -> None:
        super().__init__(what, steps, len(stream) if hasattr(stream, "__len__") else None, repeat)
        self.stream = stream
        self._begins_again = not hasattr(stream, "__next__")
        self._iterator: Iterator[Any] | None = None
        self._behind = False  # what comes next is not yet what the cursor says

    def first(self) -> Batch:
        """The first batch, kept for the first epoch."""
        if self._peeked is None:
            self._iterator = self._iterator if self._goes_on else None
            item, _ = self._next(0)
            if item is _END:
                raise DataError(explain(f"{self.what}: the iterator gave no batch.", fix="Pass a fresh one."))
            self._peeked = self._convert(item)
        return self._peeked

    def set_state(self, state: Mapping[str, int]) -> None:
        """Stand where `state` says: what is passed by is read, and dropped."""
        super().set_state(state)
        self._behind = True

    def _stand_after(self, done: int, step: int) -> None:
        if self._begins_again:  # an iterator stands where it stands
            super()._stand_after(done, step)
            self._behind = True

    def _given_out(self, cursor: Cursor, done: int) -> Iterable[tuple[Batch, Cursor]]:
        return self._ahead(self._coming(cursor, done))

    def _coming(self, cursor: Cursor, done: int) -> Iterator[tuple[Batch, Cursor]]:
        number, place = cursor
        if not self._goes_on and self._peeked is None:
            self._iterator = None  # an iterable begins again with each epoch
        if self._behind and place:
            self._drop(place)
        self._behind = False
        while self.steps is None or done < self.steps:
            batch, self._peeked = self._peeked, None
            if batch is None:
                item, again = self._next(done)
                if item is _END:
                    return
                number, place = (number + 1, 0) if again else (number, place)
                batch = self._convert(item)
            done, place = done + 1, place + 1
            yield batch, (number, place)

    def _drop(self, count: int) -> None:
        """Read and drop the first batches."""
        dropped = int(self._peeked is not None)
        self._peeked = None
        while dropped < count and self._next(0)[0] is not _END:
            dropped += 1

    def _next(self, done: int) -> tuple[Any, bool]:
        """(the next item or _END, whether the stream began again, as it does where steps were promised)."""
        if self._iterator is None:
            self._iterator = iter(self.stream)
        item = next(self._iterator, _END)
        again = item is _END and self._goes_on and self._begins_again
        if again:
            self._iterator = iter(self.stream)
            item = next(self._iterator, _END)
        if item is _END and done and self.steps is not None and not self._goes_on:
            _say_ended(self.what, done, self.steps)
        return item, again


def make_source(
    data: Any, batch_size: int, shuffle: bool | str, steps: int | None, what: str, repeat: bool = False
) -> Source:
    """The source of the batches of arrays, of a sequence of batches, or of a stream of them.

    Args:
        data: `Arrays`, or what `is_iterator` knows.
        batch_size: samples per batch of arrays.
        shuffle: whether each pass over arrays or a sequence has an order of its own.
        steps, what, repeat: as for `Source`.
    """
    if isinstance(data, Arrays):
        return ArraySource(data, batch_size, shuffle, steps, repeat, what)
    numbered = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if isinstance(data, PyDataset):
        numbered = data.num_batches is not None
    if numbered:
        return SequenceSource(data, steps, shuffle, what, repeat)
    return StreamSource(data, steps, what, repeat)


def _steps(asked: int | None, there: int | None, repeat: bool, what: str) -> int | None:
    """Batches per epoch: what was asked for, but no more than there are unless the data repeats."""
    if asked is None or there is None or repeat or asked <= there:
        return there if asked is None else asked
    _say_ended(what, there, asked)
    return there


def _say_ended(what: str, done: int, asked: int) -> None:
    note(f"{what}: the data ended after {done} of {asked} steps; the results are those of {done}.")


def is_iterator(x: Any) -> bool:
    """Whether `x` gives batches rather than being data: an iterator, an iterable or a sequence of batches."""
    if inspect.isgenerator(x) or (hasattr(x, "__next__") and hasattr(x, "__iter__")):
        return True
    plain = isinstance(x, list | tuple | dict | str) or hasattr(x, "shape") or hasattr(x, "to_numpy")
    return not plain and ((hasattr(x, "__getitem__") and hasattr(x, "__len__")) or hasattr(x, "__iter__"))
