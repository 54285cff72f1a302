"""Slices, gathers, scatters, one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.compiler import gradients
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Graph, Spec, Value
from gputrain.ops.base import apply
from gputrain.runtime import interpret
from tests.tolerances import assert_close

X = np.arange(60, dtype="float32").reshape(3, 4, 5)
KEYS = [
    0,
    -1,
    (1, 2, 3),
    slice(None),
    slice(1, None),
    (slice(None, None, -1), 2),
    (..., 0),
    (0, ..., slice(1, 3)),
    (None, 1),
    (slice(None), None, ..., None),
    (slice(5, 2), 0),
    (np.int64(2), slice(np.int32(1), None, 2)),
    (slice(-2, None), slice(-100, 100)),
    (),
    ...,
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_getitem(key: Any) -> None:
    np.testing.assert_array_equal(ops.getitem(X, key), X[key])


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_getitem_of_values(key: Any) -> None:
    value = Value(Spec(X.shape))
    part = value[key]
    assert part.shape == X[key].shape
    (result,) = interpret(Graph([value], [part]), [X])
    np.testing.assert_array_equal(result, X[key])


def test_getitem_of_unknown_sizes() -> None:
    x = Value(Spec((None, 4, None)))
    assert x[:, 0].shape == (None, None)
    assert x[0].shape == (4, None)
    assert x[::-1, 1:3].shape == (None, 2, None)
    assert x[1:].shape == (None, 4, None)
    assert x[..., -1].shape == (None, 4)


def test_iterating_a_value() -> None:
    parts = list(Value(Spec((3, 2))))
    assert [p.shape for p in parts] == [(2,)] * 3


def test_getitem_gathers_by_an_array() -> None:
    np.testing.assert_array_equal(ops.getitem(X, np.array([2, 0, 2])), X[[2, 0, 2]])
    np.testing.assert_array_equal(ops.getitem(X, [1, -1]), X[[1, -1]])


@pytest.mark.parametrize(
    "key, error, text",
    [
        (3, ShapeError, r"Index out of range along axis 0. Expected: -3..2. Received: 3"),
        ((0, -5), ShapeError, "Index out of range along axis 1"),
        ((0, 0, 0, 0), ShapeError, "Too many indices. Expected: at most 3"),
        ((..., 0, ...), ShapeError, "one ellipsis"),
        (slice(None, None, 0), ShapeError, "must not be 0"),
        (1.5, DTypeError, "known when the model is built.*Received: 1.5.*ops.take.*ops.where"),
        ((0, True), DTypeError, "known when the model is built"),
        (X > 3, DTypeError, r"An index that is an array must hold integers.*Of a mask, use ops\.where"),
    ],
    ids=str,
)
def test_getitem_refuses(key: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        ops.getitem(X, key)


def test_slice() -> None:
    np.testing.assert_array_equal(ops.slice(X, (1, 0, 2), (2, 3, 1)), X[1:3, 0:3, 2:3])
    with pytest.raises(ShapeError, match=r"one start and one size for each axis. Expected: 3 of each"):
        ops.slice(X, (1,), (2,))
    with pytest.raises(ShapeError, match=r"must lie inside axis 2.*start 4, size 2"):
        ops.slice(X, (0, 0, 4), (1, 1, 2))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [0, [2, 0, 2], [[1], [2]]])
def test_take(indices: Any, axis: int | None, dtype: str) -> None:
    where = np.array(indices, dtype)
    found = ops.take(X, where, axis=axis)
    np.testing.assert_array_equal(found, np.take(X, where, axis=axis))
    assert found.dtype == X.dtype


def test_take_counts_from_the_end() -> None:
    np.testing.assert_array_equal(ops.take(X, [-1, -3], axis=0), X[[-1, -3]])


def test_take_refuses() -> None:
    with pytest.raises(
        IndexError,
        match=r"take: indices must lie inside the axis. Expected: -3..2. Received: values from 0 to 3",
    ):
        ops.take(X, [0, 3], axis=0)
    with pytest.raises(IndexError, match=r"values from -4 to 0"):
        ops.take(Value(Spec((3, 4))), np.array([0, -4]), axis=0)
    with pytest.raises(DTypeError, match=r"indices must be integers.*ops.cast"):
        ops.base.apply(ops.Take(0), X, np.zeros(1, "float32"))
    with pytest.raises(ShapeError, match=r"axis 0 is empty"):
        ops.base.apply(ops.Take(0), np.zeros((0, 2)), np.zeros(1, "int32"))


def test_take_of_unknown_sizes() -> None:
    assert ops.take(Value(Spec((10, 4))), Value(Spec((None, 7), "int32")), axis=0).shape == (None, 7, 4)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_take_along_axis(axis: int) -> None:
    order = np.argsort(-X, axis=axis, kind="stable")
    np.testing.assert_array_equal(ops.take_along_axis(X, order, axis), np.take_along_axis(X, order, axis))
    first = np.argmax(X, axis=axis, keepdims=True).astype("int32")
    np.testing.assert_array_equal(ops.take_along_axis(X, first, axis), np.take_along_axis(X, first, axis))


def test_take_along_axis_broadcasts() -> None:
    indices = np.array([[[3], [0]]])
    np.testing.assert_array_equal(ops.take_along_axis(X, indices, 1), np.take_along_axis(X, indices, 1))
    flat = np.array([5, -1])
    np.testing.assert_array_equal(ops.take_along_axis(X, flat), np.take_along_axis(X, flat, None))
    with pytest.raises(IndexError, match=r"take_along_axis: indices must lie inside"):
        ops.take_along_axis(X, np.full((3, 4, 1), 5), 2)
    with pytest.raises(ShapeError, match=r"agree except along axis 2"):
        ops.take_along_axis(X, np.zeros((2, 4, 1), int), 2)


@pytest.mark.parametrize("width", [1, 7, 70, 20000])
def test_scatter_add_in_blocks(width: int) -> None:
    """Repeated indices, with rows narrower and wider than a block."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 5, 600 if width < 1000 else 8).astype("int32")
    ct = rng.standard_normal((len(rows), width)).astype("float32")
    expected = np.zeros((5, width))
    for row, line in zip(rows, ct, strict=True):
        expected[row] += line
    assert_close(apply(ops.ScatterAdd(0, 5), ct, rows), expected, "float32")


def test_float16_gradients_are_added_up_in_float32() -> None:
    ct = np.full((4000, 1), 0.1, "float16")
    zeros = np.zeros(4000, "int32")
    assert apply(ops.ScatterAdd(0, 1), ct, zeros)[0, 0] == np.float16(np.float64(ct).sum())
    assert apply(ops.ScatterAddAlongAxis(0, 1), ct, zeros[:, None])[0, 0] == np.float16(np.float64(ct).sum())


def test_gradient_of_an_embedding() -> None:
    table, ids = Value(Spec((4, 2), "float64")), Value(Spec((3,), "int32"))
    (found,) = gradients(ops.sum(ops.take(table, ids, axis=0)), [table])
    assert found is not None
    (result,) = interpret(Graph([table, ids], [found]), [np.zeros((4, 2)), np.array([1, 1, 3])])
    np.testing.assert_array_equal(result, [[0, 0], [2, 2], [0, 0], [1, 1]])


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
def test_one_hot(axis: int) -> None:
    labels = np.array([[0, 2], [1, 0]])
    expected = np.moveaxis(np.eye(3, dtype="float32")[labels], -1, axis)
    found = ops.one_hot(labels, 3, axis=axis)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


def test_one_hot_details() -> None:
    assert ops.one_hot(2, 4).tolist() == [0, 0, 1, 0]
    assert ops.one_hot([5, -1], 3, dtype="int32").tolist() == [[0, 0, 0], [0, 0, 0]]
    assert ops.one_hot(np.array([200], "uint8"), 201)[0, 200] == 1
    assert ops.one_hot(Value(Spec((None,), "int64")), 10).shape == (None, 10)
    assert ops.one_hot(np.zeros(0, int), 3).shape == (0, 3)
    with pytest.raises(ValueError, match=r"sparse arrays are not offered. Expected: sparse=False"):
        ops.one_hot([1], 3, sparse=True)
    assert ops.one_hot([0.9, 2.0, True], 3).argmax(1).tolist() == [0, 2, 1]
    with pytest.raises(ShapeError, match=r"num_classes must not be negative"):
        ops.one_hot([1], -1)
