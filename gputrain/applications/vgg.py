"""VGG: blocks of 3x3 convolutions, each halved by pooling."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications.builder import Family
from gputrain.ir import Value


def _features(x: Value, given: Any) -> Value:
    for block, (count, filters) in enumerate(zip(given.counts, (64, 128, 256, 512, 512), strict=True), 1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    return x


def _top(x: Value, given: Any) -> Value:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(4096, "relu", name="fc1")(x)
    x = layers.Dense(4096, "relu", name="fc2")(x)
    return layers.Dense(given.classes, given.classifier_activation, name="predictions")(x)


VGG = Family(
    _features,
    _top,
    """Images are prepared by `preprocess_input` of the same module.

    Source: K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", 2015.""",
)
