"""Six models whose cost is watched: each is built from public names alone, as a user would."""

from __future__ import annotations

from typing import Any

import gputrain
from gputrain import layers, ops, optimizers, regularizers
from tests.networks import NETWORKS, Network


def decaying_adam(package: Any) -> Any:
    """Adam with a rate that falls and a limit for its gradients."""
    rate = optimizers.schedules.CosineDecay(1e-3, 1000)
    return optimizers.Adam(rate, clipnorm=1.0)


def regularized(package: Any) -> gputrain.Sequential:
    """A small classifier with all that may stand between a gradient and a weight."""
    return gputrain.Sequential(
        [
            layers.Input((20,)),
            layers.Dense(64, kernel_regularizer=regularizers.L2(1e-4)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu", kernel_regularizer=regularizers.L2(1e-4)),
            layers.Dense(10, activation="softmax"),
        ]
    )


class Loop(layers.Layer):
    """h = tanh(x_t A + h B) over the second axis; the last h."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Make A and B."""
        self.a = self.add_weight((input_shape[-1], self.units), name="a")
        self.b = self.add_weight((self.units, self.units), name="b")

    def call(self, x: Any) -> Any:
        """(N, T, C) to (N, units)."""

        def step(h: Any, x_t: Any) -> Any:
            h = ops.tanh(ops.add(ops.matmul(x_t, self.a), ops.matmul(h, self.b)))
            return h, h

        start = ops.zeros((x.shape[0], self.units))
        return ops.scan(step, start, ops.transpose(x, (1, 0, 2)))[0]


def loop(package: Any) -> gputrain.Sequential:
    """A loop of 20 steps."""
    last = layers.Dense(10, activation="softmax")
    return gputrain.Sequential([layers.Input((20, 16)), Loop(32), last])


WORKLOADS = {
    **{name: NETWORKS[name] for name in ("reference CNN", "MLP", "autoencoder", "ResNet-8")},
    "regularized classifier": Network(regularized, (20,), 32, optimizer=decaying_adam),
    "loop of 20 steps": Network(loop, (20, 16), 32),
}
