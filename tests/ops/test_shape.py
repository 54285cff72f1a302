"""Reshaping, reordering, joining, cutting and filling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain import config
from gputrain.compiler import gradients
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Graph, Spec, Value
from gputrain.runtime import interpret

X = np.arange(24, dtype="float32").reshape(2, 3, 4)


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.asarray(expected).dtype


def unknown(*shape: int | None) -> Value:
    return Value(Spec(shape))


# -------------------------------------------------------------------------------------------------- reshape


@pytest.mark.parametrize("shape", [(4, 6), (-1,), -1, 24, (2, -1), (2, 3, 4, 1), [3, 8], (np.int64(4), 6)])
def test_reshape(shape: Any) -> None:
    same(ops.reshape(X, shape), X.reshape(shape))


@pytest.mark.parametrize(
    "given, target, expected",
    [
        ((None, 3, 4), (-1, 12), (None, 12)),
        ((None, 3, 4), (None, 12), (None, 12)),
        ((None, 3, 4), (None, -1, 2), (None, 6, 2)),
        ((None, None, 6), (None, None, 2, 3), (None, None, 2, 3)),
        ((None, None, 6), (None, -1), (None, None)),
        ((None, 4), (5, 4), (5, 4)),
        ((None, 4), (-1,), (None,)),
        ((2, 3, 4), (None, 12), (2, 12)),
        ((None, 6), (None, 2, 3), (None, 2, 3)),
        ((0, 3), (-1, 3), (0, 3)),
    ],
)
def test_reshape_with_unknown_sizes(given: Any, target: Any, expected: Any) -> None:
    assert ops.reshape(unknown(*given), target).shape == expected


@pytest.mark.parametrize(
    "given, target, text",
    [
        (
            (2, 3),
            (4, 2),
            r"number of elements must stay the same. Expected: 6 elements. Received: float32\[2, 3\]",
        ),
        ((2, 3), (-1, 4), "number of elements must stay the same.*Use -1"),
        ((None, 6), (None, 4), "number of elements must stay the same"),
        ((2, 3), (-1, -1), "one of them may be -1"),
        ((2, 3), (-2, 3), "sizes are at least 0"),
        ((6,), (2, None), "None keeps the input's size at that position.*Use -1"),
        ((0, 3), (0, -1), "number of elements"),
    ],
)
def test_reshape_refuses(given: Any, target: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        ops.reshape(unknown(*given), target)


def test_reshape_of_a_strided_array() -> None:
    same(ops.reshape(X.T, (6, 4)), X.T.reshape(6, 4))


@pytest.mark.parametrize("axis", [0, -1, 2, (0, 1), (-1, 1), (0, -1)])
def test_expand_dims(axis: Any) -> None:
    same(ops.expand_dims(X, axis), np.expand_dims(X, axis))
    squeezed = ops.squeeze(np.expand_dims(X, axis), axis)
    same(squeezed, X)


def test_squeeze() -> None:
    same(ops.squeeze(X[:1, :, :1]), X[0, :, 0])
    assert ops.squeeze(unknown(None, 1, 3), 1).shape == (None, 3)
    assert ops.squeeze(unknown(None, 1, 3)).shape == (None, 3)
    with pytest.raises(
        ShapeError, match=r"only axes of size 1 can be removed. Received: axis 1 of float32\[2, 3, 4\]"
    ):
        ops.squeeze(X, 1)
    with pytest.raises(
        ShapeError, match=r"squeeze: axis must name a dimension. Expected: -3..2. Received: 3"
    ):
        ops.squeeze(X, 3)


@pytest.mark.parametrize("axes", [None, (0, 1, 2), (2, 0, 1), (-1, 0, 1)])
def test_transpose(axes: Any) -> None:
    same(ops.transpose(X, axes), np.transpose(X, axes))


def test_transpose_refuses() -> None:
    with pytest.raises(ShapeError, match=r"axes must name each dimension once. Expected: an order of 0..2"):
        ops.transpose(X, (0, 0, 1))
    with pytest.raises(ShapeError, match=r"axes must name each dimension once"):
        ops.transpose(X, (1, 0))


@pytest.mark.parametrize("source, target", [(0, -1), (2, 0), ((0, 1), (2, 0)), ((0, 2), (1, 0)), (1, 1)])
def test_moveaxis(source: Any, target: Any) -> None:
    same(ops.moveaxis(X, source, target), np.moveaxis(X, source, target))


def test_swapaxes_ravel_flip() -> None:
    same(ops.swapaxes(X, 0, -1), np.swapaxes(X, 0, -1))
    same(ops.ravel(X), X.ravel())
    for axis in (None, 0, (0, -1)):
        same(ops.flip(X, axis), np.flip(X, axis))
    with pytest.raises(ShapeError, match=r"as many destinations"):
        ops.moveaxis(X, (0, 1), 2)


def test_broadcast_to() -> None:
    same(ops.broadcast_to(X[:, :1], (5, 2, 3, 4)), np.broadcast_to(X[:, :1], (5, 2, 3, 4)))
    assert ops.broadcast_to(unknown(None, 1), (None, 7)).shape == (None, 7)
    with pytest.raises(
        ShapeError, match=r"sizes must be equal or 1.*broadcasts to \(2, 5\).*ops.expand_dims"
    ):
        ops.broadcast_to(np.ones((2, 3)), (2, 5))
    with pytest.raises(ShapeError, match=r"broadcast_to"):
        ops.broadcast_to(np.ones((2, 3)), (3,))


# ----------------------------------------------------------------------------------------- joining, cutting


def test_concatenate() -> None:
    for axis in (0, 1, -1):
        same(ops.concatenate([X, X + 1], axis), np.concatenate([X, X + 1], axis))
    assert ops.concatenate([unknown(None, 3), unknown(None, 2)], 1).shape == (None, 5)
    assert ops.concatenate([unknown(None, 3), unknown(4, 3)], 0).shape == (None, 3)
    assert ops.concatenate([unknown(None, 3), unknown(4, 3)], 1).shape == (4, 6)
    mixed = ops.concatenate([np.ones(2, "int32"), np.ones(2, "float64")])
    assert mixed.dtype == np.float64


def test_concatenate_refuses() -> None:
    with pytest.raises(ShapeError, match=r"agree except along axis 0. Received: \(2, 3\), \(2, 4\)"):
        ops.concatenate([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ShapeError, match=r"at least one array"):
        ops.concatenate([])
    with pytest.raises(ShapeError, match=r"agree except along axis"):
        ops.concatenate([np.ones((2, 3)), np.ones(3)])
    with pytest.raises(DTypeError, match=r"one dtype"):
        ops.base.apply(ops.Concatenate(0), np.ones(2, "float32"), np.ones(2, "int32"))


def test_stack_and_unstack() -> None:
    for axis in (0, 1, -1):
        same(ops.stack([X, X + 1], axis), np.stack([X, X + 1], axis))
        parts = ops.unstack(X, axis=axis)
        for part, expected in zip(parts, np.moveaxis(X, axis, 0), strict=True):
            same(part, expected)
    assert ops.unstack(np.ones((0, 3))) == []
    with pytest.raises(ShapeError, match=r"unstack needs to know the size.*Pass num"):
        ops.unstack(unknown(None, 2))


@pytest.mark.parametrize("sections, axis", [(3, 1), ([1, 3], -1), (1, 0), ([], 0), ([0, 2], 0), (2, 0)])
def test_split(sections: Any, axis: int) -> None:
    parts, expected = ops.split(X, sections, axis), np.split(X, sections, axis)
    assert isinstance(parts, list)
    for part, other in zip(parts, expected, strict=True):
        same(part, other)


def test_split_refuses() -> None:
    with pytest.raises(
        ShapeError, match=r"must divide the size.*2 parts of axis 1 of float32\[2, 3, 4\].*list of indices"
    ):
        ops.split(X, 2, 1)
    with pytest.raises(ShapeError, match=r"indices must rise"):
        ops.split(X, [2, 1], 1)
    with pytest.raises(ShapeError, match=r"indices must rise"):
        ops.split(X, [4], 1)
    assert [p.shape for p in ops.split(unknown(None, 4), 2, 0)] == [(None, 4)] * 2
    assert [p.shape for p in ops.split(unknown(None, 4), [3], 0)] == [(3, 4), (None, 4)]


def test_gradient_of_split_with_an_unused_part() -> None:
    x = Value(Spec((5,), "float64"))
    (found,) = gradients(ops.sum(ops.square(ops.split(x, [2, 3])[2])), [x])
    assert found is not None
    (result,) = interpret(Graph([x], [found]), [np.arange(5.0)])
    np.testing.assert_array_equal(result, [0, 0, 0, 6, 8])


# ------------------------------------------------------------------------------------------ padding, repeats


@pytest.mark.parametrize("width", [1, (1, 2), ((1, 2),), ((0, 1), (2, 0), (1, 1)), [[0, 0], [0, 0], [3, 0]]])
def test_pad(width: Any) -> None:
    same(ops.pad(X, width), np.pad(X, width))
    same(ops.pad(X, width, constant_values=-1.5), np.pad(X, width, constant_values=-1.5))


def test_pad_refuses() -> None:
    with pytest.raises(ValueError, match=r"pad: unknown mode.*'refelct'.*Did you mean 'reflect'"):
        ops.pad(X, 1, mode="refelct")
    with pytest.raises(ValueError, match=r"constant_values is for mode=.constant.*2\.0 with mode='edge'"):
        ops.pad(X, 1, mode="edge", constant_values=2.0)
    with pytest.raises(ShapeError, match=r"not negative.*Crop with a slice"):
        ops.pad(X, -1)
    with pytest.raises(ShapeError, match=r"a pair for each axis. Expected: 3 pairs"):
        ops.pad(X, ((1, 1), (2, 2)))
    with pytest.raises(ShapeError, match=r"pairs of integers"):
        ops.pad(X, 1.5)
    assert ops.pad(unknown(None, 3), 1).shape == (None, 5)


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "edge"])
def test_pad_modes(mode: Any) -> None:
    same(ops.pad(X, ((1, 1), (0, 2), (5, 0)), mode=mode), np.pad(X, ((1, 1), (0, 2), (5, 0)), mode))
    assert ops.pad(unknown(None, 3), ((0, 0), (1, 2)), mode=mode).shape == (None, 6)


@pytest.mark.parametrize("repeats", [2, (1, 2, 1), (2, 1, 1, 3), (3,), (0, 1, 1), (2, 1)])
def test_tile(repeats: Any) -> None:
    same(ops.tile(X, repeats), np.tile(X, repeats))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_repeat(repeats: int, axis: int | None) -> None:
    same(ops.repeat(X, repeats, axis), np.repeat(X, repeats, axis))


def test_repeats_of_unknown_sizes() -> None:
    assert ops.tile(unknown(None, 4), (1, 3)).shape == (None, 12)
    assert ops.tile(unknown(None, 4), (2, 1)).shape == (None, 4)
    assert ops.repeat(unknown(None, 4), 3, axis=1).shape == (None, 12)
    assert ops.repeat(unknown(None, 4), 3, axis=0).shape == (None, 4)
    assert ops.repeat(unknown(2, None), 3, axis=0).shape == (6, None)
    with pytest.raises(ShapeError, match=r"one number of repeats.*ops.take"):
        ops.repeat(X, [1, 2], axis=0)
    with pytest.raises(ShapeError, match=r"must not be negative"):
        ops.tile(X, -1)


@pytest.mark.parametrize("shift, axis", [(1, 0), (-5, 1), (7, None), ((1, 2), (0, 2)), (2, (0, 1)), (0, 0)])
def test_roll(shift: Any, axis: Any) -> None:
    same(ops.roll(X, shift, axis), np.roll(X, shift, axis))


# -------------------------------------------------------------------------------------------------- filling


def test_filled_arrays() -> None:
    same(ops.zeros((2, 3)), np.zeros((2, 3), "float32"))
    same(ops.ones(3, "int32"), np.ones(3, "int32"))
    same(ops.full((2, 1), 1.5), np.full((2, 1), 1.5, "float32"))
    same(ops.full((2, 3), [1, 2, 3], "int64"), np.array([[1, 2, 3]] * 2))
    same(ops.eye(2, 3, 1), np.eye(2, 3, 1, "float32"))
    same(ops.identity(2, "bool"), np.identity(2, "bool"))
    assert ops.zeros(()).shape == ()
    with pytest.raises(ShapeError, match=r"zeros needs|full needs a shape of known sizes.*zeros_like"):
        ops.zeros((None, 3))
    with pytest.raises(ShapeError, match=r"known sizes, at least 0"):
        ops.ones(-1)


@pytest.mark.parametrize("args", [(3,), (1, 4), (0, 10, 3), (5, 0, -2), (0, 1, 0.25), (3.0,)])
def test_arange(args: Any) -> None:
    whole = all(isinstance(a, int) for a in args)
    same(ops.arange(*args), np.arange(*args).astype("int32" if whole else "float32"))
    assert ops.arange(3, dtype="float64").dtype == np.float64


def test_default_dtype_follows_floatx() -> None:
    config.set_floatx("float64")
    try:
        assert ops.zeros(2).dtype == np.float64
        assert ops.eye(2).dtype == np.float64
    finally:
        config.set_floatx("float32")


def test_likes_of_arrays() -> None:
    same(ops.zeros_like(X), np.zeros_like(X))
    same(ops.ones_like(X, dtype="int32"), np.ones_like(X, dtype="int32"))
    same(ops.full_like(np.ones(2, "int32"), 7), np.full(2, 7, "int32"))


@pytest.mark.parametrize("shape", [(2, 3), (None, 3)])
def test_likes_of_values(shape: Any) -> None:
    x = unknown(*shape)
    like = ops.full_like(x, 2.5)
    assert (like.shape, like.dtype) == (shape, "float32")
    graph_input = Value(Spec((2, 3)))
    (result,) = interpret(Graph([graph_input], [ops.full_like(graph_input, 2.5)]), [np.zeros((2, 3))])
    same(result, np.full((2, 3), 2.5, "float32"))


def test_a_filled_value_does_not_keep_the_other_alive() -> None:
    x = Value(Spec((2, 3)))
    graph = Graph([x], [ops.zeros_like(x)])
    assert x not in graph.consumers()


def test_lists_and_numbers_become_arrays() -> None:
    same(ops.reshape([1.0, 2.0], (2, 1)), np.array([[1.0], [2.0]], "float32"))
    same(ops.expand_dims(3, 0), np.array([3], "int32"))
    same(ops.concatenate([[1, 2], [3]]), np.array([1, 2, 3], "int32"))


@pytest.mark.parametrize("function", [ops.repeat, ops.tile])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "shape", [(None, None, None, 3), (2, None, None, 3), (2, 3, None, 3), (None, 3, 2, None)]
)
def test_repeats_before_unknown_sizes(function: Any, axis: int, shape: tuple[int | None, ...]) -> None:
    repeats = [2 if i == axis else 1 for i in range(4)] if function is ops.tile else 2
    more = {} if function is ops.tile else {"axis": axis}
    expected = tuple(2 * n if i == axis and n is not None else n for i, n in enumerate(shape))
    assert function(unknown(*shape), repeats, **more).shape == expected
