"""How much single training steps change the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.app.advice.record import Update

# Norms of a few numbers say little. Weights beyond the budget (64 MiB in float32) are left out, as each
# measured step reads them twice.
LEAST_SIZE, MOST_NUMBERS = 32, 2**24


class StepWatch:
    """Measures a few steps of the epochs it is told to, and reads nothing in between.

    Watched are the trainable kernels and tables; not biases, and nothing that starts at 0, whose first steps
    are infinitely large beside it.

    Args:
        variables: the trainable variables of a model.
        steps: batches per epoch, if known.
    """

    def __init__(self, variables: list[Any], steps: int | None) -> None:
        watched = [v for v in variables if len(v.shape) >= 2 and v.spec.size >= LEAST_SIZE]
        within = np.cumsum([v.spec.size for v in watched]) <= MOST_NUMBERS
        chosen = [v for v, fits in zip(watched, within, strict=True) if fits]
        self._variables = [v for v in chosen if np.any(v.numpy())]
        self._places = sorted({steps // 4, steps // 2, 3 * steps // 4}) if steps else [1, 3, 7]
        self._coming: list[int] = []
        self._before: list[np.ndarray] | None = None
        self._first = 0

    def watch_epoch(self, watched: bool) -> None:
        """An epoch begins; whether its steps are measured."""
        self._coming = list(self._places) if watched and self._variables else []

    def before(self, batch: int) -> None:
        """A step, or several in one execution, come."""
        if self._coming and batch >= self._coming[0]:
            self._coming = [place for place in self._coming if place > batch]
            self._before, self._first = [v.numpy() for v in self._variables], batch

    def after(self, epoch: int, batch: int) -> list[Update]:
        """What the steps up to `batch` did, per step; empty unless they were measured."""
        if self._before is None:
            return []
        pairs = zip(self._variables, self._before, strict=True)
        self._before, steps = None, batch - self._first + 1
        return [Update(epoch, v.path, _ratio(old, v.numpy()) / steps) for v, old in pairs]


def _ratio(old: np.ndarray, new: np.ndarray) -> float:
    norm = float(np.linalg.norm(old.astype(np.float64)))
    return float(np.linalg.norm(new.astype(np.float64) - old)) / norm if norm else 0.0
