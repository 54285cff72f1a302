"""Images of another size."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import explain
from gputrain.layers.augmentation.transforming import ImageChanges
from gputrain.layers.base import arguments, declared, registry
from gputrain.ops.derived_resizing import METHODS, resize


def _interpolation(value: Any, where: str) -> str:
    return arguments.one_of(value, METHODS, where)


def _constant(value: Any, where: str) -> str:
    return arguments.one_of(value, ("constant",), where)


@registry.add()
class Resizing(ImageChanges):
    """Images of another size, in training and otherwise.

    Args:
        height: rows of the result.
        width: columns of the result.
        interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: cut off, equally on both sides, what does not fit the proportions of the result,
            so that nothing is distorted.
        pad_to_aspect_ratio: add the lacking rows or columns instead.
        fill_mode: "constant": there is no other.
        fill_value: what is added.
        antialias: when images become smaller, weigh all pixels that fall into a new one.

    Shapes:
        (N, H, W, C) to (N, height, width, C), in the dtype of the images; whole numbers are rounded.

    Example:
        >>> Resizing(1, 2)(numpy.array([[[[0.0], [2.0], [4.0], [6.0]]]])).ravel().tolist()
        [1.0, 5.0]
    """

    height: int = declared.argument(arguments.positive_int)
    width: int = declared.argument(arguments.positive_int)
    interpolation: str = declared.argument(_interpolation, "bilinear")
    crop_to_aspect_ratio: bool = declared.flag(False)
    pad_to_aspect_ratio: bool = declared.flag(False)
    fill_mode: str = declared.argument(_constant, "constant")
    fill_value: float = declared.argument(arguments.number, 0.0)
    antialias: bool = declared.flag(False)

    def check_arguments(self) -> None:
        """Refuse to crop and to pad at once."""
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            rule = "Resizing: either crop_to_aspect_ratio or pad_to_aspect_ratio can be True."
            raise ValueError(explain(rule))

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, height, width, C)."""
        return self._apply(inputs, training=True)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """(N, H, W, C) to (N, height, width, C)."""
        return self._resized(ops.convert_to_tensor(images), self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Masks (N, H, W, C) to (N, height, width, C); no new values come up between theirs."""
        return self._resized(ops.convert_to_tensor(segmentation_masks), "nearest")

    def _resized(self, images: Any, interpolation: str) -> Any:
        return resize(
            images,
            (self.height, self.width),
            interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
            data_format=self.data_format,
        )
