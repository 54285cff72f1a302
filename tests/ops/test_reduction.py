"""Sums, extremes, positions and moments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain import backend
from gputrain.compiler import gradients
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Graph, Spec, Value
from gputrain.ops.reduction import Sum, SumTo
from gputrain.runtime import interpret
from gputrain.runtime.eager import run_once
from tests.on_device import hosts, put
from tests.tolerances import assert_close

RNG = np.random.default_rng(3)
X = RNG.uniform(-2, 2, (3, 4, 5)).astype("float32")

AXES = [None, 0, -1, 1, (0, 2), (-1, 0), (0, 1, 2), ()]
SAME = {  # functions NumPy has under the same name
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "amax": np.max,
    "amin": np.min,
    "prod": np.prod,
    "var": np.var,
    "std": np.std,
}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", SAME)
def test_axes(name: str, axis: Any, keepdims: bool) -> None:
    found = getattr(ops, name)(X, axis=axis, keepdims=keepdims)
    expected = SAME[name](X.astype("float64"), axis=axis, keepdims=keepdims)
    assert found.dtype == np.float32
    assert_close(found, expected, "float32")


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
def test_any_all_count_nonzero(axis: Any) -> None:
    x = np.round(X)
    assert_close(ops.any(x, axis), np.any(x, axis), "bool")
    assert_close(ops.all(x, axis, keepdims=True), np.all(x, axis, keepdims=True), "bool")
    count = ops.count_nonzero(x, axis)
    assert count.dtype == np.int32
    assert_close(count, np.count_nonzero(x, axis), "int32")


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions(name: str, axis: int | None, keepdims: bool) -> None:
    found = getattr(ops, name)(X, axis=axis, keepdims=keepdims)
    assert found.dtype == np.int32
    assert_close(found, getattr(np, name)(X, axis=axis, keepdims=keepdims), "int32")


def test_argmax_takes_the_first_of_equals_and_nan() -> None:
    assert ops.argmax(np.array([1.0, 3.0, 3.0])) == 1
    assert ops.argmax(np.array([1.0, np.nan, 9.0])) == 1
    assert math.isnan(ops.max(np.array([1.0, np.nan, 9.0])))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_logsumexp(axis: Any) -> None:
    large = X.astype("float64") * 400
    axes = tuple(range(3)) if axis is None else axis
    top = large.max(axes, keepdims=True)
    expected = (np.log(np.exp(large - top).sum(axes, keepdims=True)) + top).max(axes)
    assert_close(ops.logsumexp(large, axis), expected, "float64")
    assert ops.logsumexp(X, axis, keepdims=True).shape == np.sum(X, axis, keepdims=True).shape


def test_logsumexp_of_infinities() -> None:
    assert ops.logsumexp(np.array([-np.inf, 0.0])) == 0.0
    assert ops.logsumexp(np.array([np.inf, 0.0])) == np.inf


@pytest.mark.parametrize(
    "dtype, result",
    [
        ("bool", "int32"),
        ("int8", "int32"),
        ("int32", "int32"),
        ("int64", "int64"),
        ("uint8", "uint32"),
        ("float16", "float16"),
        ("float32", "float32"),
        ("float64", "float64"),
    ],
)
def test_sum_and_prod_dtypes(dtype: str, result: str) -> None:
    ones = np.ones((2, 3), dtype)
    assert ops.sum(ones).dtype == ops.prod(ones).dtype == result
    assert ops.sum(ones) == 6
    assert ops.max(ones).dtype == dtype


def test_mean_of_integers_is_a_float() -> None:
    assert ops.mean(np.array([1, 2])).dtype == np.float32
    assert ops.mean(np.array([1, 2])) == 1.5
    assert ops.mean([True, False]) == 0.5


def test_float16_is_added_up_in_float32() -> None:
    x = np.full(10000, 0.1, "float16")  # a running float16 sum sticks at 256
    assert ops.sum(x) == np.float16(np.float64(x).sum())
    y = np.full((4096, 4), 100, "float16")  # the sum is beyond float16, the mean is not
    np.testing.assert_array_equal(ops.mean(y, axis=0), np.full(4, 100, "float16"))
    np.testing.assert_array_equal(ops.mean(y, axis=1, keepdims=True), np.full((4096, 1), 100, "float16"))


def test_prod_in_a_given_dtype() -> None:
    assert ops.prod(np.array([200, 200], "uint8"), dtype="int64") == 40000


def test_initial_bounds_the_extreme() -> None:
    assert ops.max(X, initial=5.0) == 5.0
    assert ops.min(X, initial=-5.0) == -5.0
    assert_close(ops.max(X, axis=0, initial=0.5), np.maximum(X.max(0), 0.5), "float32")


def test_size_0() -> None:
    empty = np.zeros((0, 3), "float32")
    assert_close(ops.sum(empty, axis=0), np.zeros(3), "float32")
    assert_close(ops.prod(empty, axis=0), np.ones(3), "float32")
    assert ops.max(empty, axis=1).shape == (0,)
    for function in (ops.max, ops.mean, ops.min):
        with pytest.raises(
            ShapeError, match=r"no elements.*at least one element.*float32.0, 3.*came out empty"
        ):
            function(empty, axis=0)


def test_bad_axes() -> None:
    with pytest.raises(ShapeError, match=r"sum: axis must name a dimension. Expected: -3..2. Received: 3."):
        ops.sum(X, axis=3)
    with pytest.raises(ShapeError, match=r"an axis may be named once. Received: \(0, -3\)"):
        ops.sum(X, axis=(0, -3))
    with pytest.raises(ShapeError, match=r"argmax: axis must name a dimension"):
        ops.argmax(X, axis=5)


def test_wrong_dtypes() -> None:
    with pytest.raises(DTypeError, match=r"AnyTrue needs boolean input"):
        ops.base.apply(ops.AnyTrue((0,)), X)


@pytest.mark.parametrize("name", [*SAME, "logsumexp", "argmax", "argmin", "count_nonzero"])
def test_unknown_sizes(name: str) -> None:
    value = Value(Spec((None, 4, 5)))
    assert getattr(ops, name)(value, axis=0).shape == (4, 5)
    assert getattr(ops, name)(value, axis=1).shape == (None, 5)


@pytest.mark.parametrize("rows", [1, 127, 128, 129, 300, 1000])
@pytest.mark.parametrize("columns", [2, 3, 33])
def test_column_sums(rows: int, columns: int) -> None:
    """The gradient of a bias: all sizes around the blocks of the fast path."""
    x = RNG.standard_normal((rows, columns)).astype("float32")
    assert_close(ops.sum_to(x, (columns,)), x.astype("float64").sum(0), "float32")
    assert_close(ops.sum(x.reshape(rows, 1, columns), axis=(0, 1)), x.astype("float64").sum(0), "float32")


def test_long_column_sums_keep_their_digits() -> None:
    x = RNG.uniform(0, 1, (100_003, 4)).astype("float32")
    exact = x.astype("float64").sum(0)
    error = np.max(np.abs(ops.sum(x, axis=0) - exact) / exact)
    assert error < 1e-6
    assert error <= np.max(np.abs(np.sum(x, axis=0) - exact) / exact)


def test_column_sums_pass_on_nan_and_infinity() -> None:
    x = np.ones((300, 3), "float32")
    x[5, 0], x[6, 1] = np.nan, np.inf
    total = ops.sum(x, axis=0)
    assert math.isnan(total[0])
    assert total[1] == np.inf
    assert total[2] == 300


def test_sum_to() -> None:
    x = np.ones((2, 3, 4), "float32")
    assert ops.sum_to(x, (2, 3, 4)) is x
    assert_close(ops.sum_to(x, (3, 1)), np.full((3, 1), 8.0), "float32")
    with pytest.raises(ShapeError, match=r"sum_to: the shape must broadcast to the input's"):
        ops.sum_to(x, (5,))
    assert SumTo((4,)).infer(Spec((None, 4))).shape == (4,)


def gradient_of(function: Any, x: np.ndarray) -> np.ndarray:
    value = Value(Spec(x.shape, x.dtype.name))
    (found,) = gradients(function(value), [value])
    assert found is not None
    return np.asarray(interpret(Graph([value], [found]), [x])[0])


def test_equal_maxima_share_the_gradient() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0])
    assert gradient_of(ops.max, x).tolist() == [0, 0.5, 0.5, 0]
    assert gradient_of(ops.min, -x).tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize(
    "x, expected",
    [
        ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]),
        ([2.0, 0.0, 4.0], [0.0, 8.0, 0.0]),
        ([0.0, 0.0, 4.0], [0.0, 0.0, 0.0]),
    ],
)
def test_gradient_of_a_product_with_zeros(x: list[float], expected: list[float]) -> None:
    assert gradient_of(ops.prod, np.array(x)).tolist() == expected


def test_gradient_of_logsumexp_is_softmax() -> None:
    x = np.array([1.0, -2.0, 0.5])
    assert_close(gradient_of(ops.logsumexp, x), np.exp(x) / np.exp(x).sum(), "float64")


def test_gradient_of_var() -> None:
    x = RNG.standard_normal(7)
    assert_close(gradient_of(ops.var, x), 2 * (x - x.mean()) / 7, "float64")


def test_same_bits_each_time() -> None:
    x = RNG.standard_normal((1003, 7)).astype("float32")
    device = backend.current_device()
    first, second = (hosts(run_once(Sum((0,)), put([x]), device))[0] for _ in range(2))
    assert first.tobytes() == second.tobytes()
