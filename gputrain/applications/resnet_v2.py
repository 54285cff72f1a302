"""ResNet V2: normalization and relu before the convolutions."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.resnet import FILTERS, begin, norm_relu, pool
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


def _features(x: Value, given: Any) -> Value:
    x = pool(begin(x))
    for stage, (count, filters) in enumerate(zip(given.counts, FILTERS, strict=True), 2):
        for number in range(1, count + 1):
            stride = 2 if number == count and stage < 5 else 1
            x = _block(x, filters, stride, number == 1, f"conv{stage}_block{number}")
    return norm_relu(x, "post")


def _block(x: Value, filters: int, stride: int, widens: bool, name: str) -> Value:
    before = norm_relu(x, f"{name}_preact")
    if widens:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(before)
    else:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(before)
    x = norm_relu(x, f"{name}_1")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = norm_relu(x, f"{name}_2")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])


_RESNET_V2 = Family(
    _features,
    dense_top("avg_pool"),
    """Images are prepared by `preprocess_input` of the same module.

    Source: K. He, X. Zhang, S. Ren, J. Sun, "Identity Mappings in Deep Residual Networks", 2016.""",
    pools=("avg_pool", "max_pool"),
)

ResNet50V2 = _RESNET_V2.member("ResNet50V2", __name__, "resnet50v2", counts=(3, 4, 6, 3))
ResNet101V2 = _RESNET_V2.member("ResNet101V2", __name__, "resnet101v2", counts=(3, 4, 23, 3))
ResNet152V2 = _RESNET_V2.member("ResNet152V2", __name__, "resnet152v2", counts=(3, 8, 36, 3))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels from 0..255 to -1..1; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__getattr__, __dir__ = public("application", __name__, __all__)
