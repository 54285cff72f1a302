"""The history of a run as curves: training and validation of one quantity over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain.metrics.counting import Floats
from gputrain.metrics.directions import direction_of

LEARNING_RATES = ("learning_rate", "lr")


@dataclass(frozen=True)
class Curve:
    """One quantity over the epochs.

    Attributes:
        name: as in the logs of training.
        epochs: (E,) counted from 1, as the lines of fit are.
        training: (E,) NaN where there is none.
        validation: (E,) NaN where there is none; None when there is none at all.
        best: place of the best epoch, by validation where there is one; None when better is not known.
    """

    name: str
    epochs: Floats
    training: Floats
    validation: Floats | None
    best: int | None

    @property
    def judged(self) -> Floats:
        """(E,) the values that say which epoch is best."""
        return self.training if self.validation is None else self.validation


def curves_of(history: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """Return the curves of all quantities that are numbers: the loss first, the learning rate last.

    Example:
        >>> curve = curves_of([{"epoch": 0, "loss": 2.0, "val_loss": 1.5}, {"epoch": 1, "loss": 1.0}])[0]
        >>> curve.name, curve.epochs.tolist(), curve.best
        ('loss', [1.0, 2.0], 0)
    """
    names = dict.fromkeys(name.removeprefix("val_") for logs in history for name in logs if name != "epoch")
    ordered = sorted(names, key=lambda name: (name in LEARNING_RATES, name != "loss"))
    curves = (_curve(name, history) for name in ordered)
    return [curve for curve in curves if curve.validation is not None or np.isfinite(curve.training).any()]


def epoch_of(logs: Mapping[str, Any], place: int) -> int:
    """Return the number of an epoch as people count, from 1; the logs count from 0, as Keras does."""
    return int(logs.get("epoch", place)) + 1


def _curve(name: str, history: Sequence[Mapping[str, Any]]) -> Curve:
    epochs = np.array([epoch_of(logs, place) for place, logs in enumerate(history)], np.float64)
    training, validation = _column(name, history), _column(f"val_{name}", history)
    held = validation if np.isfinite(validation).any() else None
    best = None if name in LEARNING_RATES else best_of(name, training if held is None else held)
    return Curve(name, epochs, training, held, best)


def best_of(name: str, values: Floats) -> int | None:
    """Return the place of the best of `values`; None when the name does not tell which way is better."""
    direction, known = direction_of(name), np.flatnonzero(np.isfinite(values))
    if direction is None or not known.size:
        return None
    best = values[known].argmax() if direction == "up" else values[known].argmin()
    return int(known[best])


def _column(name: str, history: Sequence[Mapping[str, Any]]) -> Floats:
    return np.array([_as_float(logs.get(name)) for logs in history], np.float64)


def _as_float(value: Any) -> float:
    """A number as a float; anything else, as a list of one value for each class, is NaN."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
