"""Random changes of images, drawn anew for each image in each step of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Shape, Value, current_trace
from gputrain.layers.base import arguments
from gputrain.layers.base.layer import Layer
from gputrain.layers.base.layout import from_last, require_images, to_last
from gputrain.random import SeedGenerator
from gputrain.random.seeds import check_seed

_SIDES = {"height": 1, "width": 2}  # axes of images (N, H, W, C)
_MODES = {"horizontal": ("width",), "vertical": ("height",), "horizontal_and_vertical": ("height", "width")}


class RandomImages(Layer):
    """Base of the layers that change images at random in training, and leave them alone otherwise.

    The draws are named by (seed, place of the layer in the model, step): they are the same on every device,
    and a resumed run draws what the uninterrupted one would have. Called by itself on arrays, a layer draws
    anew at each call unless it is told `training=False`, as in Keras; inside of a model it follows the model.

    Args:
        seed: an int or SeedGenerator; None means the configured seed.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
    """

    def __init__(self, seed: Any = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        what = type(self).__name__
        plain = seed is None or isinstance(seed, SeedGenerator)
        self.seed = seed if plain else check_seed(seed, what)
        self.data_format = arguments.data_format(data_format, what)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is None and not any(isinstance(x, Value) for x in (*args, *kwargs.values())):
            kwargs.setdefault("training", True)
        return super().__call__(*args, **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        require_images(input_shape, self.data_format, type(self).__name__)

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

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        seed = arguments.plain_seed(self.seed)
        return {**super().get_config(), "seed": seed, "data_format": self.data_format}


class RandomFlip(RandomImages):
    """Mirrors each image or leaves it, by chance one half each, in training; does nothing otherwise.

    Args:
        mode: "horizontal" (left and right change places), "vertical" (above and below do) or
            "horizontal_and_vertical" (each by a chance of its own).
        seed: an int or SeedGenerator; None means the configured seed.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.

    Raises:
        ValueError: an unknown mode.
        ShapeError: inputs that are not images.

    Example:
        >>> RandomFlip("horizontal")(numpy.ones((2, 4, 6, 3), "uint8"), training=True).shape
        (2, 4, 6, 3)
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: Any = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.mode = arguments.one_of(mode, tuple(_MODES), "RandomFlip: mode")

    def change(self, images: Any) -> Any:
        """Some of the images mirrored."""
        last = to_last(images, self.data_format)
        rows, columns = self._order(last, "height"), self._order(last, "width")
        mirrored = take_pixels(last, rows[..., None], columns[:, None])
        return from_last(mirrored, self.data_format)

    def _order(self, images: Any, side: str) -> Any:
        """Rows or columns of each image (N, H, W, C) in the order in which they are taken, (N or 1, size)."""
        size = images.shape[_SIDES[side]]
        forward = np.arange(size)[None]
        if side not in _MODES[self.mode]:
            return forward
        return ops.where(ops.less(self.draw(images.shape[0], axes=1), 0.5), forward[:, ::-1], forward)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "mode": self.mode}


class RandomBrightness(RandomImages):
    """Makes each image brighter or darker by a random amount in training; does nothing otherwise.

    A share drawn evenly between the bounds of `factor` is multiplied by the width of `value_range` and added
    to all pixels of the image; the results are limited to `value_range`.

    Args:
        factor: two numbers (lower, upper) within -1..1, or one, f, for (-|f|, |f|).
        value_range: least and largest value of a pixel.
        seed: an int or SeedGenerator; None means the configured seed.

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.

    Example:
        >>> RandomBrightness((0.5, 0.5), (0, 1))(numpy.zeros((1, 1, 2, 1)), training=True).tolist()
        [[[[0.5], [0.5]]]]
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: Any = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        what = "RandomBrightness"
        pair = (-abs(factor), abs(factor)) if _is_number(factor) else factor
        self.factor = _bounds(pair, -1.0, 1.0, f"{what}: factor")
        self.value_range = _bounds(value_range, -np.inf, np.inf, f"{what}: value_range")

    def change(self, images: Any) -> Any:
        """The images brighter or darker."""
        low, high = self.value_range
        least, most = (share * (high - low) for share in self.factor)
        return ops.clip(ops.add(images, self.draw_between(images, least, most)), low, high)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}


class RandomContrast(RandomImages):
    """Stretches or narrows the values of each image around their mean in training; nothing otherwise.

    Each channel becomes (x - mean) * c + mean, with one c for an image, drawn evenly between 1 - lower and
    1 + upper; the results are limited to `value_range`.

    Args:
        factor: two numbers (lower, upper) within 0..1, or one for both.
        value_range: least and largest value of a pixel.
        seed: an int or SeedGenerator; None means the configured seed.

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.

    Example:
        >>> images = numpy.array([0.0, 2.0]).reshape(1, 1, 2, 1)
        >>> RandomContrast((1.0, 0.0), seed=1)(images, training=True).mean().tolist()
        1.0
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: Any = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        what = "RandomContrast"
        pair = (factor, factor) if _is_number(factor) else factor
        self.factor = _shares(pair, f"{what}: factor")
        self.value_range = _bounds(value_range, -np.inf, np.inf, f"{what}: value_range")

    def change(self, images: Any) -> Any:
        """The images with more or less contrast."""
        lower, upper = self.factor
        x = to_last(images, self.data_format)
        row = (x.shape[0], 1, *x.shape[2:])  # along whole rows the CPU is several times faster
        mean = ops.broadcast_to(ops.mean(x, (1, 2), keepdims=True), row)
        contrast = self.draw_between(x, 1.0 - lower, 1.0 + upper)
        changed = ops.clip(ops.add(ops.multiply(ops.subtract(x, mean), contrast), mean), *self.value_range)
        return from_last(changed, self.data_format)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}


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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _numbers(value: Any, low: float, high: float) -> tuple[float, float] | None:
    """Both entries of a pair of numbers from low to high; None for anything else."""
    if not isinstance(value, tuple | list | np.ndarray) or len(value) != 2:
        return None
    fits = all(_is_number(n) and low <= n <= high for n in value)
    return (float(value[0]), float(value[1])) if fits else None


def _bounds(value: Any, low: float, high: float, where: str) -> tuple[float, float]:
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
