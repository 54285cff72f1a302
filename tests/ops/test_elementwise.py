"""Promotion, Python numbers, broadcasting and error texts of the elementwise functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Spec, Value
from gputrain.runtime import Variable
from tests.tolerances import assert_close

X = np.random.default_rng(5).uniform(0.5, 2, (3, 4)).astype("float32")
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "floor_divide", "mod"]
COMPARE = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]


@pytest.mark.parametrize("name", [*BINARY, *COMPARE])
def test_binary(name: str) -> None:
    y = X[:, ::-1]
    found, expected = getattr(ops, name)(X, y), getattr(np, name)(X.astype("float64"), y)
    assert_close(found, expected, found.dtype.name)
    assert getattr(ops, name)(X, X[0]).shape == (3, 4)
    assert getattr(ops, name)(X[:0], X[0]).shape == (0, 4)


@pytest.mark.parametrize(
    "left, right, result",
    [
        ("float32", "float64", "float64"),
        ("float16", "float32", "float32"),
        ("int32", "float16", "float16"),
        ("int64", "float32", "float32"),
        ("int8", "int32", "int32"),
        ("uint8", "int8", "int16"),
        ("bool", "int32", "int32"),
        ("bool", "float32", "float32"),
    ],
)
def test_promotion(left: str, right: str, result: str) -> None:
    a, b = np.ones(2, left), np.ones(2, right)
    assert ops.add(a, b).dtype == result
    assert ops.add(b, a).dtype == result
    assert (Value(Spec((2,), left)) + Value(Spec((2,), right))).dtype == result


@pytest.mark.parametrize(
    "dtype, number, result",
    [
        ("float32", 1, "float32"),
        ("float32", 1.5, "float32"),
        ("float16", 1.5, "float16"),
        ("float64", 2, "float64"),
        ("int32", 2, "int32"),
        ("int32", 1.5, "float32"),
        ("int64", True, "int64"),
    ],
)
def test_python_numbers_adapt(dtype: str, number: Any, result: str) -> None:
    array = np.ones(2, dtype)
    assert ops.multiply(array, number).dtype == result
    assert ops.subtract(number, array).dtype == result
    value = Value(Spec((2,), dtype))
    assert (value * number).dtype == (number - value).dtype == result


def test_two_numbers() -> None:
    assert ops.add(1, 2) == 3
    assert ops.add(1, 2).dtype == np.int32
    assert ops.add(1, 2.5).dtype == np.float32


def test_division_of_integers() -> None:
    assert ops.divide(np.array([1, 2]), 2).tolist() == [0.5, 1.0]
    assert ops.divide(np.array([1, 2]), 2).dtype == np.float32
    assert ops.floor_divide(np.array([7, -7]), 2).tolist() == [3, -4]
    assert ops.mod(np.array([7, -7]), 4).tolist() == [3, 1]


def test_variables_are_operands() -> None:
    v = Variable(np.arange(3.0), dtype="float32")
    assert (v + 1).tolist() == [1, 2, 3]
    assert (2 * v).dtype == np.float32
    assert v[1:].tolist() == [1, 2]


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(
        ShapeError, match=r"Add: shapes must be equal or broadcast.*\(3, 4\) and \(3,\).*ops.expand_dims"
    ):
        ops.add(X, np.ones(3, "float32"))
    with pytest.raises(ShapeError, match=r"Where: shapes must be equal or broadcast"):
        ops.where(np.ones(2, bool), X, X)


def test_dtypes_that_do_not_fit() -> None:
    with pytest.raises(DTypeError, match=r"Exp needs floating-point input.*ops.cast"):
        ops.base.apply(ops.Exp(), np.ones(2, "int32"))
    with pytest.raises(DTypeError, match=r"Add needs inputs of one dtype. Received: float32.2. and int32.2."):
        ops.base.apply(ops.Add(), np.ones(2, "float32"), np.ones(2, "int32"))
    with pytest.raises(DTypeError, match=r"LogicalAnd needs boolean input"):
        ops.base.apply(ops.LogicalAnd(), np.ones(2), np.ones(2))
    with pytest.raises(
        DTypeError, match=r"Not a dtype gputrain computes in. Expected: float16.*Received: complex128"
    ):
        ops.cast(X, "complex128")


def test_unknown_sizes_meet_any_size() -> None:
    x = Value(Spec((None, 4)))
    assert ops.add(x, np.ones((7, 4), "float32")).shape == (7, 4)
    assert ops.add(x, Value(Spec((None, 1)))).shape == (None, 4)


REFERENCES: dict[str, Any] = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.where(x > 0, x, 0),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "round": np.round,
    "absolute": np.abs,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_named_functions(name: str) -> None:
    x = X if name == "rsqrt" else X - 1.3
    assert_close(getattr(ops, name)(x), REFERENCES[name](x.astype("float64")), "float32")
    assert getattr(ops, name)(x[:0]).shape == (0, 4)


def test_exact_gelu() -> None:
    from gputrain.ops.special import erf_reference

    x = np.linspace(-4, 4, 101)
    assert_close(ops.gelu(x, approximate=False), 0.5 * x * (1 + erf_reference(x / np.sqrt(2))), "float64")


def test_saturation_without_overflow() -> None:
    x = np.array([-1000.0, 1000.0], "float32")
    assert ops.sigmoid(x).tolist() == [0, 1]
    assert ops.softplus(x).tolist() == [0, 1000]
    assert ops.silu(x).tolist() == [0, 1000]
    assert ops.elu(x).tolist() == [-1, 1000]


def test_logic_takes_numbers() -> None:
    assert ops.logical_and([1.0, 0.0], [2, 3]).tolist() == [True, False]
    assert ops.logical_not(np.array([0, 5])).tolist() == [True, False]
    assert ops.where([1, 0], 5.0, -5.0).tolist() == [5, -5]


def test_where_needs_both_branches() -> None:
    with pytest.raises(ShapeError, match=r"needs both branches.*ops.where\(condition, x1, x2\)"):
        ops.where([True, False])


def test_round_to_decimals() -> None:
    assert ops.round(np.array([1.25, -0.375]), 1).tolist() == [1.2, -0.4]
    assert ops.round(np.array([125.0]), -1).tolist() == [120.0]


def test_values_cannot_be_branched_on() -> None:
    with pytest.raises(RuntimeError, match=r"ops.where\(condition, a, b\)"):
        bool(Value(Spec((2,))) > 0)
