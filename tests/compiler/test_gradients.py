"""Differentiation: random graphs against central differences, and the rules of `gradients`."""

from __future__ import annotations

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.compiler import gradients
from gputrain.errors import GraphError, ShapeError
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.runtime import Variable, interpret
from tests.compiler.random_graphs import Builder
from tests.on_device import fewer
from tests.tolerances import GRADIENT, assert_close

STEP = 1e-6
F64 = "float64"


@pytest.mark.parametrize("seed", fewer(range(40), 10))
def test_random_graphs_agree_with_central_differences(seed: int) -> None:
    """Along one random direction of all inputs and variables, with a random cotangent of several values."""
    builder = Builder(seed, smooth=True).grow(20)
    rng = np.random.default_rng(seed)
    with builder.trace.active():
        made = [v for v in builder.pool if v.node is not None and v.dtype == F64 and v.spec.size][-5:]
        loss = made[0] * 0.0 if made[0].ndim == 0 else ops.sum(made[0]) * 0.0
        for value in made:
            loss = loss + ops.sum(ops.tanh(value) * rng.standard_normal(value.spec.dims))
        variables = [v for v in builder.trace.before if v.dtype == F64]
        inputs = [i for i, v in enumerate(builder.inputs) if v.dtype == F64]
        sources = [builder.inputs[i] for i in inputs] + [builder.trace.before[v] for v in variables]
        found = gradients(loss, sources)
        filled = [ops.zeros_like(s) if g is None else g for g, s in zip(found, sources, strict=True)]
        program = builder.program([loss, *filled])
    program.graph.verify()
    _, *slopes = interpret(program.graph, program.feeds)
    directions = [rng.standard_normal(s.spec.dims) for s in sources]
    analytic = sum(float((g * d).sum()) for g, d in zip(slopes, directions, strict=True))
    scale = max(1.0, sum(float(np.abs(g * d).sum()) for g, d in zip(slopes, directions, strict=True)))

    def loss_at(distance: float) -> float:
        feeds, starts = list(program.feeds), [v.numpy() for v in variables]
        for i, d in zip(inputs, directions, strict=False):
            feeds[i] = feeds[i] + distance * d
        for v, d in zip(variables, directions[len(inputs) :], strict=True):
            v.assign(v.numpy() + distance * d)
        value = float(interpret(program.graph, feeds, commit=False)[0])
        for v, start in zip(variables, starts, strict=True):
            v.assign(start)
        return value

    numeric = (loss_at(STEP) - loss_at(-STEP)) / (2 * STEP)
    assert abs(analytic - numeric) <= GRADIENT * scale


def run(inputs: list[Value], outputs: list[Value | None], *feeds: np.ndarray) -> list[np.ndarray]:
    graph = Graph(inputs, [v for v in outputs if v is not None])
    graph.verify()
    return interpret(graph, feeds)


def test_gradients_add_up_where_a_value_is_read_more_than_once() -> None:
    x = Value(Spec((3,), F64))
    y = ops.exp(x)
    (gradient,) = gradients(ops.sum(y * y + x * y), [x])
    at = np.array([0.1, -0.4, 0.7])
    (found,) = run([x], [gradient], at)
    assert_close(found, 2 * np.exp(2 * at) + np.exp(at) + at * np.exp(at), F64)


def test_gradients_of_broadcast_values_have_their_shape() -> None:
    x, b, s = Value(Spec((4, 3), F64)), Value(Spec((3,), F64)), Value(Spec((), F64))
    db, ds = gradients(ops.sum(x * b + s), [b, s])
    at = np.arange(12.0).reshape(4, 3)
    found = run([x, b, s], [db, ds], at, np.ones(3), np.array(2.0))
    assert_close(found[0], at.sum(0), F64)
    assert_close(found[1], np.array(12.0), F64)


def test_gradients_of_gradients() -> None:
    x = Value(Spec((3,), F64))
    (first,) = gradients(ops.sum(x * x * x), [x])
    assert first is not None
    (second,) = gradients(ops.sum(first * first), [x])
    at = np.array([0.5, -1.0, 2.0])
    (found,) = run([x], [second], at)
    assert_close(found, 36 * at**3, F64)


def test_no_gradient_where_nothing_depends() -> None:
    x, y, n = Value(Spec((3,), F64)), Value(Spec((3,), F64)), Value(Spec((3,), "int32"))
    total = ops.sum(x * ops.cast(n, F64)) + ops.sum(ops.stop_gradient(y))
    assert [g is None for g in gradients(total, [x, y, n])] == [False, True, True]


def test_a_source_that_is_the_target() -> None:
    x = Value(Spec((), F64))
    target = ops.exp(x)
    (gradient,) = gradients(target, [target])
    (found,) = run([x], [gradient], np.array(3.0))
    assert found == 1.0


def test_an_upstream_gradient() -> None:
    x, ct = Value(Spec((3,), F64)), Value(Spec((3,), F64))
    (gradient,) = gradients(ops.square(x), [x], ct)
    at, up = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0])
    (found,) = run([x, ct], [gradient], at, up)
    assert_close(found, 2 * at * up, F64)


def test_variables_are_differentiated_at_their_present_state() -> None:
    v, trace = Variable(np.array([1.0, 2.0]), name="v"), Trace()
    with trace.active():
        v.assign(v.value * 3.0)
        (gradient,) = gradients(ops.sum(ops.square(v.value)), [v])
        assert gradient is not None
        graph = trace.graph([], [gradient])
    (found,) = interpret(graph, [])
    assert_close(found, np.array([6.0, 12.0]), F64)


def test_the_path_names_the_layer_with_a_prime() -> None:
    trace, x = Trace(), Value(Spec((3,), F64))
    with trace.active():
        with trace.scope("dense", "dense"):
            loss = ops.sum(ops.tanh(x))
        (gradient,) = gradients(loss, [x])
        assert gradient is not None
        assert trace.names == []
    graph = Graph([x], [gradient])
    assert {node.path for node in graph.nodes} == {"dense", "dense'", ""}


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda x, v: gradients(np.ones(3), [x]), GraphError, r"values of a traced function.*ndarray"),
        (lambda x, v: gradients(x, [x]), ShapeError, r"more than one number needs `upstream`.*float64\[3\]"),
        (lambda x, v: gradients(ops.sum(x), [v]), GraphError, r"variable works inside a traced function"),
    ],
)
def test_misuse_is_named(call: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(Value(Spec((3,), F64)), Variable(np.zeros(3)))  # type: ignore[operator]
