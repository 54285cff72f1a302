"""MobileNet: depthwise convolutions followed by 1x1 ones."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, channel_axis
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.parts import batch_norm
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

# Filters and stride of each block.
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)),
    *((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    *((1024, 2), (1024, 1)),
)


def _features(x: Value, given: Any) -> Value:
    filters = int(32 * given.alpha)
    x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
    x = _norm_relu(x, "conv1")
    for number, (count, stride) in enumerate(BLOCKS, 1):
        if stride == 2:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
        x = layers.DepthwiseConv2D(
            3,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            depth_multiplier=given.depth_multiplier,
            use_bias=False,
            name=f"conv_dw_{number}",
        )(x)
        x = _norm_relu(x, f"conv_dw_{number}")
        filters = int(count * given.alpha)
        x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
        x = _norm_relu(x, f"conv_pw_{number}")
    return x


def _norm_relu(x: Value, name: str) -> Value:
    return layers.ReLU(6.0, name=f"{name}_relu")(batch_norm(x, f"{name}_bn"))


def _top(x: Value, given: Any) -> Value:
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(given.dropout, name="dropout")(x)
    x = layers.Conv2D(given.classes, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((given.classes,), name="reshape_2")(x)
    return layers.Activation(given.classifier_activation, name="predictions")(x)


def named_by_size(prefix: str, given: Any) -> str:
    """A name that tells the width and the height of the images."""
    height = given.input_shape[0 if channel_axis() == -1 else 1]
    return f"{prefix}_{given.alpha:0.2f}_{height}"


_MOBILENET = Family(
    _features,
    _top,
    """Images are prepared by `preprocess_input` of the same module. A model without a name is called after
    `alpha` and the height of the images, as "mobilenet_1.00_224".

    Source: A. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    Applications", 2017.""",
    order="input_shape alpha depth_multiplier dropout include_top weights input_tensor pooling classes "
    "classifier_activation name",
    own={"alpha": 1.0, "depth_multiplier": 1, "dropout": 1e-3},
    meanings={
        "alpha": "factor on the number of channels of each layer.",
        "depth_multiplier": "outputs of the depthwise convolutions for each channel.",
        "dropout": "rate of the dropout before the classifying layer.",
    },
    named=lambda given: named_by_size("mobilenet", given),
)

MobileNet = _MOBILENET.member("MobileNet", __name__, None)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels from 0..255 to -1..1; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__getattr__, __dir__ = public("application", __name__, __all__)
