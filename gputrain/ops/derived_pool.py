"""Pooling to a given number of windows, as short compositions of other operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ops.base import convert
from gputrain.ops.calls import keep_calls
from gputrain.ops.indexing import take
from gputrain.ops.movement import reshape
from gputrain.ops.pointwise import as_float
from gputrain.ops.pool import max_pool
from gputrain.ops.products import matmul
from gputrain.ops.reduction import mean
from gputrain.ops.window import WORDS, positive, require_channels_last

__all__ = ["adaptive_average_pool", "adaptive_max_pool"]


def adaptive_average_pool(
    inputs: Any, output_size: int | Sequence[int], data_format: str | None = None
) -> Any:
    """Means over windows that cover sequences, images or volumes evenly, channels last.

    Of `size` elements along an axis, window i of n takes those from floor(i * size / n) up to, and without,
    ceil((i + 1) * size / n). Neighbours may share an element.

    Args:
        inputs: sequences (N, T, C), images (N, H, W, C) or volumes (N, D, H, W, C).
        output_size: number of windows along each axis, one int or one for each.
        data_format: None or "channels_last".

    Returns:
        (N, *output_size, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not as above, or empty along an axis.

    Example:
        >>> adaptive_average_pool(np.arange(3.0).reshape(1, 3, 1), 2).ravel()
        array([0.5, 1.5], dtype=float32)
    """
    return _along_each_axis("adaptive_average_pool", as_float(inputs), output_size, data_format, _means)


def adaptive_max_pool(inputs: Any, output_size: int | Sequence[int], data_format: str | None = None) -> Any:
    """Maxima over windows that cover sequences, images or volumes evenly, channels last.

    Args:
        inputs, output_size, data_format: as in `adaptive_average_pool`, and the windows are the same.

    Returns:
        (N, *output_size, C). Of equal elements the first gets the gradient.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not as above, or empty along an axis.

    Example:
        >>> adaptive_max_pool(np.arange(3.0).reshape(1, 3, 1), 2).ravel()
        array([1., 2.], dtype=float32)
    """
    return _along_each_axis("adaptive_max_pool", convert(inputs), output_size, data_format, _maxima)


def _along_each_axis(
    what: str, x: Any, output_size: Any, data_format: str | None, pool: Callable[[Any, int, int], Any]
) -> Any:
    """`pool(x, axis, windows)` for each axis between samples and channels, the last one first.

    Windows are rectangles, so that a mean of means of rows is the mean, and the first maximum in the first
    row that has it is the first in the window.
    """
    require_channels_last(data_format, what)
    rank = len(x.shape) - 2
    if rank not in WORDS or 0 in x.shape[1:-1]:
        shapes = ", ".join(f"{words.thing}s {words.layout()}" for words in WORDS.values())
        raise ShapeError(explain(f"{what} pools {shapes}, none of them empty.", received=tuple(x.shape)))
    for axis, windows in reversed(list(enumerate(positive(output_size, rank, "output_size"), 1))):
        if x.shape[axis] is None:  # only the shape matters; it is that of any elements that are taken
            x = take(x, np.zeros(windows, np.int64), axis)
        elif x.shape[axis] != windows:
            x = pool(x, axis, windows)
    return x


def _ends(size: int, windows: int) -> tuple[np.ndarray, np.ndarray]:
    """The first element of each window, and the one after its last."""
    number = np.arange(windows)
    return number * size // windows, -(-(number + 1) * size // windows)


def _means(x: Any, axis: int, windows: int) -> Any:
    ahead, size = x.shape[:axis], x.shape[axis]
    behind = tuple(-1 if n is None else n for n in x.shape[axis + 1 :])
    if size % windows == 0:
        return mean(reshape(x, (*ahead, windows, size // windows, *behind)), axis + 1)
    first, end = (ends[:, None] for ends in _ends(size, windows))
    element = np.arange(size)
    shares = ((first <= element) & (element < end)) / (end - first)
    rows = reshape(x, (*ahead, size, -1 if -1 in behind else math.prod(behind)))
    return reshape(matmul(shares.astype(x.dtype), rows), (*ahead, windows, *behind))


def _maxima(x: Any, axis: int, windows: int) -> Any:
    size = x.shape[axis]
    length = size // windows
    if size % windows:  # the windows one behind the other, the last element of shorter ones again
        first, end = _ends(size, windows)
        length = int((end - first).max())
        inside = np.minimum(first[:, None] + np.arange(length), end[:, None] - 1)
        x = take(x, inside.ravel(), axis)
    pool = [length if other == axis else 1 for other in range(1, len(x.shape) - 1)]
    return max_pool(x, pool)


keep_calls(globals(), __all__)
