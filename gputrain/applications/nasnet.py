"""NASNet: cells that a search has found, each of the outputs of the two before it."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.parts import batch_norm, channels, image_sizes, padding_before_stride
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

GROWTH = 2  # factor on the number of channels at each reduction


def _features(x: Value, given: Any) -> Value:
    filters, count = given.last // 24, given.cells
    x = layers.Conv2D(
        given.stem, 3, strides=2, use_bias=False, name="stem_conv1", kernel_initializer="he_normal"
    )(x)
    x = _norm(x, "stem_bn1")
    before = None
    for number, divisor in ((1, GROWTH**2), (2, GROWTH)):
        x, before = _reduction(x, before, filters // divisor, f"stem_{number}"), x
    for stage in range(3):
        if stage:
            # A large model goes on with what was there before the reduction.
            reduced = _reduction(x, before, filters * GROWTH**stage, f"reduce_{stage * count}")
            x, before = reduced, before if given.skips_reduction else x
        for number in range(count):
            cell = str(stage * count + number + (stage > 0))
            x, before = _normal(x, before, filters * GROWTH**stage, cell), x
    return layers.Activation("relu")(x)


def _normal(x: Value, before: Value | None, filters: int, cell: str) -> Value:
    p = _adjusted(before, x, filters, cell)
    h = _begin(x, filters, "normal", cell)
    left = [
        _separable(h, filters, 5, f"normal_left1_{cell}"),
        _separable(p, filters, 3, f"normal_right1_{cell}"),
    ]
    x1 = layers.add(left, name=f"normal_add_1_{cell}")
    right = [
        _separable(p, filters, 5, f"normal_left2_{cell}"),
        _separable(p, filters, 3, f"normal_right2_{cell}"),
    ]
    x2 = layers.add(right, name=f"normal_add_2_{cell}")
    x3 = layers.add([_averaged(h, f"normal_left3_{cell}"), p], name=f"normal_add_3_{cell}")
    averages = [_averaged(p, f"normal_left4_{cell}"), _averaged(p, f"normal_right4_{cell}")]
    x4 = layers.add(averages, name=f"normal_add_4_{cell}")
    x5 = layers.add([_separable(h, filters, 3, f"normal_left5_{cell}"), h], name=f"normal_add_5_{cell}")
    return layers.concatenate([p, x1, x2, x3, x4, x5], name=f"normal_concat_{cell}")


def _reduction(x: Value, before: Value | None, filters: int, cell: str) -> Value:
    p = _adjusted(before, x, filters, cell)
    h = _begin(x, filters, "reduction", cell)
    padded = layers.ZeroPadding2D(padding_before_stride(h, 3), name=f"reduction_pad_1_{cell}")(h)
    first = [
        _separable(h, filters, 5, f"reduction_left1_{cell}", strides=2),
        _separable(p, filters, 7, f"reduction_right1_{cell}", strides=2),
    ]
    x1 = layers.add(first, name=f"reduction_add_1_{cell}")
    pooled = layers.MaxPooling2D(3, strides=2, name=f"reduction_left2_{cell}")(padded)
    second = [pooled, _separable(p, filters, 7, f"reduction_right2_{cell}", strides=2)]
    x2 = layers.add(second, name=f"reduction_add_2_{cell}")
    averaged = layers.AveragePooling2D(3, strides=2, name=f"reduction_left3_{cell}")(padded)
    third = [averaged, _separable(p, filters, 5, f"reduction_right3_{cell}", strides=2)]
    x3 = layers.add(third, name=f"reduction_add3_{cell}")
    x4 = layers.add([x2, _averaged(x1, f"reduction_left4_{cell}")])
    narrow = _separable(x1, filters, 3, f"reduction_left4_{cell}")
    pooled = layers.MaxPooling2D(3, strides=2, name=f"reduction_right5_{cell}")(padded)
    x5 = layers.add([narrow, pooled], name=f"reduction_add4_{cell}")
    return layers.concatenate([x2, x3, x4, x5], name=f"reduction_concat_{cell}")


def _begin(x: Value, filters: int, kind: str, cell: str) -> Value:
    x = layers.Activation("relu")(x)
    return _norm(_pointwise(x, filters, f"{kind}_conv_1_{cell}"), f"{kind}_bn_1_{cell}")


def _adjusted(before: Value | None, x: Value, filters: int, cell: str) -> Value:
    """The output of the cell before the last one in the size and with the channels that a cell needs."""
    if before is None:
        return x
    if image_sizes(before)[1] != image_sizes(x)[1]:
        p = layers.Activation("relu", name=f"adjust_relu_1_{cell}")(before)
        shifted = layers.ZeroPadding2D(((0, 1), (0, 1)))(p)
        shifted = layers.Cropping2D(((1, 0), (1, 0)))(shifted)
        halves = [_halved(start, filters // 2, number, cell) for number, start in ((1, p), (2, shifted))]
        return _norm(layers.concatenate(halves), f"adjust_bn_{cell}")
    if channels(before) != filters:
        p = layers.Activation("relu")(before)
        return _norm(_pointwise(p, filters, f"adjust_conv_projection_{cell}"), f"adjust_bn_{cell}")
    return before


def _halved(x: Value, filters: int, number: int, cell: str) -> Value:
    x = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_{number}_{cell}")(x)
    return _pointwise(x, filters, f"adjust_conv_{number}_{cell}")


def _separable(x: Value, filters: int, kernel: int, name: str, strides: int = 1) -> Value:
    x = layers.Activation("relu")(x)
    if strides == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, kernel), name=f"separable_conv_1_pad_{name}")(x)
    x = layers.SeparableConv2D(
        filters,
        kernel,
        strides=strides,
        padding="valid" if strides == 2 else "same",
        use_bias=False,
        name=f"separable_conv_1_{name}",
    )(x)
    x = layers.Activation("relu")(_norm(x, f"separable_conv_1_bn_{name}"))
    x = layers.SeparableConv2D(
        filters, kernel, padding="same", use_bias=False, name=f"separable_conv_2_{name}"
    )(x)
    return _norm(x, f"separable_conv_2_bn_{name}")


def _averaged(x: Value, name: str) -> Value:
    return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)


def _pointwise(x: Value, filters: int, name: str) -> Value:
    return layers.Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _norm(x: Value, name: str) -> Value:
    return batch_norm(x, name, momentum=0.9997, epsilon=1e-3)


_NASNET = Family(
    _features,
    dense_top(None),
    """Images are prepared by `preprocess_input` of the same module.

    Source: B. Zoph, V. Vasudevan, J. Shlens, Q. Le, "Learning Transferable Architectures for Scalable Image
    Recognition", 2018.""",
    order="input_shape include_top weights input_tensor pooling classes classifier_activation name",
    channels_last_only=True,
)

NASNetMobile = _NASNET.member(
    "NASNetMobile",
    __name__,
    "nasnet_mobile",
    last=1056,
    cells=4,
    stem=32,
    skips_reduction=False,
    without_top=(224, 224),
)
NASNetLarge = _NASNET.member(
    "NASNetLarge", __name__, "nasnet_large", last=4032, cells=6, stem=96, skips_reduction=True, size=331
)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels from 0..255 to -1..1; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__getattr__, __dir__ = public("application", __name__, __all__)
