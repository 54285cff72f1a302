"""Xception: depthwise convolutions followed by 1x1 ones, in blocks with shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.parts import batch_norm
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["Xception", "decode_predictions", "preprocess_input"]


def _features(x: Value, given: Any) -> Value:
    for number, filters, stride in ((1, 32, 2), (2, 64, 1)):
        name = f"block1_conv{number}"
        x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=name)(x)
        x = batch_norm(x, f"{name}_bn")
        x = _relu(x, name)
    for block, filters in ((2, 128), (3, 256), (4, 728)):
        x = _shrinking(x, f"block{block}", (filters, filters))
    for block in range(5, 13):
        x = layers.add([_separable(x, f"block{block}", (728, 728, 728)), x])
    x = _shrinking(x, "block13", (728, 1024))
    for number, filters in ((1, 1536), (2, 2048)):
        name = f"block14_sepconv{number}"
        x = _relu(_convolved(x, name, filters), name)
    return x


def _relu(x: Value, name: str) -> Value:
    return layers.Activation("relu", name=f"{name}_act")(x)


def _convolved(x: Value, name: str, filters: int) -> Value:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return batch_norm(x, f"{name}_bn")


def _separable(x: Value, block: str, filters: Sequence[int]) -> Value:
    """Separable convolutions, a relu before each; in the second block the relu before it is there already."""
    for number, count in enumerate(filters, 1):
        name = f"{block}_sepconv{number}"
        if name != "block2_sepconv1":
            x = _relu(x, name)
        x = _convolved(x, name, count)
    return x


def _shrinking(x: Value, block: str, filters: Sequence[int]) -> Value:
    shortcut = layers.Conv2D(filters[-1], 1, strides=2, padding="same", use_bias=False)(x)
    shortcut = batch_norm(shortcut, None)
    x = _separable(x, block, filters)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{block}_pool")(x)
    return layers.add([x, shortcut])


_XCEPTION = Family(
    _features,
    dense_top("avg_pool"),
    """Images are prepared by `preprocess_input` of the same module.

    Source: F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017.""",
    size=299,
    least=71,
)

Xception = _XCEPTION.member("Xception", __name__, "xception")


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels from 0..255 to -1..1; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__getattr__, __dir__ = public("application", __name__, __all__)
