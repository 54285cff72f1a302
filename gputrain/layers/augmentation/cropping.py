"""Parts of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.layers.augmentation.augmentation import take_pixels
from gputrain.layers.augmentation.transforming import Draws, ImageChanges, RandomImages
from gputrain.layers.base import arguments, declared, registry
from gputrain.ops.derived_resizing import resize


class ImagePart(ImageChanges):
    """Base of the layers that take a part of each image.

    Images that are smaller than the part, in height or width, are enlarged to its size instead, after what
    does not fit its proportions is cut off; masks likewise.

    Args:
        height: rows of the part.
        width: columns of the part.

    Shapes:
        (N, H, W, C) to (N, height, width, C); numbers of any dtype come out in the layer's.
    """

    height: int = declared.argument(arguments.positive_int)
    width: int = declared.argument(arguments.positive_int)

    def _part(self, images: Any, interpolation: str = "bilinear") -> Any:
        """The middle of images of the layer's layout, or all that fits of small ones."""
        sizes = [(axis, images.shape[axis]) for axis in self.spatial_axes]
        wanted = self.height, self.width
        if self._is_smaller(images):
            return resize(
                images, wanted, interpolation, crop_to_aspect_ratio=True, data_format=self.data_format
            )
        for (axis, whole), size in zip(sizes, wanted, strict=True):
            if whole is None:  # only the shape matters; it is that of any rows that are taken
                images = ops.take(images, np.zeros(size, int), axis)
            elif whole != size:
                first = (whole - size) // 2
                images = images[(slice(None),) * axis + (slice(first, first + size),)]
        return images

    def _is_smaller(self, images: Any) -> bool:
        """Whether there are less rows or less columns than the part has."""
        rows, columns = (images.shape[axis] for axis in self.spatial_axes)
        return (rows is not None and rows < self.height) or (columns is not None and columns < self.width)


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
        return self._apply(inputs, training=True)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """(N, H, W, C) to (N, height, width, C)."""
        return self._part(ops.cast(images, self.compute_dtype))

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Masks (N, H, W, C) to (N, height, width, C), in their own dtype."""
        return self._part(ops.convert_to_tensor(segmentation_masks), "nearest")


@registry.add()
class RandomCrop(ImagePart, RandomImages):
    """A part of `height` rows and `width` columns of each image: anywhere in training, its middle otherwise.

    Every image of a batch has a place of its own; all places are equally likely. (Keras takes one place for
    the whole batch, and outside of training leaves the images as they are.)

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

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """(N, H, W, C) to (N, height, width, C), from places of their own or out of the middle."""
        return self._taken(ops.cast(images, self.compute_dtype), transformation, training, "bilinear")

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The same parts of masks (N, H, W, C), in their own dtype."""
        return self._taken(ops.convert_to_tensor(segmentation_masks), transformation, training, "nearest")

    def _taken(self, images: Any, transformation: Any, training: bool, interpolation: str) -> Any:
        if not training or transformation is None or self._is_smaller(images):
            return self._part(images, interpolation)
        return self.from_last(self.change(self.to_last(images), transformation))

    def change(self, images: Any, transformation: Any) -> Any:
        """A part of each image (N, H, W, C), from a place of its own."""
        top, left = (ops.reshape(ops.cast(start, "int64"), (-1, 1, 1)) for start in transformation)
        inside = np.arange(self.height)[:, None], np.arange(self.width)
        return take_pixels(images, ops.add(top, inside[0]), ops.add(left, inside[1]))
