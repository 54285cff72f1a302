"""Dropout of whole channels."""

from __future__ import annotations

from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.images import ImageLayer
from gputrain.layers.regularization.dropout import Dropout


class SpatialDropout(ImageLayer, Dropout):
    """Base of the dropouts of whole channels: neighbours are alike, so that single ones are little missed.

    Args:
        rate: share of the channels to drop, 0 <= rate <= 1. The others are scaled by 1 / (1 - rate).
        name, dtype: see `Layer`.

    Raises:
        ValueError: a rate outside 0..1.
        ShapeError: inputs of another number of dimensions.
    """

    data_format: str = declared.argument(arguments.data_format, None, after="rate")
    name: str = declared.handed_on(after="seed")
    dtype: str = declared.handed_on(after="name")

    @declared.fixed
    def noise_shape(self) -> tuple[int | None, ...]:
        """One number for each channel of a sample, whatever the sizes of the axes between."""
        return tuple(1 if axis in self.spatial_axes else None for axis in range(self.rank + 2))


@registry.add()
class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of sequences: all steps of a channel are kept, or none.

    Shapes:
        (N, T, C), kept.

    Source:
        Tompson et al. 2014, Efficient Object Localization Using Convolutional Networks.

    Example:
        >>> SpatialDropout1D(0.5)(numpy.ones((1, 4, 2), "float32"), training=False).shape
        (1, 4, 2)
    """

    rank = 1

    @declared.fixed
    def data_format(self) -> str:
        """Sequences are (N, T, C)."""
        return "channels_last"


@registry.add()
class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of images: all pixels of a channel are kept, or none.

    Shapes:
        (N, H, W, C), kept.

    Source:
        Tompson et al. 2014, Efficient Object Localization Using Convolutional Networks.

    Example:
        >>> SpatialDropout2D(0.5)(numpy.ones((1, 2, 2, 1), "float32"), training=False).shape
        (1, 2, 2, 1)
    """

    rank = 2


@registry.add()
class SpatialDropout3D(SpatialDropout):
    """Dropout of whole channels of volumes: all elements of a channel are kept, or none.

    Shapes:
        (N, D, H, W, C), kept.

    Source:
        Tompson et al. 2014, Efficient Object Localization Using Convolutional Networks.

    Example:
        >>> SpatialDropout3D(0.5)(numpy.ones((1, 2, 2, 2, 1), "float32"), training=False).shape
        (1, 2, 2, 2, 1)
    """

    rank = 3
