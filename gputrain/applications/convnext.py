"""ConvNeXt: wide depthwise convolutions and two dense layers in each block."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications.builder import Family
from gputrain.applications.imagenet_utils import MEAN, STDDEV, decode_predictions, unchanged
from gputrain.applications.parts import channels
from gputrain.ir import Value
from gputrain.layers.core.of_applications import LayerScale
from gputrain.models import Sequential
from gputrain.names import public

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "decode_predictions",
    "preprocess_input",
]

EPSILON = 1e-6
FIRST_SCALE = 1e-6  # first value of the factors on what a block adds


def _norm(name: str | None) -> Any:
    return layers.LayerNormalization(epsilon=EPSILON, name=name)


def _features(x: Value, given: Any) -> Value:
    name = given.name
    if given.include_preprocessing and channels(x) == 3:
        mean, variance = [255 * m for m in MEAN], [(255 * s) ** 2 for s in STDDEV]
        x = layers.Normalization(mean=mean, variance=variance, name=f"{name}_prestem_normalization")(x)
    for stage, count in enumerate(given.counts):
        filters = given.filters * 2**stage
        x = _smaller(filters, stage, name)(x)
        for number in range(count):
            x = x + _block(x, filters, f"{name}_stage_{stage}_block_{number}")
    return x


def _smaller(filters: int, stage: int, name: str) -> Sequential:
    """Images cut into patches of 4x4, or feature maps of half the size."""
    if stage == 0:
        conv = layers.Conv2D(filters, 4, strides=4, name=f"{name}_stem_conv")
        return Sequential([conv, _norm(f"{name}_stem_layernorm")], name=f"{name}_stem")
    number = stage - 1
    conv = layers.Conv2D(filters, 2, strides=2, name=f"{name}_downsampling_conv_{number}")
    norm = _norm(f"{name}_downsampling_layernorm_{number}")
    return Sequential([norm, conv], name=f"{name}_downsampling_block_{number}")


def _block(x: Value, filters: int, name: str) -> Value:
    x = layers.Conv2D(filters, 7, padding="same", groups=filters, name=f"{name}_depthwise_conv")(x)
    x = _norm(f"{name}_layernorm")(x)
    x = layers.Dense(4 * filters, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(filters, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(FIRST_SCALE, filters, name=f"{name}_layer_scale")(x)
    return layers.Activation("linear", name=f"{name}_identity")(x)


def _top(x: Value, given: Any) -> Value:
    x = layers.GlobalAveragePooling2D(name=f"{given.name}_head_gap")(x)
    x = _norm(f"{given.name}_head_layernorm")(x)
    return layers.Dense(given.classes, given.classifier_activation, name=f"{given.name}_head_dense")(x)


_CONVNEXT = Family(
    _features,
    _top,
    """The model itself normalizes pixels from 0..255, unless `include_preprocessing=False`. Names of layers
    begin with `name`.

    Source: Z. Liu et al., "A ConvNet for the 2020s", 2022.""",
    order="include_top include_preprocessing weights input_tensor input_shape pooling classes "
    "classifier_activation name",
    own={"include_preprocessing": True},
    meanings={"include_preprocessing": "whether the model normalizes pixels itself."},
    bare=lambda x, given: _norm(None)(x),
    channels_last_only=True,
)
_DEEP = (3, 3, 27, 3)

ConvNeXtTiny = _CONVNEXT.member("ConvNeXtTiny", __name__, "convnext_tiny", counts=(3, 3, 9, 3), filters=96)
ConvNeXtSmall = _CONVNEXT.member("ConvNeXtSmall", __name__, "convnext_small", counts=_DEEP, filters=96)
ConvNeXtBase = _CONVNEXT.member("ConvNeXtBase", __name__, "convnext_base", counts=_DEEP, filters=128)
ConvNeXtLarge = _CONVNEXT.member("ConvNeXtLarge", __name__, "convnext_large", counts=_DEEP, filters=192)
ConvNeXtXLarge = _CONVNEXT.member("ConvNeXtXLarge", __name__, "convnext_xlarge", counts=_DEEP, filters=256)

preprocess_input = unchanged(__name__)

__getattr__, __dir__ = public("application", __name__, __all__)
