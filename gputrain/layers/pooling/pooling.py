"""Pooling over windows of sequences, images and volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer


class Pooling(ImageLayer):
    """Base of the poolings over windows, channel by channel.

    Args:
        pool_size: size of the window along each axis, one int or one for each.
        strides: steps of the window, one int or one for each axis; None means pool_size.
        padding: "valid" (only whole windows) or "same" (windows reach over the border, which counts for
            nothing: it never is the largest, and means are over what lies inside).
        name: name of the layer; default is the class name in snake case, numbered.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs of another number of dimensions, or smaller than the window.
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


class AveragePooling(Pooling):
    """Base of the poolings that take means."""

    pool = staticmethod(ops.average_pool)


@registry.add("AvgPool1D")
class AveragePooling1D(AveragePooling):
    """The mean of each window of steps, channel by channel.

    Shapes:
        (N, T, C) to (N, OT, C).

    Example:
        >>> AveragePooling1D(2)(numpy.ones((1, 6, 3), "float32")).shape
        (1, 3, 3)
    """

    rank = 1


@registry.add("AveragePool2D", "AvgPool2D")
class AveragePooling2D(AveragePooling):
    """The mean of each window, channel by channel.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C).

    Example:
        >>> AveragePooling2D(2)(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 2, 3, 3)
    """

    rank = 2


@registry.add("AvgPool3D")
class AveragePooling3D(AveragePooling):
    """The mean of each window of a volume, channel by channel.

    Shapes:
        (N, D, H, W, C) to (N, OD, OH, OW, C).

    Example:
        >>> AveragePooling3D(2)(numpy.ones((1, 2, 4, 6, 3), "float32")).shape
        (1, 1, 2, 3, 3)
    """

    rank = 3


class MaxPooling(Pooling):
    """Base of the poolings that take maxima."""

    pool = staticmethod(ops.max_pool)


@registry.add("MaxPool1D")
class MaxPooling1D(MaxPooling):
    """The largest value of each window of steps, channel by channel.

    Shapes:
        (N, T, C) to (N, OT, C).

    Example:
        >>> MaxPooling1D(3, strides=1, padding="same")(numpy.ones((1, 6, 3), "float32")).shape
        (1, 6, 3)
    """

    rank = 1


@registry.add("MaxPool2D")
class MaxPooling2D(MaxPooling):
    """The largest value of each window, channel by channel.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C).

    Example:
        >>> MaxPooling2D(2)(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 2, 3, 3)
    """

    rank = 2


@registry.add("MaxPool3D")
class MaxPooling3D(MaxPooling):
    """The largest value of each window of a volume, channel by channel.

    Shapes:
        (N, D, H, W, C) to (N, OD, OH, OW, C).

    Example:
        >>> MaxPooling3D(2)(numpy.ones((1, 2, 4, 6, 3), "float32")).shape
        (1, 1, 2, 3, 3)
    """

    rank = 3


AveragePool2D = AveragePooling2D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
