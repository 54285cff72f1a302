"""Keras's side, on JAX or TensorFlow: an epoch of `fit`, from its begin to its end, as its users run it."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import numpy as np

from tests.networks import Network


class Keras:
    """Keras in a process of its own; KERAS_BACKEND chooses what it runs on."""

    def __init__(self) -> None:
        keras: Any = import_module("keras")
        self.keras, self.version = keras, keras.__version__
        self.words = f"fit on {keras.backend.backend()}"

        class Epoch(keras.callbacks.Callback):
            """The seconds of the last epoch; its logs are fetched at its end, so the work is done."""

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self.began = time.perf_counter()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.seconds = time.perf_counter() - self.began

        self.epoch = Epoch()

    def prepare(self, network: Network, steps: int) -> None:
        """Build the model, and data for so many steps."""
        self.keras.utils.set_random_seed(0)
        self.batch = network.batch
        self.model = network.build(self.keras)
        self.x, self.y = network.data(steps)

    def round(self, steps: int) -> float:
        """Seconds of an epoch of so many steps."""
        x, y = self.x[: steps * self.batch], self.y[: steps * self.batch]
        self.model.fit(x, y, self.batch, verbose=0, shuffle=False, callbacks=[self.epoch])
        return self.epoch.seconds

    def product(self, rows: int) -> float:
        """Seconds of a product of two square matrices."""
        a = self.keras.ops.ones((rows, rows))
        start = time.perf_counter()
        np.asarray(self.keras.ops.matmul(a, a)[0, 0])
        return time.perf_counter() - start
