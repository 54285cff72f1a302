"""What `fit` and its kin do with data, logs and states over time."""

from __future__ import annotations

from typing import Any

from tests.parity.means import numbers


def _line(keras: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def each_train_on_batch_is_alone(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    model.evaluate(x, y, verbose=0)
    return {"calls": [model.train_on_batch(x * i, y) for i in (1, 2, 3)], "test": model.test_on_batch(x, y)}
