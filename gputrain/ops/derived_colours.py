"""Colours and softness of images: short compositions of other operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import is_float
from gputrain.ops.base import cast, convert, spec_of
from gputrain.ops.comparison import equal, greater, less
from gputrain.ops.convolution import depthwise_conv
from gputrain.ops.creation import ones, zeros_like
from gputrain.ops.elementwise import (
    abs,
    add,
    clip,
    divide,
    exp,
    maximum,
    minimum,
    mod,
    multiply,
    square,
    subtract,
    where,
)
from gputrain.ops.indexing import getitem
from gputrain.ops.movement import concatenate, expand_dims, reshape, squeeze, transpose
from gputrain.ops.pointwise import as_float
from gputrain.ops.reduction import sum

__all__ = ["gaussian_blur", "hsv_to_rgb", "rgb_to_grayscale", "rgb_to_hsv"]

FORMATS = ("channels_last", "channels_first")
_ELSEWHERE = "Say data_format where the channels are elsewhere."
_WEIGHTS = (0.2989, 0.5870, 0.1140)  # of red, green and blue, ITU-R BT.601


# ----------------------------------------------------------------------------------------- what images are


def layout(data_format: str | None, what: str) -> str:
    """Return the format of images; None means `config.image_data_format()`.

    Raises:
        ValueError: another name.
    """
    name = config.image_data_format() if data_format is None else data_format
    if name not in FORMATS:
        raise ValueError(
            explain(f"{what}: unknown data_format.", expected=" or ".join(FORMATS), received=repr(name))
        )
    return name


def images_of(images: Any, what: str) -> Any:
    """Return images as an operand of three dimensions (one image) or four.

    Raises:
        ShapeError: another number of them.
    """
    images = convert(images)
    if len(images.shape) not in (3, 4):
        rule = f"{what} takes an image, three dimensions, or several, four."
        raise ShapeError(explain(rule, expected="(H, W, C) or (N, H, W, C)", received=spec_of(images)))
    return images


def as_last(images: Any, data_format: str | None, what: str) -> tuple[Any, Callable[[Any], Any]]:
    """Return images as (N, H, W, C), and a function that brings such images back into the given layout.

    Args:
        images: three or four dimensions.
        data_format: as in `layout`.
        what: the operation, for errors.
    """
    first, single = layout(data_format, what) == "channels_first", len(images.shape) == 3
    batch = expand_dims(images, 0) if single else images

    def back(last: Any) -> Any:
        found = transpose(last, (0, 3, 1, 2)) if first else last
        return squeeze(found, 0) if single else found

    return transpose(batch, (0, 2, 3, 1)) if first else batch, back


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


# ------------------------------------------------------------------------------------------------- colours


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


# --------------------------------------------------------------------------------------- weighted neighbours


def gaussian_blur(
    images: Any,
    kernel_size: Sequence[int] = (3, 3),
    sigma: Any = (1.0, 1.0),
    data_format: str | None = None,
) -> Any:
    """Images whose pixels are means of their neighbours, with the weights of a Gaussian; zeros lie outside.

    Args:
        images: (H, W, C) or (N, H, W, C); whole numbers become floats.
        kernel_size: how many pixels count, (columns, rows): the horizontal size stands first, as in Keras.
        sigma: standard deviations in pixels, (horizontal, vertical): numbers, or an array of two.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Raises:
        ShapeError: not images.
        ValueError: sizes that are not two positive ints.

    Example:
        >>> gaussian_blur(np.ones((1, 3, 3, 1), "float32"))[0, 1, 1].tolist()
        [1.0...]
    """
    images, back = as_last(as_float(images_of(images, "gaussian_blur")), data_format, "gaussian_blur")
    sizes = tuple(kernel_size) if np.iterable(kernel_size) else ()
    if len(sizes) != 2 or any(not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        rule = "gaussian_blur: kernel_size is two positive ints."
        raise ValueError(explain(rule, expected="(columns, rows)", received=repr(kernel_size)))
    deviations = convert(sigma, spec_of(images).dtype)
    across, down = (_bell(int(size), getitem(deviations, i)) for i, size in enumerate(sizes))
    return back(_weighted(_weighted(images, reshape(across, (1, -1))), reshape(down, (-1, 1))))


def _bell(size: int, sigma: Any) -> Any:
    """The weights of a Gaussian at `size` places around its middle, (size,); their sum is 1."""
    places = (np.arange(size) - (size - 1) / 2).astype(spec_of(sigma).dtype)
    weights = exp(multiply(square(divide(places, sigma)), -0.5))
    return divide(weights, sum(weights))


def _weighted(images: Any, weights: Any) -> Any:
    """Each pixel of images (N, H, W, C) as a sum of its neighbours, by `weights` (KH, KW)."""
    each = ones((1, 1, images.shape[-1], 1), spec_of(images).dtype)
    return depthwise_conv(images, multiply(weights[..., None, None], each), padding="same")
