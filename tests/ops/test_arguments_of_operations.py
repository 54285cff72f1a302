"""Axes and sizes that are no ints are named by the operation that was given them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import ops

X = np.ones((3, 4), "float32")

CALLS: dict[str, Callable[[], Any]] = {
    "sum: axis must be an int, or several. Received: 1.0.": lambda: ops.sum(X, axis=1.0),
    "sum: axis must be an int, or several. Received: (0, 'a').": lambda: ops.sum(X, axis=(0, "a")),
    "argmax: axis must be an int. Received: 1.5.": lambda: ops.argmax(X, axis=1.5),
    "softmax: axis must be an int, or several.": lambda: ops.softmax(X, axis="a"),
    "concatenate: axis must be an int. Received: 1.0.": lambda: ops.concatenate([X, X], axis=1.0),
    "stack: axis must be an int. Received: 'a'.": lambda: ops.stack([X, X], axis="a"),
    "cumsum: axis must be an int.": lambda: ops.cumsum(X, axis=0.5),
    "take: axis must be an int.": lambda: ops.take(X, [0], axis=1.0),
    "flip: axis must be an int, or several.": lambda: ops.flip(X, axis=1.0),
    "expand_dims: axis must be an int, or several.": lambda: ops.expand_dims(X, 1.0),
    "squeeze: axis must be an int, or several.": lambda: ops.squeeze(X[None], 0.0),
    "transpose: axes must be an int, or several. Received: (1.5, 0).": lambda: ops.transpose(X, (1.5, 0)),
    "moveaxis: axis must be an int, or several.": lambda: ops.moveaxis(X, 0.0, 1),
    "a size must be an int. Received: 2.5.": lambda: ops.reshape(X, (2.5, 6)),
    "a size must be an int. Received: 4.0.": lambda: ops.broadcast_to(X, 4.0),
    "split: indices_or_sections must be an int, or several.": lambda: ops.split(X, 1.5),
    "roll: shift must be an int, or several. Received: 1.0.": lambda: ops.roll(X, 1.0),
    "tile: repeats must be an int, or several. Received: 1.5.": lambda: ops.tile(X, 1.5),
    "needs a shape of known sizes, at least 0. Received: (2.5,).": lambda: ops.zeros(2.5),
    "eye needs a shape of known sizes, at least 0. Received: (2.5, 2.5).": lambda: ops.eye(2.5),
    "eye: k must be an int. Received: 0.5.": lambda: ops.eye(2, k=0.5),
    "linspace: num must be an int. Received: 2.5.": lambda: ops.linspace(0, 1, 2.5),
    "diff: n must be an int. Received: 'a'.": lambda: ops.diff(X, n="a"),
    "tril: k must be an int. Received: 'a'.": lambda: ops.tril(X, "a"),
    "triu: k must be an int.": lambda: ops.triu(X, 0.5),
    "tensordot: axes must be an int. Received: 1.5.": lambda: ops.tensordot(X, X, axes=1.5),
    "one_hot: num_classes must be an int. Received: 'a'.": lambda: ops.one_hot([0, 1], "a"),
    "round: decimals must be an int. Received: 1.5.": lambda: ops.round(X, 1.5),
    "pool_size must be a positive int or two of them. Received: 2.5.": lambda: ops.max_pool(
        X[None, ..., None], 2.5
    ),
}


@pytest.mark.parametrize("words", CALLS)
def test_what_is_no_int_is_named(words: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        CALLS[words]()
    assert words in str(caught.value)
