"""batch_normalization, layer_normalization and normalize: values by hand, several axes, float16, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import ops
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Spec, Value
from tests.tolerances import assert_close

X = np.random.default_rng(0).normal(2.0, 3.0, (4, 3, 5))


@pytest.mark.parametrize("axis", [-1, 0, 1, (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_layer_normalization(axis: Any, weighted: bool) -> None:
    axes = (axis,) if isinstance(axis, int) else axis
    sizes = tuple(X.shape[a] for a in axes)
    gamma = np.random.default_rng(1).normal(size=sizes) if weighted else None
    beta = np.random.default_rng(2).normal(size=sizes) if weighted else None
    expected = (X - X.mean(axes, keepdims=True)) / np.sqrt(X.var(axes, keepdims=True) + 1e-3)
    if weighted:
        form = [X.shape[i] if i in [a % 3 for a in axes] else 1 for i in range(3)]
        expected = expected * np.reshape(gamma, form) + np.reshape(beta, form)
    assert_close(ops.layer_normalization(X, gamma, beta, axis, 1e-3), expected, "float64")


def test_layer_normalization_of_an_unknown_batch() -> None:
    value = ops.layer_normalization(Value(Spec((None, 3, 5))), axis=(1, 2))
    assert value.shape == (None, 3, 5)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_batch_normalization(axis: int) -> None:
    size = X.shape[axis]
    mean, variance, offset, scale = np.random.default_rng(3).uniform(0.5, 2, (4, size))
    form = [size if i == axis % 3 else 1 for i in range(3)]
    expected = (X - mean.reshape(form)) / np.sqrt(variance.reshape(form) + 1e-3)
    assert_close(ops.batch_normalization(X, mean, variance, axis), expected, "float64")
    expected = expected * scale.reshape(form) + offset.reshape(form)
    assert_close(ops.batch_normalization(X, mean, variance, axis, offset, scale), expected, "float64")


def test_float16_is_computed_in_float32() -> None:
    x = np.array([[300.0, 100.0] * 2000], "float16")
    found = ops.layer_normalization(x)
    assert found.dtype == "float16"
    np.testing.assert_allclose(np.abs(found), 1, rtol=2e-3)
    statistics = np.array([200.0], "float32"), np.array([1e4], "float32")
    np.testing.assert_allclose(np.abs(ops.batch_normalization(x.T, *statistics, -1)), 1, rtol=2e-3)


def test_errors() -> None:
    x, one = np.ones((4, 3), "float32"), np.ones(3, "float32")
    with pytest.raises(ShapeError, match="one weight for each channel"):
        ops.apply(ops.BatchNorm(1e-3), x, one[:2], one)
    with pytest.raises(DTypeError, match="dtype of the statistics"):
        ops.apply(ops.LayerNorm(1e-3), x, one.astype("float64"), one)
    with pytest.raises(ShapeError, match="Batch normalization of no elements"):
        ops.apply(ops.BatchNorm(1e-3), x[:0], one, one)
    with pytest.raises(ShapeError, match="Layer normalization of no elements"):
        ops.layer_normalization(x[:, :0])


@pytest.mark.parametrize("axis", [-1, 0, (1, 2)])
def test_normalize(axis: Any) -> None:
    axes = (axis,) if isinstance(axis, int) else axis
    expected = X / np.sqrt((X**2).sum(axes, keepdims=True))
    assert_close(ops.normalize(X, axis), expected, "float64")
    assert_close(ops.normalize(X.astype("float16"), axis), expected, "float16")
    assert ops.normalize(Value(Spec((None, 3, 5))), axis).shape == (None, 3, 5)


def test_normalize_of_what_has_no_length() -> None:
    short = np.array([[0.0, 0.0], [3e-9, 4e-9]])
    np.testing.assert_allclose(ops.normalize(short, epsilon=1e-6), short / 1e-6)
    assert ops.normalize(np.zeros((1, 2), "float16"), epsilon=1e-12).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_normalize_of_another_order(order: int) -> None:
    lengths = np.linalg.norm(X, order, axis=-1, keepdims=True)
    np.testing.assert_allclose(ops.normalize(X, order=order), X / lengths, rtol=1e-6)


@pytest.mark.parametrize("order", [0, -1, 1.5, True, "euclidean", None])
def test_normalize_refuses_an_order(order: Any) -> None:
    with pytest.raises(ValueError, match=r"normalize: order must be a positive int\. Received: "):
        ops.normalize(X, order=order)
