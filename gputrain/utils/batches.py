"""What batches are made of and taken apart with, as `keras.utils` has it."""

from __future__ import annotations

from collections.abc import Sequence as _Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import explain

__all__ = ["PyDataset", "Sequence", "pack_x_y_sample_weight", "pad_sequences", "unpack_x_y_sample_weight"]


class PyDataset:
    """Batches by number: a subclass has `__len__`, how many there are, and `__getitem__`, one of them.

    `fit`, `evaluate` and `predict` take one in place of arrays. A batch is x, (x, y) or
    (x, y, sample_weight).

    Args:
        workers: as in Keras; batches are made one after another, so only 1 (or 0) is taken.
        use_multiprocessing: as in Keras; only False is taken.
        max_queue_size: as in Keras; nothing waits in a queue, so it changes nothing.

    Raises:
        ValueError: more workers than one, or processes.

    Example:
        >>> class Rows(PyDataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, i):
        ...         return np.ones((8, 3)), np.ones((8, 1))
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        for name, given, taken in (
            ("workers", workers, workers in (0, 1)),
            ("use_multiprocessing", use_multiprocessing, not use_multiprocessing),
        ):
            if not taken:
                raise ValueError(
                    explain(
                        f"{type(self).__name__}: {name} is not offered, batches are made one after another.",
                        received=f"{name}={given!r}",
                        fix="Leave it out.",
                    )
                )
        self.workers, self.use_multiprocessing = workers, use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Return the batch of a number."""
        raise NotImplementedError(f"{type(self).__name__} needs a method __getitem__(self, index).")

    def __len__(self) -> int:
        """Return how many batches there are."""
        count = self.num_batches
        if count is None:
            raise TypeError(f"{type(self).__name__}: the number of batches is not known.")
        return int(count)

    @property
    def num_batches(self) -> int | None:
        """How many batches there are."""
        if type(self).__len__ is PyDataset.__len__:
            raise NotImplementedError(f"{type(self).__name__} needs a method __len__(self).")
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called when a pass begins."""

    def on_epoch_end(self) -> None:
        """Called when a pass has ended."""


Sequence = PyDataset


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return (x, y, sample_weight) without what is None; x alone as it is, unless it is a list or tuple.

    Args:
        x, y, sample_weight: parts of a batch.

    Example:
        >>> pack_x_y_sample_weight(1, 2)
        (1, 2)
    """
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Return (x, y, sample_weight) of a batch, None for what it lacks.

    Args:
        data: x, (x,), (x, y) or (x, y, sample_weight).

    Raises:
        ValueError: more parts.

    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, list | tuple) else (data,)
    if len(parts) not in (1, 2, 3):
        raise ValueError(
            explain(
                "A batch has up to three parts.",
                expected="x, (x,), (x, y) or (x, y, sample_weight)",
                received=f"{len(parts)} parts",
            )
        )
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight


def pad_sequences(
    sequences: _Sequence[_Sequence[Any]],
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
