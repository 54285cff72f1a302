"""The seam for several processes: rows, gradients and metrics pass through the model's strategy."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops, optimizers
from gputrain.models.training.strategy import OneProcess
from tests.models.small import QUIET, REAL, X, regressor, same


class FirstHalf(OneProcess):
    """Works on the first half of the rows, doubles gradients, and counts what it is asked."""

    def __init__(self) -> None:
        self.reduced: list[int] = []
        self.merged: list[list[str]] = []

    def share_rows(self, arrays: Any) -> Any:
        return arrays.part(slice(0, arrays.count // 2))

    def reduce_gradients(self, flat: Any) -> Any:
        self.reduced.append(flat.ndim)
        return ops.multiply(flat, 2.0)

    def merge_metrics(self, metrics: Any, logs: dict[str, float]) -> dict[str, float]:
        self.merged.append([metric.name for metric in metrics])
        return {**logs, "loss": -logs["loss"]}


def test_fit_asks_its_strategy() -> None:
    model, alone = (regressor(optimizer=optimizers.SGD(rate)) for rate in (0.125, 0.25))
    alone.set_weights(model.get_weights())
    model._step_strategy = strategy = FirstHalf()
    history = model.fit(X, REAL, epochs=3, batch_size=25, validation_data=(X, REAL), **QUIET).history
    expected = alone.fit(X[:25], REAL[:25], epochs=3, batch_size=25, **QUIET).history
    np.testing.assert_allclose(history["loss"], -np.array(expected["loss"]), rtol=1e-6)
    assert same(model.get_weights(), alone.get_weights()), "twice the gradient is twice the rate"
    assert strategy.reduced == [1], "asked while the step is traced, for one vector"
    assert strategy.merged == [["loss"]] * 6, "after each epoch and each validation"
