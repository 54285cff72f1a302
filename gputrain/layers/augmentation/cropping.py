"""Parts of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.augmentation.augmentation import RandomImages, take_pixels
from gputrain.layers.base import arguments
from gputrain.layers.base.layer import Layer
from gputrain.layers.base.layout import from_last, require_images, to_last


class CenterCrop(Layer):
    """The part of `height` rows and `width` columns in the middle of each image.

    Args:
        height: rows of the part; where an odd number of rows is left over, one more stays below than above.
        width: columns of the part, likewise.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Shapes:
        (N, H, W, C) to (N, height, width, C); numbers of any dtype come out in the layer's.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the part (Keras would enlarge those).

    Example:
        >>> CenterCrop(1, 2)(numpy.arange(12).reshape(1, 3, 4, 1)).ravel().tolist()
        [5.0, 6.0]
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = arguments.positive_int(height, "CenterCrop: height")
        self.width = arguments.positive_int(width, "CenterCrop: width")
        self.data_format = arguments.data_format(data_format, "CenterCrop")

    def build(self, input_shape: Shape) -> None:
        """Check that images come in that are large enough."""
        require_images(input_shape, self.data_format, "CenterCrop")

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, height, width, C)."""
        images = to_last(ops.cast(inputs, self.compute_dtype), self.data_format)
        _require_room(images.shape, self.height, self.width, "CenterCrop")
        return from_last(_center(images, self.height, self.width), self.data_format)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "data_format": self.data_format,
        }


class RandomCrop(RandomImages):
    """A part of `height` rows and `width` columns of each image: anywhere in training, its middle otherwise.

    Every image of a batch has a place of its own; all places are equally likely. (Keras takes one place for
    the whole batch, and outside of training shrinks the image to the part's size instead of cropping it.)

    Args:
        height: rows of the part.
        width: columns of the part.
        seed: an int or SeedGenerator; None means the configured seed.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        name: name of the layer; default is the class name in snake case, numbered.

    Shapes:
        (N, H, W, C) to (N, height, width, C); numbers of any dtype come out in the layer's.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the part (Keras would enlarge those).

    Example:
        >>> RandomCrop(1, 2)(numpy.arange(12).reshape(1, 3, 4, 1), training=False).ravel().tolist()
        [5.0, 6.0]
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: Any = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, name=name, **kwargs)
        self.height = arguments.positive_int(height, "RandomCrop: height")
        self.width = arguments.positive_int(width, "RandomCrop: width")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """(N, H, W, C) to (N, height, width, C)."""
        images = to_last(ops.cast(inputs, self.compute_dtype), self.data_format)
        _require_room(images.shape, self.height, self.width, "RandomCrop")
        known = None not in images.shape[:3]  # only the shape matters otherwise
        part = self.change(images) if training and known else _center(images, self.height, self.width)
        return from_last(part, self.data_format)

    def change(self, images: Any) -> Any:
        """A part of each image (N, H, W, C), from a place of its own."""
        rows, columns = images.shape[1:3]
        top, left = self._start(images, rows - self.height), self._start(images, columns - self.width)
        inside = np.arange(self.height)[:, None], np.arange(self.width)
        return take_pixels(images, ops.add(top, inside[0]), ops.add(left, inside[1]))

    def _start(self, images: Any, room: int) -> Any:
        """The first row or column that is taken of each image, 0 to `room`, (N, 1, 1)."""
        drawn = self.draw(images.shape[0], axes=2)
        return ops.cast(ops.floor(ops.multiply(drawn, float(room + 1))), "int64")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "height": self.height, "width": self.width}


def _center(images: Any, height: int, width: int) -> Any:
    """The middle of images (N, H, W, C)."""
    for axis, size in ((1, height), (2, width)):
        whole = images.shape[axis]
        if whole is None:  # only the shape matters; it is that of any rows that are taken
            images = ops.take(images, np.arange(size), axis)
        elif whole != size:
            first = (whole - size) // 2
            key = (slice(None),) * axis + (slice(first, first + size),)
            images = images[key]
    return images


def _require_room(shape: Shape, height: int, width: int, where: str) -> None:
    """Refuse images (N, H, W, C) that are smaller than the part to be taken."""
    rows, columns = shape[1:3]
    if (rows is not None and rows < height) or (columns is not None and columns < width):
        raise ShapeError(
            explain(
                f"{where}: the part cannot be larger than the image.",
                expected=f"at least {height} rows and {width} columns",
                received=f"{rows} rows and {columns} columns",
                fix="Put layers.ZeroPadding2D in front of it, or crop less.",
            )
        )
