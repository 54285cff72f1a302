"""Images turned, scaled, moved and bent at random: each pixel is read at another place."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.layers.augmentation.transforming import (
    Draws,
    RandomImages,
    both_ways,
    is_number,
    value_range,
)
from gputrain.layers.base import arguments, declared, registry
from gputrain.ops.derived_sampling import (
    affine_transform,
    blurred_ways,
    moved_pixels,
    perspective_transform,
)

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("nearest", "bilinear")


def _fill_mode(value: Any, where: str) -> str:
    return arguments.one_of(value, FILL_MODES, where)


def known_interpolation(value: Any, where: str) -> str:
    """The name of an interpolation."""
    return arguments.one_of(value, INTERPOLATIONS, where)


def _as_given(value: Any, where: str) -> Any:
    """A number or a pair of them within -1..1, as it is."""
    both_ways(-1.0, 1.0, value, where)
    return float(value) if is_number(value) else tuple(value)


def _zoom(value: Any, where: str) -> Any:
    """A number or a pair of them above -1 and up to 1, as it is."""
    if both_ways(-1.0, 1.0, value, where)[0] == -1.0:
        rule = f"{where} must be above -1: nothing would be left of the image."
        raise ValueError(explain(rule, received=repr(value)))
    return _as_given(value, where)


def _width_zoom(value: Any, where: str) -> Any:
    return None if value is None else _zoom(value, where)


_part = partial(both_ways, 0.0, 1.0)
_turn = partial(both_ways, -1.0, 1.0)


class RandomPlaces(RandomImages):
    """Base of the layers that read pixels at other places.

    Args:
        fill_mode: what lies outside of a row of pixels a b c d: "reflect" b a | a b c d | d c, "wrap"
            c d | a b c d | a b, "nearest" a a | a b c d | d d, "constant" `fill_value`.
        interpolation: "bilinear", the mean of four neighbours, or "nearest".
        fill_value: for "constant".

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.
    """

    fill_mode: str = declared.argument(_fill_mode, "reflect")
    interpolation: str = declared.argument(known_interpolation, "bilinear")
    fill_value: float = declared.argument(arguments.number, 0.0, after="seed")

    def change(self, images: Any, transformation: Any) -> Any:
        """The images (N, H, W, C) read elsewhere."""
        return self._move(images, transformation, self.interpolation)

    def change_masks(self, images: Any, transformation: Any) -> Any:
        """Masks, moved like their images; no new values come up between theirs."""
        return self._move(images, transformation, "nearest")

    def _move(self, images: Any, transformation: Any, interpolation: str) -> Any:
        """The images (N, H, W, C) read elsewhere, with this interpolation."""
        return affine_transform(
            images,
            self._matrix(images, transformation),
            interpolation,
            self.fill_mode,
            self.fill_value,
            "channels_last",
        )

    def _matrix(self, images: Any, transformation: Any) -> Any:
        """The transform of each image as `ops.image.affine_transform` takes it, (N, 8)."""
        raise NotImplementedError(f"{type(self).__name__} must define _matrix(images, transformation).")


def _rows(*numbers: Any) -> Any:
    """Numbers (N,) or alone as a transform for each image, (N, 8); the last two are 0."""
    count = next(n.shape[0] for n in numbers if hasattr(n, "shape"))
    whole = ops.zeros((count,), "float32")
    return ops.stack([ops.add(whole, n) for n in (*numbers, 0.0, 0.0)], axis=1)


@registry.add()
class RandomRotation(RandomPlaces):
    """Turns each image around its middle by a random angle in training; does nothing otherwise.

    Args:
        factor: two numbers (lower, upper) within -1..1, or one, f, for (-|f|, |f|): the angle as a part of a
            whole turn, drawn evenly between them. Positive angles turn counter-clockwise.

    Example:
        >>> RandomRotation((0.25, 0.25))(numpy.arange(4.0).reshape(1, 2, 2, 1))[0, ..., 0].round(3).tolist()
        [[1.0, 3.0], [0.0, 2.0]]
    """

    factor: Any = declared.argument(_turn)

    def choose(self, draws: Draws) -> dict[str, Any]:
        """The angles in degrees, (N,), and their transforms, (N, 8)."""
        angle = draws.between(*(part * 360.0 for part in self.factor))
        radians = ops.multiply(angle, math.pi / 180.0)
        cos, sin = ops.cos(radians), ops.sin(radians)
        x, y = (draws.width - 1) / 2, (draws.height - 1) / 2  # the middle stays where it is
        across = ops.add(ops.multiply(ops.subtract(1.0, cos), x), ops.multiply(sin, y))
        down = ops.subtract(ops.multiply(ops.subtract(1.0, cos), y), ops.multiply(sin, x))
        matrix = _rows(cos, ops.negative(sin), across, sin, cos, down)
        return {"angle": angle, "rotation_matrix": matrix}

    def _matrix(self, images: Any, transformation: Any) -> Any:
        """That of the transformation."""
        return transformation["rotation_matrix"]


@registry.add()
class RandomZoom(RandomPlaces):
    """Makes what is in each image larger or smaller, by random shares in training; does nothing otherwise.

    Args:
        height_factor: two numbers (lower, upper) above -1 and up to 1, or one, f, for (-|f|, |f|). What is
            drawn evenly between them is added to 1: so many times as much of the height is seen. A positive
            number makes the contents smaller.
        width_factor: likewise of the width; None zooms it like the height.

    Example:
        >>> zoom = RandomZoom((1.0, 1.0), fill_mode="constant", interpolation="nearest")
        >>> zoom(numpy.ones((1, 4, 4, 1)))[0, ..., 0].tolist()[1]
        [0.0, 1.0, 1.0, 0.0]
    """

    height_factor: Any = declared.argument(_zoom)
    width_factor: Any = declared.argument(_width_zoom, None)

    def choose(self, draws: Draws) -> dict[str, Any]:
        """How many times as much of height and width is seen, (N, 1) each."""
        height = self._drawn(draws, self.height_factor)
        width = height if self.width_factor is None else self._drawn(draws, self.width_factor)
        return {"height_zoom": height, "width_zoom": width}

    def _drawn(self, draws: Draws, factor: Any) -> Any:
        low, high = _turn(factor, "RandomZoom")
        return draws.between(1.0 + low, 1.0 + high, 1)

    def _matrix(self, images: Any, transformation: Any) -> Any:
        """A scale around the middle of the image."""
        x, y = (ops.reshape(transformation[name], (-1,)) for name in ("width_zoom", "height_zoom"))
        right, down = (
            ops.multiply(ops.subtract(1.0, zoom), (size - 1) / 2)
            for zoom, size in ((x, images.shape[2]), (y, images.shape[1]))
        )
        return _rows(x, 0.0, right, 0.0, y, down)


@registry.add()
class RandomTranslation(RandomPlaces):
    """Moves each image up or down and to a side, by random distances in training; does nothing otherwise.

    Args:
        height_factor: two numbers (lower, upper) within -1..1, or one, f, for (-|f|, |f|): the way down as a
            share of the height, drawn evenly between them.
        width_factor: likewise the way to the right, as a share of the width.

    Example:
        >>> moved = RandomTranslation((0.5, 0.5), 0.0, fill_mode="constant")
        >>> moved(numpy.ones((1, 4, 2, 1)))[0, :, 0, 0].tolist()
        [0.0, 0.0, 1.0, 1.0]
    """

    height_factor: Any = declared.argument(_as_given)
    width_factor: Any = declared.argument(_as_given)

    def choose(self, draws: Draws) -> dict[str, Any]:
        """The ways to the right and down in pixels, (N, 2)."""
        down, right = (
            ops.multiply(draws.between(*_turn(factor, "RandomTranslation"), 1), float(size))
            for factor, size in ((self.height_factor, draws.height), (self.width_factor, draws.width))
        )
        return {"translations": ops.concatenate([right, down], axis=1)}

    def _matrix(self, images: Any, transformation: Any) -> Any:
        """Pixels are read as far up and to the left as they are moved."""
        ways = ops.negative(transformation["translations"])
        return _rows(1.0, 0.0, ways[:, 0], 0.0, 1.0, ways[:, 1])


@registry.add()
class RandomShear(RandomPlaces):
    """Slants each image by random amounts in training; does nothing otherwise.

    Args:
        x_factor: two numbers (lower, upper) within -1..1, or one, f, for (-|f|, |f|): how many columns a row
            is read further to the right than the one above it. Drawn evenly between them, and taken the other
            way round for half of the images.
        y_factor: likewise how many rows a column is read further down than that on its left.

    Example:
        >>> sheared = RandomShear((1.0, 1.0), fill_mode="wrap", interpolation="nearest", seed=1)
        >>> sheared(numpy.eye(3).reshape(1, 3, 3, 1)).sum().tolist()
        3.0
    """

    x_factor: Any = declared.argument(_turn, 0.0)
    y_factor: Any = declared.argument(_turn, 0.0)
    interpolation: str = declared.argument(known_interpolation, "bilinear")
    fill_mode: str = declared.argument(_fill_mode, "reflect")
    fill_value: float = declared.argument(arguments.number, 0.0)
    data_format: str = declared.argument(arguments.data_format, None)
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    def choose(self, draws: Draws) -> dict[str, Any]:
        """The shear of columns and of rows, (N, 2)."""
        way = ops.where(draws.happens(0.5, 1), 1.0, -1.0)
        both = [draws.between(*factor, 1) for factor in (self.x_factor, self.y_factor)]
        return {"shear_factor": ops.multiply(ops.concatenate(both, axis=1), way)}

    def _matrix(self, images: Any, transformation: Any) -> Any:
        """A shear around the first pixel."""
        shear = ops.convert_to_tensor(transformation["shear_factor"])
        return _rows(1.0, shear[:, 0], 0.0, shear[:, 1], 1.0, 0.0)


class _Chance(RandomPlaces):
    """Base of those that leave some images as they are."""

    def _some(self, draws: Draws, factor: tuple[float, float]) -> Any:
        """Which images are changed, (N,): each with a probability of its own between the two numbers."""
        return ops.less(draws.unit(), draws.between(*factor))


@registry.add()
class RandomPerspective(_Chance):
    """Shows images as seen from the side, by chance in training; does nothing otherwise.

    Three corners of an image are moved by random shares of their distances from the first one, which stays.

    Args:
        factor: a probability f, or two of them (lower, upper). An image is changed with a probability drawn
            evenly between them; of a single one, between 0 and f.
        scale: how far, 0..1: by up to half of this share of the distances.

    Example:
        >>> RandomPerspective(scale=0.5, seed=1)(numpy.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    factor: Any = declared.argument(_part, 1.0)
    scale: float = declared.argument(arguments.share, 1.0)
    interpolation: str = declared.argument(known_interpolation, "bilinear")
    fill_value: float = declared.argument(arguments.number, 0.0)

    @declared.fixed
    def fill_mode(self) -> str:
        """What lies outside is `fill_value`."""
        return "constant"

    def choose(self, draws: Draws) -> dict[str, Any]:
        """Which images are changed; four points (x, y) of each, and where they come to lie, (N, 4, 2)."""
        right, down = draws.width - 1.0, draws.height - 1.0
        corners = np.array([[0.0, 0.0], [right, 0.0], [0.0, down], [right, down]], "float32")
        start = ops.broadcast_to(corners[None], (draws.count, 4, 2))
        moved = draws.between(-0.5 * self.scale, 0.5 * self.scale, 4, 2)
        return {
            "apply_perspective": self._some(draws, self.factor),
            "start_points": start,
            "end_points": ops.add(start, ops.multiply(start, moved)),
        }

    def _move(self, images: Any, transformation: Any, interpolation: str) -> Any:
        """The images (N, H, W, C), seen from the side where `apply_perspective`."""
        moved = perspective_transform(
            images,
            transformation["start_points"],
            transformation["end_points"],
            interpolation,
            self.fill_value,
            "channels_last",
        )
        return ops.where(ops.reshape(transformation["apply_perspective"], (-1, 1, 1, 1)), moved, images)


@registry.add()
class RandomElasticTransform(_Chance):
    """Distorts images as on rubber, by chance in training; does nothing otherwise.

    Args:
        factor: a probability f, or two of them (lower, upper). An image is changed with a probability drawn
            evenly between them; of a single one, between 0 and f.
        scale: how much, 0..1, or two numbers: drawn evenly between them, once for the batch; of a single
            one, between 0 and it. Pixels are read ways off that are normal numbers blurred by a Gaussian of
            0.05 * scale times the shorter side.
        value_range: least and largest value of a pixel, which results are limited to.

    Source:
        P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks applied to
        visual document analysis", 2003.

    Example:
        >>> RandomElasticTransform(scale=0.5, seed=1)(numpy.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    factor: Any = declared.argument(_part, 1.0)
    scale: Any = declared.argument(_part, 1.0)
    interpolation: str = declared.argument(known_interpolation, "bilinear")
    fill_mode: str = declared.argument(_fill_mode, "reflect")
    fill_value: float = declared.argument(arguments.number, 0.0)
    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))

    def choose(self, draws: Draws) -> dict[str, Any] | None:
        """Which images are changed, how much, and by what normal numbers, (N, H, W, 2)."""
        if 0.0 in (self.factor[1], self.scale[1]):
            return None
        return {
            "apply_transform": self._some(draws, self.factor),
            "distortion_factor": draws.between(*self.scale)[0],
            "noise": draws.normal(draws.height, draws.width, 2),
        }

    def change(self, images: Any, transformation: Any) -> Any:
        """The images (N, H, W, C), distorted where `apply_transform`."""
        return ops.clip(self._move(images, transformation, self.interpolation), *self.value_range)

    def _move(self, images: Any, transformation: Any, interpolation: str) -> Any:
        """The images (N, H, W, C), distorted where `apply_transform`; values are not limited."""
        height, width = images.shape[1:3]
        how_much = transformation["distortion_factor"]
        sigma = ops.multiply(how_much, 0.05 * min(height, width))
        taps = int(6 * 0.05 * min(height, width) * self.scale[1]) | 1  # for the largest that can be drawn
        ways = blurred_ways(transformation["noise"], sigma, taps)
        ways = ops.multiply(ways, ops.multiply(how_much, 0.1 * max(height, width)))
        moved = moved_pixels(images, ways, interpolation, self.fill_mode, self.fill_value)
        return ops.where(ops.reshape(transformation["apply_transform"], (-1, 1, 1, 1)), moved, images)
