"""Sequences of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import explain

__all__ = ["pad_sequences"]


def pad_sequences(
    sequences: Sequence[Sequence[Any]],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> NDArray[Any]:
    """Sequences of different lengths as one array, (n, maxlen, ...).

    Args:
        sequences: lists of numbers, or of arrays of one shape.
        maxlen: the length of all; None for that of the longest.
        dtype: of the array.
        padding: where short ones are filled up, "pre" or "post".
        truncating: where long ones are cut, "pre" or "post".
        value: what they are filled up with.

    Raises:
        ValueError: something that is no sequence, or elements of different shapes.

    Example:
        >>> pad_sequences([[1, 2, 3], [4]], maxlen=2)
        array([[2, 3],
               [0, 4]], dtype=int32)
    """
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            rule = f"pad_sequences: unknown {name}."
            raise ValueError(explain(rule, expected='"pre" or "post"', received=repr(given)))
    if not hasattr(sequences, "__len__") or not all(hasattr(one, "__len__") for one in sequences):
        raise ValueError(explain("pad_sequences takes a list of sequences.", received=repr(sequences)[:80]))
    rows = [np.asarray(one, dtype) for one in sequences]
    shapes = {row.shape[1:] for row in rows if len(row)}
    if len(shapes) > 1:
        rule = "pad_sequences: all elements must have one shape."
        raise ValueError(explain(rule, received=" and ".join(map(str, sorted(shapes)))))
    length = max(map(len, rows), default=0) if maxlen is None else int(maxlen)
    made = np.full((len(rows), length, *(shapes.pop() if shapes else ())), value, dtype)
    for target, row in zip(made, rows, strict=True):
        cut = row[max(len(row) - length, 0) :] if truncating == "pre" else row[:length]
        if len(cut):
            target[slice(-len(cut), None) if padding == "pre" else slice(len(cut))] = cut
    return made
