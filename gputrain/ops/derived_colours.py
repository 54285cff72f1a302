"""Colours of images: short compositions of other operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import is_float
from gputrain.ops.base import cast, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.comparison import equal, greater, less
from gputrain.ops.creation import ones, zeros_like
from gputrain.ops.elementwise import abs, add, clip, divide, maximum, minimum, mod, multiply, subtract, where
from gputrain.ops.indexing import getitem
from gputrain.ops.layouts import images_of, layout
from gputrain.ops.movement import concatenate
from gputrain.ops.pointwise import as_float

__all__ = ["hsv_to_rgb", "rgb_to_grayscale", "rgb_to_hsv"]

_ELSEWHERE = "Say data_format where the channels are elsewhere."
_WEIGHTS = (0.2989, 0.5870, 0.1140)  # of red, green and blue, ITU-R BT.601


def _colours(images: Any, data_format: str | None, what: str) -> tuple[list[Any], int]:
    """Three planes of images, each with one channel, and the axis of the channels.

    Raises:
        DTypeError: images of whole numbers.
        ShapeError: not images, or not of three channels.
    """
    images = images_of(images, what)
    axis = len(images.shape) - (1 if layout(data_format, what) == "channels_last" else 3)
    if not is_float(spec_of(images).dtype):
        fix = 'Convert with ops.cast(x, "float32").'
        raise DTypeError(explain(f"{what} needs floating-point images.", received=spec_of(images), fix=fix))
    if images.shape[axis] != 3:
        rule = f"{what} needs three channels along axis {axis}."
        raise ShapeError(explain(rule, received=spec_of(images), fix=_ELSEWHERE))
    return [getitem(images, (*[slice(None)] * axis, slice(i, i + 1))) for i in range(3)], axis


def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """The brightness of colours, in one channel: 0.2989 red + 0.5870 green + 0.1140 blue.

    Args:
        images: (H, W, C) or (N, H, W, C), C 3, or 1: those are returned as they are. Whole numbers are
            rounded down.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Raises:
        ShapeError: not images, or of other channels.

    Example:
        >>> rgb_to_grayscale(np.array([[[1.0, 0.0, 0.0]]], "float32")).tolist()
        [[[0.298...]]]
    """
    images = images_of(images, "rgb_to_grayscale")
    axis = len(images.shape) - (1 if layout(data_format, "rgb_to_grayscale") == "channels_last" else 3)
    if images.shape[axis] == 1:
        return images
    if images.shape[axis] != 3:
        rule = f"rgb_to_grayscale needs three channels along axis {axis}, or one."
        raise ShapeError(explain(rule, received=spec_of(images), fix=_ELSEWHERE))
    planes, _ = _colours(as_float(images), data_format, "rgb_to_grayscale")
    red, green, blue = (multiply(plane, weight) for plane, weight in zip(planes, _WEIGHTS, strict=True))
    return cast(add(add(red, green), blue), spec_of(images).dtype)


def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """Red, green and blue as hue, saturation and value.

    Args:
        images: (H, W, 3) or (N, H, W, 3), floating, in 0..1.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        an array of the same shape, in 0..1; the hue of grey is 0.

    Raises:
        DTypeError: images of whole numbers.
        ShapeError: not images, or not of three channels.

    Source:
        A. R. Smith, "Color gamut transform pairs", 1978.

    Example:
        >>> rgb_to_hsv(np.array([[[0.0, 1.0, 0.5]]], "float32")).tolist()
        [[[0.41666..., 1.0, 1.0]]]
    """
    planes, axis = _colours(images, data_format, "rgb_to_hsv")
    smallest = float(np.finfo(spec_of(planes[0]).dtype).eps)
    red, green, blue = (where(less(abs(plane), smallest), zeros_like(plane), plane) for plane in planes)
    value = maximum(maximum(red, green), blue)
    spread = subtract(value, minimum(minimum(red, green), blue))
    coloured, bright = greater(spread, 0.0), greater(value, 0.0)
    one = ones((), spec_of(value).dtype)
    saturation = where(bright, divide(spread, where(bright, value, one)), zeros_like(value))
    sixth = divide(1.0, multiply(where(coloured, spread, one), 6.0))
    from_red = multiply(sixth, subtract(green, blue))
    from_green = add(multiply(sixth, subtract(blue, red)), 2.0 / 6.0)
    from_blue = add(multiply(sixth, subtract(red, green)), 4.0 / 6.0)
    hue = where(equal(value, red), from_red, where(equal(value, green), from_green, from_blue))
    turned = where(less(hue, 0.0), add(hue, 1.0), hue)
    return concatenate([where(coloured, turned, zeros_like(hue)), saturation, value], axis)


def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """Hue, saturation and value as red, green and blue.

    Args:
        images: (H, W, 3) or (N, H, W, 3), floating, in 0..1; hues are counted modulo 1.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        an array of the same shape.

    Raises:
        DTypeError: images of whole numbers.
        ShapeError: not images, or not of three channels.

    Source:
        A. R. Smith, "Color gamut transform pairs", 1978.

    Example:
        >>> hsv_to_rgb(np.array([[[0.5, 1.0, 1.0]]], "float32")).tolist()
        [[[0.0, 1.0, 1.0]]]
    """
    (hue, saturation, value), axis = _colours(images, data_format, "hsv_to_rgb")
    place = multiply(mod(hue, 1.0), 6.0)
    shares = (
        subtract(abs(subtract(place, 3.0)), 1.0),
        subtract(2.0, abs(subtract(place, 2.0))),
        subtract(2.0, abs(subtract(place, 4.0))),
    )
    white = subtract(1.0, saturation)
    planes = [multiply(value, add(white, multiply(saturation, clip(share, 0.0, 1.0)))) for share in shares]
    return concatenate(planes, axis)


keep_calls(globals(), __all__)
