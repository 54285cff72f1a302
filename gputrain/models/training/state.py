"""State of a training beside the weights: counters, and how far fit has got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gputrain.data.sources import Source
from gputrain.errors import explain
from gputrain.models.training.identity import Identity
from gputrain.runtime import Variable
from gputrain.utils import states

FIRST_DRAW = 2**62  # draws outside training are counted from here on, far from all training steps
_FIRST: dict[str, Any] = {
    "step": np.int64(0),
    "draws": np.int64(FIRST_DRAW),
    "healthy": np.True_,
    "skipped": np.int64(0),
    "skipped_in_a_row": np.int64(0),
}
_PLACE = ("epoch", "batch", "skipped_before", "logs", "stopped", "source")
_CURSOR = ("pass", "batch")


@dataclass
class Place:
    """How far a call of fit has got.

    Attributes:
        epoch: the epoch that is being trained, or the next one.
        batch: batches of it that were trained on.
        skipped_before: steps that had been skipped when it began.
        logs: logs of the last batch, where the next one comes after fit resumes or after the validation.
        stopped: whether a callback ended the training before fit resumes.
        cursor: the state of the source after the last batch that was trained on.
        running: whether fit runs.
    """

    epoch: int = 0
    batch: int = 0
    skipped_before: int = 0
    logs: dict[str, Any] = field(default_factory=dict)
    stopped: bool = False
    cursor: tuple[int, int] | None = None
    running: bool = False

    def advance(self, batches: int, source: Source) -> None:
        """So many batches more were trained on."""
        self.batch += batches
        self.logs, self.cursor = {}, source.cursor

    def end_epoch(self) -> None:
        """The epoch is over, its validation too."""
        self.epoch, self.batch, self.logs = self.epoch + 1, 0, {}


class TrainingState:
    """Counters of a model's training, and the place that its fit has reached.

    Args:
        name: the model's name.

    Attributes:
        step: training steps done, a variable; it stands still at a step that was not finite.
        draws: counts the test and predict steps that drew random numbers.
        healthy: False once a step was bad enough to end the training.
        skipped, skipped_in_a_row: steps that were not finite and changed nothing, under the policy "skip".
        place: how far the last or current fit has got.
        identity: what the current fit trains, on what.
    """

    step: Variable
    draws: Variable
    healthy: Variable
    skipped: Variable
    skipped_in_a_row: Variable

    def __init__(self, name: str) -> None:
        for key, first in _FIRST.items():
            setattr(self, key, Variable(np.full((), first), trainable=False, name=key, path=f"{name}/{key}"))
        self.place = Place()
        self.identity: Identity | None = None
        self._resumes = False

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle has: not the data."""
        return {**vars(self), "identity": None}

    @property
    def variables(self) -> dict[str, Variable]:
        """The counters by their names."""
        return {name: getattr(self, name) for name in _FIRST}

    @property
    def tried(self) -> int:
        """Steps done and skipped: it moves with every batch, so the order of a pass is named by it."""
        return int(self.step) + int(self.skipped)

    def recover(self) -> None:
        """Let steps change the model again after some that were not finite."""
        self.healthy.assign(np.True_)

    def begin_fit(self, source: Source, initial_epoch: int) -> Place:
        """Where a fit begins: at `initial_epoch`, or where `set_state` says. The source stands there.

        Raises:
            ValueError: `set_state` named another epoch.
        """
        place, resumes = self.place, self._resumes
        if resumes and initial_epoch not in (0, place.epoch):
            rule = "fit: the state that was set says where training resumes."
            raise ValueError(
                explain(rule, expected=f"initial_epoch={place.epoch}, or none", received=initial_epoch)
            )
        self.place, self._resumes = replace(place) if resumes else Place(initial_epoch), False
        if self.place.cursor is not None:
            source.set_state(dict(zip(_CURSOR, self.place.cursor, strict=True)))
        else:
            source.begin(self.tried, self.place.epoch)
        self.place.cursor, self.place.running = source.cursor or (0, 0), True
        return self.place

    def end_fit(self, outer: Place) -> None:
        """Stand where a fit around this one stands."""
        self.identity = None
        if self.place is outer:  # it failed before it began
            return
        self.place.running = False
        if outer.running:
            self.place = outer

    def state(self, logs: Mapping[str, Any], stopped: bool) -> dict[str, Any]:
        """Counters, the place in fit and the source's cursor, as plain data.

        Args:
            logs: logs of the step that ran last.
            stopped: whether a callback ends the training.
        """
        place = self.place
        return {
            **states.of_variables(self.variables),
            "epoch": place.epoch,
            "batch": place.batch,
            "skipped_before": place.skipped_before,
            "logs": dict(place.logs or logs) if place.batch else {},
            "stopped": stopped and place.running,
            "source": None if place.cursor is None else dict(zip(_CURSOR, place.cursor, strict=True)),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set what `state` gave; the next fit resumes there.

        Raises:
            ValueError: an entry is missing, unknown or of another shape.
        """
        states.check_names("training", [*_FIRST, *_PLACE], state)
        states.assign("training", self.variables, {key: state[key] for key in _FIRST})
        epoch, batch, skipped = (int(state[key]) for key in ("epoch", "batch", "skipped_before"))
        source = state["source"]
        cursor = None if source is None else (int(source["pass"]), int(source["batch"]))
        self.place = Place(epoch, batch, skipped, dict(state["logs"]), bool(state["stopped"]), cursor)
        self._resumes = True
