"""Images mixed with others of their batch, and images that lose a part or their sharpness."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import is_float
from gputrain.layers.augmentation.transforming import (
    Draws,
    RandomImages,
    RandomPixels,
    is_number,
    shares,
    value_range,
)
from gputrain.layers.base import arguments, declared, registry
from gputrain.ops.derived_neighbours import gaussian_blur


def _odd(value: Any, where: str) -> tuple[int, int]:
    """Two odd sizes; one stands for both."""
    sizes = arguments.positive_sizes(value, where)
    if any(size % 2 == 0 for size in sizes):
        raise ValueError(explain(f"{where} is an odd number, or a pair of them.", received=repr(value)))
    return sizes[0], sizes[1]


def _fill(value: Any, where: str) -> Any:
    """None, a number or three of them."""
    several = isinstance(value, tuple | list) and len(value) == 3 and all(map(is_number, value))
    if value is None or several or is_number(value):
        return value
    rule = f"{where} is a number, one for each of three channels, or None for random ones."
    raise ValueError(explain(rule, received=repr(value)))


def _each(numbers: Any, images: Any) -> Any:
    """A number for each image in the dtype of the images, along their first axis."""
    return ops.cast(ops.reshape(numbers, (-1, *[1] * (len(images.shape) - 1))), images.dtype)


class _Boxes(RandomImages):
    """Base of those that change a box within each image."""

    any_layout: ClassVar[bool] = True

    def boxes(self, draws: Draws, across: Any, down: Any) -> Any:
        """The pixels of a box at a random place in each image, (N, H, W, 1) or (N, 1, H, W).

        Args:
            draws: of the images.
            across: shares of the width, (N, 1).
            down: shares of the height, (N, 1).
        """
        columns = self._within(draws, draws.width, across)[:, None, :]
        rows = self._within(draws, draws.height, down)[:, :, None]
        return ops.expand_dims(ops.logical_and(rows, columns), self.channels_axis)

    def _within(self, draws: Draws, size: int, share: Any) -> Any:
        """Which of `size` places lie in a random part of them, (N, size)."""
        length = ops.multiply(share, float(size))
        first = ops.multiply(draws.unit(1), ops.subtract(float(size), length))
        places = np.arange(size, dtype="float32")[None]
        return ops.logical_and(ops.greater_equal(places, first), ops.less(places, ops.add(first, length)))


@registry.add()
class RandomErasing(_Boxes, RandomPixels):
    """Erases a box of each image, by chance in training; does nothing otherwise.

    Args:
        factor: a probability f, or two of them (lower, upper). An image is changed with a probability drawn
            evenly between them; of a single one, between 0 and f.
        scale: two numbers within 0..1, between which the squares of the shares of width and height that the
            box has are drawn, each by itself; one number f stands for (0, f).
        fill_value: what the box is filled with, a number or one for each of three channels; None fills it
            with normal numbers times the upper end of `value_range`. All are limited to `value_range`.

    Source:
        Z. Zhong et al., "Random erasing data augmentation", 2017.

    Example:
        >>> erasing = RandomErasing((1.0, 1.0), scale=(0.25, 0.25), fill_value=0)
        >>> erasing(numpy.ones((1, 4, 4, 1)), training=True).sum().tolist()
        12.0
    """

    factor: tuple[float, float] = declared.argument(shares, 1.0)
    scale: tuple[float, float] = declared.argument(shares, (0.02, 0.33))
    fill_value: Any = declared.argument(_fill, None)
    value_range: tuple[float, float] = declared.argument(value_range, (0, 255))
    data_format: str = declared.argument(arguments.data_format, None, after="seed")

    def choose(self, draws: Draws) -> dict[str, Any]:
        """Which images are changed, (N,), the pixels of their boxes, and what these are filled with."""
        across, down = (ops.sqrt(draws.between(*self.scale, 1)) for _ in range(2))
        return {
            "apply_erasing": draws.happens(draws.between(*self.factor)),
            "batch_masks": self.boxes(draws, across, down),
            "fill_value": ops.clip(self._filling(draws), *self.value_range),
        }

    def _filling(self, draws: Draws) -> Any:
        if self.fill_value is None:
            noise = draws.normal(draws.height, draws.width, draws.channels)
            return self.from_last(ops.multiply(noise, self.value_range[1]))
        numbers = np.atleast_1d(np.asarray(self.fill_value, "float32"))
        if len(numbers) not in (1, draws.channels):
            raise ShapeError(
                explain(
                    "fill_value of RandomErasing has a number for each channel.",
                    expected=f"{draws.channels} channels, or one number",
                    received=repr(self.fill_value),
                )
            )
        return ops.convert_to_tensor(numbers.reshape((-1,) if self.channels_axis == -1 else (-1, 1, 1)))

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with their boxes filled, where `apply_erasing`."""
        filled = ops.cast(transformation["fill_value"], images.dtype)
        chosen = ops.reshape(transformation["apply_erasing"], (-1, 1, 1, 1))
        return ops.where(ops.logical_and(transformation["batch_masks"], chosen), filled, images)


class _Mixtures(RandomImages):
    """Base of those that mix each image with another one of its batch, and their labels in proportion."""

    any_layout: ClassVar[bool] = True

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        """The labels (N, ...) as float, mixed as the images are.

        Raises:
            ValueError: class indices.
        """
        labels = ops.convert_to_tensor(labels)
        if not training or transformation is None:
            return labels
        if not is_float(labels.dtype):
            if len(labels.shape) == 1 or labels.shape[-1] == 1:
                raise ValueError(
                    explain(
                        f"{type(self).__name__} mixes labels, and class indices cannot be mixed.",
                        expected="a number for each class, (N, classes)",
                        received=f"{labels.dtype} {tuple(labels.shape)}",
                        fix="Encode them first: keras.ops.one_hot(labels, classes).",
                    )
                )
            labels = ops.cast(labels, "float32")
        return self.mixed(labels, transformation)

    def mixed(self, values: Any, transformation: Any) -> Any:
        """Numbers (N, ...) and those of the other images, by the share of each image."""
        others = ops.take(values, transformation["permutation_order"], axis=0)
        share = _each(transformation["mix_weight"], values)
        return ops.add(others, ops.multiply(share, ops.subtract(values, others)))


@registry.add()
class MixUp(_Mixtures):
    """Mixes each image with another one of its batch in training; does nothing otherwise.

    Labels in a dict, one-hot or numbers, and segmentation masks are mixed by the same shares.

    Args:
        alpha: above 0. An image keeps a share drawn from the Beta distribution of (alpha, alpha): about all
            or nothing for a small number, anything for 1.

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.

    Source:
        H. Zhang et al., "mixup: Beyond empirical risk minimization", 2018.

    Example:
        >>> data = {"images": numpy.ones((4, 2, 2, 1)), "labels": numpy.eye(4)}
        >>> MixUp(0.4)(data, training=True)["labels"].sum(1).round(4).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    alpha: float = declared.argument(arguments.positive, 0.2)
    data_format: str = declared.argument(arguments.data_format, None, after="alpha")
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed, after="data_format")

    def choose(self, draws: Draws) -> dict[str, Any]:
        """What share of each image is kept, and with which one it is mixed, (N,) each."""
        return {
            "mix_weight": draws.shares(self.alpha, 2)[:, 0],
            "permutation_order": draws.order(),
        }

    def change(self, images: Any, transformation: Any) -> Any:
        """The images mixed."""
        return self.mixed(images, transformation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks mixed, in the layer's dtype."""
        return self.transform_images(segmentation_masks, transformation) if training else segmentation_masks


@registry.add()
class CutMix(_Boxes, _Mixtures):
    """Replaces a box of each image by that of another one of its batch in training; nothing otherwise.

    Labels in a dict, one-hot or numbers, are mixed by the shares of pixels that come from each image.

    Args:
        factor: two numbers (lower, upper) within 0..1, between which the alpha of an image is drawn evenly;
            one number f stands for (0, f). The share of an image that is kept is drawn from the Beta
            distribution of (alpha, alpha).

    Shapes:
        (N, H, W, C), kept; numbers of any dtype come out in the layer's.

    Source:
        S. Yun et al., "CutMix: Regularization strategy to train strong classifiers with localizable
        features", 2019.

    Example:
        >>> data = {"images": numpy.ones((4, 2, 2, 1)), "labels": numpy.eye(4)}
        >>> CutMix()(data, training=True)["labels"].sum(1).round(4).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    factor: tuple[float, float] = declared.argument(shares, 1.0)
    data_format: str = declared.argument(arguments.data_format, None, after="seed")

    def choose(self, draws: Draws) -> dict[str, Any]:
        """The pixels of each image's box, the share of the others, and where the box comes from, (N,)."""
        kept = draws.shares(ops.add(draws.between(*self.factor, 1), 1e-6), 2)[:, :1]
        side = ops.sqrt(ops.subtract(1.0, kept))
        boxes = self.boxes(draws, side, side)
        return {
            "permutation_order": draws.order(),
            "batch_masks": boxes,
            "mix_weight": ops.subtract(1.0, ops.mean(ops.cast(boxes, "float32"), (1, 2, 3))),
        }

    def change(self, images: Any, transformation: Any) -> Any:
        """The images with the boxes of others."""
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return ops.where(transformation["batch_masks"], others, images)

    change_masks = change


@registry.add()
class RandomGaussianBlur(RandomPixels):
    """Blurs images by a Gaussian, by chance in training; does nothing otherwise.

    Args:
        factor: a probability f, or two of them (lower, upper). An image is changed with a probability drawn
            evenly between them; of a single one, between 0 and f.
        kernel_size: how many pixels count in each direction: an odd number, or two, (columns, rows).
        sigma: two numbers within 0..1, between which the standard deviations of an image, in pixels to the
            side and downwards, are drawn evenly; one number f stands for (0, f).

    Example:
        >>> blur = RandomGaussianBlur((1.0, 1.0), sigma=(1.0, 1.0))
        >>> blur(numpy.full((1, 3, 3, 1), 9.0), training=True)[0, 1, 1].round(4).tolist()
        [9.0]
    """

    factor: tuple[float, float] = declared.argument(shares, 1.0)
    kernel_size: tuple[int, int] = declared.argument(_odd, 3)
    sigma: tuple[float, float] = declared.argument(shares, 1.0)
    data_format: str = declared.argument(arguments.data_format, None, after="value_range")

    def choose(self, draws: Draws) -> dict[str, Any]:
        """Which images are blurred, (N,), and how much, (N, 2)."""
        return {
            "should_apply_blur": draws.happens(draws.between(*self.factor)),
            "blur_factor": ops.add(draws.between(*self.sigma, 2), 1e-6),
        }

    def change(self, images: Any, transformation: Any) -> Any:
        """The images, some of them blurred."""
        blurred = gaussian_blur(images, self.kernel_size, transformation["blur_factor"], "channels_last")
        chosen = ops.reshape(transformation["should_apply_blur"], (-1, 1, 1, 1))
        return ops.clip(ops.where(chosen, blurred, images), *self.value_range)
