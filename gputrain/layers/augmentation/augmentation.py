"""Random changes of images, drawn anew for each image in each step of training."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Value, current_trace
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer
from gputrain.random import SeedGenerator
from gputrain.random.seeds import check_seed

_SIDES = {"height": 1, "width": 2}  # axes of images (N, H, W, C)
_MODES = {"horizontal": ("width",), "vertical": ("height",), "horizontal_and_vertical": ("height", "width")}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _numbers(value: Any, low: float, high: float) -> tuple[float, float] | None:
    """Both entries of a pair of numbers from low to high; None for anything else."""
    if not isinstance(value, tuple | list | np.ndarray) or len(value) != 2:
        return None
    fits = all(_is_number(n) and low <= n <= high for n in value)
    return (float(value[0]), float(value[1])) if fits else None


def _bounds(low: float, high: float, value: Any, where: str) -> tuple[float, float]:
    """A pair (lower, upper) in this order, within low..high."""
    pair = _numbers(value, low, high)
    if pair is None or pair[0] > pair[1]:
        raise ValueError(
            explain(
                f"{where} is a pair of numbers.",
                expected=f"(lower, upper) with {low} <= lower <= upper <= {high}",
                received=repr(value),
            )
        )
    return pair


def _shares(value: Any, where: str) -> tuple[float, float]:
    """A pair of numbers, each within 0..1."""
    pair = _numbers(value, 0.0, 1.0)
    if pair is None:
        raise ValueError(
            explain(f"{where} is a share, or a pair of them.", expected="0..1", received=repr(value))
        )
    return pair


def _brightness(value: Any, where: str) -> tuple[float, float]:
    """A pair of bounds within -1..1; one number stands for both sides of 0."""
    return _bounds(-1.0, 1.0, (-abs(value), abs(value)) if _is_number(value) else value, where)


def _contrast(value: Any, where: str) -> tuple[float, float]:
    """A pair of shares; one number stands for both."""
    return _shares((value, value) if _is_number(value) else value, where)


def _mode(value: Any, where: str) -> str:
    return arguments.one_of(value, tuple(_MODES), where)


def _seed(value: Any, where: str) -> Any:
    plain = value is None or isinstance(value, SeedGenerator)
    return value if plain else check_seed(value, where.partition(":")[0])


_value_range = partial(_bounds, -np.inf, np.inf)


class RandomImages(ImageLayer):
    """Base of the layers that change images at random in training, and leave them alone otherwise.

    The draws are named by (seed, place of the layer in the model, step): they are the same on every device,
    and a resumed run draws what the uninterrupted one would have. Called by itself on arrays, a layer draws
    anew at each call unless it is told `training=False`, as in Keras; inside of a model it follows the model.

    Args:
        seed: an int or SeedGenerator; None means the configured seed.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.
    """

    seed: Any = declared.argument(_seed, None, plain=arguments.plain_seed)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is None and not any(isinstance(x, Value) for x in (*args, *kwargs.values())):
            kwargs.setdefault("training", True)
        return super().__call__(*args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The images in the layer's dtype, changed where `training`."""
        images = ops.cast(inputs, self.compute_dtype)
        if not training or None in images.shape:  # only the shape matters while sizes are unknown
            return images
        return self.change(images)

    def change(self, images: Any) -> Any:
        """The images as they are trained on, in the same shape."""
        raise NotImplementedError(f"{type(self).__name__} must define change(images).")

    def draw(self, count: int, axes: int) -> Any:
        """A number in [0, 1) for each of `count` images, (count, 1, ...) with `axes` axes after the first.

        float32 whatever the layer's dtype is, so that choices do not depend on it.
        """
        return ops.random_uniform((count,) + (1,) * axes, dtype="float32", seed=self.seed)

    def draw_between(self, images: Any, low: float, high: float) -> Any:
        """A number between `low` and `high` for each image, (N, 1, 1, 1), in the images' dtype."""
        drawn = ops.add(ops.multiply(self.draw(images.shape[0], axes=3), high - low), low)
        return ops.cast(drawn, images.dtype)


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

    def change(self, images: Any) -> Any:
        """Some of the images mirrored."""
        last = self.to_last(images)
        rows, columns = self._order(last, "height"), self._order(last, "width")
        mirrored = take_pixels(last, rows[..., None], columns[:, None])
        return self.from_last(mirrored)

    def _order(self, images: Any, side: str) -> Any:
        """Rows or columns of each image (N, H, W, C) in the order in which they are taken, (N or 1, size)."""
        size = images.shape[_SIDES[side]]
        forward = np.arange(size)[None]
        if side not in _MODES[self.mode]:
            return forward
        return ops.where(ops.less(self.draw(images.shape[0], axes=1), 0.5), forward[:, ::-1], forward)


class RandomPixels(RandomImages):
    """Base of the layers that change the values of pixels.

    Args:
        value_range: least and largest value of a pixel.

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.
    """

    value_range: tuple[float, float] = declared.argument(_value_range, (0, 255))
    data_format: str = declared.argument(arguments.data_format, None, after="seed", shown=False)


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

    def change(self, images: Any) -> Any:
        """The images brighter or darker."""
        low, high = self.value_range
        least, most = (share * (high - low) for share in self.factor)
        return ops.clip(ops.add(images, self.draw_between(images, least, most)), low, high)


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

    def change(self, images: Any) -> Any:
        """The images with more or less contrast."""
        lower, upper = self.factor
        x = self.to_last(images)
        row = (x.shape[0], 1, *x.shape[2:])  # along whole rows the CPU is several times faster
        mean = ops.broadcast_to(ops.mean(x, (1, 2), keepdims=True), row)
        contrast = self.draw_between(x, 1.0 - lower, 1.0 + upper)
        changed = ops.clip(ops.add(ops.multiply(ops.subtract(x, mean), contrast), mean), *self.value_range)
        return self.from_last(changed)


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
