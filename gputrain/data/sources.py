"""Where batches come from: arrays in memory, or an iterator of batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from gputrain import config
from gputrain.backend import Feeder, Thunk, current_device
from gputrain.data.ahead import Ahead
from gputrain.data.arrays import Arrays, Batches, make_arrays
from gputrain.errors import DataError, explain
from gputrain.utils.notes import note

Check = Callable[[Any], None]
_END = object()


@dataclass(frozen=True)
class Batch:
    """Some rows of some arrays, to be loaded into the input buffers of a step.

    Attributes:
        arrays: where the rows are.
        order: row numbers of a whole pass; None means that the batch is all of the arrays.
        start, stop: which of them are this batch's.
    """

    arrays: Arrays
    order: np.ndarray | None = None
    start: int = 0
    stop: int = 0

    @property
    def rows(self) -> np.ndarray | None:
        """Row numbers of this batch; None means all of them in order."""
        return None if self.order is None else self.order[self.start : self.stop]

    @property
    def size(self) -> int:
        return self.arrays.count if self.order is None else self.stop - self.start

    def load(
        self, feeder: Feeder, buffers: Sequence[Any], scales: Sequence[tuple[float, float]]
    ) -> Thunk | None:
        """Copy the rows into the buffers, one per array, or return what does it as part of the step."""
        rows = self.order, self.start, self.stop
        return feeder.load(self.arrays, self.arrays.leaves, *rows, buffers, scales)


class ArraySource:
    """Batches of arrays in memory.

    Args:
        arrays: the data.
        batch_size: samples per batch; the last one may be smaller.
        shuffle: whether each epoch has an order of its own.
        steps: batches per epoch; None means once through the data.
        repeat: whether an epoch of `steps` goes on where the last one ended, pass after pass (training);
            otherwise each epoch begins with the first batch and ends with the data at the latest.
        what: the method that was called, for notes.
    """

    def __init__(
        self,
        arrays: Arrays,
        batch_size: int,
        shuffle: bool = False,
        steps: int | None = None,
        repeat: bool = False,
        what: str = "fit",
    ) -> None:
        self.arrays = arrays
        self.batches = Batches(arrays.count, batch_size, shuffle)
        self._goes_on = steps is not None and repeat
        self.steps: int | None = _steps(steps, self.batches.steps, repeat, what)
        self._endless: Iterator[Batch] | None = None

    def first(self) -> Batch:
        """A batch of the usual size, to trace a step with."""
        size = self.batches.batch_size
        if size >= self.arrays.count:
            return Batch(self.arrays)
        return Batch(self.arrays, np.arange(size), 0, size)

    def check_with(self, check: Check) -> None:
        """Check the targets, all of them at once."""
        check(self.arrays.y)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch, in the order that follows from `number`."""
        if not self._goes_on:
            yield from islice(self._pass(number), self.steps)
            return
        if self._endless is None:
            self._endless = self._pass_after_pass(number)
        yield from islice(self._endless, self.steps)

    def _pass(self, number: int) -> Iterator[Batch]:
        """All rows once."""
        order, size = self.batches.order(number), self.batches.batch_size
        for start in range(0, len(order), size):
            yield Batch(self.arrays, order, start, min(start + size, len(order)))

    def _pass_after_pass(self, number: int) -> Iterator[Batch]:
        """Batches without end, for steps_per_epoch: a new pass begins when the data is through."""
        while True:
            yield from self._pass(number)
            number += 1


class IteratorSource:
    """Batches from a generator, an iterator, an iterable that can begin again, or a sequence of batches.

    Each batch is x, (x, y) or (x, y, sample_weight).

    Args:
        source: where they come from; a sequence of batches has __len__ and __getitem__.
        steps: batches per epoch; None means to the end.
        shuffle: whether a sequence of batches is read in another order in each epoch.
        what: the method that was called, for errors.
        repeat: whether an iterable begins again within an epoch of `steps` (training); otherwise each epoch
            begins with its first batch and ends with the data at the latest.
    """

    def __init__(
        self, source: Any, steps: int | None, shuffle: bool, what: str, repeat: bool = False
    ) -> None:
        self.source, self.what = source, what
        self.indexed = hasattr(source, "__len__") and hasattr(source, "__getitem__")
        self.steps = _steps(steps, len(source) if hasattr(source, "__len__") else None, repeat, what)
        self.shuffle = shuffle and self.indexed
        self._goes_on = steps is not None and repeat
        self._iterator: Iterator[Any] | None = None
        self._peeked: list[Batch] = []
        self._check: Check | None = None

    def first(self) -> Batch:
        """The first batch, kept for the first epoch."""
        if not self._peeked:
            batch = self._convert(self._item(0)) if self.indexed else self._following(0)
            if batch is None:
                raise DataError(explain(f"{self.what}: the iterator gave no batch.", fix="Pass a fresh one."))
            self._peeked.append(batch)
        return self._peeked[0]

    def check_with(self, check: Check) -> None:
        """Check the targets of each batch as it comes."""
        self._check = check
        for batch in self._peeked:
            check(batch.arrays.y)

    def _item(self, index: int) -> Any:
        if len(self.source) == 0:
            raise DataError(explain(f"{self.what} needs at least one batch.", received="an empty sequence"))
        return self.source[index]

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch, read ahead where the device works by itself meanwhile."""
        batches = self._indexed_epoch(number) if self.indexed else self._streamed_epoch()
        device = current_device()
        reads_ahead = config.read_ahead() and device.asynchronous
        yield from Ahead(batches, device.carried()) if reads_ahead else batches

    def _indexed_epoch(self, number: int) -> Iterator[Batch]:
        self._peeked.clear()
        for i in Batches(len(self.source), 1, self.shuffle).order(number)[: self.steps]:
            yield self._convert(self._item(int(i)))
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def _streamed_epoch(self) -> Iterator[Batch]:
        done = 0
        while self.steps is None or done < self.steps:
            batch = self._peeked.pop() if self._peeked else self._following(done)
            if batch is None:
                break
            yield batch
            done += 1
        if not self._goes_on:
            self._iterator = None  # an iterable begins again with the next epoch

    def _following(self, done: int) -> Batch | None:
        """The next batch; None at the end. Where steps were promised, an iterable begins again by itself."""
        if self._iterator is None:
            self._iterator = iter(self.source)
        item = next(self._iterator, _END)
        if item is _END and self._goes_on and not hasattr(self.source, "__next__"):
            self._iterator = iter(self.source)
            item = next(self._iterator, _END)
        if item is _END:
            self._check_end(done)
            return None
        return self._convert(item)

    def _check_end(self, done: int) -> None:
        """The end of an iterator is the end of the epoch, if steps were not promised."""
        if self.steps is not None and done == 0:
            raise DataError(
                explain(
                    f"{self.what}: the iterator ended.",
                    expected=f"{self.steps} batches per epoch",
                    received=f"{done} in this epoch",
                    fix="Let the generator repeat (while True), or lower steps_per_epoch.",
                )
            )
        if self.steps is not None and not self._goes_on:
            _say_ended(self.what, done, self.steps)

    def _convert(self, batch: Any) -> Batch:
        parts = batch if isinstance(batch, tuple) else (batch,)
        if not 1 <= len(parts) <= 3:
            rule = f"{self.what}: a batch is x, (x, y) or (x, y, sample_weight)."
            raise DataError(explain(rule, received=f"{len(parts)} parts"))
        x, y, sample_weight = (*parts, None, None)[:3]
        arrays = make_arrays(x, y, sample_weight, self.what)
        if self._check is not None:
            self._check(arrays.y)
        # A generator may fill its buffers again before a device that works by itself has read them.
        return Batch(arrays.copied() if current_device().asynchronous else arrays)


def _steps(asked: int | None, there: int | None, repeat: bool, what: str) -> int | None:
    """Batches per epoch: what was asked for, but no more than there are unless the data repeats."""
    if asked is None or there is None or repeat or asked <= there:
        return there if asked is None else asked
    _say_ended(what, there, asked)
    return there


def _say_ended(what: str, done: int, asked: int) -> None:
    note(f"{what}: the data ended after {done} of {asked} steps; the results are those of {done}.")


Source = ArraySource | IteratorSource


def is_iterator(x: Any) -> bool:
    """Whether `x` gives batches rather than being data: an iterator, an iterable or a sequence of batches."""
    if inspect.isgenerator(x) or (hasattr(x, "__next__") and hasattr(x, "__iter__")):
        return True
    plain = isinstance(x, list | tuple | dict | str) or hasattr(x, "shape") or hasattr(x, "to_numpy")
    return not plain and ((hasattr(x, "__getitem__") and hasattr(x, "__len__")) or hasattr(x, "__iter__"))
