"""EfficientNet V2: the first stages have full convolutions in place of depthwise ones."""

from __future__ import annotations

import math
from typing import Any

from gputrain import layers
from gputrain.applications.builder import Family, channel_axis
from gputrain.applications.efficientnet import (
    ACTIVATION,
    DROP_CONNECT,
    SQUEEZED,
    activated,
    added,
    block_name,
    conv_initializer,
    convolved,
    top,
)
from gputrain.applications.imagenet_utils import MEAN, STDDEV, decode_predictions, unchanged
from gputrain.applications.parts import batch_norm, channels, squeeze_and_excite
from gputrain.ir import Value
from gputrain.names import public

__all__ = [
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]

# Of each stage: blocks, filters, expansion, stride of the first block, whether it is fused (full
# convolutions, no squeeze and excitation).
B = (
    (1, 16, 1, 1, True),
    (2, 32, 4, 2, True),
    (2, 48, 4, 2, True),
    (3, 96, 4, 2, False),
    (5, 112, 6, 1, False),
    (8, 192, 6, 2, False),
)
S = (
    (2, 24, 1, 1, True),
    (4, 48, 4, 2, True),
    (4, 64, 4, 2, True),
    (6, 128, 4, 2, False),
    (9, 160, 6, 1, False),
    (15, 256, 6, 2, False),
)
M = (
    (3, 24, 1, 1, True),
    (5, 48, 4, 2, True),
    (5, 80, 4, 2, True),
    (7, 160, 4, 2, False),
    (14, 176, 6, 1, False),
    (18, 304, 6, 2, False),
    (5, 512, 6, 1, False),
)
L = (
    (4, 32, 1, 1, True),
    (7, 64, 4, 2, True),
    (7, 96, 4, 2, True),
    (10, 192, 4, 2, False),
    (19, 224, 6, 1, False),
    (25, 384, 6, 2, False),
    (7, 640, 6, 1, False),
)


def _features(x: Value, given: Any) -> Value:
    if given.include_preprocessing:
        x = _prepared(x, given)
    x = convolved(x, _width(given.stem, given), 3, "stem_conv", strides=2)
    x = activated(_norm(x, "stem_bn"), "stem_activation")
    repeats = sum(stage[0] for stage in given.stages)  # before they are multiplied by the depth, as published
    done = 0
    for stage, (count, filters, expansion, stride, fused) in enumerate(given.stages, 1):
        for number in range(math.ceil(given.depth * count)):
            name = block_name(stage, number)
            start, strides = x, stride if number == 0 else 1
            block = _fused_block if fused else _block
            x = block(x, _width(filters, given), strides, expansion, name)
            if strides == 1 and channels(start) == channels(x):
                x = added(x, start, DROP_CONNECT * done / repeats, name)
            done += 1
    x = convolved(x, _width(1280, given), 1, "top_conv")
    return activated(_norm(x, "top_bn"), "top_activation")


def _prepared(x: Value, given: Any) -> Value:
    if given.as_imagenet and channels(x) == 3:
        variance = [deviation**2 for deviation in STDDEV]
        x = layers.Rescaling(1.0 / 255)(x)
        return layers.Normalization(axis=channel_axis(), mean=MEAN, variance=variance)(x)
    return layers.Rescaling(1.0 / 128.0, offset=-1)(x)


def _width(filters: int, given: Any) -> int:
    scaled = filters * given.width
    return max(8, int(scaled + 4) // 8 * 8)


def _norm(x: Value, name: str) -> Value:
    return batch_norm(x, name, momentum=0.9)


def _block(x: Value, filters: int, strides: int, expansion: int, name: str) -> Value:
    narrow = channels(x)
    x = convolved(x, expansion * narrow, 1, f"{name}expand_conv")
    x = activated(_norm(x, f"{name}expand_bn"), f"{name}expand_activation")
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=conv_initializer(),
        name=f"{name}dwconv2",
    )(x)
    x = activated(_norm(x, f"{name}bn"), f"{name}activation")
    squeezed = max(1, int(narrow * SQUEEZED))
    x = squeeze_and_excite(x, squeezed, ACTIVATION, name, kernel_initializer=conv_initializer())
    return _norm(convolved(x, filters, 1, f"{name}project_conv"), f"{name}project_bn")


def _fused_block(x: Value, filters: int, strides: int, expansion: int, name: str) -> Value:
    if expansion == 1:
        x = convolved(x, filters, 3, f"{name}project_conv", strides=strides)
        return activated(_norm(x, f"{name}project_bn"), f"{name}project_activation")
    x = convolved(x, expansion * channels(x), 3, f"{name}expand_conv", strides=strides)
    x = activated(_norm(x, f"{name}expand_bn"), f"{name}expand_activation")
    return _norm(convolved(x, filters, 1, f"{name}project_conv"), f"{name}project_bn")


_EFFICIENTNET_V2 = Family(
    _features,
    top,
    """The model itself normalizes pixels from 0..255, unless `include_preprocessing=False`.

    Source: M. Tan, Q. Le, "EfficientNetV2: Smaller Models and Faster Training", 2021.""",
    order="include_top weights input_tensor input_shape pooling classes classifier_activation "
    "include_preprocessing name",
    own={"include_preprocessing": True},
    meanings={"include_preprocessing": "whether the model normalizes pixels itself; else they are -1..1."},
    pools=("avg_pool", "max_pool"),
)


def _member(letters: str, size: int, stages: Any, stem: int, width: float = 1.0, depth: float = 1.0) -> Any:
    numbers = {"stages": stages, "stem": stem, "width": width, "depth": depth, "dropout": 0.2}
    title, name = f"EfficientNetV2{letters}", f"efficientnetv2-{letters.lower()}"
    return _EFFICIENTNET_V2.member(title, __name__, name, size=size, as_imagenet=stages is B, **numbers)


EfficientNetV2B0 = _member("B0", 224, B, 32)
EfficientNetV2B1 = _member("B1", 240, B, 32, depth=1.1)
EfficientNetV2B2 = _member("B2", 260, B, 32, width=1.1, depth=1.2)
EfficientNetV2B3 = _member("B3", 300, B, 32, width=1.2, depth=1.4)
EfficientNetV2S = _member("S", 384, S, 24)
EfficientNetV2M = _member("M", 480, M, 24)
EfficientNetV2L = _member("L", 480, L, 32)

preprocess_input = unchanged(__name__)

__getattr__, __dir__ = public("application", __name__, __all__)
