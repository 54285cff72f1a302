"""Helpers for labels, inputs and the data of a step, with Keras's names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain import config
from gputrain.errors import explain


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[Any]:
    """Turn class indices into one-hot rows.

    Args:
        x: integers from 0 to num_classes - 1, shape (...); a last axis of length 1 is dropped.
        num_classes: number of classes; None is the largest index plus one.

    Returns:
        Array of dtype `config.floatx()`, shape (..., num_classes).

    Raises:
        ValueError: values that are no integers, or an index below 0 or not below num_classes.

    Example:
        >>> to_categorical([0, 2], num_classes=3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = _class_indices(x)
    classes = int(labels.max(initial=-1)) + 1 if num_classes is None else int(num_classes)
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        raise ValueError(
            f"to_categorical: class indices must be from 0 to num_classes - 1 = {classes - 1}. Received "
            f"{int(wrong.sum())} outside, the first {int(labels[wrong].flat[0])}. "
            f"Count classes from 0, or raise num_classes."
        )
    out = np.zeros((labels.size, classes), config.floatx())
    out[np.arange(labels.size), labels.ravel()] = 1.0
    return out.reshape(*labels.shape, classes)


def normalize(x: Any, axis: int = -1, order: int | float = 2) -> NDArray[Any]:
    """Scale vectors along `axis` to length 1; vectors of length 0 stay as they are.

    Args:
        x: numbers, shape (..., n, ...).
        axis: the axis along which lengths are measured.
        order: which norm, as in `numpy.linalg.norm`.

    Returns:
        Array of the shape of `x`; float dtypes stay, others become `config.floatx()`.

    Example:
        >>> normalize([[3.0, 4.0]]).tolist()
        [[0.6, 0.8]]
    """
    values = np.atleast_1d(np.asarray(x))
    if values.dtype.kind != "f":
        values = values.astype(config.floatx())
    lengths = np.linalg.norm(values, order, axis, keepdims=True)
    scaled: NDArray[Any] = values / np.where(lengths == 0, np.ones_like(lengths), lengths)
    return scaled


def set_random_seed(seed: int) -> None:
    """Set the one seed that initial weights, shuffles, dropout and augmentation are drawn from.

    Python's and NumPy's own generators are left alone: nothing here uses them.

    Args:
        seed: an integer from 0 to 2**64 - 1.

    Raises:
        ValueError: anything else.
    """
    config.set_seed(seed)


def _class_indices(x: Any) -> NDArray[np.int64]:
    values = np.asarray(x)
    if values.dtype.kind in "OU" and all(str(value).isdecimal() for value in values.flat):
        values = values.astype(np.int64)
    if values.ndim > 1 and values.shape[-1] == 1:
        values = values.reshape(values.shape[:-1])
    kind = values.dtype.kind
    if not (kind in "iub" or (kind == "f" and bool((values == np.rint(values)).all()))):
        raise ValueError(
            f"to_categorical: class indices must be whole numbers. Received dtype {values.dtype}. "
            f"Turn names into indices first, as numpy.unique(names, return_inverse=True)[1] does."
        )
    return values.astype(np.int64)


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """What a `train_step` gets: x, (x, y) or (x, y, sample_weight); (x,) for a list or tuple of inputs alone.

    Weights without targets are left out, as in Keras.

    Args:
        x, y, sample_weight: values, or structures of them.

    Example:
        >>> pack_x_y_sample_weight([1, 2])
        ([1, 2],)
    """
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of what a `train_step` got, None for what is not there.

    Args:
        data: x, or a tuple or list of x, y and sample_weight, or of the first of them.

    Raises:
        ValueError: there are more.

    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, list | tuple) else (data,)
    if not 1 <= len(parts) <= 3:
        rule = "Data of a step is x, (x, y) or (x, y, sample_weight)."
        raise ValueError(explain(rule, received=f"{len(parts)} parts"))
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight


class PyDataset:
    """Batches by number: subclass it, with `__getitem__` and `__len__`.

    Args:
        workers: threads that call `__getitem__`; up to 1, batches are made one after the other.
        use_multiprocessing: refused; threads make the batches.
        max_queue_size: batches that are made ahead at most, with several workers.

    Raises:
        ValueError: use_multiprocessing, or a number that is no int of at least 0.

    Example:
        >>> class Halves(PyDataset):
        ...     def __len__(self):
        ...         return 2
        ...     def __getitem__(self, index):
        ...         return x[index::2], y[index::2]
        >>> model.fit(Halves(), epochs=2)
    """

    workers, use_multiprocessing, max_queue_size = 1, False, 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        if use_multiprocessing:
            rule = f"{type(self).__name__}: use_multiprocessing cannot be honoured, threads make the batches."
            raise ValueError(explain(rule, received=True, fix="Leave it out, and give workers=4, say."))
        for name, value in (("workers", workers), ("max_queue_size", max_queue_size)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                rule = f"{type(self).__name__}: {name} must be an int of at least 0."
                raise ValueError(explain(rule, received=repr(value)))
        self.workers, self.max_queue_size = workers, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """The batch of a number: x, (x, y) or (x, y, sample_weight)."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index).")

    def __iter__(self) -> Iterator[Any]:
        """The batches in order; without end where there is no number of them."""
        count = self.num_batches
        return map(self.__getitem__, itertools.count() if count is None else range(count))

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; a subclass may say None for no end of them."""
        if not hasattr(self, "__len__"):
            raise NotImplementedError(f"{type(self).__name__} must define __len__(self), or num_batches.")
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch, and each pass of one that has several."""

    def on_epoch_end(self) -> None:
        """Called after each epoch, and each pass of one that has several."""


Sequence = PyDataset  # its name in Keras 2
