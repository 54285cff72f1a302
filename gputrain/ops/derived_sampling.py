"""Images read at computed places, between the pixels too: short compositions of other operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import is_float
from gputrain.ops.base import cast, convert, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.comparison import less
from gputrain.ops.derived_neighbours import gaussian_blur
from gputrain.ops.elementwise import (
    abs,
    add,
    clip,
    divide,
    floor,
    maximum,
    minimum,
    mod,
    multiply,
    sign,
    subtract,
    where,
)
from gputrain.ops.indexing import getitem, pad, take
from gputrain.ops.layouts import as_last, check_name, images_of
from gputrain.ops.movement import expand_dims, reshape, stack
from gputrain.ops.pointwise import as_float
from gputrain.ops.random import random_normal

__all__ = ["affine_transform", "elastic_transform", "map_coordinates", "perspective_transform"]

ORDERS = {"nearest": 0, "bilinear": 1}
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")

# ------------------------------------------------------------------------------------------- the one sampler


def _sampled(
    elements: Any,
    axes: Sequence[int],
    coordinates: Sequence[Any],
    order: int,
    fill_mode: str,
    fill_value: Any,
) -> Any:
    """Elements read at coordinates: one gather, or for order 1 one for each corner around a place.

    What lies outside as "constant" is laid around the elements, where the nearest is then taken.

    Args:
        elements: (*B, *sizes, ...),
        axes: that the coordinates count, one behind the other.
        coordinates: an array for each of these axes; all can be broadcast to (*B, *S).
        order: 0 for the nearest element, 1 for a linear mean of neighbours.
        fill_mode: of `FILL_MODES`.
        fill_value: what lies outside, for "constant".

    Returns:
        (*B, *S, ...), in the elements' dtype.
    """
    dtype = spec_of(elements).dtype
    if order and not is_float(dtype):
        elements = as_float(elements)
    coordinates = [_at_least_float32(x) for x in coordinates]
    if fill_mode == "constant":
        sides = [(int(axis in axes), int(axis in axes)) for axis in range(len(elements.shape))]
        elements = pad(elements, sides, constant_values=np.asarray(fill_value).astype(dtype).item())
    shape = tuple(int(size) for size in elements.shape)
    batch, sizes, rest = shape[: axes[0]], shape[axes[0] : axes[-1] + 1], shape[axes[-1] + 1 :]
    flat = reshape(elements, (math.prod((*batch, *sizes)), *rest))
    corners = product(
        *(_neighbours(x, size, order, fill_mode) for x, size in zip(coordinates, sizes, strict=True))
    )
    blocks = np.arange(math.prod(batch), dtype="int32") * math.prod(sizes)
    first = blocks.reshape(-1, *[1] * (len(coordinates[0].shape) - 1)) if batch else 0
    total: Any = None
    for corner in corners:
        places, share = first, None
        for i, (index, weight) in enumerate(corner):
            places = add(places, multiply(index, math.prod(sizes[i + 1 :])))
            share = weight if share is None else multiply(share, weight)
        read = take(flat, places, axis=0)
        if share is not None:
            share = expand_dims(cast(share, spec_of(read).dtype), [-1 - i for i in range(len(rest))])
            read = multiply(read, share)
        total = read if total is None else add(total, read)
    return total if is_float(dtype) or not order else cast(_half_away(total), dtype)


def _at_least_float32(x: Any) -> Any:
    """Coordinates as floats that hold them: float16 counts whole pixels up to 2048 only."""
    x = as_float(x)
    return cast(x, "float32") if spec_of(x).dtype not in ("float32", "float64") else x


def _neighbours(x: Any, size: int, order: int, fill_mode: str) -> list[tuple[Any, Any]]:
    """Indices int32 and weights of the elements along an axis that make up the value at x."""
    constant = fill_mode == "constant"
    period = {"wrap": size, "reflect": 2 * size, "mirror": 2 * (size - 1)}.get(fill_mode, 0)
    if not order:
        index = _half_away(x)
        index = mod(index, float(period)) if period else add(index, 1.0) if constant else index
        return [(_inside(index, size, fill_mode), None)]
    if not period:
        x = clip(add(x, 1.0) if constant else x, 0.0, float(size - 1))
    lower = floor(x)
    upper_share = subtract(x, lower)
    lower = mod(lower, float(period)) if period else lower
    shares = (subtract(1.0, upper_share), upper_share)
    return [(_inside(add(lower, float(i)), size, fill_mode), share) for i, share in enumerate(shares)]


def _half_away(x: Any) -> Any:
    """The nearest whole number, of two the one further from 0."""
    return multiply(sign(x), floor(add(abs(x), 0.5)))


def _inside(index: Any, size: int, fill_mode: str) -> Any:
    """Whole numbers, of one period where the mode has one, as indices from 0 to size - 1, int32."""
    if fill_mode == "wrap":
        index = where(less(index, float(size)), index, 0.0)
    elif fill_mode == "reflect":  # d c b a | a b c d | d c b a
        index = maximum(minimum(index, subtract(2.0 * size - 1.0, index)), 0.0)
    elif fill_mode == "mirror" and size > 1:  # d c b | a b c d | c b a
        index = minimum(index, subtract(2.0 * (size - 1), index))
    else:
        index = clip(index, 0.0, float(size - 1))
    return cast(index, "int32")


# -------------------------------------------------------------------------------------------- any coordinates


def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> Any:
    """Elements of an array at coordinates, which may lie between them.

    Args:
        inputs: an array.
        coordinates: (R, ...): for each of its R axes an array of places, counted in elements.
        order: 0 for the nearest element, 1 for the linear mean of its neighbours.
        fill_mode: what lies outside of a b c d: "constant" `fill_value`, "nearest" a a | a b c d | d d,
            "wrap" c d | a b c d | a b, "mirror" c b | a b c d | c b, "reflect" b a | a b c d | d c.
        fill_value: for "constant".

    Returns:
        an array of the coordinates' shape without the first axis, in the dtype of `inputs`.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: shapes that are not.

    Example:
        >>> map_coordinates(np.array([1.0, 2.0, 4.0], "float32"), [[0.5, 1.5, 2.0]], 1).tolist()
        [1.5, 3.0, 4.0]
    """
    inputs, coordinates = convert(inputs), as_float(coordinates)
    rank = len(inputs.shape)
    if len(coordinates.shape) < 2 or coordinates.shape[0] != rank:
        rule = "map_coordinates: coordinates must have an array of places for each axis of the inputs."
        expected = f"({rank}, ...) for inputs of {rank} axes"
        raise ShapeError(explain(rule, expected=expected, received=spec_of(coordinates)))
    if order not in (0, 1):
        raise ValueError(explain("map_coordinates: order must be 0 or 1.", received=repr(order)))
    check_name(fill_mode, FILL_MODES, "map_coordinates: fill_mode")
    if None in inputs.shape:  # only the shape matters while sizes are unknown
        return cast(getitem(coordinates, 0), spec_of(inputs).dtype)
    places = [getitem(coordinates, axis) for axis in range(rank)]
    return _sampled(inputs, range(rank), places, int(order), fill_mode, fill_value)


def read_pixels(
    images: Any, rows: Any, columns: Any, interpolation: str, fill_mode: str, fill_value: Any
) -> Any:
    """Pixels of images (N, H, W, C) at rows and columns, which are broadcast to (N, h, w): (N, h, w, C)."""
    return _sampled(images, (1, 2), (rows, columns), ORDERS[interpolation], fill_mode, fill_value)


def _check_modes(interpolation: Any, fill_mode: Any, what: str) -> None:
    check_name(interpolation, tuple(ORDERS), f"{what}: interpolation")
    check_name(fill_mode, FILL_MODES, f"{what}: fill_mode")


# ---------------------------------------------------------------------------------------- straight and warped


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images turned, scaled, sheared and moved.

    The pixel at column x and row y is read at column a0 x + a1 y + a2 and row b0 x + b1 y + b2.

    Args:
        images: (H, W, C) or (N, H, W, C).
        transform: (8,) or (N, 8): a0, a1, a2, b0, b1, b2 and two zeros, which are not read.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside, as in `map_coordinates`.
        fill_value: for "constant".
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        images of the same shape and dtype. For "bilinear" there is a gradient to `transform`, too.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: shapes that are not.

    Example:
        >>> image = np.array([[[1.0], [2.0], [4.0]]], "float32")
        >>> affine_transform(image, [1.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0]).ravel().tolist()
        [1.5, 3.0, 2.0]
    """
    images, back = _placed(images, data_format, "affine_transform")
    _check_modes(interpolation, fill_mode, "affine_transform")
    transform = _at_least_float32(transform)
    if len(transform.shape) not in (1, 2) or transform.shape[-1] != 8:
        rule = "affine_transform takes a transform of eight numbers, or one for each image."
        raise ShapeError(explain(rule, expected="(8,) or (N, 8)", received=spec_of(transform)))
    if None in images.shape:  # only the shape matters while sizes are unknown
        return back(images)
    count, height, width, _ = images.shape
    _fits(transform, 2, count, "affine_transform: transform")
    a0, a1, a2, b0, b1, b2 = _numbers(transform, 6)
    x, y = _grid(height, width, spec_of(transform).dtype)
    columns = add(multiply(a0, x), add(multiply(a1, y), a2))
    rows = add(multiply(b0, x), add(multiply(b1, y), b2))
    return back(read_pixels(images, rows, columns, interpolation, fill_mode, fill_value))


def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images as planes seen from elsewhere: four points go to four others, and straight lines stay straight.

    Args:
        images: (H, W, C) or (N, H, W, C).
        start_points: (4, 2) or (N, 4, 2): the points (x, y) of the images, as the corners top left, top
            right, bottom left, bottom right.
        end_points: where they come to lie, of the same shape.
        interpolation: "nearest" or "bilinear".
        fill_value: what lies outside.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        images of the same shape and dtype. For "bilinear" there is a gradient to the points, too.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: shapes that are not.

    Source:
        P. Heckbert, "Fundamentals of texture mapping and image warping", 1989, section 2.2.3.

    Example:
        >>> image = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], "float32")
        >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> perspective_transform(image, corners, corners[::-1].copy())[..., 0].tolist()
        [[4.0, 3.0], [2.0, 1.0]]
    """
    images, back = _placed(images, data_format, "perspective_transform")
    _check_modes(interpolation, "constant", "perspective_transform")
    start, end = _at_least_float32(start_points), _at_least_float32(end_points)
    if start.shape != end.shape or len(start.shape) not in (2, 3) or tuple(start.shape[-2:]) != (4, 2):
        rule = "perspective_transform takes four start_points (x, y), or four for each image, and end_points."
        received = f"{spec_of(start)} and {spec_of(end)}"
        raise ShapeError(explain(rule, expected="(4, 2) or (N, 4, 2), both alike", received=received))
    if None in images.shape:  # only the shape matters while sizes are unknown
        return back(images)
    count, height, width, _ = images.shape
    _fits(start, 3, count, "perspective_transform: start_points")
    matrix = _product(
        _of_square(start), _adjugate(_of_square(end))
    )  # from where pixels are to where they are read
    x, y = _grid(height, width, spec_of(start).dtype)
    columns, rows, depth = (add(multiply(a, x), add(multiply(b, y), c)) for a, b, c in matrix)
    places = divide(rows, depth), divide(columns, depth)
    return back(read_pixels(images, *places, interpolation, "constant", fill_value))


def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Images distorted as on rubber: each pixel is read a random way off, near pixels about the same way.

    Args:
        images: (H, W, C) or (N, H, W, C).
        alpha: how far: pixels are read `alpha` times the blurred draws away.
        sigma: standard deviation of the draws, and in pixels of the Gaussian that they are blurred with.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside, as in `map_coordinates`.
        fill_value: for "constant".
        seed: an int or SeedGenerator; None means the configured seed.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        images of the same shape and dtype.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: not images.

    Source:
        P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks applied to
        visual document analysis", 2003.

    Example:
        >>> elastic_transform(np.ones((1, 4, 5, 3), "float32"), seed=1).shape
        (1, 4, 5, 3)
    """
    images, back = _placed(images, data_format, "elastic_transform")
    _check_modes(interpolation, fill_mode, "elastic_transform")
    if not isinstance(sigma, int | float | np.number) or isinstance(sigma, bool) or not 0 < sigma < np.inf:
        raise ValueError(explain("elastic_transform: sigma must be a number above 0.", received=repr(sigma)))
    if None in images.shape:  # only the shape matters while sizes are unknown
        return back(images)
    noise = random_normal((*images.shape[:3], 2), dtype="float32", seed=seed)
    ways = multiply(blurred_ways(noise, float(sigma), int(6 * sigma) | 1), alpha)
    return back(moved_pixels(images, ways, interpolation, fill_mode, fill_value))


def blurred_ways(noise: Any, sigma: Any, taps: int) -> Any:
    """Draws (N, H, W, 2) of deviation 1 as ways in pixels: times `sigma`, and blurred by a Gaussian of it.

    Args:
        noise: the draws.
        sigma: a number above 0, or a value.
        taps: how many pixels of the Gaussian count in each direction.
    """
    deviation = convert(sigma, spec_of(noise).dtype)
    return gaussian_blur(
        multiply(noise, deviation), (taps, taps), stack([deviation, deviation]), "channels_last"
    )


def moved_pixels(images: Any, ways: Any, interpolation: str, fill_mode: str, fill_value: Any) -> Any:
    """Images (N, H, W, C) read at ways (N, H, W, 2) off each pixel, to the right and downwards."""
    x, y = _grid(images.shape[1], images.shape[2], "float32")
    columns, rows = add(x, ways[..., 0]), add(y, ways[..., 1])
    return read_pixels(images, rows, columns, interpolation, fill_mode, fill_value)


# ------------------------------------------------------------------------------------------------- geometry


def _placed(images: Any, data_format: str | None, what: str) -> Any:
    """Images (N, H, W, C), and how to bring them back."""
    return as_last(images_of(images, what), data_format, what)


def _fits(numbers: Any, several: int, count: int, where: str) -> None:
    """Refuse numbers for several images that are not for these."""
    if len(numbers.shape) == several and numbers.shape[0] not in (1, count):
        raise ShapeError(
            explain(f"{where} has one row for each image.", expected=count, received=spec_of(numbers))
        )


def _grid(height: int, width: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns (1, W) and rows (H, 1) of pixels."""
    return np.arange(width, dtype=dtype)[None], np.arange(height, dtype=dtype)[:, None]


def _numbers(rows: Any, count: int) -> list[Any]:
    """The first numbers of each row (N, K) or of one (K,), as (N or 1, 1, 1)."""
    return [reshape(getitem(rows, (..., i)), (-1, 1, 1)) for i in range(count)]


def _of_square(points: Any) -> list[list[Any]]:
    """The matrices that take the corners of the unit square to points (N, 4, 2) or (4, 2), up to a factor."""
    x0, x1, x2, x3 = _numbers(points[..., 0], 4)
    y0, y1, y2, y3 = _numbers(points[..., 1], 4)

    def cross(a: Any, b: Any, c: Any, d: Any) -> Any:
        return subtract(multiply(a, d), multiply(b, c))

    across, down = (subtract(x1, x3), subtract(y1, y3)), (subtract(x2, x3), subtract(y2, y3))
    skew = subtract(add(x0, x3), add(x1, x2)), subtract(add(y0, y3), add(y1, y2))
    area = cross(*across, *down)
    g, h = cross(*skew, *down), cross(*across, *skew)

    def side(near: Any, far: Any, tilt: Any) -> Any:
        return add(multiply(subtract(far, near), area), multiply(tilt, far))

    return [
        [side(x0, x1, g), side(x0, x2, h), multiply(x0, area)],
        [side(y0, y1, g), side(y0, y2, h), multiply(y0, area)],
        [g, h, area],
    ]


def _adjugate(m: list[list[Any]]) -> list[list[Any]]:
    """The inverse of a matrix of three rows, times its determinant."""

    def minor(i: int, j: int) -> Any:
        (a, b), (c, d) = ([m[r % 3][s % 3] for s in (j + 1, j + 2)] for r in (i + 1, i + 2))
        return subtract(multiply(a, d), multiply(b, c))

    return [[minor(j, i) for j in range(3)] for i in range(3)]


def _product(p: list[list[Any]], q: list[list[Any]]) -> list[list[Any]]:
    """The product of two matrices of three rows."""

    def entry(i: int, j: int) -> Any:
        return add(add(multiply(p[i][0], q[0][j]), multiply(p[i][1], q[1][j])), multiply(p[i][2], q[2][j]))

    return [[entry(i, j) for j in range(3)] for i in range(3)]


keep_calls(globals(), __all__)
