"""ResNet: blocks whose input is added to what they make of it."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.parts import batch_norm
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

EPSILON = 1.001e-5
FILTERS = (64, 128, 256, 512)


def norm(x: Value, name: str) -> Value:
    """Batch normalization as all ResNets have it."""
    return batch_norm(x, f"{name}_bn", epsilon=EPSILON)


def norm_relu(x: Value, name: str) -> Value:
    """Batch normalization and relu."""
    return layers.Activation("relu", name=f"{name}_relu")(norm(x, name))


def begin(x: Value) -> Value:
    """The first convolution, by a stride of 2."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    return layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)


def pool(x: Value) -> Value:
    """The pooling that follows."""
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def _features(x: Value, given: Any) -> Value:
    x = pool(norm_relu(begin(x), "conv1"))
    for stage, (count, filters) in enumerate(zip(given.counts, FILTERS, strict=True), 2):
        for number in range(1, count + 1):
            stride = 2 if number == 1 and stage > 2 else 1
            x = _block(x, filters, stride, number == 1, f"conv{stage}_block{number}")
    return x


def _block(x: Value, filters: int, stride: int, widens: bool, name: str) -> Value:
    shortcut = x
    if widens:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = norm(shortcut, f"{name}_0")
    x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
    x = norm_relu(x, f"{name}_1")
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = norm_relu(x, f"{name}_2")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, norm(x, f"{name}_3")])
    return layers.Activation("relu", name=f"{name}_out")(x)


_RESNET = Family(
    _features,
    dense_top("avg_pool"),
    """Images are prepared by `preprocess_input` of the same module.

    Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", 2016.""",
    pools=("avg_pool", "max_pool"),
)

ResNet50 = _RESNET.member("ResNet50", __name__, "resnet50", counts=(3, 4, 6, 3))
ResNet101 = _RESNET.member("ResNet101", __name__, "resnet101", counts=(3, 4, 23, 3))
ResNet152 = _RESNET.member("ResNet152", __name__, "resnet152", counts=(3, 8, 36, 3))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Turn RGB into BGR and take ImageNet's mean off; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="caffe")


__getattr__, __dir__ = public("application", __name__, __all__)
