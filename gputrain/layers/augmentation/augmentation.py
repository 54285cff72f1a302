"""Random changes of images, drawn anew for each image in each step of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.layers.augmentation.transforming import (
    Draws,
    RandomImages,
    RandomPixels,
    bounds,
    is_number,
    numbers,
)
from gputrain.layers.base import arguments, declared, registry

_SIDES = {"height": 1, "width": 2}  # axes of images (N, H, W, C)
_MODES = {"horizontal": ("width",), "vertical": ("height",), "horizontal_and_vertical": ("height", "width")}


def _shares(value: Any, where: str) -> tuple[float, float]:
    """A pair of numbers, each within 0..1."""
    pair = numbers(value, 0.0, 1.0)
    if pair is None:
        raise ValueError(
            explain(f"{where} is a share, or a pair of them.", expected="0..1", received=repr(value))
        )
    return pair


def _brightness(value: Any, where: str) -> tuple[float, float]:
    """A pair of bounds within -1..1; one number stands for both sides of 0."""
    return bounds(-1.0, 1.0, (-abs(value), abs(value)) if is_number(value) else value, where)


def _contrast(value: Any, where: str) -> tuple[float, float]:
    """A pair of shares; one number stands for both."""
    return _shares((value, value) if is_number(value) else value, where)


def _mode(value: Any, where: str) -> str:
    return arguments.one_of(value, tuple(_MODES), where)


@registry.add()
class RandomFlip(RandomImages):
    """Mirrors each image or leaves it, by chance one half each, in training; does nothing otherwise.

    Args:
        mode: "horizontal" (left and right change places), "vertical" (above and below do) or
            "horizontal_and_vertical" (each by a chance of its own).

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.

    Example:
        >>> RandomFlip("horizontal")(numpy.ones((2, 4, 6, 3), "uint8"), training=True).shape
        (2, 4, 6, 3)
    """

    mode: str = declared.argument(_mode, "horizontal_and_vertical")

    def choose(self, draws: Draws) -> dict[str, Any]:
        """Flips (N, 1, 1, 1), or (N, 1, 1, 2) for both ways: the vertical one first."""
        return {"flips": draws.happens(0.5, 1, 1, len(_MODES[self.mode]))}

    def change(self, images: Any, transformation: Any) -> Any:
        """Some of the images mirrored."""
        flips = ops.convert_to_tensor(transformation["flips"])
        flips = ops.reshape(flips, (flips.shape[0], -1))  # one for both, or one each
        rows = self._order(images, "height", flips[:, :1])
        columns = self._order(images, "width", flips[:, -1:])
        return take_pixels(images, rows[..., None], columns[:, None])

    change_masks = change

    def _order(self, images: Any, side: str, flips: Any) -> Any:
        """Rows or columns of each image (N, H, W, C) in the order in which they are taken, (N or 1, size)."""
        forward = np.arange(images.shape[_SIDES[side]])[None]
        return ops.where(flips, forward[:, ::-1], forward) if side in _MODES[self.mode] else forward


@registry.add()
class RandomBrightness(RandomPixels):
    """Makes each image brighter or darker by a random amount in training; does nothing otherwise.

    A share drawn evenly between the bounds of `factor` is multiplied by the width of `value_range` and added
    to all pixels of the image; the results are limited to `value_range`.

    Args:
        factor: two numbers (lower, upper) within -1..1, or one, f, for (-|f|, |f|).

    Example:
        >>> RandomBrightness((0.5, 0.5), (0, 1))(numpy.zeros((1, 1, 2, 1)), training=True).tolist()
        [[[[0.5], [0.5]]]]
    """

    factor: Any = declared.argument(_brightness)

    any_layout = True

    def choose(self, draws: Draws) -> dict[str, Any]:
        """What is added to each image, (N, 1, 1, 1)."""
        low, high = self.value_range
        least, most = (share * (high - low) for share in self.factor)
        return {"rgb_delta": draws.between(least, most, 1, 1, 1)}

    def change(self, images: Any, transformation: Any) -> Any:
        """The images brighter or darker."""
        added = ops.cast(transformation["rgb_delta"], images.dtype)
        return ops.clip(ops.add(images, added), *self.value_range)


@registry.add()
class RandomContrast(RandomPixels):
    """Stretches or narrows the values of each image around their mean in training; nothing otherwise.

    Each channel becomes (x - mean) * c + mean, with one c for an image, drawn evenly between 1 - lower and
    1 + upper; the results are limited to `value_range`.

    Args:
        factor: two numbers (lower, upper) within 0..1, or one for both.

    Example:
        >>> images = numpy.array([0.0, 2.0]).reshape(1, 1, 2, 1)
        >>> RandomContrast((1.0, 0.0), seed=1)(images, training=True).mean().tolist()
        1.0
    """

    factor: Any = declared.argument(_contrast)

    def choose(self, draws: Draws) -> dict[str, Any]:
        """By what each image is multiplied, (N, 1, 1, 1)."""
        lower, upper = self.factor
        return {"contrast_factor": draws.between(1.0 - lower, 1.0 + upper, 1, 1, 1)}

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with more or less contrast."""
        row = (images.shape[0], 1, *images.shape[2:])  # along whole rows the CPU is several times faster
        mean = ops.broadcast_to(ops.mean(images, (1, 2), keepdims=True), row)
        contrast = ops.cast(transformation["contrast_factor"], images.dtype)
        centred = ops.subtract(images, mean)
        return ops.clip(ops.add(ops.multiply(centred, contrast), mean), *self.value_range)


def take_pixels(images: Any, rows: Any, columns: Any) -> Any:
    """Pixels of each image, in one gather.

    Args:
        images: (N, H, W, C), all sizes known.
        rows: where each row of the result comes from, integers (N or 1, h, 1).
        columns: likewise, (N or 1, 1, w).

    Returns:
        (N, h, w, C): result[n, i, j] = images[n, rows[n, i], columns[n, j]].
    """
    count, height, width, channels = images.shape
    first = (np.arange(count) * (height * width)).reshape(count, 1, 1)  # pixels before each image
    places = ops.add(ops.add(ops.multiply(rows, width), first), columns)  # (N, h, w)
    return ops.take(ops.reshape(images, (count * height * width, channels)), places, axis=0)
