"""Values: operators are recorded, everything that needs contents raises and says what to use."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.errors import GraphError
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.runtime import Variable, interpret

A, B = np.array([1.5, -2.0, 4.0]), np.array([2.0, 0.5, 4.0])


def value(*shape: int | None, dtype: str = "float64") -> Value:
    return Value(Spec(shape, dtype), name="x")


NAMES = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
NAMES += ["lt", "le", "gt", "ge", "eq", "ne"]
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {name: getattr(operator, name) for name in NAMES}


def run(x: Value, result: Value) -> np.ndarray:
    return interpret(Graph([x], [result]), [A])[0]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(
    "other", [B, 2.0, np.float64(2.0), B.tolist()], ids=["array", "number", "scalar", "list"]
)
def test_operators_record_what_numpy_computes(name: str, other: Any) -> None:
    function = OPERATORS[name]
    left, right = np.abs(A), np.asarray(other)
    if name == "matmul" and right.ndim == 0:
        return
    x = value(3)
    np.testing.assert_allclose(run(x, function(ops.abs(x), other)), function(left, right))
    x = value(3)
    np.testing.assert_allclose(run(x, function(other, ops.abs(x))), function(right, left))


def test_unary_operators_and_indexing() -> None:
    for function in (operator.neg, operator.pos, operator.abs, lambda x: x[1:], lambda x: x[-1]):
        x = value(3)
        np.testing.assert_array_equal(run(x, function(x)), function(A))
    x = value(3)
    np.testing.assert_array_equal(run(x, ~(x > 0) | ((x < 2) & (x > 1))), ~(A > 0) | ((A < 2) & (A > 1)))


def test_an_array_does_not_loop_over_a_value() -> None:
    x = value(3)
    assert isinstance(A + x, Value)
    assert isinstance(np.float32(2) * x, Value)
    assert isinstance(operator.eq(A, x), Value)


def test_values_are_keys_by_identity() -> None:
    x, y = value(3), value(3)
    assert {x: 1, y: 2}[x] == 1
    assert len({x, y, x}) == 2
    assert (x == None) is False  # noqa: E711


READINGS: dict[str, tuple[Callable[[Value], Any], str]] = {
    "bool": (bool, r"ops\.where\(condition, a, b\), or ops\.cond"),
    "if": (lambda x: 1 if x > 0 else 2, r"branch.*by Greater.*ops\.cond"),
    "and": (lambda x: x > 0 and x < 1, r"ops\.where"),
    "chained comparison": (lambda x: 0 < x < 1, r"ops\.where"),
    "in": (lambda x: x in [value(3)], r"ops\.where"),
    "float": (lambda x: float(x[0]), r"no Python number.*gputrain\.ops.*ops\.print"),
    "int": (lambda x: int(x[0]), r"gputrain\.ops"),
    "complex": (lambda x: complex(x[0]), r"gputrain\.ops"),
    "range": (lambda x: range(x), r"gputrain\.ops"),
    "list index": (lambda x: [1, 2][x], r"gputrain\.ops"),
    "np.sin": (np.sin, r"NumPy cannot read it.*Use gputrain\.ops\.sin"),
    "np.add.reduce": (lambda x: np.add.reduce(x), r"gputrain\.ops\.add"),
    "out": (lambda x: np.add(A, x, out=A.copy()), r"gputrain\.ops\.add"),
    "in place": (lambda x: operator.iadd(A.copy(), x), r"gputrain\.ops\.add"),
    "np.asarray": (np.asarray, r"NumPy cannot read it.*gputrain\.ops"),
    "np.mean": (np.mean, r"gputrain\.ops"),
    "np.concatenate": (lambda x: np.concatenate([A, x]), r"gputrain\.ops"),
}


@pytest.mark.parametrize("name", READINGS)
def test_reading_a_value_raises_and_names_what_to_use(name: str) -> None:
    read, text = READINGS[name]
    with pytest.raises(GraphError, match=rf"A value has no contents while a model is traced.*{text}"):
        read(value(3))


def test_iteration_needs_a_known_first_dimension() -> None:
    rows = list(value(3, 2))
    assert [r.shape for r in rows] == [(2,)] * 3
    assert len(value(3, 2)) == 3
    for x in (value(None, 2), value()):
        with pytest.raises(GraphError, match=r"known first dimension.*gputrain\.ops, or use ops\.scan"):
            list(x)


def test_nodes_keep_the_users_line() -> None:
    trace, x = Trace(), value(3)
    with trace.active(), trace.scope("dense", "dense"):
        y = x + 1.0  # the line that is named
    assert y.node is not None
    file, line = y.node.source.rsplit(":", 1)
    assert file == __file__
    with open(__file__, encoding="utf-8") as lines:
        assert "# the line that is named" in lines.readlines()[int(line) - 1]
    assert y.node.path == "dense"
    assert repr(y.node) == "<Node Add in dense>"
    assert repr(y) == "<Value unnamed: float64[3], by Add>"


# ------------------------------------------------------------------------------------------------ variables


def test_a_variable_acts_at_once_outside_of_a_trace() -> None:
    v = Variable(np.array([1.0, 2.0]), name="v")
    np.testing.assert_array_equal(v + 1, [2.0, 3.0])
    np.testing.assert_array_equal(v == 2.0, [False, True])
    np.testing.assert_array_equal(np.sqrt(v), np.sqrt([1.0, 2.0]))
    np.testing.assert_array_equal(v[1:], [2.0])
    np.testing.assert_array_equal(v.assign([3.0, 4.0]), [3.0, 4.0])
    assert (float(Variable(2.5)), int(Variable(2)), bool(Variable(0)), len(v)) == (2.5, 2, False, 2)


def test_variables_are_found_in_lists() -> None:
    a, b = Variable(np.zeros(2)), Variable(np.zeros(3))
    assert b in [a, b]
    assert [a, b].index(b) == 1
    assert a not in [b, None]
    assert a != b


@pytest.mark.parametrize("read", [float, int, bool, np.asarray, np.sqrt])
def test_a_variable_has_no_contents_in_a_trace(read: Callable[[Variable], Any]) -> None:
    v = Variable(np.array(2.0), name="v")
    with Trace().active(), pytest.raises(GraphError, match="no contents while a model is traced"):
        read(v)


def test_a_contents_of_another_shape_is_refused() -> None:
    v = Variable(np.zeros((2, 3)), path="dense/kernel")
    with pytest.raises(ValueError, match=r"dense/kernel: assign\(\).*Expected: \(2, 3\)\. Received: \(3,\)"):
        v.assign(np.zeros(3))
    np.testing.assert_array_equal(v.numpy(), 0.0)
