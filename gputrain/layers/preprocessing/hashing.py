"""Buckets for categories without a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import config, ops
from gputrain.data.arrays import on_host
from gputrain.errors import DataError, DTypeError, ShapeError, explain
from gputrain.ir import dtype_name
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.layers.preprocessing.data_layer import (
    HostLayer,
    as_numbers,
    as_text,
    as_whole_numbers,
    encoded_rows,
    no_sparse,
)
from gputrain.layers.preprocessing.fingerprints import CROSS_START, fingerprints, joined
from gputrain.layers.preprocessing.lookup import buckets, salt

_ROWS = ("one_hot", "multi_hot", "count")


def _mode(*allowed: str) -> Any:
    return lambda value, where: arguments.one_of(value, allowed, where)


def _is_text(data: Any) -> bool:
    """Whether data is text, by its dtype or its first entry."""
    data = data.to_numpy() if hasattr(data, "to_numpy") else data
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return np.dtype(data.dtype).kind in "OSUT" if hasattr(data, "dtype") else isinstance(data, str | bytes)


def _kind(value: Any, where: str) -> str | None:
    return None if value is None else dtype_name(value)


class _Buckets(HostLayer):
    """Base of the layers that give out buckets."""

    begins_models = False
    num_bins: int
    output_mode: str
    _dtype: Any

    @property
    def dtype(self) -> str:
        """The dtype of the outputs."""
        return str(self._dtype)

    @dtype.setter
    def dtype(self, value: Any) -> None:
        if self.built:
            Layer.dtype.__set__(self, value)  # type: ignore[attr-defined]  # it refuses
        self._dtype = value

    def check_arguments(self) -> None:
        """Choose the dtype where none was given."""
        self.built = True
        if self._dtype is None:
            self._dtype = "int64" if self.output_mode == "int" else config.floatx()
        if self.output_mode == "int" and self.dtype not in ("int32", "int64"):
            raise DTypeError(
                explain(
                    f"{type(self).__name__}: numbers of buckets are int32 or int64.",
                    received=f"dtype={self.dtype!r}",
                    fix="Leave dtype out.",
                )
            )

    def given_out(self, numbers: np.ndarray) -> Any:
        """Numbers of buckets as output_mode has them."""
        if self.output_mode == "int":
            return ops.convert(numbers.astype(self.dtype))
        return ops.convert(encoded_rows(numbers, self.output_mode, self.num_bins, self.dtype))


@registry.add()
class Hashing(_Buckets):
    """The bucket of each category by a hash, in place of a vocabulary.

    Numbers are hashed as they are written, 12 as "12". Two categories may meet in one bucket. The buckets are
    those of Keras. The layer works on data, before a model.

    Args:
        num_bins: how many buckets there are.
        mask_value: what stands for nothing and goes to bucket 0, where then nothing else does.
        salt: key of SipHash, one int or two, which then hashes in place of FarmHash.
        output_mode: "int": the number of each bucket. "one_hot": (N, 1) to (N, num_bins). "multi_hot",
            "count": (N, n) to (N, num_bins), ones or numbers.
        sparse: of Keras; there are no sparse tensors.

    Shapes:
        any shape of text or whole numbers; int64 for "int", otherwise float32.

    Source:
        G. Pike, FarmHash, 2014; J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.

    Example:
        >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).tolist()
        [[1], [0], [1], [1], [2]]
    """

    num_bins: int = declared.argument(arguments.positive_int)
    mask_value: Any = declared.argument(default=None)
    salt: Any = declared.argument(salt, None)
    output_mode: str = declared.argument(_mode("int", *_ROWS), "int")
    sparse: bool = declared.argument(no_sparse, False)
    dtype: Any = declared.argument(_kind, None, shown=False)

    def of_data(self, inputs: Any) -> Any:
        """The buckets of categories."""
        values = as_text(inputs, self.name) if _is_text(inputs) else self._numbers(inputs)
        if self.output_mode == "one_hot" and values.ndim and values.shape[-1] == 1:
            values = values[..., 0]
        masks = self.mask_value is not None and self.num_bins > 1
        texts = list(map(str, values.ravel().tolist()))
        numbers = buckets(texts, self.num_bins - masks, self.salt).reshape(values.shape)
        if masks:
            numbers = np.where(values == self.mask_value, 0, numbers + 1)
        return self.given_out(numbers)

    def _numbers(self, inputs: Any) -> np.ndarray:
        """Numbers as int64, without fractions, as Keras has them."""
        array = np.asarray(on_host(as_numbers(inputs, self.name)))
        if not np.isfinite(array).all():
            rule = f"{self.name}: categories are finite numbers or text."
            raise DataError(explain(rule, received="NaN or infinity", fix="Give what is missing a category."))
        return array.astype(np.int64)


@registry.add()
class HashedCrossing(_Buckets):
    """The bucket of several categories together, by a hash.

    A model learns from it what holds for a combination, as of a city and a weekday. The buckets are those of
    Keras. The layer works on data, before a model.

    Args:
        num_bins: how many buckets there are.
        output_mode: "int": the number of each bucket; "one_hot": a row of `num_bins`.
        sparse: of Keras; there are no sparse tensors.

    Shapes:
        two or more inputs, all (), all (N,) or all (N, 1), of text or whole numbers; int64 for "int",
        otherwise float32.

    Raises:
        ShapeError: one input alone, or inputs of other shapes.

    Example:
        >>> cities, days = ["Rome", "Oslo", "Rome"], [1, 1, 2]
        >>> HashedCrossing(num_bins=5)((cities, days)).shape
        (3,)
    """

    num_bins: int = declared.argument(arguments.positive_int)
    output_mode: str = declared.argument(_mode("int", "one_hot"), "int")
    sparse: bool = declared.argument(no_sparse, False)
    name: Any = declared.handed_on()
    dtype: Any = declared.argument(_kind, None)

    def of_data(self, inputs: Any) -> Any:
        """The bucket of each row of the inputs."""
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            rule = f"{self.name}: it takes a list or tuple of at least two inputs."
            raise ShapeError(explain(rule, received=type(inputs).__name__, fix="Call layer((a, b))."))
        columns = [self._column(column) for column in inputs]
        shape = columns[0].shape
        if any(column.shape != shape for column in columns) or len(shape) > 2 or shape[1:] not in ((), (1,)):
            raise ShapeError(
                explain(
                    f"{self.name}: the inputs have one value for each sample.",
                    expected="(), (N,) or (N, 1), the same for all",
                    received=", ".join(str(column.shape) for column in columns),
                )
            )
        crossed = np.full(columns[0].size, CROSS_START, np.uint64)
        for column in columns:
            crossed = joined(crossed, _fingerprint(column.ravel()))
        numbers = (crossed % np.uint64(self.num_bins)).astype(np.int64).reshape(shape)
        return self.given_out(numbers)

    def _column(self, column: Any) -> np.ndarray:
        return as_text(column, self.name) if _is_text(column) else as_whole_numbers(column, self.name)


def _fingerprint(column: np.ndarray) -> np.ndarray:
    """Of each entry: that of a text, and a number as it is."""
    if column.dtype != object:
        return column.astype(np.uint64)
    return fingerprints([text.encode() for text in column.tolist()])
