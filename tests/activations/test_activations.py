"""Activations against formulas written with NumPy in float64, their gradients, names and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import activations
from gputrain.compiler import gradients, interpret
from gputrain.ir import Graph, Spec, Value
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
    ("exponential", {}, np.exp),
    ("linear", {}, lambda x: x),
]
each = pytest.mark.parametrize("name, arguments, reference", CASES, ids=[f"{c[0]} {c[1]}" for c in CASES])


def _sample() -> np.ndarray:
    """(5, 7) in -4..8, away from the kinks at 0, 1, 2 and 6."""
    x = np.random.default_rng(5).uniform(-4, 8, (5, 7))
    near = np.abs(x[..., None] - np.array([-3, 0, 1, 2, 3, 6])).min(-1) < 0.01
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
    x, upstream, direction = _sample(), rng.normal(size=(5, 7)), rng.normal(size=(5, 7))
    value = Value(Spec(x.shape, "float64"))
    ct = Value(Spec(x.shape, "float64"))
    (gradient,) = gradients(getattr(activations, name)(value, **arguments), [value], upstream=ct)
    assert gradient is not None
    (found,) = interpret(Graph([value, ct], [gradient]), [x, upstream])
    step = 1e-5
    change = reference(x + step * direction) - reference(x - step * direction)
    expected = float((upstream * change).sum() / (2 * step))
    assert float((found * direction).sum()) == pytest.approx(expected, rel=GRADIENT, abs=1e-7)


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
    own = lambda x: x  # noqa: E731
    assert activations.get(own) is own


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"Unknown activation 'rellu'\. Did you mean 'relu'\?"):
        activations.get("rellu")
    with pytest.raises(TypeError, match="Expected for the activation: a name"):
        activations.get(3)
    with pytest.raises(TypeError, match="a custom activation is a named function"):
        activations.serialize(lambda x: x)
