"""Images of other sizes: a matrix for each axis, short compositions of other operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, is_float, normalize_axis
from gputrain.ops.base import cast, convert, is_symbolic, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.comparison import greater, greater_equal, less_equal, logical_and
from gputrain.ops.conversion import convert_to_numpy
from gputrain.ops.elementwise import abs, clip, maximum, multiply, round, sin, where
from gputrain.ops.indexing import getitem, pad, take
from gputrain.ops.layouts import check_name, images_of, layout
from gputrain.ops.movement import moveaxis, reshape, transpose
from gputrain.ops.pointwise import as_float
from gputrain.ops.products import matmul
from gputrain.ops.reduction import sum

__all__ = ["resize", "scale_and_translate"]

METHODS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")
_FEW = 16  # columns of a product below which transposing costs less than a product for each row
_LEAST = 1000 * float(np.finfo(np.float32).eps)  # sums of weights that are divided by

# NumPy's functions, where scale and translation are numbers, and those of values.
_HOST: Any = np
_TRACED: Any = SimpleNamespace(
    abs=abs,
    maximum=maximum,
    sin=sin,
    where=where,
    sum=sum,
    greater=greater,
    greater_equal=greater_equal,
    less_equal=less_equal,
    logical_and=logical_and,
)


# ------------------------------------------------------------------------------------------------ the weights


def _triangle(math: Any, x: Any) -> Any:
    return math.maximum(1.0 - x, 0.0)


def _cubic(math: Any, x: Any) -> Any:
    """Keys' kernel with a = -1/2."""
    near = ((x * 1.5 - 2.5) * x) * x + 1.0
    far = ((x * -0.5 + 2.5) * x - 4.0) * x + 2.0
    return math.where(x >= 2.0, 0.0, math.where(x >= 1.0, far, near))


def _lanczos(radius: int) -> Callable[[Any, Any], Any]:
    def kernel(math: Any, x: Any) -> Any:
        apart = x > 1e-3
        angle = math.where(apart, x, 1.0) * np.pi
        wave = math.sin(angle) * math.sin(angle / radius) * radius / (angle * angle)
        return math.where(x > radius, 0.0, math.where(apart, wave, 1.0))

    return kernel


_KERNELS: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("linear", "bilinear", "trilinear"), _triangle),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), _cubic),
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


def _weights(
    math: Any, size: int, count: int, scale: Any, translation: Any, method: str, antialias: bool
) -> Any:
    """What each of `size` elements adds to each of `count` new ones, (size, count)."""
    inverse = 1.0 / scale
    places = inverse * (np.arange(count) + 0.5) - translation * inverse - 0.5  # of the new ones among the old
    apart = math.abs(places - np.arange(size)[:, None])
    kernel = _KERNELS[method](math, apart / math.maximum(inverse, 1.0) if antialias else apart)
    total = math.sum(kernel, axis=0)
    enough = math.greater(math.abs(total), _LEAST)
    inside = math.logical_and(math.greater_equal(places, -0.5), math.less_equal(places, size - 0.5))
    return math.where(math.logical_and(enough, inside), kernel / math.where(enough, total, 1.0), 0.0)


@lru_cache(maxsize=64)
def _resizing(size: int, count: int, method: str, antialias: bool) -> np.ndarray:
    """The weights of `count` elements that cover what `size` do, (size, count)."""
    return np.asarray(_weights(_HOST, size, count, count / size, 0.0, method, antialias))


def _along(x: Any, matrix: Any, axis: int) -> Any:
    """x with the elements along `axis` multiplied by `matrix` (size, count)."""
    before, size, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    count = spec_of(matrix).shape[1]
    columns = int(np.prod([n for n in after if n is not None]))
    if columns >= _FEW and None not in after:
        found = matmul(transpose(matrix), reshape(x, (-1, size, columns)))
        return reshape(found, (*_known(before), count, *after))
    last = moveaxis(x, axis, -1)
    rows = last.shape[:-1]
    found = matmul(reshape(last, (-1, size)), matrix)
    return moveaxis(reshape(found, (*_known(rows), count)), -1, axis)


def _known(sizes: Shape) -> Shape:
    """Sizes as `reshape` takes them, at most one of them unknown."""
    return tuple(-1 if size is None else size for size in sizes)


# -------------------------------------------------------------------------------------------------- resizing


def resize(
    images: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images of another size. The outer edges stay where they are, so that pixels are squares, not points.

    Args:
        images: (H, W, C) or (N, H, W, C). Whole numbers are rounded and limited to what their dtype holds.
        size: height and width of the result.
        interpolation: "nearest", "bilinear", "bicubic" (Keys' kernel), "lanczos3" or "lanczos5".
        antialias: when images become smaller, weigh all pixels that fall into a new one. Without it the few
            nearest ones count, as in an enlargement.
        crop_to_aspect_ratio: cut off, equally on both sides, what does not fit the proportions of `size`.
        pad_to_aspect_ratio: add the lacking rows or columns instead, equally on both sides.
        fill_mode: "constant": there is no other.
        fill_value: what is added by `pad_to_aspect_ratio`.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        (N, height, width, C), in the images' dtype.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: not images.

    Source:
        R. Keys, "Cubic convolution interpolation for digital image processing", 1981. K. Turkowski, "Filters
        for common resampling tasks", 1990, for Lanczos' kernels.

    Example:
        >>> resize(np.array([[[0.0], [1.0]]], "float32"), (1, 4)).ravel().tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    images = images_of(images, "resize")
    check_name(interpolation, METHODS, "resize: interpolation")
    check_name(fill_mode, ("constant",), "resize: fill_mode")
    height, width = _sizes(size)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(explain("resize: either crop_to_aspect_ratio or pad_to_aspect_ratio can be True."))
    first = len(images.shape) - (3 if layout(data_format, "resize") == "channels_last" else 2)
    if None in images.shape[first : first + 2]:  # only the shape matters while sizes are unknown
        return take(take(images, np.zeros(height, int), first), np.zeros(width, int), first + 1)
    if crop_to_aspect_ratio:
        images = _cropped(images, first, height, width)
    if pad_to_aspect_ratio:
        images = _padded(images, first, height, width, fill_value)
    wanted = [(axis, n) for axis, n in ((first, height), (first + 1, width)) if images.shape[axis] != n]
    wanted.sort(key=lambda each: each[1] / images.shape[each[0]])  # first what makes the images smaller
    if interpolation == "nearest":
        for axis, count in wanted:
            old = images.shape[axis]
            images = take(images, (2 * np.arange(count) + 1) * old // (2 * count), axis)
        return images
    dtype = spec_of(images).dtype
    found = as_float(images)
    for axis, count in wanted:
        matrix = _resizing(images.shape[axis], count, interpolation, bool(antialias))
        found = _along(found, matrix.astype(spec_of(found).dtype), axis)
    return as_before(found, dtype)


def as_before(found: Any, dtype: str) -> Any:
    """Numbers of images as `dtype`; as whole numbers they are rounded, and limited to what it holds."""
    if is_float(dtype) or dtype == "bool":
        return cast(found, dtype)
    ends = np.iinfo(dtype)
    return cast(clip(round(found), float(ends.min), float(ends.max)), dtype)


def _sizes(size: Any) -> tuple[int, int]:
    given = tuple(size) if np.iterable(size) else ()
    if len(given) != 2 or any(not isinstance(n, int | np.integer) or n < 1 for n in given):
        rule = "resize: size is two positive ints."
        raise ValueError(explain(rule, expected="(height, width)", received=repr(size)))
    return int(given[0]), int(given[1])


def _fitting(old: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """The height that goes with the old width in the new proportions, and the width with the old height."""
    return int(old[1] * height / width), int(old[0] * width / height)


def _cropped(images: Any, first: int, height: int, width: int) -> Any:
    """The middle of images that has the proportions of height and width."""
    old = images.shape[first], images.shape[first + 1]
    key = [slice(None)] * first
    for size, fits in zip(old, _fitting(old, height, width), strict=True):
        kept = max(min(size, fits), 1)
        start = (size - kept) // 2
        key.append(slice(start, start + kept))
    return getitem(images, tuple(key))


def _padded(images: Any, first: int, height: int, width: int, fill_value: Any) -> Any:
    """Images with rows or columns on both sides that give them the proportions of height and width."""
    old = images.shape[first], images.shape[first + 1]
    added = [max(fits - size, 0) // 2 for size, fits in zip(old, _fitting(old, height, width), strict=True)]
    if added[0]:
        added[1] = 0  # only where nothing is added above and below
    sides = [(0, 0)] * len(images.shape)
    sides[first : first + 2] = [(n, n) for n in added]
    return pad(images, sides, constant_values=fill_value)


def scale_and_translate(
    images: Any,
    output_shape: Sequence[int],
    scale: Any,
    translation: Any,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Any:
    """Arrays scaled and moved along some axes: what was at x is at x * scale + translation.

    Elements are intervals of length 1, the first from 0 to 1. What comes from outside is 0.

    Args:
        images: an array; whole numbers become floats.
        output_shape: of the result; sizes of other axes stay.
        scale, translation: a number for each of `spatial_dims`.
        spatial_dims: the axes.
        method: "linear", "cubic", "lanczos3" or "lanczos5"; also "bilinear", "trilinear", "bicubic" and
            "tricubic".
        antialias: where arrays become smaller, weigh all elements that fall into a new one.

    Raises:
        ValueError: an argument that is not as above.

    Example:
        >>> x = np.array([1.0, 2.0, 3.0], "float32")
        >>> scale_and_translate(x, (3,), [1.0], [1.0], (0,), "linear").tolist()
        [0.0, 1.0, 2.0]
    """
    x = as_float(images)
    check_name(method, tuple(_KERNELS), "scale_and_translate: method")
    shape = tuple(output_shape)
    axes = [normalize_axis(axis, len(x.shape), "scale_and_translate") for axis in spatial_dims]
    fits = len(shape) == len(x.shape) and all(
        i in axes or None in (m, n) or m == n for i, (m, n) in enumerate(zip(x.shape, shape, strict=True))
    )
    if not fits:
        rule = "scale_and_translate: output_shape may differ along spatial_dims alone."
        raise ShapeError(explain(rule, expected=spec_of(x), received=shape))
    traced = is_symbolic(scale) or is_symbolic(translation)
    math, read = (_TRACED, _value_of(x)) if traced else (_HOST, convert_to_numpy)
    scales, moves = read(scale), read(translation)
    for which, axis in enumerate(axes):
        how = scales[which], moves[which], method, bool(antialias)
        weights = _weights(math, x.shape[axis], shape[axis], *how)
        x = _along(x, weights if traced else np.asarray(weights, spec_of(x).dtype), axis)
    return x


def _value_of(x: Any) -> Callable[[Any], Any]:
    """A function that makes values of the dtype of x."""
    return lambda numbers: multiply(convert(numbers, spec_of(x).dtype), 1.0)


keep_calls(globals(), __all__)
