"""Where batches come from: arrays in memory, or an iterator of batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Device
from ..errors import DataError, explain
from ..utils import tree
from .arrays import Arrays, Batches, make_arrays


@dataclass(frozen=True)
class Batch:
    """Some rows of some arrays, to be loaded into the input buffers of a step.

    Attributes:
        arrays: where the rows are.
        rows: row numbers; None means all of them in order.
    """

    arrays: Arrays
    rows: np.ndarray | None

    @property
    def size(self) -> int:
        return self.arrays.count if self.rows is None else len(self.rows)

    def load(self, device: Device, buffers: list[Any]) -> None:
        """Copy the rows into the buffers, one per array."""
        for source, buffer in zip(self.arrays.leaves, buffers, strict=True):
            if self.rows is None:
                device.upload(source, buffer)
            else:
                device.gather(source, self.rows, buffer)


class ArraySource:
    """Batches of arrays in memory.

    Args:
        arrays: the data.
        batch_size: samples per batch; the last one may be smaller.
        shuffle: whether each epoch has an order of its own.
        steps: batches per epoch; None means once through the data.
    """

    def __init__(self, arrays: Arrays, batch_size: int, shuffle: bool = False, steps: int | None = None) -> None:
        self.arrays = arrays
        self.batches = Batches(arrays.count, batch_size, shuffle)
        self.steps: int | None = steps if steps is not None else self.batches.steps
        self._endless: Iterator[np.ndarray] | None = self._pass_after_pass() if steps is not None else None

    def first(self) -> Batch:
        """A batch of the usual size, to trace a step with."""
        return Batch(self.arrays, np.arange(min(self.batches.batch_size, self.arrays.count)))

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch, in order."""
        if self._endless is None:
            for rows in self.batches.epoch(number):
                yield Batch(self.arrays, rows)
            return
        for _ in range(self.steps or 0):
            yield Batch(self.arrays, next(self._endless))

    def _pass_after_pass(self) -> Iterator[np.ndarray]:
        """Rows without end, for steps_per_epoch: a new pass begins when the data is through."""
        number = 0
        while True:
            yield from self.batches.epoch(number)
            number += 1


class IteratorSource:
    """Batches from a generator, an iterator, or an object with __len__ and __getitem__ (a sequence of batches).

    Each batch is x, (x, y) or (x, y, sample_weight).
    """

    def __init__(self, source: Any, steps: int | None, shuffle: bool, what: str) -> None:
        self.source, self.what = source, what
        self.indexed = hasattr(source, "__len__") and hasattr(source, "__getitem__")
        self.steps = steps if steps is not None else (len(source) if self.indexed else None)
        self.shuffle = shuffle and self.indexed
        self._iterator: Iterator[Any] = iter(()) if self.indexed else iter(source)
        self._peeked: list[Batch] = []

    def first(self) -> Batch:
        """The first batch, kept for the first epoch."""
        if not self._peeked:
            self._peeked.append(self._convert(self.source[0] if self.indexed else self._next()))
        return self._peeked[0]

    def _next(self) -> Any:
        try:
            return next(self._iterator)
        except StopIteration:
            raise DataError(explain(f"{self.what}: the iterator gave no batch.", fix="Pass a fresh one.")) from None

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch."""
        if self.indexed:
            self._peeked.clear()
            order = Batches(len(self.source), 1, self.shuffle).order(number)
            for i in order[: self.steps]:
                yield self._convert(self.source[int(i)])
            if hasattr(self.source, "on_epoch_end"):
                self.source.on_epoch_end()
            return
        done = 0
        while self.steps is None or done < self.steps:
            if self._peeked:
                yield self._peeked.pop()
            else:
                try:
                    batch = next(self._iterator)
                except StopIteration:
                    self._check_end(done)
                    return
                yield self._convert(batch)
            done += 1

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

    def _convert(self, batch: Any) -> Batch:
        parts = batch if isinstance(batch, tuple) else (batch,)
        if not 1 <= len(parts) <= 3:
            raise DataError(
                explain(f"{self.what}: a batch is x, (x, y) or (x, y, sample_weight).", received=f"{len(parts)} parts")
            )
        return Batch(make_arrays(*parts, what=self.what), None)


Source = ArraySource | IteratorSource


def is_iterator(x: Any) -> bool:
    """Whether `x` gives batches rather than being data: a generator, an iterator, or a sequence of batches."""
    if inspect.isgenerator(x) or (hasattr(x, "__next__") and hasattr(x, "__iter__")):
        return True
    plain = isinstance(x, list | tuple | dict | str) or hasattr(x, "shape") or hasattr(x, "to_numpy")
    return not plain and ((hasattr(x, "__getitem__") and hasattr(x, "__len__")) or hasattr(x, "__iter__"))


def map_arrays(function: Callable[[Any], Any], structure: Any) -> Any:
    """`structure` with the function applied to its arrays; None stays."""
    return tree.map_leaves(lambda leaf: None if leaf is None else function(leaf), structure)
