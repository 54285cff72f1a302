"""How several processes train one model together: the seam between the loop and what distributes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gputrain.data import Arrays


class Strategy(Protocol):
    """What fit and evaluate ask when more than one process works on a model.

    None of it is called within a step: rows are shared before the first one, gradients are reduced by what
    `reduce_gradients` adds to the traced step, and metrics are merged when an epoch ends.
    """

    def share_rows(self, arrays: Arrays) -> Arrays:
        """The samples that this process works on."""

    def reduce_gradients(self, flat: Any) -> Any:
        """All gradients of a step in one vector, (elements,), from those of this process.

        Called while a step is traced, between packing the gradients and asking whether they are finite, so
        that all processes take or skip a step together.
        """

    def merge_metrics(self, metrics: Sequence[Any], logs: dict[str, Any]) -> dict[str, Any]:
        """Logs of an epoch over all processes, from the metrics and logs of this one."""


class OneProcess:
    """The strategy of a process that trains alone: it has all rows, gradients and metrics."""

    def share_rows(self, arrays: Arrays) -> Arrays:
        """All of them."""
        return arrays

    def reduce_gradients(self, flat: Any) -> Any:
        """The gradients as they are."""
        return flat

    def merge_metrics(self, metrics: Sequence[Any], logs: dict[str, Any]) -> dict[str, Any]:
        """The logs as they are."""
        return logs
