"""Random arrays on the host, with Keras's names and arguments.

All draws are made in float64 and rounded to the dtype asked for. A `seed` that is an int gives the same
values at each call; a SeedGenerator gives new ones at each call; None takes the next draw of the global seed.

Inside a traced function (a model's call or train_step) `normal` and `uniform` become operations that draw
anew at each step; the others, which cannot, raise an error unless `seed` is an int.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import GraphError, explain
from gputrain.ir import Spec, Value, as_tensor, current_trace, interpreter
from gputrain.random.seeds import Draw, Seed, next_draw
from gputrain.utils.dtypes import as_dtype, as_float_dtype, as_number, as_shape
from gputrain.utils.philox import normal64, uniform64

Array = NDArray[Any]
Shape = int | tuple[int, ...] | list[int]


def normal(
    shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Seed = None
) -> Array:
    """Draw from the normal distribution.

    Args:
        shape: shape of the result.
        mean: mean of the distribution.
        stddev: its standard deviation.
        dtype: a float dtype; None is `config.floatx()`.
        seed: int, SeedGenerator or None.

    Returns:
        NumPy array of `shape` and `dtype`.

    Raises:
        ValueError: a dtype that is not a float type, a shape, stddev or seed out of range.

    Example:
        >>> normal((2, 3), stddev=0.05, seed=1).shape
        (2, 3)
    """
    dims, kind = as_shape(shape, "random.normal"), as_float_dtype(dtype, "random.normal")
    stddev = _deviation(stddev, "random.normal")
    if _drawn_each_step(seed):
        return Value.operators["random_normal"](dims, mean, stddev, kind.name, seed)
    if _only_shape(dims, kind):
        return _of_shape(dims, kind)
    values = standard_normal(next_draw(seed, "random.normal"), math.prod(dims))
    return _scaled(values, mean, stddev, dims, kind)


def uniform(
    shape: Shape, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Seed = None
) -> Array:
    """Draw from the uniform distribution over [minval, maxval).

    Args:
        shape: shape of the result.
        minval: lower bound, included.
        maxval: upper bound, not included (rounding to `dtype` may reach it).
        dtype: a float dtype; None is `config.floatx()`. For integers use `randint`.
        seed: int, SeedGenerator or None.

    Returns:
        NumPy array of `shape` and `dtype`.

    Raises:
        ValueError: a dtype that is not a float type, a shape or seed out of range.

    Example:
        >>> bool((uniform((100,), 2.0, 3.0, seed=1) >= 2.0).all())
        True
    """
    dims, kind = as_shape(shape, "random.uniform"), as_float_dtype(dtype, "random.uniform")
    if _drawn_each_step(seed):
        return Value.operators["random_uniform"](dims, minval, maxval, kind.name, seed)
    if _only_shape(dims, kind):
        return _of_shape(dims, kind)
    raw = next_draw(seed, "random.uniform").words(math.prod(dims))
    return _scaled(uniform64(raw), minval, maxval - minval, dims, kind)


def truncated_normal(
    shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Seed = None
) -> Array:
    """Draw from the normal distribution without what lies more than two standard deviations from the mean.

    Args:
        shape: shape of the result.
        mean: mean of the distribution.
        stddev: its standard deviation before truncation (after it, 0.8796 of that).
        dtype: a float dtype; None is `config.floatx()`.
        seed: int, SeedGenerator or None.

    Returns:
        NumPy array of `shape` and `dtype`.

    Raises:
        ValueError: a dtype that is not a float type, a shape or seed out of range.

    Example:
        >>> bool((abs(truncated_normal((100,), seed=1)) <= 2.0).all())
        True
    """
    where = "random.truncated_normal"
    _require_host(seed, where)
    dims, kind = as_shape(shape, where), as_float_dtype(dtype, where)
    stddev = _deviation(stddev, where)
    if _only_shape(dims, kind):
        return _of_shape(dims, kind)
    values = standard_truncated_normal(next_draw(seed, where), math.prod(dims))
    return _scaled(values, mean, stddev, dims, kind)


def randint(shape: Shape, minval: int, maxval: int, dtype: Any = "int32", seed: Seed = None) -> Array:
    """Draw integers evenly from minval to maxval - 1.

    Args:
        shape: shape of the result.
        minval: lower bound, included.
        maxval: upper bound, not included.
        dtype: an integer dtype that holds both.
        seed: int, SeedGenerator or None.

    Returns:
        NumPy array of `shape` and `dtype`.

    Raises:
        ValueError: an empty range, or a dtype that is no integer type or too narrow.

    Example:
        >>> sorted(set(randint((100,), 0, 3, seed=1).tolist()))
        [0, 1, 2]
    """
    _require_host(seed, "random.randint")
    dims, kind = as_shape(shape, "random.randint"), as_dtype(dtype, "random.randint")
    if kind.kind not in "iu":
        raise ValueError(f"random.randint: dtype must be an integer type. Received {dtype!r}.")
    limits = np.iinfo(kind)
    if not limits.min <= minval < maxval <= limits.max + 1:
        raise ValueError(
            f"random.randint: needs minval < maxval within {kind}, {limits.min} to {limits.max}. "
            f"Received minval={minval!r}, maxval={maxval!r}."
        )
    if _only_shape(dims, kind):
        return _of_shape(dims, kind)
    raw = next_draw(seed, "random.randint").words(math.prod(dims))
    offset = raw % np.uint64(maxval - minval) if maxval - minval < 2**64 else raw
    return as_tensor((offset + np.uint64(minval % 2**64)).astype(kind).reshape(dims))


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> Array:
    """Return a copy of `x` with its slices along `axis` in random order.

    Args:
        x: array of any dtype, shape (..., n, ...).
        axis: the axis to shuffle.
        seed: int, SeedGenerator or None.

    Returns:
        NumPy array of the shape and dtype of `x`.

    Example:
        >>> sorted(shuffle([1, 2, 3], seed=1).tolist())
        [1, 2, 3]
    """
    _require_host(seed, "random.shuffle")
    values = np.asarray(x)
    raw = next_draw(seed, "random.shuffle").words(values.shape[axis])
    return as_tensor(np.take(values, np.argsort(raw, kind="stable"), axis=axis))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Seed = None) -> Array:
    """Draw class indices with probabilities softmax(logits).

    Args:
        logits: shape (batch, classes), unnormalized log-probabilities.
        num_samples: draws per row.
        dtype: an integer dtype.
        seed: int, SeedGenerator or None.

    Returns:
        NumPy array, shape (batch, num_samples).

    Raises:
        ValueError: `logits` is not of two dimensions, or not finite anywhere in a row.

    Example:
        >>> categorical([[0.0, -1e9]], 3, seed=1).tolist()
        [[0, 0, 0]]
    """
    _require_host(seed, "random.categorical")
    scores, kind = np.asarray(logits, np.float64), as_dtype(dtype, "random.categorical")
    if scores.ndim != 2 or scores.shape[1] == 0 or not np.isfinite(scores.max(axis=1, initial=-np.inf)).all():
        raise ValueError(
            "random.categorical: logits must have shape (batch, classes), the largest of each row finite. "
            f"Received shape {scores.shape}."
        )
    bounds = np.cumsum(np.exp(scores - scores.max(axis=1, keepdims=True)), axis=1)  # (batch, classes)
    raw = next_draw(seed, "random.categorical").words(len(scores) * num_samples)
    points = uniform64(raw).reshape(len(scores), num_samples) * bounds[:, -1:]
    rows = [np.searchsorted(row, point, side="right") for row, point in zip(bounds, points, strict=True)]
    found: NDArray[np.int64] = np.array(rows, np.int64).reshape(points.shape)
    capped: NDArray[np.int64] = np.minimum(found, scores.shape[1] - 1)
    return as_tensor(capped.astype(kind))


def _drawn_each_step(seed: Seed) -> bool:
    """Whether a traced function asks for numbers that differ from step to step; an int names one draw."""
    return current_trace() is not None and not hasattr(seed, "__index__")


def _only_shape(dims: tuple[int, ...], kind: np.dtype[Any]) -> bool:
    """Whether nothing but the shape of such a draw is asked for, while a layer's shapes are found."""
    return interpreter.current().only_shape(Spec(dims, kind.name))


def _of_shape(dims: tuple[int, ...], kind: np.dtype[Any]) -> Any:
    return Value(Spec(dims, kind.name))


def _require_host(seed: Seed, where: str) -> None:
    """Refuse a draw that a traced function would make once, when it is traced, and repeat at every step."""
    if _drawn_each_step(seed):
        raise GraphError(
            explain(
                f"{where} draws on the host, so a traced function would repeat one draw at every step.",
                received="a call inside a model's call or train_step",
                fix="Use random.normal or random.uniform, which draw anew, or pass an int seed for one draw.",
            )
        )


def standard_normal(draw: Draw, count: int) -> NDArray[np.float64]:
    """Return the first `count` standard normals of `draw`, float64, shape (count,)."""
    return normal64(draw.words(count + count % 2))[:count]


def standard_truncated_normal(draw: Draw, count: int) -> NDArray[np.float64]:
    """Return the first `count` standard normals of `draw` within [-2, 2], float64, shape (count,).

    The result does not depend on how many words are looked at: 4.6 % are passed over, in order.
    """
    tried = count + count // 16 + 64
    while True:
        values = standard_normal(draw, tried)
        kept = values[np.abs(values) <= 2.0]
        if kept.size >= count:
            return kept[:count]
        tried *= 2


def _deviation(value: Any, where: str) -> Any:
    """A standard deviation; of a number it is known whether it is one."""
    is_number = isinstance(value, int | float | np.number)
    return as_number(value, f"{where}: stddev", least=0.0) if is_number else value


def _scaled(
    values: NDArray[np.float64], offset: float, scale: float, dims: tuple[int, ...], kind: np.dtype[Any]
) -> Array:
    values *= scale
    values += offset
    return as_tensor(values.reshape(dims).astype(kind, copy=False))
