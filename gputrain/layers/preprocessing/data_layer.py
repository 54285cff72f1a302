"""What the layers share that are called on data as it comes: lists, text, columns of tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.data.arrays import on_host
from gputrain.data.sources import is_iterator
from gputrain.errors import DataError, DTypeError, explain
from gputrain.ir import Value, current_trace
from gputrain.layers.base import Layer
from gputrain.utils import tree
from gputrain.utils.signatures import only_taken

OF_MODELS = (
    "Call the layer on the data before it goes to fit() or predict(): model.fit(layer(texts), y). "
    "A generator or a PyDataset calls it on each batch."
)


class DataLayer(Layer):
    """Base of layers that take lists, each as one array, and look at data before it is computed with."""

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """On data: `of_data`; on what stands for data in a model: `call`."""
        symbolic = any(isinstance(leaf, Value) for leaf in tree.flatten((inputs, args, kwargs)))
        if symbolic or current_trace() is not None:
            return super().__call__(inputs, *args, **kwargs)
        return self.of_data(inputs, *args, **kwargs)

    def of_data(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The outputs for data, outside of any model; by default those of `call`."""
        return super().__call__(as_numbers(inputs, self.name), *args, **kwargs)


class HostLayer(DataLayer):
    """Base of layers that work on the host, on data and not within models."""

    def call(self, inputs: Any) -> Any:
        """Refuse what stands for data in a model."""
        raise DTypeError(
            explain(f"{self.name}: text and hashes are made into numbers before a model.", fix=OF_MODELS)
        )


def no_sparse(value: Any, where: str) -> bool:
    """Refuse sparse outputs."""
    only_taken("sparse", value, where.partition(":")[0])
    return False


def batches(data: Any, steps: int | None = None) -> Iterator[Any]:
    """The batches of an iterator or of a sequence of batches, `steps` at most; an array as the only one.

    Of a batch that is a tuple (x, y) the first part is taken.
    """
    if not is_iterator(data):
        yield data
        return
    indexed = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    for batch in islice((data[i] for i in range(len(data))) if indexed else data, steps):
        yield batch[0] if isinstance(batch, tuple) and not isinstance(batch[0], str | bytes) else batch


def as_numbers(data: Any, where: str) -> np.ndarray:
    """Data as an array of numbers, on the device where it lies there.

    Raises:
        DataError: text, objects, or rows of different lengths.
    """
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    if hasattr(data, "dtype") and np.dtype(data.dtype).kind in "fiub":
        return data
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise DataError(explain(f"{where}: the rows have different lengths.", received=str(error))) from None
    if array.dtype.kind in "fiub":
        return array
    raise DataError(
        explain(
            f"{where} takes numbers.",
            received=_described(array),
            fix="StringLookup and TextVectorization make numbers of text.",
        )
    )


def as_whole_numbers(data: Any, where: str) -> np.ndarray:
    """Data as int64 numbers on the host.

    Raises:
        DataError: text, or numbers with fractions.
    """
    array = np.asarray(on_host(as_numbers(data, where)))
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.trunc(array))).all():
        wrong = array[~(np.isfinite(array) & (array == np.trunc(array)))]
        raise DataError(
            explain(
                f"{where} takes whole numbers.",
                received=f"{len(wrong)} others, the first {wrong[0]}",
                fix="Discretization makes whole numbers of others.",
            )
        )
    return array.astype(np.int64)


def as_text(data: Any, where: str, encoding: str = "utf-8") -> np.ndarray:
    """Data as an array of Python's strings (dtype object) on the host; bytes are decoded.

    Raises:
        DataError: numbers, missing entries, or rows of different lengths.
    """
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    array = data if isinstance(data, np.ndarray) else np.array(_plain(data), object)
    if array.dtype.kind not in "OSUT":
        raise DataError(
            explain(
                f"{where} takes text.",
                received=_described(array),
                fix='Give numbers to IntegerLookup, or make text of them: x.astype("str").',
            )
        )
    return _of_strings(array.astype(object), where, encoding)


def _plain(data: Any) -> Any:
    """Lists and tuples without arrays in them, a single text as it is."""
    if isinstance(data, list | tuple):
        return [_plain(each) for each in data]
    return data.tolist() if isinstance(data, np.ndarray) else data


def _of_strings(array: np.ndarray, where: str, encoding: str) -> np.ndarray:
    found = np.empty(array.shape, object)
    for i, item in enumerate(array.ravel().tolist()):
        if isinstance(item, bytes):
            item = item.decode(encoding)
        if not isinstance(item, str):
            raise DataError(_no_text(item, i, array.shape, where))
        found.flat[i] = item
    return found


def _no_text(item: Any, i: int, shape: tuple[int, ...], where: str) -> str:
    """What is wrong with an element of an array that should hold text."""
    place = tuple(map(int, np.unravel_index(i, shape))) if shape else ()
    if isinstance(item, list):
        fix = "Give each row as many, or join the words of a text by blanks and use TextVectorization."
        return explain(f"{where}: the rows have different lengths.", received=f"{item!r:.60}", fix=fix)
    missing = item is None or item != item
    return explain(
        f"{where} takes text.",
        received=f"{item!r:.60} of type {type(item).__name__} at index {place}",
        fix='Fill what is missing, as with "".' if missing else 'Make text of numbers: x.astype("str").',
    )


def _described(array: np.ndarray) -> str:
    first = array.ravel()[:1].tolist()[0] if array.size else ""
    return f"dtype {array.dtype}, shape {array.shape}, the first {first!r:.60}"


# ------------------------------------------------------------------------------------ encodings of categories


def encoded(indices: Any, mode: str, depth: int, dtype: str, weights: Any = None) -> Any:
    """Class indices as rows of `depth` numbers, in operations; indices outside 0..depth-1 count nowhere.

    Args:
        indices: (), (n,), (N, n) ...: the last axis is that of a sample.
        mode: "one_hot": (N, n) to (N, n, depth), (N, 1) to (N, depth); "multi_hot": ones at all classes of
            a sample, (..., n) to (..., depth); "count": how often each class is there.
        depth: how many classes there are.
        dtype: of the result.
        weights: for "count", what each index counts.
    """
    x = ops.convert(indices)
    x = ops.expand_dims(x, 0) if x.ndim == 0 else x
    if mode == "one_hot":
        x = ops.squeeze(x, -1) if x.ndim > 1 and x.shape[-1] == 1 else x
        return ops.one_hot(x, depth, dtype=dtype)
    hot = ops.one_hot(x, depth, dtype=dtype)
    if mode == "multi_hot":
        return ops.max(hot, axis=-2)
    if weights is not None:
        hot = ops.multiply(hot, ops.expand_dims(ops.cast(weights, dtype), -1))
    return ops.sum(hot, axis=-2)


def encoded_rows(indices: np.ndarray, mode: str, depth: int, dtype: Any) -> np.ndarray:
    """The same on the host, where text is; it needs no memory for (N, n, depth)."""
    x = indices.reshape(1) if indices.ndim == 0 else indices
    if mode == "one_hot":
        x = x if x.ndim > 1 and x.shape[-1] == 1 else x[..., None]
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    inside = (rows >= 0) & (rows < depth)
    places = (np.arange(len(rows))[:, None] * depth + rows)[inside]
    counts = np.bincount(places, minlength=len(rows) * depth)
    if mode != "count":
        counts = np.minimum(counts, 1)
    return counts.reshape(*x.shape[:-1], depth).astype(dtype)
