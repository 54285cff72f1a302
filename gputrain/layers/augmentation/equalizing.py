"""Contrast spread within parts of images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.layers.augmentation.colours import PixelChanges
from gputrain.layers.augmentation.transforming import rescaled
from gputrain.layers.base import arguments, declared, registry
from gputrain.ops.derived_sums import cumsum

_BYTES = (0.0, 255.0)
_LEVELS = 256


@registry.add()
class ContrastLimitedAdaptiveHistogramEqualization(PixelChanges):
    """Spreads the values of each channel within parts of each image, which strengthens what they show.

    An image is cut into tiles; what goes beyond its edges is mirrored. Each tile and channel has a table: a
    level of 256 becomes the share of the tile's pixels that are not above it. What a histogram has above a
    limit is spread over all levels before, so that noise of flat regions stays small. A pixel becomes the
    mean of what the tables of the four nearest tiles say, by its distances from their middles.

    Args:
        clip_limit: how many times as often as the average a level counts at most; 0 for no limit.
        tile_grid_size: how many tiles an image has, (rows, columns).

    Source:
        K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.

    Example:
        >>> images = numpy.array([100.0, 110.0]).reshape(1, 1, 2, 1)
        >>> spread = ContrastLimitedAdaptiveHistogramEqualization(clip_limit=0, tile_grid_size=(1, 1))
        >>> spread(images).ravel().tolist()
        [127.5, 255.0]
    """

    clip_limit: float = declared.argument(arguments.not_negative, 4.0, after="value_range")
    tile_grid_size: tuple[int, int] = declared.argument(arguments.positive_sizes, (8, 8), after="clip_limit")
    data_format: str = declared.argument(arguments.data_format, None, after="tile_grid_size")

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Images (N, ...) equalized within their tiles, in training and otherwise."""
        images = ops.cast(images, self.compute_dtype)
        if None in images.shape:
            return images  # only the shape matters
        levels = rescaled(self.to_last(images), self.value_range, _BYTES)
        spread = rescaled(self._spread(levels), _BYTES, self.value_range)
        return self.from_last(ops.cast(spread, images.dtype))

    def _spread(self, images: Any) -> Any:
        """Images (N, H, W, C) of 0..255 by the tables of their tiles, float32."""
        count, *sizes, channels = images.shape
        grid = self.tile_grid_size
        lengths = [-(-size // tiles) for size, tiles in zip(sizes, grid, strict=True)]
        for axis, (size, tiles, length) in enumerate(zip(sizes, grid, lengths, strict=True), 1):
            mirrored = np.pad(np.arange(size), (0, tiles * length - size), mode="symmetric")
            images = ops.take(images, mirrored, axis=axis) if len(mirrored) > size else images
        rows, columns = grid
        images_before = np.arange(count).reshape(-1, 1, 1, 1) * (rows * columns * channels)
        pixels = ops.add(ops.cast(ops.clip(images, *_BYTES), "int32"), images_before * _LEVELS)

        def places(row: Any, column: Any) -> Any:
            """Where the tables have the pixels, by the tiles of their rows and columns."""
            tables = (row[:, None, None] * columns + column[:, None]) * channels + np.arange(channels)
            return ops.add(pixels, tables * _LEVELS)  # (N, H, W, C)

        own = [np.repeat(np.arange(n), length) for n, length in zip(grid, lengths, strict=True)]
        tables = self._tables(places(*own), count * rows * columns * channels, math.prod(lengths))
        upper, lower, down = _neighbours(rows, lengths[0])
        left, right, across = _neighbours(columns, lengths[1])

        def read(row: Any) -> Any:
            """What the tables of a row of tiles say, between the two that are nearest."""
            first, second = (ops.take(tables, places(row, x), axis=0) for x in (left, right))
            return _between(first, second, across[:, None])

        mean = _between(read(upper), read(lower), down[:, None, None])
        return mean[:, : sizes[0], : sizes[1]]

    def _tables(self, places: Any, count: int, area: int) -> Any:
        """What each level of each of `count` tables becomes, one behind the other, (count * 256,)."""
        ones = ops.ones(places.shape, "float32")
        counts = ops.apply(ops.ScatterAdd(0, count * _LEVELS), ones, places)
        counts = ops.reshape(counts, (count, _LEVELS))
        if self.clip_limit:
            kept = ops.minimum(counts, self.clip_limit * area / _LEVELS)
            above = ops.sum(ops.subtract(counts, kept), 1, keepdims=True)
            counts = ops.add(kept, ops.divide(above, float(_LEVELS)))
        total = cumsum(counts, 1)
        least = total[:, :1]
        room = ops.subtract(float(area), least)
        room = ops.where(ops.equal(room, 0.0), 1.0, room)
        levels = ops.divide(ops.multiply(ops.subtract(total, least), 255.0), room)
        return ops.reshape(ops.clip(levels, *_BYTES), (-1,))


def _between(first: Any, second: Any, share: Any) -> Any:
    """The mean of two, `share` of it the second one."""
    return ops.add(first, ops.multiply(share, ops.subtract(second, first)))


def _neighbours(tiles: int, length: int) -> tuple[Any, Any, Any]:
    """For each pixel along an axis: the tiles with the nearest middles, and its distance from the first one.

    Args:
        tiles: how many.
        length: pixels of each.
    """
    place = (np.arange(tiles * length) - length / 2) / length
    before = np.floor(place)
    first, second = (np.clip(tile, 0, tiles - 1).astype("int32") for tile in (before, before + 1))
    return first, second, (place - before).astype("float32")
