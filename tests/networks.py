"""Models whose speed and cost are watched, as any package with Keras's names builds them.

`package` is gputrain or Keras: one definition serves both. Nothing but NumPy is loaded here, so that a
process which measures one of them does not load the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

WORDS = 10_000
WIDTH = 64  # of a word
HEADS = 4
LOSSES = {
    "classes": "sparse_categorical_crossentropy",
    "inputs": "binary_crossentropy",
    "yes or no": "binary_crossentropy",
}


def _adam(package: Any) -> Any:
    return "adam"


@dataclass(frozen=True)
class Network:
    """A model to train, and what it is trained on.

    Attributes:
        make: the model, of a package.
        shape: of one sample.
        batch: samples of a step.
        targets: "classes" (0 to 9), "inputs" (it repeats them) or "yes or no".
        words: numbers of words, below which the inputs are drawn; 0 where they are floats between 0 and 1.
        optimizer: of a package.
    """

    make: Callable[[Any], Any]
    shape: tuple[int, ...]
    batch: int
    targets: str = "classes"
    words: int = 0
    optimizer: Callable[[Any], Any] = _adam

    def build(self, package: Any) -> Any:
        """The compiled model."""
        model = self.make(package)
        metrics = ["accuracy"] if self.targets == "classes" else None
        model.compile(self.optimizer(package), LOSSES[self.targets], metrics=metrics)
        return model

    def data(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets for so many steps, the same each time."""
        count, rng = steps * self.batch, np.random.default_rng(0)
        shape = (count, *self.shape)
        if self.words:
            x = rng.integers(0, self.words, shape, dtype="int32")
        else:
            x = rng.random(shape, dtype="float32")
        if self.targets == "inputs":
            return x, x
        if self.targets == "classes":
            return x, np.arange(count) % 10
        return x, rng.integers(0, 2, (count, 1)).astype("float32")


def reference_cnn(package: Any) -> Any:
    """The CNN of 28x28 images that all figures of speed are about."""
    layers = package.layers
    return package.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def mlp(package: Any) -> Any:
    """784-512-512-10."""
    layers = package.layers
    hidden = [layers.Dense(512, activation="relu") for _ in range(2)]
    return package.Sequential([layers.Input((784,)), *hidden, layers.Dense(10, activation="softmax")])


def autoencoder(package: Any) -> Any:
    """784-256-64-256-784."""
    layers = package.layers
    hidden = [layers.Dense(units, activation="relu") for units in (256, 64, 256)]
    return package.Sequential([layers.Input((784,)), *hidden, layers.Dense(784, activation="sigmoid")])


# ------------------------------------------------------------------------------------------ residual networks


def _conv(package: Any, x: Any, filters: int, strides: int = 1, size: int = 3) -> Any:
    x = package.layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    return package.layers.BatchNormalization()(x)


def _residual(package: Any, x: Any, filters: int, strides: int) -> Any:
    """Two convolutions, added to what came in, which is projected where the shape changes."""
    relu = package.layers.ReLU
    kept = x if strides == 1 else _conv(package, x, filters, strides, size=1)
    x = _conv(package, relu()(_conv(package, x, filters, strides)), filters)
    return relu()(package.layers.Add()([x, kept]))


def _classes(package: Any, inputs: Any, x: Any) -> Any:
    x = package.layers.GlobalAveragePooling2D()(x)
    return package.Model(inputs, package.layers.Dense(10, activation="softmax")(x))


def resnet8(package: Any) -> Any:
    """Three residual blocks of 16, 32 and 64 filters on 32x32 images (He et al., 2015)."""
    inputs = package.layers.Input((32, 32, 3))
    x = package.layers.ReLU()(_conv(package, inputs, 16))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        x = _residual(package, x, filters, strides)
    return _classes(package, inputs, x)


def resnet18(package: Any) -> Any:
    """Four stages of two residual blocks, 64 to 512 filters, on 64x64 images (He et al., 2015, table 1)."""
    inputs = package.layers.Input((64, 64, 3))
    x = package.layers.ReLU()(_conv(package, inputs, 64, strides=2, size=7))
    x = package.layers.MaxPooling2D(3, 2, padding="same")(x)
    for filters, strides in ((64, 1), (128, 2), (256, 2), (512, 2)):
        x = _residual(package, _residual(package, x, filters, strides), filters, 1)
    return _classes(package, inputs, x)


# -------------------------------------------------------------------------------------------------- sequences


def lstm(package: Any) -> Any:
    """Words to an LSTM of 128 units to one probability."""
    layers = package.layers
    return package.Sequential(
        [
            layers.Input((80,), dtype="int32"),
            layers.Embedding(WORDS, WIDTH),
            layers.LSTM(128),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def transformer(package: Any) -> Any:
    """Words to two blocks (attention, then two layers; each added and normalized) to one probability."""
    layers = package.layers
    words = layers.Input((64,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH)(words)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x))
        inner = layers.Dense(4 * WIDTH, activation="relu")(x)
        x = layers.LayerNormalization()(x + layers.Dense(WIDTH)(inner))
    output = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(x))
    return package.Model(words, output)


NETWORKS = {
    "reference CNN": Network(reference_cnn, (28, 28, 1), 128),
    "ResNet-8": Network(resnet8, (32, 32, 3), 64),
    "MLP": Network(mlp, (784,), 128),
    "autoencoder": Network(autoencoder, (784,), 128, targets="inputs"),
    "LSTM": Network(lstm, (80,), 64, targets="yes or no", words=WORDS),
    "Transformer": Network(transformer, (64,), 64, targets="yes or no", words=WORDS),
    "ResNet-18": Network(resnet18, (64, 64, 3), 32),
}
