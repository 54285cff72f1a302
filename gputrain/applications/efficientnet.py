"""EfficientNet: blocks as in MobileNet V2 with squeeze and excitation, scaled in width, depth and size."""

from __future__ import annotations

import math
from typing import Any

from gputrain import layers
from gputrain.applications.builder import Family, channel_axis
from gputrain.applications.imagenet_utils import decode_predictions, unchanged
from gputrain.applications.parts import (
    batch_norm,
    channels,
    divisible,
    padding_before_stride,
    squeeze_and_excite,
)
from gputrain.initializers import VarianceScaling
from gputrain.ir import Value
from gputrain.names import public

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]

# Of each stage: kernel, blocks, filters, expansion, stride of the first block.
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
ACTIVATION = "swish"
DROP_CONNECT = 0.2  # rate of the dropout of whole samples in the last block
SQUEEZED = 0.25  # part of the channels within a squeeze and excitation


def conv_initializer() -> VarianceScaling:
    """First values of the convolutions."""
    return VarianceScaling(2.0, "fan_out", "truncated_normal")


def top(x: Value, given: Any) -> Value:
    """The top of both EfficientNets."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if given.dropout > 0:
        x = layers.Dropout(given.dropout, name="top_dropout")(x)
    return layers.Dense(
        given.classes,
        given.classifier_activation,
        kernel_initializer=VarianceScaling(1.0 / 3.0, "fan_out", "uniform"),
        name="predictions",
    )(x)


def convolved(
    x: Value, filters: int, kernel: int, name: str, *, strides: int = 1, padding: str = "same"
) -> Value:
    """A convolution without a bias."""
    return layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer=conv_initializer(),
        name=name,
    )(x)


def activated(x: Value, name: str) -> Value:
    """The activation of both EfficientNets."""
    return layers.Activation(ACTIVATION, name=name)(x)


def block_name(stage: int, block: int) -> str:
    """Beginning of the names of the layers of a block: "block1a_", "block1b_" ..."""
    return f"block{stage}{chr(ord('a') + block)}_"


def added(x: Value, start: Value, rate: float, name: str) -> Value:
    """What a block makes and its input, where they have the same shape; whole samples are dropped."""
    if rate > 0:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, start])


def _features(x: Value, given: Any) -> Value:
    x = layers.Rescaling(1.0 / 255.0)(x)
    normalization = layers.Normalization(axis=channel_axis())
    normalization.needs_adapt = False  # its statistics come with weights; until then it changes nothing
    x = normalization(x)
    x = layers.ZeroPadding2D(padding_before_stride(x, 3), name="stem_conv_pad")(x)
    x = convolved(x, divisible(32 * given.width), 3, "stem_conv", strides=2, padding="valid")
    x = activated(batch_norm(x, "stem_bn"), "stem_activation")
    counts = [math.ceil(given.depth * stage[1]) for stage in STAGES]
    done = 0
    for stage, (kernel, _, filters, expansion, stride) in enumerate(STAGES):
        for number in range(counts[stage]):
            x = _block(
                x,
                divisible(filters * given.width),
                kernel,
                stride if number == 0 else 1,
                expansion,
                DROP_CONNECT * done / sum(counts),
                block_name(stage + 1, number),
            )
            done += 1
    x = convolved(x, divisible(1280 * given.width), 1, "top_conv")
    return activated(batch_norm(x, "top_bn"), "top_activation")


def _block(x: Value, filters: int, kernel: int, stride: int, expansion: int, rate: float, name: str) -> Value:
    start, narrow = x, channels(x)
    if expansion != 1:
        x = convolved(x, expansion * narrow, 1, f"{name}expand_conv")
        x = activated(batch_norm(x, f"{name}expand_bn"), f"{name}expand_activation")
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, kernel), name=f"{name}dwconv_pad")(x)
    x = layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="valid" if stride == 2 else "same",
        use_bias=False,
        depthwise_initializer=conv_initializer(),
        name=f"{name}dwconv",
    )(x)
    x = activated(batch_norm(x, f"{name}bn"), f"{name}activation")
    squeezed = max(1, int(narrow * SQUEEZED))
    x = squeeze_and_excite(x, squeezed, ACTIVATION, name, kernel_initializer=conv_initializer())
    x = convolved(x, filters, 1, f"{name}project_conv")
    x = batch_norm(x, f"{name}project_bn")
    return added(x, start, rate, name) if stride == 1 and narrow == filters else x


_EFFICIENTNET = Family(
    _features,
    top,
    """The model itself normalizes pixels from 0..255.

    Weights trained on ImageNet expect pixels that are divided once more, by the square root of their standard
    deviation; Keras adds a layer for that with weights="imagenet" alone. With such a file, multiply the
    variance of the layer "normalization" by [0.229, 0.224, 0.225].

    Source: M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    2019.""",
    pools=("avg_pool", "max_pool"),
)


def _member(number: int, width: float, depth: float, size: int, dropout: float) -> Any:
    """One of the family: `size` of its images, `dropout` before its last layer."""
    title, name = f"EfficientNetB{number}", f"efficientnetb{number}"
    return _EFFICIENTNET.member(title, __name__, name, width=width, depth=depth, size=size, dropout=dropout)


EfficientNetB0 = _member(0, 1.0, 1.0, 224, 0.2)
EfficientNetB1 = _member(1, 1.0, 1.1, 240, 0.2)
EfficientNetB2 = _member(2, 1.1, 1.2, 260, 0.3)
EfficientNetB3 = _member(3, 1.2, 1.4, 300, 0.3)
EfficientNetB4 = _member(4, 1.4, 1.8, 380, 0.4)
EfficientNetB5 = _member(5, 1.6, 2.2, 456, 0.4)
EfficientNetB6 = _member(6, 1.8, 2.6, 528, 0.5)
EfficientNetB7 = _member(7, 2.0, 3.1, 600, 0.5)

preprocess_input = unchanged(__name__)

__getattr__, __dir__ = public("application", __name__, __all__)
