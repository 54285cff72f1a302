"""Pooling to a given number of windows, whatever the size of the inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer
from gputrain.ops.derived_pool import adaptive_average_pool, adaptive_max_pool


class AdaptivePooling(ImageLayer):
    """Base of the adaptive poolings: windows that cover the inputs evenly, channel by channel.

    Of `size` elements along an axis, window i of n takes those from floor(i * size / n) up to, and without,
    ceil((i + 1) * size / n). Neighbours may share an element.

    Args:
        output_size: number of windows along each axis, one int or one for each.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs of another number of dimensions.
    """

    pool: ClassVar[Callable[..., Any]]
    output_size: Any = declared.argument(arguments.positive_sizes, per_axis=True)

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, C) to (N, *output_size, C)."""
        return self.from_last(type(self).pool(self.to_last(inputs), self.output_size))


class AdaptiveAveragePooling(AdaptivePooling):
    """Base of the adaptive poolings that take means."""

    pool = staticmethod(adaptive_average_pool)


@registry.add()
class AdaptiveAveragePooling1D(AdaptiveAveragePooling):
    """Means of a given number of windows over all steps.

    Shapes:
        (N, T, C) to (N, output_size, C).

    Example:
        >>> AdaptiveAveragePooling1D(2)(numpy.arange(3.0).reshape(1, 3, 1)).ravel().tolist()
        [0.5, 1.5]
    """

    rank = 1


@registry.add()
class AdaptiveAveragePooling2D(AdaptiveAveragePooling):
    """Means of a given number of windows over each image.

    Shapes:
        (N, H, W, C) to (N, *output_size, C).

    Example:
        >>> AdaptiveAveragePooling2D((2, 3))(numpy.ones((1, 5, 7, 4), "float32")).shape
        (1, 2, 3, 4)
    """

    rank = 2


@registry.add()
class AdaptiveAveragePooling3D(AdaptiveAveragePooling):
    """Means of a given number of windows over each volume.

    Shapes:
        (N, D, H, W, C) to (N, *output_size, C).

    Example:
        >>> AdaptiveAveragePooling3D(2)(numpy.ones((1, 3, 5, 7, 4), "float32")).shape
        (1, 2, 2, 2, 4)
    """

    rank = 3


class AdaptiveMaxPooling(AdaptivePooling):
    """Base of the adaptive poolings that take maxima."""

    pool = staticmethod(adaptive_max_pool)


@registry.add()
class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    """Maxima of a given number of windows over all steps.

    Shapes:
        (N, T, C) to (N, output_size, C).

    Example:
        >>> AdaptiveMaxPooling1D(2)(numpy.arange(3.0).reshape(1, 3, 1)).ravel().tolist()
        [1.0, 2.0]
    """

    rank = 1


@registry.add()
class AdaptiveMaxPooling2D(AdaptiveMaxPooling):
    """Maxima of a given number of windows over each image.

    Shapes:
        (N, H, W, C) to (N, *output_size, C).

    Example:
        >>> AdaptiveMaxPooling2D((2, 3))(numpy.ones((1, 5, 7, 4), "float32")).shape
        (1, 2, 3, 4)
    """

    rank = 2


@registry.add()
class AdaptiveMaxPooling3D(AdaptiveMaxPooling):
    """Maxima of a given number of windows over each volume.

    Shapes:
        (N, D, H, W, C) to (N, *output_size, C).

    Example:
        >>> AdaptiveMaxPooling3D(2)(numpy.ones((1, 3, 5, 7, 4), "float32")).shape
        (1, 2, 2, 2, 4)
    """

    rank = 3
