"""Changes of the colours of images: hue, saturation, sharpness, levels and contrast."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.layers.augmentation.transforming import (
    Draws,
    ImageChanges,
    RandomImages,
    RandomPixels,
    both_ways,
    rescaled,
    shares,
    value_range,
)
from gputrain.layers.base import arguments, declared, registry
from gputrain.ops.derived_colours import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from gputrain.ops.derived_sums import cumsum

_BYTES = (0.0, 255.0)
_BITS = 8
_OUTER, _MIDDLE = 1 / 13, 5 / 13  # weights of a pixel's neighbours, and its own, in a smoothed image


_both_ways = partial(both_ways, -1.0, 1.0)


def _column(numbers: Any, images: Any) -> Any:
    """A number for each image as (N, 1, 1, 1), in the dtype of the images."""
    return ops.cast(ops.reshape(numbers, (-1, 1, 1, 1)), images.dtype)


class RandomColours(RandomPixels):
    """Base of the layers that change each image by a share of its own; see `RandomImages`.

    Args:
        factor: two numbers (lower, upper) within 0..1, between which the share of an image is drawn evenly;
            one number f stands for (0, f).
    """

    factor: tuple[float, float] = declared.argument(shares)
    data_format: str = declared.argument(arguments.data_format, None, after="value_range")

    def choose(self, draws: Draws) -> dict[str, Any]:
        """The share of each image, (N,)."""
        return {"factor": draws.between(*self.factor)}


@registry.add()
class RandomHue(RandomColours):
    """Turns the hue of each image in training; does nothing otherwise.

    The hue, a share of the full circle, grows or shrinks by half of a share drawn between the bounds of
    `factor`: 0 changes nothing, 1 turns it half way around.

    Example:
        >>> red = numpy.array([1.0, 0.0, 0.0]).reshape(1, 1, 1, 3)
        >>> RandomHue((1.0, 1.0), (0, 1))(red, training=True).ravel().tolist()
        [0.0, 1.0, 1.0]
    """

    def choose(self, draws: Draws) -> dict[str, Any]:
        """What is added to the hue of each image, (N,)."""
        way = ops.where(draws.happens(0.5), -0.5, 0.5)
        return {"factor": ops.multiply(draws.between(*self.factor), way)}

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with another hue."""
        planes = rgb_to_hsv(self.to_unit(images), data_format="channels_last")
        hue = ops.add(planes[..., :1], _column(transformation["factor"], images))
        hue = ops.where(ops.greater(hue, 1.0), ops.subtract(hue, 1.0), hue)
        hue = ops.where(ops.less(hue, 0.0), ops.add(hue, 1.0), hue)
        turned = ops.concatenate([hue, planes[..., 1:]], -1)
        colours = ops.clip(hsv_to_rgb(turned, data_format="channels_last"), 0.0, 1.0)
        return self.from_unit(colours)


@registry.add()
class RandomSaturation(RandomColours):
    """Makes the colours of each image paler or stronger in training; does nothing otherwise.

    The saturation is multiplied by f / (1 - f), f drawn between the bounds of `factor`: 0 gives grey, 0.5
    changes nothing, 1 gives full colours. It is limited to `value_range`, as in Keras.

    Args:
        factor: two numbers (lower, upper) within -1..1; one number f stands for (-f, f). Below 0 all is grey.

    Example:
        >>> pale = numpy.array([1.0, 0.5, 0.5]).reshape(1, 1, 1, 3)
        >>> RandomSaturation((0.0, 0.0), (0, 1))(pale, training=True).ravel().tolist()
        [1.0, 1.0, 1.0]
    """

    factor: tuple[float, float] = declared.argument(_both_ways)

    def choose(self, draws: Draws) -> dict[str, Any]:
        """By what the saturation of each image is multiplied, (N,)."""
        share = draws.between(*self.factor)
        return {"factor": ops.divide(share, ops.subtract(1.0 + 1e-7, share))}

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with another saturation."""
        planes = rgb_to_hsv(images, data_format="channels_last")
        changed = ops.multiply(planes[..., 1:2], _column(transformation["factor"], images))
        planes = ops.concatenate([planes[..., :1], ops.clip(changed, *self.value_range), planes[..., 2:]], -1)
        return hsv_to_rgb(planes, data_format="channels_last")


@registry.add()
class RandomColorDegeneration(RandomColours):
    """Mixes each image with its grey version in training; does nothing otherwise.

    The share of grey is drawn between the bounds of `factor`: 0 changes nothing, 1 gives grey.

    Args:
        factor: two numbers (lower, upper) within -1..1; one number f stands for (-f, f). Below 0 colours grow
            stronger.

    Example:
        >>> pixel = numpy.array([0.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
        >>> RandomColorDegeneration((1.0, 1.0), (0, 1))(pixel, training=True).shape
        (1, 1, 1, 3)
    """

    factor: tuple[float, float] = declared.argument(_both_ways)

    def choose(self, draws: Draws) -> dict[str, Any]:
        """The share of grey of each image, (N, 1, 1, 1)."""
        return {"factor": draws.between(*self.factor, 1, 1, 1)}

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with less colour."""
        grey = rgb_to_grayscale(images, data_format="channels_last")
        share = _column(transformation["factor"], images)
        return ops.clip(ops.add(images, ops.multiply(share, ops.subtract(grey, images))), *self.value_range)


@registry.add()
class RandomSharpness(RandomColours):
    """Blurs or sharpens each image in training; does nothing otherwise.

    A share is drawn between the bounds of `factor`: 0 gives the smoothed image, 0.5 changes nothing, 1 moves
    as far away from the smoothed image as that is from it.

    Example:
        >>> images = numpy.zeros((1, 4, 4, 1), "float32")
        >>> RandomSharpness((0.2, 0.8))(images, training=True).shape
        (1, 4, 4, 1)
    """

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with softer or harder edges."""
        weights = np.full((3, 3, 1, 1), _OUTER)
        weights[1, 1] = _MIDDLE
        kernel = ops.convert_to_tensor(np.repeat(weights, images.shape[-1], 2), images.dtype)
        smooth = ops.depthwise_conv(images, kernel, padding="same", data_format="channels_last")
        blur = ops.subtract(1.0, ops.multiply(_column(transformation["factor"], images), 2.0))
        changed = ops.add(images, ops.multiply(blur, ops.subtract(smooth, images)))
        return ops.clip(changed, *self.value_range)


@registry.add()
class RandomPosterization(RandomColours):
    """Leaves each image some bits of its colours in training; does nothing otherwise.

    Args:
        factor: two numbers of bits (lower, upper) within 1..8, between which that of an image is drawn, the
            upper one excluded; one number f stands for (1, f).

    Example:
        >>> images = numpy.array([200.0, 100.0]).reshape(1, 1, 2, 1)
        >>> RandomPosterization((1, 1))(images, training=True).ravel().tolist()
        [128.0, 0.0]
    """

    factor: tuple[float, float] = declared.argument(partial(both_ways, 1, _BITS))

    any_layout = True

    def choose(self, draws: Draws) -> dict[str, Any]:
        """How many bits each image loses, (N,)."""
        low, high = (int(bits) for bits in self.factor)
        kept = ops.add(draws.below(max(1, high - low)), low)
        return {"shift_factor": ops.subtract(_BITS, kept)}

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with fewer colours."""
        lost = ops.cast(ops.reshape(transformation["shift_factor"], (-1, 1, 1, 1)), "float32")
        step = ops.cast(ops.power(2.0, lost), images.dtype)
        whole = ops.floor(rescaled(images, self.value_range, _BYTES))
        return rescaled(ops.multiply(ops.floor(ops.divide(whole, step)), step), _BYTES, self.value_range)


@registry.add()
class RandomGrayscale(RandomImages):
    """Makes some images grey in training; does nothing otherwise.

    Args:
        factor: the share of images that become grey, 0..1.

    Shapes:
        (N, H, W, 3), kept; numbers of any dtype come out in the layer's.

    Example:
        >>> RandomGrayscale(1.0)(numpy.ones((2, 4, 6, 3), "uint8"), training=True).shape
        (2, 4, 6, 3)
    """

    factor: float = declared.argument(arguments.share, 0.5)
    data_format: str = declared.argument(arguments.data_format, None, after="factor")
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed, after="data_format")

    def choose(self, draws: Draws) -> Any:
        """Which images become grey, (N, 1, 1, 1)."""
        return draws.happens(self.factor, 1, 1, 1)

    def change(self, images: Any, transformation: Any) -> Any:
        """Some of the images grey."""
        grey = rgb_to_grayscale(images, data_format="channels_last")
        return ops.where(transformation, grey, images)


@registry.add()
class RandomInvert(RandomPixels):
    """Turns some images into their negatives in training; does nothing otherwise.

    A pixel x becomes upper - x, with the upper end of `value_range`, as in Keras.

    Args:
        factor: two numbers (lower, upper) within 0..1, between which the chance of an image is drawn; one
            number f stands for (0, f).

    Example:
        >>> RandomInvert((1.0, 1.0), (0, 1))(numpy.zeros((1, 1, 2, 1)), training=True).ravel().tolist()
        [1.0, 1.0]
    """

    factor: tuple[float, float] = declared.argument(shares, 1.0)
    data_format: str = declared.argument(arguments.data_format, None, after="seed")

    any_layout = True

    def choose(self, draws: Draws) -> dict[str, Any]:
        """Which images are inverted, (N,)."""
        chance = draws.between(*self.factor)
        return {"apply_inversion": ops.less(draws.unit(), chance)}

    def change(self, images: Any, transformation: Any) -> Any:
        """Some of the images inverted."""
        chosen = ops.reshape(transformation["apply_inversion"], (-1, 1, 1, 1))
        return ops.where(chosen, ops.subtract(self.value_range[1], images), images)


@registry.add()
class Solarization(RandomPixels):
    """Inverts the bright pixels of each image in training; does nothing otherwise.

    A number is added to all pixels of an image, and those that are not below its threshold are inverted, both
    on the scale 0..255.

    Args:
        addition_factor: two shares of 255 (lower, upper) within 0..1, between which what is added to an image
            is drawn; one number f stands for (0, f).
        threshold_factor: likewise for the threshold.

    Example:
        >>> images = numpy.array([0.0, 0.25]).reshape(1, 1, 2, 1)
        >>> Solarization(value_range=(0, 1))(images, training=True).ravel().tolist()
        [1.0, 0.75]
    """

    addition_factor: tuple[float, float] = declared.argument(shares, 0.0)
    threshold_factor: tuple[float, float] = declared.argument(shares, 0.0)

    any_layout = True

    def choose(self, draws: Draws) -> dict[str, Any]:
        """What is added to each image, and its threshold, (N, 1, 1, 1)."""
        # Keras multiplies the upper bound alone by 255; the lower one is a share of 255 here, too.
        ends = [[255 * share for share in f] for f in (self.addition_factor, self.threshold_factor)]
        additions, thresholds = (draws.between(low, high, 1, 1, 1) for low, high in ends)
        return {"additions": additions, "thresholds": thresholds}

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with their bright pixels inverted."""
        added, threshold = (_column(transformation[name], images) for name in ("additions", "thresholds"))
        brighter = ops.clip(ops.add(rescaled(images, self.value_range, _BYTES), added), *_BYTES)
        inverted = ops.where(ops.less(brighter, threshold), brighter, ops.subtract(255.0, brighter))
        return rescaled(inverted, _BYTES, self.value_range)


# ------------------------------------------------------------------------------------------ nothing is random


class PixelChanges(ImageChanges):
    """Base of the layers that change the values of pixels in one way.

    Args:
        value_range: least and largest value of a pixel.

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.
    """

    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))

    def call(self, inputs: Any, training: bool = True) -> Any:
        """The images changed, or a dict of them and more."""
        return self._apply(inputs, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks as they are."""
        return segmentation_masks


@registry.add()
class AutoContrast(PixelChanges):
    """Stretches each channel of each image over the whole of `value_range`; a flat one stays as it is.

    Example:
        >>> images = numpy.array([10.0, 20.0]).reshape(1, 1, 2, 1)
        >>> AutoContrast()(images).ravel().tolist()
        [0.0, 255.0]
    """

    data_format: str = declared.argument(arguments.data_format, None, shown=False, after="value_range")

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Images (N, H, W, C) with the contrast that `value_range` allows."""
        images = ops.cast(images, self.compute_dtype)
        low = ops.min(images, self.spatial_axes, keepdims=True)
        width = ops.subtract(ops.max(images, self.spatial_axes, keepdims=True), low)
        flat = ops.equal(width, 0.0)
        unit = ops.divide(ops.subtract(images, low), ops.where(flat, 1.0, width))
        return ops.where(flat, images, rescaled(unit, (0.0, 1.0), self.value_range))


@registry.add()
class Equalization(PixelChanges):
    """Spreads the values of each channel so that all are about equally frequent (histogram equalization).

    The values are counted in `bins` of equal width; a value becomes the share of the channel's values that
    are not above its bin, less that of the least ones, rounded to 256 levels.

    Args:
        bins: how many.

    Example:
        >>> images = numpy.array([0.0, 10.0, 20.0]).reshape(1, 1, 3, 1)
        >>> Equalization()(images).ravel().tolist()
        [0.0, 128.0, 255.0]
    """

    bins: int = declared.argument(arguments.positive_int, 256, after="value_range")
    data_format: str = declared.argument(arguments.data_format, None, after="bins")

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Images (N, H, W, C) equalized, channel by channel, where `training`."""
        images = ops.cast(images, self.compute_dtype)
        return self.from_last(self._equalized(self.to_last(images))) if training else images

    def _equalized(self, images: Any) -> Any:
        """Images (N, H, W, C), each channel by the histogram of its values in all of them, as in Keras."""
        channels, last = images.shape[-1], self.bins - 1
        values = rescaled(images, self.value_range, _BYTES)
        first = np.arange(channels) * self.bins  # the first bin of each channel
        counted = self._bin(ops.divide(ops.multiply(ops.cast(values, "float32"), float(last)), 255.0))
        places = ops.add(counted, first)
        counts = ops.apply(ops.ScatterAdd(0, channels * self.bins), ops.ones(places.shape, "float32"), places)
        total = cumsum(ops.reshape(counts, (channels, self.bins)), 1)
        least = ops.min(ops.where(ops.greater(total, 0.0), total, np.inf), 1, keepdims=True)
        above = ops.subtract(total[:, -1:], least)
        flat = ops.equal(above, 0.0)  # all values of the channel are in one bin
        levels = ops.divide(ops.multiply(ops.subtract(total, least), 255.0), ops.where(flat, 1.0, above))
        levels = ops.clip(ops.round(levels), *_BYTES)
        read = ops.add(self._bin(ops.multiply(ops.divide(values, 255.0), float(last))), first)
        spread = ops.take(ops.cast(ops.reshape(levels, (-1,)), images.dtype), read, axis=0)
        chosen = ops.where(ops.reshape(flat, (-1,)), values, spread)
        return rescaled(chosen, _BYTES, self.value_range)

    def _bin(self, places: Any) -> Any:
        """The bins that numbers from 0 to `bins` - 1 are in."""
        return ops.cast(ops.clip(places, 0.0, float(self.bins - 1)), "int32")
