"""Parts of images, and images with more around them: short compositions of other operations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ops.base import convert, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.indexing import getitem, pad, take
from gputrain.ops.layouts import images_of, layout
from gputrain.ops.movement import expand_dims, moveaxis, reshape, squeeze, transpose

__all__ = ["crop_images", "extract_patches", "extract_patches_3d", "pad_images"]


# ----------------------------------------------------------------------------------------- crops and margins


def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images with zeros around them.

    Two of top, bottom and height are given, and two of left, right and width.

    Args:
        images: (H, W, C) or (N, H, W, C).
        top_padding, left_padding, bottom_padding, right_padding: rows and columns of zeros.
        target_height, target_width: sizes of the result.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Raises:
        ValueError: too few or too many numbers, or negative ones.
        ShapeError: not images, or larger than the result.

    Example:
        >>> pad_images(np.ones((2, 2, 1)), 1, 0, target_height=4, target_width=2)[..., 0].tolist()
        [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    """
    images = images_of(images, "pad_images")
    first = _first_axis(images, data_format, "pad_images")
    given = (
        ("top_padding", top_padding, "bottom_padding", bottom_padding, "target_height", target_height),
        ("left_padding", left_padding, "right_padding", right_padding, "target_width", target_width),
    )
    sides = [(0, 0)] * len(images.shape)
    for axis, numbers in enumerate(given, first):
        before, after, whole = _two_of_three("pad_images", numbers)
        if whole is not None:
            room = whole - _size(images, axis, "pad_images")
            before, after = (
                (room - after if before is None else before),
                (room - before if after is None else after),
            )
        if min(before, after) < 0:
            rule = f"pad_images: the images are larger than {numbers[4]}."
            raise ShapeError(
                explain(rule, expected=f"at most {whole} along axis {axis}", received=spec_of(images))
            )
        sides[axis] = (before, after)
    return pad(images, sides)


def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """A part of images.

    Two of top, bottom and height are given, and two of left, right and width.

    Args:
        images: (H, W, C) or (N, H, W, C).
        top_cropping, left_cropping, bottom_cropping, right_cropping: rows and columns that are cut off.
        target_height, target_width: sizes of the result.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Raises:
        ValueError: too few or too many numbers, or negative ones.
        ShapeError: not images, or too small for the part.

    Example:
        >>> image = np.arange(6.0).reshape(2, 3, 1)
        >>> crop_images(image, 1, 1, target_height=1, target_width=2)[..., 0].tolist()
        [[4.0, 5.0]]
    """
    images = images_of(images, "crop_images")
    first = _first_axis(images, data_format, "crop_images")
    given = (
        ("top_cropping", top_cropping, "bottom_cropping", bottom_cropping, "target_height", target_height),
        ("left_cropping", left_cropping, "right_cropping", right_cropping, "target_width", target_width),
    )
    key = [slice(None)] * len(images.shape)
    for axis, numbers in enumerate(given, first):
        before, after, kept = _two_of_three("crop_images", numbers)
        size = _size(images, axis, "crop_images")
        start = size - kept - after if before is None else before
        stop = start + kept if kept is not None else size - after
        if not 0 <= start <= stop <= size:
            rule = f"crop_images: the images have too few {'rows' if axis == first else 'columns'}."
            raise ShapeError(explain(rule, expected=f"room for {numbers[1::2]}", received=spec_of(images)))
        key[axis] = slice(start, stop)
    return getitem(images, tuple(key))


def _two_of_three(what: str, numbers: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    """The numbers among names and numbers, of which one is None.

    Raises:
        ValueError: that is not so, or one is no size.
    """
    names, values = numbers[::2], numbers[1::2]
    if values.count(None) != 1:
        rule = f"{what} takes exactly two of {', '.join(names)}."
        raise ValueError(explain(rule, received=", ".join(map(str, values))))
    for name, value in zip(names, values, strict=True):
        if value is not None and (not isinstance(value, int | np.integer) or value < 0):
            raise ValueError(explain(f"{what}: {name} must be an int, 0 or more.", received=repr(value)))
    before, after, whole = (None if value is None else int(value) for value in values)
    return before, after, whole


def _first_axis(images: Any, data_format: str | None, what: str) -> int:
    """The axis of the rows; that of the columns comes after it."""
    return len(images.shape) - (3 if layout(data_format, what) == "channels_last" else 2)


def _size(images: Any, axis: int, what: str) -> int:
    size = images.shape[axis]
    if size is None:
        raise ShapeError(explain(f"{what} needs known sizes.", received=spec_of(images)))
    return int(size)


# -------------------------------------------------------------------------------------------------- patches


def extract_patches(
    images: Any,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Patches of images, each laid out as the channels of one pixel.

    Args:
        images: (H, W, C) or (N, H, W, C); volumes (D, H, W, C) or (N, D, H, W, C) for three sizes.
        size: of a patch: an int, (height, width) or (depth, height, width).
        strides: from one patch to the next; default is `size`, so that each pixel is in one patch.
        dilation_rate: from one pixel of a patch to the next.
        padding: "valid", or "same" for zeros around the images.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Returns:
        (N, OH, OW, height * width * C), for volumes (N, OD, OH, OW, depth * height * width * C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: not images, or smaller than a patch.

    Example:
        >>> extract_patches(np.arange(8.0).reshape(1, 2, 4, 1), 2).tolist()
        [[[[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]]]
    """
    rank = 3 if np.iterable(size) and len(tuple(size)) == 3 else 2
    return _patches(images, size, strides, dilation_rate, padding, data_format, rank, "extract_patches")


def extract_patches_3d(
    volumes: Any,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Patches of volumes, each laid out as the channels of one voxel; see `extract_patches`.

    Args:
        volumes: (D, H, W, C) or (N, D, H, W, C).
        size: an int or (depth, height, width).
        strides, dilation_rate, padding, data_format: as there.

    Example:
        >>> extract_patches_3d(np.ones((1, 4, 4, 4, 2)), 2).shape
        (1, 2, 2, 2, 16)
    """
    return _patches(volumes, size, strides, dilation_rate, padding, data_format, 3, "extract_patches_3d")


def _patches(
    images: Any, size: Any, strides: Any, dilation: Any, padding: Any, data_format: Any, rank: int, what: str
) -> Any:
    """Patches of images (`rank` 2) or volumes (3)."""
    images = convert(images)
    sizes = _each(size, rank, f"{what}: size")
    steps = sizes if strides is None else _each(strides, rank, f"{what}: strides")
    gaps = _each(dilation, rank, f"{what}: dilation_rate")
    if padding not in ("valid", "same"):
        raise ValueError(explain(f'{what}: padding must be "valid" or "same".', received=repr(padding)))
    if len(images.shape) not in (rank + 1, rank + 2):
        names = ", ".join("DHW"[-rank:])
        expected = f"({names}, C) or (N, {names}, C)"
        raise ShapeError(
            explain(f"{what}: wrong number of axes.", expected=expected, received=spec_of(images))
        )
    single = len(images.shape) == rank + 1
    x = expand_dims(images, 0) if single else images
    first = layout(data_format, what) == "channels_first"
    x = moveaxis(x, 1, -1) if first else x
    counts = []
    for i, (taps, step, gap) in enumerate(zip(sizes, steps, gaps, strict=True)):
        x, count = _windows(x, 1 + 2 * i, taps, step, gap, padding == "same", what)
        counts.append(count)
    # (N, OH, height, OW, width, C) to (N, OH, OW, height, width, C)
    axes = range(1, 2 * rank + 1)
    x = transpose(x, (0, *axes[::2], *axes[1::2], 2 * rank + 1))
    n, channels = x.shape[0], x.shape[-1]
    if channels is None:
        raise ShapeError(explain(f"{what} needs known sizes.", received=spec_of(images)))
    x = reshape(x, (-1 if n is None else n, *counts, int(np.prod(sizes)) * channels))
    x = moveaxis(x, -1, 1) if first else x
    return squeeze(x, 0) if single else x


def _windows(x: Any, axis: int, taps: int, step: int, gap: int, same: bool, what: str) -> tuple[Any, int]:
    """x with `axis` divided into windows and their elements, and how many windows there are."""
    size = _size(x, axis, what)
    reach = (taps - 1) * gap + 1
    if same:
        count = -(-size // step)
        lacking = max((count - 1) * step + reach - size, 0)
        sides = [(0, 0)] * len(x.shape)
        sides[axis] = (lacking // 2, lacking - lacking // 2)
        x = pad(x, sides)
    else:
        count = (size - reach) // step + 1
    if count < 1:
        rule = f"{what}: the patch is larger than the image."
        raise ShapeError(explain(rule, expected=f"at least {reach} along axis {axis}", received=size))
    if not same and step == taps == reach and count * taps == size:
        sizes = chain(x.shape[:axis], (count, taps), x.shape[axis + 1 :])
        return reshape(x, tuple(-1 if n is None else n for n in sizes)), count
    return take(x, np.arange(count)[:, None] * step + np.arange(taps) * gap, axis), count


def _each(value: Any, rank: int, where: str) -> tuple[int, ...]:
    given = tuple(value) if np.iterable(value) else (value,) * rank
    if len(given) != rank or any(not isinstance(n, int | np.integer) or n < 1 for n in given):
        rule = f"{where} is a positive int, or {rank} of them."
        raise ValueError(explain(rule, received=repr(value)))
    return tuple(int(n) for n in given)


keep_calls(globals(), __all__)
