"""Functions of shapes and positions that are short compositions of other operations."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Value, as_tensor, dtype_name, normalize_axis
from gputrain.ir.spec import whole_number
from gputrain.ops.base import cast, convert, harmonize, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.choice import cond
from gputrain.ops.creation import ones_like, zeros, zeros_like
from gputrain.ops.elementwise import multiply, where
from gputrain.ops.indexing import getitem, one_hot, pad, take
from gputrain.ops.loop import scan
from gputrain.ops.movement import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    moveaxis,
    ravel,
    reshape,
    split,
    swapaxes,
)
from gputrain.ops.reduction import max as largest
from gputrain.ops.reduction import sum as total

__all__ = [
    "append",
    "array_split",
    "depth_to_space",
    "diag",
    "diagflat",
    "diagonal",
    "dsplit",
    "dstack",
    "dtype",
    "empty",
    "empty_like",
    "fliplr",
    "flipud",
    "fori_loop",
    "geomspace",
    "get_item",
    "hsplit",
    "hstack",
    "is_tensor",
    "linspace",
    "logspace",
    "map",
    "meshgrid",
    "multi_hot",
    "ndim",
    "rot90",
    "shape",
    "size",
    "slice_update",
    "space_to_depth",
    "switch",
    "trace",
    "tri",
    "tril",
    "triu",
    "vectorized_map",
    "vsplit",
    "vstack",
]


# ------------------------------------------------------------------------------------------- what an array is


def shape(x: Any) -> Shape:
    """The sizes of x, None where one is not known while a model is built."""
    return spec_of(convert(x)).shape


def ndim(x: Any) -> int:
    """How many dimensions x has."""
    return spec_of(convert(x)).ndim


def size(x: Any) -> Any:
    """How many elements x has: an int, or a value where a size is not known while a model is built."""
    x = convert(x)
    spec = spec_of(x)
    return spec.size if spec.static else total(ones_like(x, "int32"))


def dtype(x: Any) -> str:
    """The dtype of x, as "float32"."""
    return spec_of(convert(x)).dtype


def is_tensor(x: Any) -> bool:
    """Whether x is an array or a value, as operations return."""
    return isinstance(x, Value) or (hasattr(x, "shape") and hasattr(x, "dtype"))


# ----------------------------------------------------------------------------------------- joined and cut


def hstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along the second axis, or the first where they have one.

    Args:
        xs: arrays and values.
    """
    arrays = [_at_least(x, 1) for x in xs]
    return concatenate(arrays, 0 if ndim(arrays[0]) == 1 else 1)


def vstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along the first axis; those of one dimension are rows.

    Args:
        xs: arrays and values.
    """
    return concatenate([_at_least(x, 2) for x in xs], 0)


def dstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along the third axis, which is made where it lacks.

    Args:
        xs: arrays and values.
    """
    return concatenate([_at_least(x, 3) for x in xs], 2)


def _at_least(x: Any, dimensions: int) -> Any:
    """x with new axes as NumPy's atleast_1d, atleast_2d and atleast_3d put them."""
    x = convert(x)
    if ndim(x) == 0 and dimensions > 0:
        x = reshape(x, (1,))
    if ndim(x) == 1 and dimensions > 1:
        x = expand_dims(x, 0)
    return expand_dims(x, 2) if ndim(x) == 2 and dimensions > 2 else x


def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """x2 after x1 along `axis`; both flattened without one.

    Args:
        x1, x2: arrays or values.
        axis: the axis along which they are joined.
    """
    a, b = harmonize(x1, x2)
    return concatenate([ravel(a), ravel(b)]) if axis is None else concatenate([a, b], axis)


def array_split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut along `axis` as `split` does, into parts that differ by one where the number does not divide.

    Args:
        x: an array or value.
        indices_or_sections: an int for the number of parts, or the positions at which to cut.
        axis: the axis to cut along.
    """
    x = convert(x)
    if not isinstance(indices_or_sections, int | np.integer):
        return split(x, indices_or_sections, axis)
    length, parts = shape(x)[normalize_axis(axis, ndim(x), "array_split")], int(indices_or_sections)
    if length is None:
        return split(x, parts, axis)
    each, more = divmod(length, parts)
    sizes = [each + 1] * more + [each] * (parts - more)
    return split(x, [int(n) for n in np.cumsum(sizes)[:-1]], axis)


def hsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """x cut along the second axis, or the first where it has one.

    Args:
        x: an array or value.
        indices_or_sections: as for `split`.
    """
    return split(x, indices_or_sections, 0 if ndim(x) == 1 else 1)


def vsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """x cut along the first axis.

    Args:
        x: an array or value.
        indices_or_sections: as for `split`.
    """
    return split(x, indices_or_sections, 0)


def dsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """x cut along the third axis.

    Args:
        x: an array or value.
        indices_or_sections: as for `split`.
    """
    return split(x, indices_or_sections, 2)


# -------------------------------------------------------------------------------------- turned and rearranged


def fliplr(x: Any) -> Any:
    """x with the second axis reversed."""
    return flip(x, 1)


def flipud(x: Any) -> Any:
    """x with the first axis reversed."""
    return flip(x, 0)


def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """x turned by `k` quarters in the plane of two axes, from the first to the second.

    Args:
        array: an array or value of at least two dimensions.
        k: how many quarters.
        axes: the two axes.
    """
    first, second = axes
    match k % 4:
        case 0:
            return convert(array)
        case 1:
            return swapaxes(flip(array, second), first, second)
        case 2:
            return flip(flip(array, first), second)
    return flip(swapaxes(array, first, second), second)


def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels laid out as squares of pixels: (N, H, W, C) to (N, H * b, W * b, C / b ** 2).

    Args:
        x: images.
        block_size: b.
        data_format: where their channels are.
    """
    x = _channels_last(x, data_format)
    n, h, w, c = shape(x)
    b = int(block_size)
    if h is None or w is None or c is None or c % (b * b):
        rule = "depth_to_space needs known sizes, and channels that block_size ** 2 divides."
        raise ShapeError(explain(rule, received=spec_of(x)))
    blocks = moveaxis(reshape(x, (-1 if n is None else n, h, w, b, b, c // (b * b))), 3, 2)
    return _channels_back(reshape(blocks, (-1 if n is None else n, h * b, w * b, c // (b * b))), data_format)


def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Squares of pixels laid out as channels: (N, H, W, C) to (N, H / b, W / b, C * b ** 2).

    Args:
        x: images.
        block_size: b.
        data_format: where their channels are.
    """
    x = _channels_last(x, data_format)
    n, h, w, c = shape(x)
    b = int(block_size)
    if h is None or w is None or c is None or h % b or w % b:
        rule = "space_to_depth needs known sizes, and a height and a width that block_size divides."
        raise ShapeError(explain(rule, received=spec_of(x)))
    blocks = moveaxis(reshape(x, (-1 if n is None else n, h // b, b, w // b, b, c)), 2, 3)
    return _channels_back(reshape(blocks, (-1 if n is None else n, h // b, w // b, c * b * b)), data_format)


def _channels_last(x: Any, data_format: str) -> Any:
    if data_format not in (None, "channels_last", "channels_first"):
        known = "channels_last or channels_first"
        raise ValueError(explain("Unknown data_format.", expected=known, received=repr(data_format)))
    return moveaxis(x, 1, -1) if data_format == "channels_first" else convert(x)


def _channels_back(x: Any, data_format: str) -> Any:
    return moveaxis(x, -1, 1) if data_format == "channels_first" else x


# ------------------------------------------------------------------------------------ diagonals and triangles


def tri(N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> Any:
    """An N x M array of ones on and below the k-th diagonal, zeros elsewhere."""
    return as_tensor(np.tri(N, M, k, dtype=dtype_name(dtype or config.floatx())))


def tril(x: Any, k: int = 0) -> Any:
    """x with zeros above the k-th diagonal of its last two axes."""
    x = convert(x)
    return where(np.tri(*_last_two(x, "tril"), whole_number(k, "tril: k"), dtype=bool), x, zeros_like(x))


def triu(x: Any, k: int = 0) -> Any:
    """x with zeros below the k-th diagonal of its last two axes."""
    x = convert(x)
    return where(np.tri(*_last_two(x, "triu"), whole_number(k, "triu: k") - 1, dtype=bool), zeros_like(x), x)


def _last_two(x: Any, what: str) -> tuple[int, int]:
    rows, columns = (None, None) if ndim(x) < 2 else shape(x)[-2:]
    if rows is None or columns is None:
        raise ShapeError(
            explain(f"{what} needs two dimensions of known sizes at the end.", received=spec_of(x))
        )
    return rows, columns


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements of a diagonal of two axes, as a new last axis.

    Args:
        x: an array or value of at least two dimensions.
        offset: which diagonal: 0 the main one, above it positive numbers.
        axis1, axis2: the two axes.
    """
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = _last_two(x, "diagonal")
    length = builtins.max(0, min(rows + min(offset, 0), columns - builtins.max(offset, 0)))
    at = np.arange(length)
    first = take(x, at - min(offset, 0), axis=-2)
    wanted = np.arange(columns) == (at + builtins.max(offset, 0))[:, None]
    return total(where(wanted, first, zeros_like(first)), axis=-1)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal of two axes.

    Args:
        x, offset, axis1, axis2: as for `diagonal`.
    """
    return total(diagonal(x, offset, axis1, axis2), axis=-1)


def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or the matrix with a vector on its k-th diagonal."""
    x = convert(x)
    if ndim(x) == 2:
        return diagonal(x, k)
    if ndim(x) != 1 or shape(x)[0] is None:
        raise ShapeError(explain("diag takes a vector of known size or a matrix.", received=spec_of(x)))
    length = spec_of(x).dims[0]
    square = multiply(expand_dims(x, 1), np.eye(length, dtype=spec_of(x).dtype))
    above, below = builtins.max(k, 0), builtins.max(-k, 0)
    return pad(square, ((below, above), (above, below))) if k else square


def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix with all elements of x on its k-th diagonal."""
    return diag(ravel(x), k)


# ------------------------------------------------------------------------------------------------ new arrays


def empty(shape: int | Sequence[int], dtype: str | None = None) -> Any:
    """A new array; it holds zeros."""
    return zeros(shape, dtype)


def empty_like(x: Any, dtype: str | None = None) -> Any:
    """A new array in the shape of x; it holds zeros."""
    return zeros_like(x, dtype)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: str | None = None,
    axis: int = 0,
) -> Any:
    """Numbers at even distances.

    Args:
        start, stop: the ends: numbers or arrays.
        num: how many.
        endpoint: whether `stop` is the last one.
        retstep: whether to return the distance, too.
        dtype: of the result.
        axis: along which axis they lie where the ends are arrays.
    """
    numbers, step = np.linspace(
        start, stop, whole_number(num, "linspace: num"), endpoint, axis=axis, retstep=True
    )
    numbers = as_tensor(numbers.astype(dtype_name(dtype or config.floatx())))
    return (numbers, step) if retstep else numbers


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: str | None = None,
    axis: int = 0,
) -> Any:
    """base ** numbers at even distances.

    Args:
        start, stop, num, endpoint, dtype, axis: as for `linspace`.
        base: what is raised to them.
    """
    made = np.logspace(start, stop, num, endpoint, base, None, axis)
    return as_tensor(made.astype(dtype_name(dtype or config.floatx())))


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: str | None = None, axis: int = 0
) -> Any:
    """Numbers from `start` to `stop`, each the one before times the same factor.

    Args:
        start, stop, num, endpoint, dtype, axis: as for `linspace`.
    """
    made = np.geomspace(start, stop, num, endpoint, None, axis)
    return as_tensor(made.astype(dtype_name(dtype or config.floatx())))


def meshgrid(*x: Any, indexing: str = "xy") -> list[Any]:
    """The coordinates of a grid: an array for each axis.

    Args:
        x: the positions along each axis, of one dimension.
        indexing: "xy" has the second axis first, as pictures are drawn; "ij" keeps the order.

    Raises:
        ValueError: another indexing.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(explain("meshgrid: unknown indexing.", expected='"xy" or "ij"', received=indexing))
    axes = [reshape(one, (-1,)) for one in x]
    lengths = [spec_of(one).dims[0] for one in axes]
    made = []
    for i, one in enumerate(axes):
        place = [1] * len(axes)
        place[i] = lengths[i]
        grid = broadcast_to(reshape(one, place), lengths)
        made.append(swapaxes(grid, 0, 1) if indexing == "xy" and len(axes) > 1 else grid)
    return made


def multi_hot(
    inputs: Any,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: str | None = None,
    sparse: bool = False,
) -> Any:
    """Ones at the given classes: (..., n) class indices to (..., num_classes).

    Args:
        inputs: class indices.
        num_classes: how many classes there are.
        axis: where the classes stand in the result.
        dtype: of the result.
        sparse: as in Keras; there are no sparse tensors, so only False is taken.

    Raises:
        ValueError: no num_classes.
    """
    if num_classes is None:
        raise ValueError("multi_hot needs num_classes.")
    x = convert(inputs)
    reduced = 1 if ndim(x) > 1 else 0
    return largest(one_hot(x, num_classes, axis, dtype, sparse), axis=reduced)


# ----------------------------------------------------------------------------------------- parts and loops


def get_item(x: Any, key: Any) -> Any:
    """x[key].

    Args:
        x: an array or value.
        key: as between brackets.
    """
    return getitem(convert(x), key)


def slice_update(inputs: Any, start_indices: Sequence[int], updates: Any) -> Any:
    """`inputs` with the part at `start_indices` replaced by `updates`.

    Args:
        inputs: an array or value of known sizes.
        start_indices: Python integers, one for each axis.
        updates: of as many dimensions, not larger.

    Raises:
        ShapeError: the part does not lie inside.
    """
    x, new = convert(inputs), cast(updates, dtype(inputs))
    starts = [int(i) for i in start_indices]
    outer, inner = spec_of(x).dims, spec_of(new).dims
    fits = len(starts) == len(outer) == len(inner) and all(
        a >= 0 and a + n <= m for a, n, m in zip(starts, inner, outer, strict=False)
    )
    if not fits:
        raise ShapeError(
            explain(
                "slice_update: the part must lie inside.",
                expected=f"starts and sizes within {outer}",
                received=f"start_indices={tuple(starts)}, updates of {inner}",
            )
        )
    borders = [(a, m - a - n) for a, n, m in zip(starts, inner, outer, strict=True)]
    here = np.pad(np.ones(inner, bool), borders) if borders else np.ones((), bool)
    return where(here, pad(new, borders) if borders else new, x)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of each slice along the first axis, stacked.

    Args:
        f: takes a slice of each array of `xs`, in their structure.
        xs: an array or value, or a structure of them.
    """
    return scan(lambda carry, x: (carry, f(x)), None, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """The same as `map`.

    Args:
        function: takes a slice of each array of `elements`, in their structure.
        elements: an array or value, or a structure of them.
    """
    return map(function, elements)


def fori_loop(lower: int, upper: int, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """val = body_fun(i, val) for i from `lower` up to, not including, `upper`.

    Args:
        lower, upper: Python integers.
        body_fun: function of (i, val) that returns the next val, in the same shapes and dtypes.
        init_val: the first val: a value or a structure of values.
    """
    steps = np.arange(int(lower), int(upper), dtype="int32")
    return scan(lambda val, i: (body_fun(i, val), None), init_val, steps)[0] if len(steps) else init_val


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """The branch of a number, called on the operands; only that one is computed.

    Args:
        index: one integer, an array or a value; one outside counts as the nearest.
        branches: functions that return values of the same shapes and dtypes.
        operands: what they are called with.
    """
    index = convert(index)
    if not isinstance(index, Value):
        place = builtins.max(0, min(int(index), len(branches) - 1))
        return branches[place](*operands)
    if len(branches) == 1:
        return branches[0](*operands)
    first, *rest = branches
    return cond(index <= 0, lambda: first(*operands), lambda: switch(index - 1, rest, *operands))


keep_calls(globals(), __all__)
