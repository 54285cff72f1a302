"""Small data, small models and one way to train them under advice."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from gputrain import layers
from gputrain.app.advice.record import EpochRow, RunRecord
from gputrain.app.advice.task import Task
from gputrain.callbacks import Advisor
from gputrain.datasets import digits
from gputrain.models import Sequential

SPARSE = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


@cache
def digit_rows() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Digits in 0..1 as rows of 64, (x_train, y_train, x_test, y_test)."""
    (x, y), (x_test, y_test) = digits.load_data()
    return (x / 16.0).reshape(-1, 64), y, (x_test / 16.0).reshape(-1, 64), y_test


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, always the same."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def stack(width: int, *more: Any) -> Sequential:
    """Layers on rows of `width` numbers."""
    return Sequential([layers.Input(shape=(width,)), *more])


def classifier(width: int = 64, classes: int = 10, hidden: int = 16) -> Sequential:
    """One hidden relu layer and a softmax."""
    return stack(width, layers.Dense(hidden, activation="relu"), layers.Dense(classes, activation="softmax"))


def minus_ten(shape: Any, dtype: Any = None) -> np.ndarray:
    """An initializer that keeps a relu from ever working."""
    return np.full(shape, -10.0, dtype)


def trained(model: Any, x: Any, y: Any, loss: Any, optimizer: Any, **arguments: Any) -> Advisor:
    """Compile and train a model; the advisor that watched."""
    metrics = arguments.pop("metrics", None if loss in ("mse", "mae") else ["accuracy"])
    more = arguments.pop("callbacks", [])
    advisor = Advisor(x, y, verbose=0, **arguments.pop("advisor", {}))
    model.compile(optimizer, loss, metrics=metrics)
    model.fit(x, y, verbose=0, callbacks=[advisor, *more], **arguments)
    return advisor


def found(advisor: Advisor, key: str) -> Any:
    """The advice of that key."""
    return next(advice for advice in advisor.advice if advice.key == key)


def keys(advisor: Advisor) -> list[str]:
    """Keys of what was found, in order."""
    return [advice.key for advice in advisor.advice]


def history(losses: Any, *, baseline: float | None = 1.0, rate: Any = 0.01, **facts: Any) -> RunRecord:
    """A run with these losses; other columns by name."""
    names = {name: facts.pop(name) for name in ("val_loss", "accuracy", "val_accuracy") if name in facts}
    rates = rate if isinstance(rate, list) else [rate] * len(losses)
    rows = [
        EpochRow(loss, rate=rates[i], **{name: column[i] for name, column in names.items()})
        for i, loss in enumerate(losses)
    ]
    facts.setdefault("task", Task(baseline=baseline))
    facts.setdefault("planned", len(losses))
    facts.setdefault("epoch", len(losses))
    return RunRecord(
        epochs=rows, good_steps=1000, start_rate=rates[0], rate=rates[-1], rate_ahead=rates[-1], **facts
    )
