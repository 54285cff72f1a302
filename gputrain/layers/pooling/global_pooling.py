"""Pooling over whole sequences, images and volumes: one number for each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gputrain import ops
from gputrain.layers.base import declared, registry
from gputrain.layers.base.images import ImageLayer


class GlobalPooling(ImageLayer):
    """Base of the global poolings.

    Args:
        keepdims: whether the axes between samples and channels stay, with size 1.

    Raises:
        ShapeError: inputs of another number of dimensions.
    """

    reduce: ClassVar[Callable[..., Any]]
    keepdims: bool = declared.flag(False, after="data_format")

    def call(self, inputs: Any) -> Any:
        """(N, *sizes, C) to (N, C)."""
        return type(self).reduce(inputs, axis=self.spatial_axes, keepdims=self.keepdims)


class GlobalAveragePooling(GlobalPooling):
    """Base of the global poolings that take means."""

    reduce = staticmethod(ops.mean)


@registry.add("GlobalAvgPool1D")
class GlobalAveragePooling1D(GlobalAveragePooling):
    """The mean of each channel over all steps; of a masked sequence, over those that count.

    A sequence of which no step counts has the means 0.

    Shapes:
        (N, T, C) to (N, C), or (N, 1, C) with keepdims; the mask is (N, T) and stops here.

    Example:
        >>> x, mask = numpy.array([[[2.0], [4.0], [9.0]]], "float32"), numpy.array([[True, True, False]])
        >>> GlobalAveragePooling1D()(x, mask=mask).tolist()
        [[3.0]]
    """

    supports_masking = True
    rank = 1

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """(N, T, C) to (N, C)."""
        if mask is None:
            return super().call(inputs)
        counts = ops.expand_dims(ops.cast(mask, "bool"), self.channels_axis)
        kept = ops.where(counts, inputs, ops.zeros((), inputs.dtype))
        mean = super().call(kept)
        share = super().call(ops.cast(counts, mean.dtype))
        return ops.divide(mean, ops.where(ops.equal(share, 0.0), 1.0, share))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: there are no steps left."""
        return None


@registry.add("GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean of each channel over the whole image.

    Shapes:
        (N, H, W, C) to (N, C), or (N, 1, 1, C) with keepdims.

    Example:
        >>> GlobalAveragePooling2D()(numpy.ones((2, 4, 5, 3), "float32")).shape
        (2, 3)
    """

    rank = 2


@registry.add("GlobalAvgPool3D")
class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean of each channel over the whole volume.

    Shapes:
        (N, D, H, W, C) to (N, C), or (N, 1, 1, 1, C) with keepdims.

    Example:
        >>> GlobalAveragePooling3D()(numpy.ones((2, 3, 4, 5, 3), "float32")).shape
        (2, 3)
    """

    rank = 3


class GlobalMaxPooling(GlobalPooling):
    """Base of the global poolings that take maxima."""

    reduce = staticmethod(ops.max)


@registry.add("GlobalMaxPool1D")
class GlobalMaxPooling1D(GlobalMaxPooling):
    """The largest value of each channel over all steps.

    Shapes:
        (N, T, C) to (N, C), or (N, 1, C) with keepdims.

    Example:
        >>> GlobalMaxPooling1D()(numpy.ones((2, 6, 3), "float32")).shape
        (2, 3)
    """

    rank = 1


@registry.add("GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalMaxPooling):
    """The largest value of each channel over the whole image.

    Shapes:
        (N, H, W, C) to (N, C), or (N, 1, 1, C) with keepdims.

    Example:
        >>> GlobalMaxPooling2D(keepdims=True)(numpy.ones((2, 4, 5, 3), "float32")).shape
        (2, 1, 1, 3)
    """

    rank = 2


@registry.add("GlobalMaxPool3D")
class GlobalMaxPooling3D(GlobalMaxPooling):
    """The largest value of each channel over the whole volume.

    Shapes:
        (N, D, H, W, C) to (N, C), or (N, 1, 1, 1, C) with keepdims.

    Example:
        >>> GlobalMaxPooling3D()(numpy.ones((2, 3, 4, 5, 3), "float32")).shape
        (2, 3)
    """

    rank = 3


GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
