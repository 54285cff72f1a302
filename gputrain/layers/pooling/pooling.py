"""Pooling over images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer


class Pooling(ImageLayer):
    """Base of the poolings: windows over images, channel by channel.

    Args:
        pool_size: size of the window along each axis, one int or one for each.
        strides: steps of the window, one int or one for each axis; None means pool_size.
        padding: "valid" (only whole windows) or "same" (windows reach over the border, which counts for
            nothing: it never is the largest, and means are over what lies inside the image).
        name: name of the layer; default is the class name in snake case, numbered.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the window.
    """

    pool: ClassVar[Callable[..., Any]]
    pool_size: Any = declared.argument(arguments.positive_sizes, 2, per_axis=True)
    strides: Any = declared.argument(default=None)
    padding: str = declared.argument(arguments.padding, "valid")
    data_format: str = declared.argument(arguments.data_format, None)
    name: str = declared.handed_on()

    def check_arguments(self) -> None:
        """The steps are the window's size unless they are given."""
        given = self.pool_size if self.strides is None else self.strides
        self.strides = arguments.positive_sizes(given, f"{type(self).__name__}: strides", self.rank)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, C) to (N, *positions, C)."""
        pooled = type(self).pool(self.to_last(inputs), self.pool_size, self.strides, self.padding)
        return self.from_last(pooled)


@registry.add("AveragePool2D", "AvgPool2D")
class AveragePooling2D(Pooling):
    """The mean of each window, channel by channel.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C).

    Example:
        >>> AveragePooling2D(2)(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 2, 3, 3)
    """

    rank = 2
    pool = staticmethod(ops.average_pool)


@registry.add("MaxPool2D")
class MaxPooling2D(Pooling):
    """The largest value of each window, channel by channel.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C).

    Example:
        >>> MaxPooling2D(2)(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 2, 3, 3)
    """

    rank = 2
    pool = staticmethod(ops.max_pool)


class GlobalPooling(ImageLayer):
    """Base of the global poolings: one number for each channel of an image.

    Args:
        keepdims: whether height and width stay as axes of size 1.

    Raises:
        ShapeError: inputs that are not images.
    """

    reduce: ClassVar[Callable[..., Any]]
    keepdims: bool = declared.flag(False, after="data_format")

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, C) to (N, C)."""
        return type(self).reduce(inputs, axis=self.spatial_axes, keepdims=self.keepdims)


@registry.add("GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalPooling):
    """The mean of each channel over the whole image.

    Shapes:
        (N, H, W, C) to (N, C), or (N, 1, 1, C) with keepdims.

    Example:
        >>> GlobalAveragePooling2D()(numpy.ones((2, 4, 5, 3), "float32")).shape
        (2, 3)
    """

    rank = 2
    reduce = staticmethod(ops.mean)


@registry.add("GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalPooling):
    """The largest value of each channel over the whole image.

    Shapes:
        (N, H, W, C) to (N, C), or (N, 1, 1, C) with keepdims.

    Example:
        >>> GlobalMaxPooling2D(keepdims=True)(numpy.ones((2, 4, 5, 3), "float32")).shape
        (2, 1, 1, 3)
    """

    rank = 2
    reduce = staticmethod(ops.max)


AveragePool2D = AveragePooling2D
AvgPool2D = AveragePooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
MaxPool2D = MaxPooling2D
