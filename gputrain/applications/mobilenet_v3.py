"""MobileNet V3: blocks as in V2, some with squeeze and excitation, and hard activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gputrain import layers
from gputrain.applications.builder import Family
from gputrain.applications.imagenet_utils import decode_predictions, unchanged
from gputrain.applications.parts import batch_norm, channels, divisible, padding_before_stride
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["decode_predictions", "preprocess_input"]

# Of each block: expansion, filters, kernel (None: 5, or 3 in a minimalistic model), stride, squeeze and
# excitation, hard swish. A minimalistic model has neither of the last two.
SMALL = (
    (1, 16, 3, 2, True, False),
    (72.0 / 16, 24, 3, 2, False, False),
    (88.0 / 24, 24, 3, 1, False, False),
    (4, 40, None, 2, True, True),
    (6, 40, None, 1, True, True),
    (6, 40, None, 1, True, True),
    (3, 48, None, 1, True, True),
    (3, 48, None, 1, True, True),
    (6, 96, None, 2, True, True),
    (6, 96, None, 1, True, True),
    (6, 96, None, 1, True, True),
)
LARGE = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, None, 2, True, False),
    (3, 40, None, 1, True, False),
    (3, 40, None, 1, True, False),
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, None, 2, True, True),
    (6, 160, None, 1, True, True),
    (6, 160, None, 1, True, True),
)
SQUEEZED = 0.25  # part of the channels within a squeeze and excitation


def _features(x: Value, given: Any) -> Value:
    hard = _relu if given.minimalistic else _hard_swish
    if given.include_preprocessing:
        x = layers.Rescaling(1.0 / 127.5, -1.0)(x)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = hard(_norm(x, "conv_bn"))
    for number, (expansion, count, kernel, stride, squeezes, is_hard) in enumerate(given.blocks):
        name = f"expanded_conv_{number}_" if number else "expanded_conv_"
        start, activation = x, hard if is_hard else _relu
        wide = divisible(channels(x) * expansion)
        if number:
            x = activation(_pointwise(x, wide, f"{name}expand"))
        x = activation(_filtered(x, kernel or (3 if given.minimalistic else 5), stride, f"{name}depthwise"))
        if squeezes and not given.minimalistic:
            x = _squeeze_and_excite(x, wide, f"{name}squeeze_excite_")
        filters = divisible(count * given.alpha)
        x = _pointwise(x, filters, f"{name}project")
        if stride == 1 and channels(start) == filters:
            x = layers.Add(name=f"{name}add")([start, x])
    return hard(_pointwise(x, divisible(channels(x) * 6), "conv_1"))


def _filtered(x: Value, kernel: int, stride: int, name: str) -> Value:
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, kernel), name=f"{name}_pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(kernel, strides=stride, padding=padding, use_bias=False, name=name)(x)
    return _norm(x, f"{name}_bn")


def _pointwise(x: Value, filters: int, name: str) -> Value:
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)
    return _norm(x, f"{name}_bn")


def _squeeze_and_excite(x: Value, filters: int, name: str) -> Value:
    scale = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(x)
    scale = layers.Conv2D(divisible(filters * SQUEEZED), 1, padding="same", name=f"{name}conv")(scale)
    scale = layers.ReLU(name=f"{name}relu")(scale)
    scale = layers.Conv2D(filters, 1, padding="same", name=f"{name}conv_1")(scale)
    return layers.Multiply(name=f"{name}mul")([x, layers.ReLU(6.0)(scale + 3.0) * (1.0 / 6.0)])


def _norm(x: Value, name: str) -> Value:
    return batch_norm(x, name, momentum=0.999, epsilon=1e-3)


def _relu(x: Value) -> Value:
    return layers.ReLU()(x)


def _hard_swish(x: Value) -> Value:
    return layers.Activation("hard_swish")(x)


def _top(x: Value, given: Any) -> Value:
    activation: Callable[[Value], Value] = _relu if given.minimalistic else _hard_swish
    wide = divisible(given.last * given.alpha) if given.alpha > 1.0 else given.last
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = activation(layers.Conv2D(wide, 1, padding="same", name="conv_2")(x))
    if given.dropout_rate > 0:
        x = layers.Dropout(given.dropout_rate)(x)
    x = layers.Conv2D(given.classes, 1, padding="same", name="logits")(x)
    return layers.Activation(given.classifier_activation, name="predictions")(layers.Flatten()(x))


_MOBILENET_V3 = Family(
    _features,
    _top,
    """The model itself scales pixels from 0..255, unless `include_preprocessing=False`.

    Source: A. Howard et al., "Searching for MobileNetV3", 2019.""",
    order="input_shape alpha minimalistic include_top weights input_tensor classes pooling dropout_rate "
    "classifier_activation include_preprocessing name",
    own={"alpha": 1.0, "minimalistic": False, "dropout_rate": 0.2, "include_preprocessing": True},
    meanings={
        "alpha": "factor on the number of channels of the blocks.",
        "minimalistic": "whether to leave out squeeze and excitation, hard activations and 5x5 kernels.",
        "dropout_rate": "rate of the dropout before the classifying layer.",
        "include_preprocessing": "whether the model scales pixels from 0..255 to -1..1.",
        "input_shape": "shape of an image; default sizes are unknown, with 3 channels; at least {least} "
        "pixels high and wide.",
    },
    any_size=True,
    pools=("avg_pool", "max_pool"),
)

MobileNetV3Small = _MOBILENET_V3.member(
    "MobileNetV3Small", "gputrain.applications", "MobileNetV3Small", blocks=SMALL, last=1024
)
MobileNetV3Large = _MOBILENET_V3.member(
    "MobileNetV3Large", "gputrain.applications", "MobileNetV3Large", blocks=LARGE, last=1280
)

preprocess_input = unchanged(__name__)

__getattr__, __dir__ = public("application", __name__, __all__)
