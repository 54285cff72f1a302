"""einsum against NumPy's, with unknown sizes, and how many copies and products it takes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gputrain import ops
from gputrain.compiler import gradients
from gputrain.errors import ShapeError
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import interpret

SIZES = {"a": 3, "b": 4, "c": 2, "d": 5, "e": 6, "h": 2, "q": 3, "k": 4, "n": 2}

# Equation: how many nodes of each kind that does work a joined pair takes.
EQUATIONS = {
    "ab,bc->ac": {"MatMul": 1},
    "abc,cd->abd": {"MatMul": 1},
    "abc,cdh->abdh": {"MatMul": 1},
    "abcd,cde->abe": {"MatMul": 1},
    "abc,dc->abd": {"MatMul": 1},
    "ba,bc->ac": {"MatMul": 1},
    "ab,cb->ca": {"MatMul": 1},
    "abc,dc->dab": {"MatMul": 1},
    "abc,bc->a": {"MatMul": 1},
    "bqd,bkd->bqk": {"MatMul": 1},
    "bqhd,bkhd->bhqk": {"MatMul": 1, "Transpose": 2},
    "bhqk,bkhd->bqhd": {"MatMul": 1, "Transpose": 2},
    "abcd,dbe->acbe": {"MatMul": 1, "Transpose": 3},
    "abcd,cd->abd": {"Multiply": 1, "Sum": 1},
    "abc,abc->ac": {"Multiply": 1, "Sum": 1},
    "ab,ab->ba": {"Transpose": 1, "Multiply": 1},
    "a,b->ab": {"Multiply": 1},
    "ab,cd->c": {"Sum": 2, "Multiply": 1},
    "...ab,bc->...ac": {"MatMul": 1},
    "ab...,bc->ac...": {"MatMul": 1, "Transpose": 2},
    "ab,b,bc->ac": {"Multiply": 1, "MatMul": 1},
    "aab,bc->ac": {"Multiply": 1, "Sum": 1, "MatMul": 1},
}
VIEWS = ("Reshape", "ExpandDims", "Squeeze", "Constant")


def operands(equation: str, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    terms = equation.split("->")[0].split(",")
    shapes = [[n for c in t.replace("...", "hq") for n in (SIZES[c],)] for t in terms]
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_values_gradients_and_nodes(equation: str) -> None:
    arrays = operands(equation)
    expected = np.einsum(equation, *arrays)
    values = [Value(Spec(a.shape, "float64")) for a in arrays]
    with Trace().active() as trace:
        output = ops.einsum(equation, *values)
        nodes = Counter(type(node.op).__name__ for node in trace.graph(values, [output]).nodes)
        upstream = np.random.default_rng(1).normal(size=expected.shape)
        found = gradients(ops.sum(ops.multiply(output, upstream)), values)
    result, *slopes = interpret(trace.graph(values, [output, *found]), arrays)
    np.testing.assert_allclose(result, expected, rtol=1e-10)
    assert {name: count for name, count in nodes.items() if name not in VIEWS} == EQUATIONS[equation]
    for i, slope in enumerate(slopes):
        # The product is linear in each operand, so a step of any length gives its slope.
        step = np.random.default_rng(2).normal(size=arrays[i].shape)
        moved = [a + step if j == i else a for j, a in enumerate(arrays)]
        np.testing.assert_allclose(
            (slope * step).sum(), (upstream * (np.einsum(equation, *moved) - expected)).sum(), rtol=1e-8
        )


@pytest.mark.parametrize("equation", [e for e in EQUATIONS if not e.startswith("aab")])
@pytest.mark.parametrize("unknown", [1, 2])
def test_unknown_sizes_pass_through(equation: str, unknown: int) -> None:
    """The shape with the first sizes of the data unknown, and the values once they are known."""
    first, *others = operands(equation)
    value = Value(Spec((*(None,) * min(unknown, first.ndim), *first.shape[unknown:]), "float64"))
    with Trace().active() as trace:
        output = ops.einsum(equation, value, *others)
    expected = np.einsum(equation, first, *others)
    assert all(n in (None, m) for n, m in zip(output.shape, expected.shape, strict=True))
    known = Value(Spec(first.shape, "float64"))
    assert trace.graph([value], [output]) is not None
    with Trace().active() as again:
        graph = again.graph([known], [ops.einsum(equation, known, *others)])
    np.testing.assert_allclose(interpret(graph, [first])[0], expected, rtol=1e-10)


def test_empty_axes_and_broadcast_ones() -> None:
    x = np.ones((0, 3), "float32")
    assert ops.einsum("ab,bc->ac", x, np.ones((3, 2), "float32")).shape == (0, 2)
    assert not np.asarray(ops.einsum("ba,bc->ac", x, np.ones((0, 2), "float32"))).any()
    a, b = np.random.default_rng(0).normal(size=(2, 1, 3, 4)), np.random.default_rng(1).normal(size=(5, 4, 2))
    np.testing.assert_allclose(ops.einsum("...ij,...jk->...ik", a, b), a @ b, rtol=1e-6)


def test_half_precision_sums_in_single() -> None:
    x = np.full((1, 4096), 0.1, "float16")
    made = np.asarray(ops.einsum("ab,ab->a", x, np.ones_like(x)))
    assert made.dtype == np.float16
    assert abs(made[0] - 4096 * float(np.float16(0.1))) < 0.3


@pytest.mark.parametrize(
    ("equation", "shapes", "error", "message"),
    [
        ("ab->a", [(2, 3), (3, 4)], ValueError, "subscripts for each operand"),
        ("abc,cd->abd", [(2, 3), (3, 4)], ValueError, "a letter for each axis"),
        ("ab,bc->ad", [(2, 3), (3, 4)], ValueError, "each letter of the result once"),
        ("ab,bc->aac", [(2, 3), (3, 4)], ValueError, "each letter of the result once"),
        ("ab,bc->ac", [(2, 3), (4, 5)], ShapeError, r"one letter, 'b' of 'ab,bc->ac'.*\(2, 3\) and \(4, 5\)"),
    ],
)
def test_what_does_not_fit_is_told(equation: str, shapes: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ops.einsum(equation, *(np.ones(shape, "float32") for shape in shapes))
