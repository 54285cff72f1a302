"""Inception-ResNet V2: Inception's blocks, scaled and added to their input."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.inception_v3 import Conv, begin, concatenated, conv
from gputrain.applications.parts import batch_norm, channels
from gputrain.ir import Value
from gputrain.layers.core.of_applications import CustomScaleLayer
from gputrain.names import public

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

Branches = tuple[tuple[Conv, ...], ...]

BLOCK35: Branches = (
    ((32, 1, 1),),
    ((32, 1, 1), (32, 3, 3)),
    ((32, 1, 1), (48, 3, 3), (64, 3, 3)),
)
BLOCK17: Branches = (((192, 1, 1),), ((128, 1, 1), (160, 1, 7), (192, 7, 1)))
BLOCK8: Branches = (((192, 1, 1),), ((192, 1, 1), (224, 1, 3), (256, 3, 1)))
# Of each row of blocks: name, branches, scale, how many.
ROWS = (("block35", BLOCK35, 0.17, 10), ("block17", BLOCK17, 0.1, 20), ("block8", BLOCK8, 0.2, 9))
FIRST: Branches = (
    ((96, 1, 1),),
    ((48, 1, 1), (64, 5, 5)),
    ((64, 1, 1), (96, 3, 3), (96, 3, 3)),
)
# Between the rows, the last convolution of each branch has a stride of 2.
BETWEEN: tuple[tuple[str, Branches], ...] = (
    ("mixed_6a", (((384, 3, 3),), ((256, 1, 1), (256, 3, 3), (384, 3, 3)))),
    (
        "mixed_7a",
        (
            ((256, 1, 1), (384, 3, 3)),
            ((256, 1, 1), (288, 3, 3)),
            ((256, 1, 1), (288, 3, 3), (320, 3, 3)),
        ),
    ),
)


def _features(x: Value, given: Any) -> Value:
    x = begin(x)
    branches = _branches(x, FIRST)
    pooled = conv(layers.AveragePooling2D(3, strides=1, padding="same")(x), (64, 1, 1))
    x = concatenated([*branches, pooled], "mixed_5b")
    for row, (name, shapes, scale, count) in enumerate(ROWS):
        for number in range(1, count + 1):
            x = _block(x, f"{name}_{number}", shapes, scale)
            x = layers.Activation("relu", name=f"{name}_{number}_ac")(x)
        if row < len(BETWEEN):
            x = _smaller(x, *BETWEEN[row])
    x = _block(x, "block8_10", BLOCK8, 1.0)
    x = layers.Conv2D(1536, 1, padding="same", use_bias=False, name="conv_7b")(x)
    x = batch_norm(x, "conv_7b_bn", scale=False)
    return layers.Activation("relu", name="conv_7b_ac")(x)


def _block(x: Value, name: str, shapes: Branches, scale: float) -> Value:
    mixed = concatenated(_branches(x, shapes), f"{name}_mixed")
    up = layers.Conv2D(channels(x), 1, padding="same", name=f"{name}_conv")(mixed)
    return CustomScaleLayer(scale)([x, up])


def _branches(x: Value, shapes: Branches) -> list[Value]:
    return [_path(x, branch) for branch in shapes]


def _path(x: Value, branch: tuple[Conv, ...]) -> Value:
    for shape in branch:
        x = conv(x, shape)
    return x


def _smaller(x: Value, name: str, shapes: Branches) -> Value:
    branches = [conv(_path(x, branch[:-1]), branch[-1], strides=2, padding="valid") for branch in shapes]
    return concatenated([*branches, layers.MaxPooling2D(3, strides=2)(x)], name)


_INCEPTION_RESNET = Family(
    _features,
    dense_top("avg_pool"),
    """Images are prepared by `preprocess_input` of the same module.

    Source: C. Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on
    Learning", 2017.""",
    size=299,
    least=75,
)

InceptionResNetV2 = _INCEPTION_RESNET.member("InceptionResNetV2", __name__, "inception_resnet_v2")


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels from 0..255 to -1..1; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__getattr__, __dir__ = public("application", __name__, __all__)
