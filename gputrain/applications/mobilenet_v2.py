"""MobileNet V2: blocks that widen, filter each channel, and end in few channels."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.mobilenet import named_by_size
from gputrain.applications.parts import batch_norm, channels, divisible, padding_before_stride
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# Filters and stride of the blocks, and how many: the stride is that of the first one.
STAGES = ((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))
EXPANSION = 6


def _features(x: Value, given: Any) -> Value:
    filters = divisible(32 * given.alpha)
    x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    x = layers.ReLU(6.0, name="Conv1_relu")(_norm(x, "bn_Conv1"))
    strides = [(count, stride if i == 0 else 1) for count, stride, n in STAGES for i in range(n)]
    for number, (count, stride) in enumerate(strides):
        x = _block(x, divisible(int(count * given.alpha)), stride, number)
    last = divisible(1280 * given.alpha) if given.alpha > 1.0 else 1280
    x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    return layers.ReLU(6.0, name="out_relu")(_norm(x, "Conv_1_bn"))


def _block(x: Value, filters: int, stride: int, number: int) -> Value:
    start, name = x, f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = _pointwise(x, EXPANSION * channels(x), f"{name}expand")
        x = layers.ReLU(6.0, name=f"{name}expand_relu")(x)
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, 3), name=f"{name}pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False, name=f"{name}depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}depthwise_relu")(_norm(x, f"{name}depthwise_BN"))
    x = _pointwise(x, filters, f"{name}project")
    if stride == 1 and channels(start) == filters:
        return layers.Add(name=f"{name}add")([start, x])
    return x


def _pointwise(x: Value, filters: int, name: str) -> Value:
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)
    return _norm(x, f"{name}_BN")


def _norm(x: Value, name: str) -> Value:
    return batch_norm(x, name, momentum=0.999, epsilon=1e-3)


_MOBILENET_V2 = Family(
    _features,
    dense_top(None),
    """Images are prepared by `preprocess_input` of the same module. A model without a name is called after
    `alpha` and the height of the images, as "mobilenetv2_1.00_224".

    Source: M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018.""",
    order="input_shape alpha include_top weights input_tensor pooling classes classifier_activation name",
    own={"alpha": 1.0},
    meanings={"alpha": "factor on the number of channels of each layer."},
    named=lambda given: named_by_size("mobilenetv2", given),
)

MobileNetV2 = _MOBILENET_V2.member("MobileNetV2", __name__, None)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels from 0..255 to -1..1; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__getattr__, __dir__ = public("application", __name__, __all__)
