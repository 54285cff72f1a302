"""Where the channels of images are, one image or several, and names that arguments may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gputrain import config
from gputrain.errors import ShapeError, explain
from gputrain.names import did_you_mean
from gputrain.ops.base import convert, spec_of
from gputrain.ops.movement import expand_dims, squeeze, transpose

FORMATS = ("channels_last", "channels_first")


def layout(data_format: str | None, what: str) -> str:
    """Return the format of images; None means `config.image_data_format()`.

    Raises:
        ValueError: another name.
    """
    name = config.image_data_format() if data_format is None else data_format
    if name not in FORMATS:
        raise ValueError(
            explain(f"{what}: unknown data_format.", expected=" or ".join(FORMATS), received=repr(name))
        )
    return name


def images_of(images: Any, what: str) -> Any:
    """Return images as an operand of three dimensions (one image) or four.

    Raises:
        ShapeError: another number of them.
    """
    images = convert(images)
    if len(images.shape) not in (3, 4):
        rule = f"{what} takes an image, three dimensions, or several, four."
        raise ShapeError(explain(rule, expected="(H, W, C) or (N, H, W, C)", received=spec_of(images)))
    return images


def as_last(images: Any, data_format: str | None, what: str) -> tuple[Any, Callable[[Any], Any]]:
    """Return images as (N, H, W, C), and a function that brings such images back into the given layout.

    Args:
        images: three or four dimensions.
        data_format: as in `layout`.
        what: the operation, for errors.
    """
    first, single = layout(data_format, what) == "channels_first", len(images.shape) == 3
    batch = expand_dims(images, 0) if single else images

    def back(last: Any) -> Any:
        found = transpose(last, (0, 3, 1, 2)) if first else last
        return squeeze(found, 0) if single else found

    return transpose(batch, (0, 2, 3, 1)) if first else batch, back


def check_name(value: Any, known: Sequence[str], where: str) -> None:
    """Refuse what is not among the known names.

    Raises:
        ValueError: with the nearest one.
    """
    if value not in known:
        fix = did_you_mean(value, known) if isinstance(value, str) else None
        rule = f"{where} must be one of {', '.join(known)}."
        raise ValueError(explain(rule, received=repr(value), fix=fix))
