"""Six models whose cost is watched: each is built from public names alone, as a user would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import gputrain
from gputrain import layers, ops, optimizers, regularizers


@dataclass(frozen=True)
class Workload:
    """A model to train, and what it is trained on.

    Attributes:
        build: makes the compiled model.
        shape: of one sample.
        batch: samples of a step.
        repeats_input: whether the targets are the inputs; otherwise they are classes 0 to 9.
    """

    build: Callable[[], gputrain.Model]
    shape: tuple[int, ...]
    batch: int
    repeats_input: bool = False

    def data(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets for so many steps, the same each time."""
        count = steps * self.batch
        x = np.random.default_rng(0).random((count, *self.shape), dtype="float32")
        return x, x if self.repeats_input else np.arange(count) % 10


def _classifier(*parts: Any, optimizer: Any = "adam") -> gputrain.Sequential:
    model = gputrain.Sequential([*parts, layers.Dense(10, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def reference_cnn() -> gputrain.Sequential:
    """The CNN of 28x28 images that all figures of speed are about."""
    return _classifier(
        layers.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
    )


def mlp() -> gputrain.Sequential:
    """784-512-512-10."""
    hidden = (layers.Dense(512, activation="relu") for _ in range(2))
    return _classifier(layers.Input((784,)), *hidden)


def autoencoder() -> gputrain.Sequential:
    """784-256-64-256-784."""
    hidden = (layers.Dense(units, activation="relu") for units in (256, 64, 256))
    model = gputrain.Sequential([layers.Input((784,)), *hidden, layers.Dense(784, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def resnet8() -> gputrain.Model:
    """Three residual blocks of 16, 32 and 64 filters on 32x32 images (He et al., 2015)."""

    def conv(x: Any, filters: int, strides: int = 1, size: int = 3) -> Any:
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = layers.Input((32, 32, 3))
    x = layers.ReLU()(conv(inputs, 16))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        kept = x if strides == 1 else conv(x, filters, strides, size=1)
        x = conv(layers.ReLU()(conv(x, filters, strides)), filters)
        x = layers.ReLU()(layers.Add()([x, kept]))
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = gputrain.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def regularized() -> gputrain.Sequential:
    """A small classifier with all that may stand between a gradient and a weight."""
    rate = optimizers.schedules.CosineDecay(1e-3, 1000)
    return _classifier(
        layers.Input((20,)),
        layers.Dense(64, kernel_regularizer=regularizers.L2(1e-4)),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.3),
        layers.Dense(64, activation="relu", kernel_regularizer=regularizers.L2(1e-4)),
        optimizer=optimizers.Adam(rate, clipnorm=1.0),
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


def loop() -> gputrain.Sequential:
    """A loop of 20 steps."""
    return _classifier(layers.Input((20, 16)), Loop(32))


WORKLOADS = {
    "reference CNN": Workload(reference_cnn, (28, 28, 1), 128),
    "MLP": Workload(mlp, (784,), 128),
    "autoencoder": Workload(autoencoder, (784,), 128, repeats_input=True),
    "ResNet-8": Workload(resnet8, (32, 32, 3), 64),
    "regularized classifier": Workload(regularized, (20,), 32),
    "loop of 20 steps": Workload(loop, (20, 16), 32),
}
