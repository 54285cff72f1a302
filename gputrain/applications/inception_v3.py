"""Inception V3: blocks of several branches, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import layers
from gputrain.applications import imagenet_utils
from gputrain.applications.builder import Family, channel_axis, dense_top
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.parts import batch_norm
from gputrain.ir import Value
from gputrain.names import public

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

Conv = tuple[int, int, int]  # filters, height and width of the kernel


def _features(x: Value, given: Any) -> Value:
    x = begin(x)
    for number, pooled in enumerate((32, 64, 64)):
        five, three = ((48, 1, 1), (64, 5, 5)), ((64, 1, 1), (96, 3, 3), (96, 3, 3))
        x = _mixed(x, number, [_path(x, (64, 1, 1)), _path(x, *five), _path(x, *three), _pooled(x, pooled)])
    x = _mixed(x, 3, [_shrunk(x, 384), _shrunk(_path(x, (64, 1, 1), (96, 3, 3)), 96), _max_pooled(x)])
    for number, n in enumerate((128, 160, 160, 192), 4):
        seven = ((n, 1, 1), (n, 1, 7), (192, 7, 1))
        twice = ((n, 1, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7))
        x = _mixed(x, number, [_path(x, (192, 1, 1)), _path(x, *seven), _path(x, *twice), _pooled(x, 192)])
    shrunk = _shrunk(_path(x, (192, 1, 1)), 320)
    twice_shrunk = _shrunk(_path(x, (192, 1, 1), (192, 1, 7), (192, 7, 1)), 192)
    x = _mixed(x, 8, [shrunk, twice_shrunk, _max_pooled(x)])
    for number in (9, 10):
        one = _path(x, (320, 1, 1))
        split = _split(_path(x, (384, 1, 1)), f"mixed9_{number - 9}")
        split_later = _split(_path(x, (448, 1, 1), (384, 3, 3)), None)
        x = _mixed(x, number, [one, split, split_later, _pooled(x, 192)])
    return x


def begin(x: Value) -> Value:
    """The convolutions before the first block of both Inceptions."""
    x = conv(x, (32, 3, 3), strides=2, padding="valid")
    x = conv(x, (32, 3, 3), padding="valid")
    x = conv(x, (64, 3, 3))
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = conv(x, (80, 1, 1), padding="valid")
    x = conv(x, (192, 3, 3), padding="valid")
    return layers.MaxPooling2D(3, strides=2)(x)


def conv(x: Value, shape: Conv, strides: int = 1, padding: str = "same") -> Value:
    """A convolution, its normalization without a scale, and relu."""
    filters, height, width = shape
    x = layers.Conv2D(filters, (height, width), strides=strides, padding=padding, use_bias=False)(x)
    return layers.Activation("relu")(batch_norm(x, None, scale=False))


def _path(x: Value, *shapes: Conv) -> Value:
    for shape in shapes:
        x = conv(x, shape)
    return x


def _shrunk(x: Value, filters: int) -> Value:
    return conv(x, (filters, 3, 3), strides=2, padding="valid")


def _split(x: Value, name: str | None) -> Value:
    return concatenated([conv(x, (384, 1, 3)), conv(x, (384, 3, 1))], name)


def _pooled(x: Value, filters: int) -> Value:
    return conv(layers.AveragePooling2D(3, strides=1, padding="same")(x), (filters, 1, 1))


def _max_pooled(x: Value) -> Value:
    return layers.MaxPooling2D(3, strides=2)(x)


def _mixed(x: Value, number: int, branches: Sequence[Value]) -> Value:
    return concatenated(branches, f"mixed{number}")


def concatenated(branches: Sequence[Value], name: str | None) -> Value:
    """All channels of the branches."""
    return layers.Concatenate(axis=channel_axis(), name=name)(list(branches))


_INCEPTION = Family(
    _features,
    dense_top("avg_pool"),
    """Images are prepared by `preprocess_input` of the same module.

    Source: C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016.""",
    size=299,
    least=75,
)

InceptionV3 = _INCEPTION.member("InceptionV3", __name__, "inception_v3")


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Scale pixels from 0..255 to -1..1; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__getattr__, __dir__ = public("application", __name__, __all__)
