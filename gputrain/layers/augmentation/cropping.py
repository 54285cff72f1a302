"""Parts of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.layers.augmentation.augmentation import take_pixels
from gputrain.layers.augmentation.transforming import Draws, RandomImages
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer


class ImagePart(ImageLayer):
    """Base of the layers that take a part of each image.

    Args:
        height: rows of the part.
        width: columns of the part.

    Shapes:
        (N, H, W, C) to (N, height, width, C); numbers of any dtype come out in the layer's.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the part (Keras would enlarge those).
    """

    height: int = declared.argument(arguments.positive_int)
    width: int = declared.argument(arguments.positive_int)

    def whole_images(self, inputs: Any) -> Any:
        """The inputs as (N, H, W, C) in the layer's dtype, large enough for the part."""
        images = self.to_last(ops.cast(inputs, self.compute_dtype))
        rows, columns = images.shape[1:3]
        if (rows is not None and rows < self.height) or (columns is not None and columns < self.width):
            raise ShapeError(
                explain(
                    f"{type(self).__name__}: the part cannot be larger than the image.",
                    expected=f"at least {self.height} rows and {self.width} columns",
                    received=f"{rows} rows and {columns} columns",
                    fix="Put layers.ZeroPadding2D in front of it, or crop less.",
                )
            )
        return images

    def middle(self, images: Any) -> Any:
        """The middle of images (N, H, W, C)."""
        for axis, size in ((1, self.height), (2, self.width)):
            whole = images.shape[axis]
            if whole is None:  # only the shape matters; it is that of any rows that are taken
                images = ops.take(images, np.arange(size), axis)
            elif whole != size:
                first = (whole - size) // 2
                key = (slice(None),) * axis + (slice(first, first + size),)
                images = images[key]
        return images


@registry.add()
class CenterCrop(ImagePart):
    """The part of `height` rows and `width` columns in the middle of each image.

    Where an odd number of rows or columns is left over, one more stays below or to the right.

    Example:
        >>> CenterCrop(1, 2)(numpy.arange(12).reshape(1, 3, 4, 1)).ravel().tolist()
        [5.0, 6.0]
    """

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, height, width, C)."""
        return self.from_last(self.middle(self.whole_images(inputs)))


@registry.add()
class RandomCrop(ImagePart, RandomImages):
    """A part of `height` rows and `width` columns of each image: anywhere in training, its middle otherwise.

    Every image of a batch has a place of its own; all places are equally likely. (Keras takes one place for
    the whole batch, and outside of training shrinks the image to the part's size instead of cropping it.)

    Args:
        name: name of the layer; default is the class name in snake case, numbered.

    Example:
        >>> RandomCrop(1, 2)(numpy.arange(12).reshape(1, 3, 4, 1), training=False).ravel().tolist()
        [5.0, 6.0]
    """

    data_format: str = declared.argument(arguments.data_format, None, after="seed")
    name: str = declared.handed_on(after="data_format")

    def choose(self, draws: Draws) -> tuple[Any, Any]:
        """The first row and the first column that is taken of each image, (N,) each."""
        rooms = draws.height - self.height, draws.width - self.width
        top, left = (draws.below(max(room, 0) + 1) for room in rooms)
        return top, left

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """(N, H, W, C) to (N, height, width, C), from places of their own or out of the middle."""
        last = self.whole_images(images)
        placed = training and transformation is not None
        return self.from_last(self.change(last, transformation) if placed else self.middle(last))

    def change(self, images: Any, transformation: Any) -> Any:
        """A part of each image (N, H, W, C), from a place of its own."""
        top, left = (ops.reshape(ops.cast(start, "int64"), (-1, 1, 1)) for start in transformation)
        inside = np.arange(self.height)[:, None], np.arange(self.width)
        return take_pixels(images, ops.add(top, inside[0]), ops.add(left, inside[1]))

    def transform_segmentation_masks(self, masks: Any, transformation: Any, training: bool = True) -> Any:
        """The same parts of masks (N, H, W, C), in their own dtype."""
        last = self.to_last(ops.convert_to_tensor(masks))
        placed = training and transformation is not None
        return self.from_last(self.change(last, transformation) if placed else self.middle(last))
