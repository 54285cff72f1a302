"""Steps that give NaN or infinity: which it was, where it began, and whether training goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from gputrain import config
from gputrain.backend import Device
from gputrain.data.sources import Batch
from gputrain.errors import NonFiniteError
from gputrain.ir import Node, Value
from gputrain.models.training.state import Place, TrainingState
from gputrain.models.training.steps import MOST_SKIPPED
from gputrain.ops.comparison import IsFinite
from gputrain.ops.optim import AllFinite
from gputrain.runtime import Variable
from gputrain.utils.notes import note

DISPLAY = 0.1  # seconds between looks at a device that works by itself: ten a second, as progress bars do
MOST_KEPT, MOST_UNSEEN = 8, 4096  # batches between two looks: with data of their own, and in all


class Watched(Protocol):
    """A model as the watch over its training sees it."""

    name: str
    stop_training: bool
    optimizer: Any
    _training_counters: TrainingState
    _health_watch: HealthWatch | None

    def find_non_finite(self, batch: Batch) -> str:
        """Say where NaN or infinity began in the step of this batch."""


class HealthWatch:
    """Finds the step of an epoch after which training may not go on, and counts those that were skipped.

    Reading the flag means waiting for the device where it works by itself, so it is read at display rate
    there, before the learning rate is another one, and when the data ends. Nothing is lost: after such a step
    nothing changes, and its batch is kept until it was looked at.

    With the policy "stop" that is the first step that was not finite, with "skip" the last of `MOST_SKIPPED`
    in a row.

    Args:
        model: which is trained.
        place: the epoch, for the report.
        within: how far the epoch has got.

    Attributes:
        skips: whether the policy is "skip".
        first_step: steps tried before the epoch, or before it resumes.
    """

    def __init__(self, model: Watched, place: str, within: Place) -> None:
        self.model, self.place, self.within, self._done = model, place, within, within.batch
        self.skips = config.nonfinite_steps() == "skip"
        self.first_step, self._before = model._training_counters.tried, int(model._training_counters.step)
        self._skipped_before = self._skipped() if self.skips else 0
        if not within.batch:
            within.skipped_before = self._skipped_before
        self.waits = model._training_counters.step.device.asynchronous
        self._read_rate()
        self._unseen: list[Batch] = []
        self._kept = 0  # those of an iterator, which hold their data
        self._seen = 0
        self._next = time.monotonic() + DISPLAY

    def __enter__(self) -> HealthWatch:
        self.model._health_watch = self
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.model._health_watch = None
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
        """Look at the steps so far if the learning rate has changed: a report names the rate they had."""
        if self._rate_may_differ():
            self.look(at_last=True)
            self._read_rate()

    def another_step(self) -> None:
        """Another step than the epoch's own comes next (train_on_batch in a callback)."""
        self.look(at_last=True)
        self._before += 1

    def saw(self, group: list[Batch]) -> None:
        """These batches were trained on."""
        self._unseen += group
        self._kept += sum(batch.order is None for batch in group)

    def skipped(self) -> int:
        """Steps of the epoch that were not finite and changed nothing."""
        return self._skipped() - self.within.skipped_before

    def look(self, at_last: bool = False) -> None:
        """Look at the flag, if it is time to.

        Raises:
            NonFiniteError: a step gave NaN or infinity, and training may not go on.
        """
        if not self._unseen or (self.waits and not at_last and not self._is_time()):
            return
        skipped = self._skipped() - self._skipped_before if self.skips else 0
        if skipped:
            self._tell()
        if not bool(self.model._training_counters.healthy.numpy()):
            # A skipped step counts as one of the epoch's, also the last of them.
            number = int(self.model._training_counters.step) - self._before + max(skipped - 1, 0)
            batch = self._unseen[number - self._seen]
            self._unseen.clear()
            report(self.model, batch, f"{self.place}, step {self._done + number + 1}", self._rate)
            return
        self._seen += len(self._unseen)
        self._unseen.clear()
        self._kept = 0
        self._next = time.monotonic() + DISPLAY

    def _skipped(self) -> int:
        return int(self.model._training_counters.skipped)

    def _tell(self) -> None:
        name = self.model.name
        note(
            f"{name}: a step of {self.place} gave NaN or infinity; it was skipped and changed nothing. "
            f"Training goes on. {name}.skipped_steps counts such steps, and so does the history.",
            key=f"{name}: skipped steps",
        )

    def _is_time(self) -> bool:
        if self._kept >= MOST_KEPT or len(self._unseen) >= MOST_UNSEEN:
            return True
        return time.monotonic() >= self._next

    def _read_rate(self) -> None:
        """Remember the rate that was set by hand, and by what another one would show."""
        self._optimizer = self.model.optimizer
        self._version = getattr(self._optimizer, "_version_of_rates", 0)
        rate = getattr(self._optimizer, "learning_rate", None)
        self._variable = (
            rate if isinstance(rate, Variable) else None
        )  # a schedule's rate follows from the step
        self._rate = None if self._variable is None else float(self._variable)
        self._writes = None if self._variable is None else self._variable.writes

    def _rate_may_differ(self) -> bool:
        """Whether the rate was set, or the optimizer is another one or follows a schedule now."""
        if self._optimizer is not self.model.optimizer:
            return True
        if self._version != getattr(self._optimizer, "_version_of_rates", 0):
            return True
        return self._variable is not None and self._variable.writes != self._writes


def report(model: Watched, batch: Batch, place: str, rate: float | None = None) -> None:
    """Say what went wrong, at the rate the step had, unless a callback stopped the training.

    Raises:
        NonFiniteError: with the first bad node.
    """
    model._training_counters.recover()
    if model.stop_training:
        return
    where = model.find_non_finite(batch)
    rate = float(model.optimizer.learning_rate) if rate is None else rate
    row = f", as in the {MOST_SKIPPED - 1} steps before" if config.nonfinite_steps() == "skip" else ""
    raise NonFiniteError(
        f"{model.name}: the loss or a gradient became NaN or infinite in {place}{row}, at learning rate "
        f"{rate:.6g}. {where} The weights are those before this step. "
        "Try a smaller learning rate, clipnorm=1.0 in the optimizer, or check the data."
    )


class NonFiniteFinder:
    """Remembers the nodes whose output holds NaN or infinity, to name the one that began it.

    That is the first on a way to what the step requires to be finite, or gives where it requires nothing: a
    branch that was not taken, or a mask of -infinity, is no fault.
    """

    def __init__(self, device: Device, outputs: Sequence[Value]) -> None:
        self.device, self.outputs = device, outputs
        self.bad: dict[Node, tuple[int, int, int]] = {}  # how many are NaN, infinite, and there
        self.required: list[Node] = []  # what is required to be finite, and is not

    def __call__(self, node: Node, outs: tuple[Any, ...]) -> None:
        if isinstance(node.op, AllFinite | IsFinite) and node.outputs[0].spec.size == 1:
            self.required += self._makers(node.inputs)
        if not node.inputs:
            return
        for out in outs:
            host = self.device.download(out)
            if not is_finite(host):
                self.bad[node] = int(np.isnan(host).sum()), int(np.isinf(host).sum()), host.size
                return

    def _makers(self, values: Sequence[Value]) -> list[Node]:
        """The bad nodes that make these values."""
        return [v.node for v in values if v.node is not None and v.node in self.bad]

    def _origin(self) -> Node | None:
        """The first bad node that what is required depends on."""
        pending = self.required or self._makers(self.outputs)
        reached = set(pending)
        while pending:
            causes = [node for node in self._makers(pending.pop().inputs) if node not in reached]
            reached.update(causes)
            pending += causes
        return next((node for node in self.bad if node in reached), None)

    def describe(self) -> str:
        node = self._origin()
        if node is None:
            return "Run again node by node, no operation gave NaN or infinity."
        nan, inf, size = self.bad[node]
        backward = node.path.endswith("'")
        where = node.path.rstrip("'") or "the step itself"
        return (
            f"First bad operation: {node.op} of {where}, in the {'backward' if backward else 'forward'} pass "
            f"({nan} NaN and {inf} infinite of {size} elements; from {node.source})."
        )


def is_finite(array: np.ndarray) -> bool:
    """Whether an array holds no NaN and no infinity."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
