"""Activations against formulas written with NumPy in float64, their gradients, names and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import activations
from gputrain.compiler import gradients
from gputrain.errors import ShapeError
from gputrain.ir import Graph, Spec, Value
from gputrain.runtime import interpret
from tests.tolerances import GRADIENT, assert_close

Function = Callable[..., Any]
_erf = np.vectorize(math.erf)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _elu(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _sparsemax(x: np.ndarray) -> np.ndarray:
    """By sorting, as in Martins & Astudillo 2016, algorithm 1."""
    rows = []
    for row in x:
        ordered = np.sort(row)[::-1]
        k = max(k for k in range(1, len(row) + 1) if 1 + k * ordered[k - 1] > ordered[:k].sum())
        rows.append(np.maximum(row - (ordered[:k].sum() - 1) / k, 0))
    return np.array(rows)


CASES: list[tuple[str, dict[str, Any], Function]] = [
    ("relu", {}, lambda x: np.maximum(x, 0)),
    ("relu", {"max_value": 2.0}, lambda x: np.clip(x, 0, 2)),
    ("relu", {"negative_slope": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    ("relu", {"threshold": 1.0}, lambda x: np.where(x > 1, x, 0)),
    (
        "relu",
        {"negative_slope": 0.5, "max_value": 2.0, "threshold": 1.0},
        lambda x: np.where(x > 1, np.minimum(x, 2), 0.5 * (x - 1)),
    ),
    ("relu6", {}, lambda x: np.clip(x, 0, 6)),
    ("leaky_relu", {}, lambda x: np.where(x > 0, x, 0.2 * x)),
    ("leaky_relu", {"negative_slope": 0.3}, lambda x: np.where(x > 0, x, 0.3 * x)),
    ("sigmoid", {}, _sigmoid),
    ("hard_sigmoid", {}, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    ("tanh", {}, lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)),
    ("softmax", {}, _softmax),
    ("softmax", {"axis": 0}, lambda x: _softmax(x, 0)),
    ("log_softmax", {}, lambda x: np.log(_softmax(x))),
    ("elu", {}, lambda x: _elu(x, 1.0)),
    ("elu", {"alpha": 0.3}, lambda x: _elu(x, 0.3)),
    ("selu", {}, lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772)),
    ("gelu", {}, lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2)))),
    (
        "gelu",
        {"approximate": True},
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    ("silu", {}, lambda x: x * _sigmoid(x)),
    ("swish", {}, lambda x: x * _sigmoid(x)),
    ("softplus", {}, lambda x: np.log1p(np.exp(x))),
    ("softsign", {}, lambda x: x / (1 + np.abs(x))),
    ("celu", {}, lambda x: _elu(x, 1.0)),
    ("celu", {"alpha": 0.4}, lambda x: np.where(x > 0, x, 0.4 * np.expm1(np.minimum(x, 0) / 0.4))),
    ("glu", {"axis": 0}, lambda x: x[:2] * _sigmoid(x[2:])),
    ("glu", {}, lambda x: x[:, :3] * _sigmoid(x[:, 3:])),
    ("mish", {}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    ("log_sigmoid", {}, lambda x: np.log(_sigmoid(x))),
    ("hard_silu", {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("hard_swish", {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("sparse_sigmoid", {}, lambda x: np.clip((x + 1) / 2, 0, 1)),
    ("hard_tanh", {}, lambda x: np.clip(x, -1, 1)),
    ("tanh_shrink", {}, lambda x: x - np.tanh(x)),
    ("hard_shrink", {}, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    ("hard_shrink", {"threshold": 1.0}, lambda x: np.where(np.abs(x) > 1, x, 0)),
    ("soft_shrink", {}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    ("soft_shrink", {"threshold": 1.0}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 1, 0)),
    ("threshold", {"threshold": 1.0, "default_value": 0.3}, lambda x: np.where(x > 1, x, 0.3)),
    ("squareplus", {}, lambda x: (x + np.sqrt(x**2 + 4)) / 2),
    ("squareplus", {"b": 0.2}, lambda x: (x + np.sqrt(x**2 + 0.2)) / 2),
    (
        "sparse_plus",
        {},
        lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    ),
    ("sparsemax", {}, _sparsemax),
    ("sparsemax", {"axis": 0}, lambda x: _sparsemax(x.T).T),
    ("exponential", {}, np.exp),
    ("linear", {}, lambda x: x),
]
each = pytest.mark.parametrize("name, arguments, reference", CASES, ids=[f"{c[0]} {c[1]}" for c in CASES])


def _sample() -> np.ndarray:
    """(4, 6) in -4..8, away from the kinks at -3, -1, -0.5, 0, 0.5, 1, 2, 3 and 6."""
    x = np.random.default_rng(5).uniform(-4, 8, (4, 6))
    near = np.abs(x[..., None] - np.array([-3, -1, -0.5, 0, 0.5, 1, 2, 3, 6])).min(-1) < 0.01
    return np.where(near, x + 0.05, x)


@each
def test_values(name: str, arguments: dict[str, Any], reference: Function) -> None:
    x = _sample()
    for dtype in ("float32", "float64"):
        y = getattr(activations, name)(x.astype(dtype), **arguments)
        assert y.dtype == dtype
        assert_close(y, reference(x.astype(dtype).astype("float64")), dtype, name)


@each
def test_gradient(name: str, arguments: dict[str, Any], reference: Function) -> None:
    rng = np.random.default_rng(6)
    x = _sample()
    upstream, direction = rng.normal(size=reference(x).shape), rng.normal(size=x.shape)
    value = Value(Spec(x.shape, "float64"))
    ct = Value(Spec(upstream.shape, "float64"))
    (gradient,) = gradients(getattr(activations, name)(value, **arguments), [value], upstream=ct)
    assert gradient is not None
    (found,) = interpret(Graph([value, ct], [gradient]), [x, upstream])
    step = 1e-5
    change = reference(x + step * direction) - reference(x - step * direction)
    expected = float((upstream * change).sum() / (2 * step))
    assert float((found * direction).sum()) == pytest.approx(expected, rel=GRADIENT, abs=1e-7)


# Beyond these the function itself leaves float32.
OVERFLOWS = {"exponential": 50.0, "squareplus": 1e18}


@each
def test_gradient_is_finite_at_extreme_inputs(
    name: str, arguments: dict[str, Any], reference: Function
) -> None:
    top = OVERFLOWS.get(name, 1e30)
    x = np.array([[-top, -200, -88, -1, -0.5, 0], [0, 0.5, 1, 88, 200, top]], "float32")
    x = np.minimum(x, top).astype("float32")
    value = Value(Spec(x.shape))
    y = getattr(activations, name)(value, **arguments)
    ct = np.random.default_rng(7).normal(size=y.shape).astype("float32")
    graph = Graph([value], [y, *gradients(y, [value], upstream=ct)])
    for found in interpret(graph, [x]):
        assert np.isfinite(found).all()


def test_sparsemax_leaves_out_what_is_masked_by_infinity() -> None:
    x = np.array([[0.0, -np.inf, 0.5, -np.inf]], "float32")
    np.testing.assert_allclose(activations.sparsemax(x), [[0.25, 0, 0.75, 0]], rtol=1e-6)
    ties = np.array([[1.0, 1.0, 1.0, -9.0]], "float32")
    np.testing.assert_allclose(activations.sparsemax(ties), [[1 / 3, 1 / 3, 1 / 3, 0]], rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"max_value": 2.0}, {"negative_slope": 0.1}, {"threshold": 1.0}])
def test_relu_keeps_nan(arguments: dict[str, Any]) -> None:
    assert np.isnan(activations.relu(np.array([np.nan], "float32"), **arguments)).all()


@pytest.mark.parametrize("arguments", [{}, {"max_value": 2.0}, {"threshold": 1.0}])
def test_relu_of_minus_infinity_is_zero(arguments: dict[str, Any]) -> None:
    assert activations.relu(np.array([-np.inf], "float32"), **arguments).tolist() == [0.0]


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_names(name: str) -> None:
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.deserialize(activations.serialize(function)) is function


def test_get() -> None:
    assert activations.get(None) is activations.linear
    assert activations.deserialize(None) is activations.linear
    assert activations.serialize(activations.swish) == "silu"
    assert activations.serialize(activations.hard_swish) == "hard_silu"
    own = lambda x: x  # noqa: E731
    assert activations.get(own) is own


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"Unknown activation 'rellu'\. Did you mean 'relu'\?"):
        activations.get("rellu")
    with pytest.raises(ValueError, match=r"celu divides by alpha\. Expected: a number other than 0"):
        activations.celu([1.0], alpha=0)
    with pytest.raises(ShapeError, match=r"glu halves an axis, so its size must be even\. .*axis -1 of"):
        activations.glu(np.ones((2, 3), "float32"))
    with pytest.raises(ShapeError, match=r"glu: axis must name a dimension"):
        activations.glu(np.ones((2, 4), "float32"), axis=2)
    with pytest.raises(TypeError, match="Expected for the activation: a name"):
        activations.get(3)
    with pytest.raises(TypeError, match="a custom activation is a named function"):
        activations.serialize(lambda x: x)
