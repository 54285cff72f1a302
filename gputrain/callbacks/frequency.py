"""How often a callback saves: at the end of epochs, or every so many batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gputrain.errors import explain
from gputrain.utils.states import check_names

EPOCH = "epoch"


class Frequency:
    """Counts the batches since something was saved.

    Args:
        owner: the callback, for errors.
        save_freq: "epoch", or after how many batches it saves. They are counted on from epoch to epoch.

    Raises:
        ValueError: anything else.
    """

    def __init__(self, owner: object, save_freq: Any) -> None:
        is_count = not isinstance(save_freq, bool) and isinstance(save_freq, int | np.integer)
        if save_freq != EPOCH and not (is_count and save_freq >= 1):
            rule = f"{type(owner).__name__}: save_freq must be 'epoch' or a number of batches."
            raise ValueError(explain(rule, expected="'epoch', or 1 or more", received=repr(save_freq)))
        self._every = None if save_freq == EPOCH else int(save_freq)
        self._seen, self._last = 0, -1

    @property
    def by_epoch(self) -> bool:
        """Whether it is at the end of epochs."""
        return self._every is None

    def saw(self, batch: int) -> bool:
        """Count what was trained up to this batch of the epoch; whether it is time to save."""
        if self._every is None:
            return False
        self._seen += batch - self._last if batch > self._last else batch + 1
        self._last = batch
        if self._seen < self._every:
            return False
        self._seen = 0
        return True

    def state(self) -> dict[str, int]:
        """What is counted."""
        return {"seen": self._seen, "last": self._last}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Count on from what `state` gave."""
        check_names("save_freq", ("seen", "last"), state)
        self._seen, self._last = int(state["seen"]), int(state["last"])
