"""The reference CNN of 28x28 images and its traced training step."""

from __future__ import annotations

import numpy as np

from gputrain import layers, models
from gputrain.data import Arrays
from gputrain.models.program import Program


def reference_cnn(filters: int = 32, units: int = 128) -> models.Sequential:
    model = models.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(filters, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).random((count, 28, 28, 1), dtype="float32")
    return x, np.arange(count) % 10


def train_program(model: models.Sequential, size: int) -> Program:
    """The training step for batches of `size`, after the model was trained on one of them."""
    x, y = images(size)
    model.train_on_batch(x, y)
    return model._traced_programs.get("train", Arrays(x, y), size)
