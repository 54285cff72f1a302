"""Watching over an epoch: which step was the first to give NaN or infinity."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gputrain.data.sources import Batch
from gputrain.runtime import Variable

if TYPE_CHECKING:
    from gputrain.models.training.trainer import Trainer

DISPLAY = 0.1  # seconds between looks at a device that works by itself: ten a second, as progress bars do
MOST_KEPT, MOST_UNSEEN = 8, 4096  # batches between two looks: with data of their own, and in all


class HealthWatch:
    """Finds the first step of an epoch that gave NaN or infinity.

    Reading the flag means waiting for the device where it works by itself, so it is read at display rate
    there, before the learning rate is another one, and when the data ends. Nothing is lost: after a bad step
    nothing changes, and its batch is kept until it was looked at.

    Args:
        model: which is trained.
        place: the epoch, for the report.
    """

    def __init__(self, model: Trainer, place: str) -> None:
        self.model, self.place = model, place
        self.before = int(model.step_counter)
        self.waits = model.step_counter.device.asynchronous
        self._rate, self._writes = self._current_rate()
        self._unseen: list[Batch] = []
        self._kept = 0  # those of an iterator, which hold their data
        self._done = 0
        self._next = time.monotonic() + DISPLAY

    def __enter__(self) -> HealthWatch:
        self.model._watch = self
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.model._watch = None
        if error is None:
            self.look(at_last=True)

    def batches(self, coming: Iterator[Batch]) -> Iterator[Batch]:
        """The batches of the epoch. Where they end in an error, a bad step that came before is told first."""
        try:
            yield from coming
        except Exception:
            self.look(at_last=True)
            raise

    def before_steps(self) -> None:
        """Steps come: those so far belong to the learning rate they had."""
        rate, writes = self._current_rate(known=self._writes)
        if writes != self._writes:
            self.look(at_last=True)
            self._rate, self._writes = rate, writes

    def another_step(self) -> None:
        """A step that is none of the epoch's is to be made (train_on_batch in a callback)."""
        self.look(at_last=True)
        self.before += 1

    def saw(self, group: list[Batch]) -> None:
        """These batches were trained on."""
        self._unseen += group
        self._kept += sum(batch.order is None for batch in group)

    def look(self, at_last: bool = False) -> None:
        """Look at the flag, if it is time to.

        Raises:
            NonFiniteError: a step gave NaN or infinity.
        """
        if not self._unseen or (self.waits and not at_last and not self._is_time()):
            return
        if not bool(self.model.healthy.numpy()):
            number = int(self.model.step_counter) - self.before
            batch = self._unseen[number - self._done]
            self._unseen.clear()
            self.model._report_non_finite(batch, f"{self.place}, step {number + 1}", self._rate)
            return
        self._done += len(self._unseen)
        self._unseen.clear()
        self._kept = 0
        self._next = time.monotonic() + DISPLAY

    def _is_time(self) -> bool:
        if self._kept >= MOST_KEPT or len(self._unseen) >= MOST_UNSEEN:
            return True
        return time.monotonic() >= self._next

    def _current_rate(self, known: int = -1) -> tuple[float | None, int]:
        """(rate that was last set by hand, how often one was set); not read again while that is `known`."""
        rate = getattr(self.model.optimizer, "learning_rate", None)
        if not isinstance(rate, Variable):
            return None, 0  # a schedule: what it gave follows from the step
        return (None if rate.writes == known else float(rate)), rate.writes
