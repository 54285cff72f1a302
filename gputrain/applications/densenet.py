"""DenseNet: each layer sees what all layers of its block before it have made."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.parts import channels
from gputrain.applications.resnet import EPSILON, norm_relu
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

GROWTH = 32  # channels that each layer adds


def _features(x: Value, given: Any) -> Value:
    x = layers.ZeroPadding2D(3)(x)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = norm_relu(x, "conv1")
    x = layers.ZeroPadding2D(1)(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, count in enumerate(given.counts, 2):
        if stage > 2:
            x = _transition(x, f"pool{stage - 1}")
        for number in range(1, count + 1):
            x = _layer(x, f"conv{stage}_block{number}")
    x = layers.BatchNormalization(epsilon=EPSILON, name="bn")(x)
    return layers.Activation("relu", name="relu")(x)


def _layer(x: Value, name: str) -> Value:
    new = norm_relu(x, f"{name}_0")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = norm_relu(new, f"{name}_1")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def _transition(x: Value, name: str) -> Value:
    x = norm_relu(x, name)
    x = layers.Conv2D(channels(x) // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


_DENSENET = Family(
    _features,
    dense_top("avg_pool"),
    """Images are prepared by `preprocess_input` of the same module.

    Source: G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely Connected Convolutional Networks",
    2017.""",
    pools=("avg_pool", "max_pool"),
    channels_last_only=True,
)

DenseNet121 = _DENSENET.member("DenseNet121", __name__, "densenet121", counts=(6, 12, 24, 16))
DenseNet169 = _DENSENET.member("DenseNet169", __name__, "densenet169", counts=(6, 12, 32, 32))
DenseNet201 = _DENSENET.member("DenseNet201", __name__, "densenet201", counts=(6, 12, 48, 32))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels to 0..1 and normalize them as ImageNet; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="torch")


__getattr__, __dir__ = public("application", __name__, __all__)
