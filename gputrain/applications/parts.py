"""Pieces that several architectures are made of."""

from __future__ import annotations

from typing import Any

from gputrain import layers
from gputrain.applications.builder import channel_axis
from gputrain.ir import Value


def image_sizes(x: Value) -> tuple[Any, Any]:
    """Height and width of feature maps, None where unknown."""
    start = 1 if channel_axis() == -1 else 2
    return x.shape[start], x.shape[start + 1]


def channels(x: Value) -> int:
    """Number of channels of feature maps."""
    return x.shape[channel_axis()]  # type: ignore[return-value]


def padding_before_stride(x: Value, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros for a convolution of stride 2 whose windows begin as with padding="same" in TensorFlow.

    Args:
        x: what is padded.
        kernel: height and width of its windows.

    Returns:
        rows above and below, columns left and right.
    """
    half = kernel // 2
    height, width = ((half - (1 if size is None else 1 - size % 2), half) for size in image_sizes(x))
    return height, width


def batch_norm(x: Value, name: str | None, **settings: Any) -> Value:
    """Batch normalization of the channels."""
    return layers.BatchNormalization(axis=channel_axis(), name=name, **settings)(x)


def divisible(size: float, divisor: int = 8) -> int:
    """A number of channels rounded to a multiple of `divisor`, by less than a tenth downwards."""
    rounded = max(divisor, int(size + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * size else rounded


def squeeze_and_excite(x: Value, filters: int, activation: Any, name: str, **settings: Any) -> Value:
    """Channels scaled by what a small network makes of their means.

    Source: J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", 2018.

    Args:
        x: feature maps.
        filters: size of the small network.
        activation: between its two layers.
        name: beginning of the names of layers.
        settings: of its convolutions.
    """
    count = channels(x)
    shape = (1, 1, count) if channel_axis() == -1 else (count, 1, 1)
    scale = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    scale = layers.Reshape(shape, name=f"{name}se_reshape")(scale)
    for part, size, activate in (("reduce", filters, activation), ("expand", count, "sigmoid")):
        conv = layers.Conv2D(
            size, 1, padding="same", activation=activate, name=f"{name}se_{part}", **settings
        )
        scale = conv(scale)
    return layers.Multiply(name=f"{name}se_excite")([x, scale])
