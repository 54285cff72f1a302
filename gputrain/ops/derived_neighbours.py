"""Pixels weighed with their neighbours: short compositions of other operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ops.base import convert, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.convolution import depthwise_conv
from gputrain.ops.creation import ones
from gputrain.ops.elementwise import add, divide, exp, multiply, square, subtract
from gputrain.ops.indexing import getitem
from gputrain.ops.layouts import as_last, images_of
from gputrain.ops.movement import repeat, reshape, stack, transpose
from gputrain.ops.pointwise import as_float, as_floats
from gputrain.ops.reduction import mean, sum

__all__ = ["gaussian_blur", "sobel_edges", "ssim"]

_SOBEL = np.outer([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0])  # the slope from left to right


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
        sigma: standard deviations in pixels, (horizontal, vertical): numbers, or an array of two; of several
            images also (N, 2), those of each one.
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
    if len(deviations.shape) == 2:
        return back(_blurred_each(images, sizes, deviations))
    across, down = (_bell(int(size), getitem(deviations, i)) for i, size in enumerate(sizes))
    return back(_weighted(_weighted(images, reshape(across, (1, -1))), reshape(down, (-1, 1))))


def _blurred_each(images: Any, sizes: Sequence[int], deviations: Any) -> Any:
    """Images (N, H, W, C), each blurred by its own deviations (N, 2): as channels of one image."""
    count, height, width, channels = images.shape
    planes = reshape(transpose(images, (1, 2, 0, 3)), (1, height, width, count * channels))
    for axis, size in enumerate(sizes):
        bells = repeat(_bell(int(size), deviations[:, axis : axis + 1]), channels, 0)  # (N * C, size)
        shape = (size, 1) if axis else (1, size)
        planes = depthwise_conv(planes, reshape(transpose(bells), (*shape, -1, 1)), padding="same")
    return transpose(reshape(planes, (height, width, count, channels)), (2, 0, 1, 3))


def _bell(size: int, sigma: Any) -> Any:
    """The weights of a Gaussian at `size` places around its middle, (..., size); their sum is 1."""
    places = (np.arange(size) - (size - 1) / 2).astype(spec_of(sigma).dtype)
    weights = exp(multiply(square(divide(places, sigma)), -0.5))
    return divide(weights, sum(weights, -1, keepdims=True))


def _weighted(images: Any, weights: Any, padding: str = "same") -> Any:
    """Each pixel of images (N, H, W, C) as a sum of its neighbours, by `weights` (KH, KW)."""
    each = ones((1, 1, images.shape[-1], 1), spec_of(images).dtype)
    return depthwise_conv(images, multiply(weights[..., None, None], each), padding=padding)


def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """The slopes of images by the Sobel operator; zeros lie outside.

    Args:
        images: (H, W, C) or (N, H, W, C); whole numbers become floats.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        the shape of the images with 2 behind it: the slope downwards, and that to the right.

    Raises:
        ShapeError: not images.

    Source:
        I. Sobel, G. Feldman, "A 3x3 isotropic gradient operator for image processing", 1968.

    Example:
        >>> sobel_edges(np.arange(9.0, dtype="float32").reshape(1, 3, 3, 1))[0, 1, 1, 0].tolist()
        [24.0, 8.0]
    """
    images = as_float(images_of(images, "sobel_edges"))
    last, back = as_last(images, data_format, "sobel_edges")
    kernels = (_SOBEL.T.astype(spec_of(last).dtype), _SOBEL.astype(spec_of(last).dtype))
    return stack([back(_weighted(last, kernel)) for kernel in kernels], -1)


def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    """The structural similarity of images: 1 where they are equal.

    Args:
        image1: (H, W, C) or (N, H, W, C), at least `filter_size` high and wide.
        image2: images of the same shape.
        max_val: the largest value of a pixel.
        filter_size: how many pixels of the Gaussian window count in each direction.
        filter_sigma: its standard deviation in pixels.
        k1, k2: what keeps the quotients finite, as shares of `max_val`.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        a number for each image: (N,), or () for one.

    Raises:
        ShapeError: not images, or of different shapes.

    Source:
        Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.

    Example:
        >>> image = np.ones((12, 12, 1), "float32")
        >>> float(ssim(image, image))
        1.0
    """
    first, second = (images_of(x, "ssim") for x in as_floats(image1, image2))
    if len(first.shape) != len(second.shape):
        rule = "ssim compares images of one shape."
        raise ShapeError(explain(rule, received=f"{spec_of(first)} and {spec_of(second)}"))
    single = len(first.shape) == 3
    (x, _), (y, _) = (as_last(each, data_format, "ssim") for each in (first, second))
    bell = _bell(int(filter_size), convert(filter_sigma, spec_of(x).dtype))

    def local(each: Any) -> Any:
        return _weighted(_weighted(each, reshape(bell, (1, -1)), "valid"), reshape(bell, (-1, 1)), "valid")

    mean_x, mean_y = local(x), local(y)
    product, squares = multiply(mean_x, mean_y), add(square(mean_x), square(mean_y))
    covariance = subtract(local(multiply(x, y)), product)
    variances = subtract(local(add(square(x), square(y))), squares)
    least, less = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    above = multiply(add(multiply(product, 2.0), least), add(multiply(covariance, 2.0), less))
    below = multiply(add(squares, least), add(variances, less))
    found = mean(divide(above, below), (1, 2, 3))
    return found[0] if single else found


keep_calls(globals(), __all__)
