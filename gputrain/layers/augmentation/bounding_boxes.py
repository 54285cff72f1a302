"""Boxes beside images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.layers.base import Layer, arguments, declared, registry

_FORMATS = ("xyxy", "rel_xyxy", "xywh", "rel_xywh", "yxyx", "rel_yxyx", "center_xywh", "center_yxhw")


def _format(value: Any, where: str) -> str | None:
    return None if value is None else arguments.one_of(value, _FORMATS, where)


@registry.add()
class MaxNumBoundingBoxes(Layer):
    """Cuts the boxes of images to one number, or adds empty ones, so that all samples have as many.

    Args:
        max_number: how many boxes come out.
        fill_value: what boxes and labels that are added hold.
        bounding_box_format: how boxes are written, as "xyxy"; must be said where there are some, and stays.

    Shapes:
        {"images": ..., "bounding_boxes": {"boxes": (N, M, 4), "labels": (N, M)}} with any further entries,
        the boxes to (N, max_number, 4) and the labels to (N, max_number); of a single image without N. What
        has no boxes is handed on.

    Raises:
        ValueError: boxes, and no bounding_box_format.
        ShapeError: boxes or labels of other shapes.

    Example:
        >>> boxes = {"boxes": numpy.ones((1, 1, 4), "float32"), "labels": numpy.array([[7]])}
        >>> layer = MaxNumBoundingBoxes(2, bounding_box_format="xyxy")
        >>> layer({"images": numpy.ones((1, 4, 4, 3)), "bounding_boxes": boxes})["bounding_boxes"]["labels"]
        array([[ 7, -1]])
    """

    max_number: int = declared.argument(arguments.positive_int)
    fill_value: int = declared.argument(arguments.whole, -1)
    bounding_box_format: str | None = declared.argument(_format, None, shown=False)

    def call(self, inputs: Any) -> Any:
        """The inputs, with so many boxes."""
        if not isinstance(inputs, Mapping) or "bounding_boxes" not in inputs:
            return inputs
        if self.bounding_box_format is None:
            rule = f"{self.name}: bounding_box_format says how boxes are written."
            raise ValueError(explain(rule, expected=f"one of {', '.join(_FORMATS)}", received="None"))
        given = inputs["bounding_boxes"]
        boxes, labels = given["boxes"], given["labels"]
        if boxes.ndim not in (2, 3) or boxes.shape[-1] != 4 or labels.shape != boxes.shape[:-1]:
            rule = "MaxNumBoundingBoxes: each box is four numbers, and has a label."
            expected, received = "(N, M, 4) and (N, M)", f"{boxes.shape} and {labels.shape}"
            raise ShapeError(explain(rule, expected=expected, received=received))
        filled = {"boxes": self._filled(boxes, -2), "labels": self._filled(labels, -1)}
        return {**inputs, "bounding_boxes": {**given, **filled}}

    def _filled(self, x: Any, axis: int) -> Any:
        """So many entries along an axis."""
        front = (slice(None),) * (x.ndim + axis)
        cut = ops.getitem(x, (*front, slice(None, self.max_number)))
        count = cut.shape[x.ndim + axis]
        widths = [(0, 0)] * x.ndim
        widths[x.ndim + axis] = (0, self.max_number - (count or 0))
        return ops.pad(cut, widths, constant_values=self.fill_value)
