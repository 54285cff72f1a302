"""Compositions at their edges: right, and the same node by node, rewritten, and as planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import activations, losses, ops
from gputrain.backend import current_device
from gputrain.compiler import gradients
from gputrain.compiler.rewrite import disabled, optimize
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.runtime import Executable, Variable, interpret
from tests.tolerances import assert_close

Function = Callable[[Any], Any]
INF, NAN = np.inf, np.nan


def graph_of(function: Function, x: np.ndarray) -> tuple[Graph, Value]:
    """A graph from x to the function's value and the gradient of its sum."""
    value = Value(Spec(x.shape, x.dtype.name))
    trace = Trace(counter=Variable(np.asarray(1, np.int64), trainable=False, name="step"))
    with trace.active():
        out = function(value)
        (slope,) = gradients(ops.sum(out), [value])
        made = ops.zeros_like(value) if slope is None else slope
    graph = trace.graph([value], [out, made])
    graph.verify()
    return graph, value


def results(function: Function, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """(value, gradient) of the rewritten and planned program, which are those of the nodes one by one."""
    x = np.asarray(x, "float32")
    with disabled():
        one_by_one = interpret(graph_of(function, x)[0], [x])
    planned = Executable(optimize(graph_of(function, x)[0]), current_device()).run([x])
    for found, expected in zip(planned, one_by_one, strict=True):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        assert_close(np.nan_to_num(found), np.nan_to_num(expected), "float32")
    return planned[0], planned[1]


# What somebody writes, at which x, and its value and gradient there.
COMPOSED: dict[str, tuple[Function, Any, Any, Any]] = {
    # the branch that was not taken is infinite, NaN, or has an infinite slope
    "log where positive": (lambda x: ops.where(x > 0, ops.log(x), 0.0), [0, -1, 1], [0, 0, 0], [0, 0, 1]),
    "sqrt where positive": (
        lambda x: ops.where(x > 0, ops.sqrt(x), 0.0),
        [0, -1, 4],
        [0, 0, 2],
        [0, 0, 0.25],
    ),
    "1 / x where not 0": (lambda x: ops.where(x == 0, 0.0, 1 / x), [0, 2], [0, 0.5], [0, -0.25]),
    "x / x where not 0": (
        lambda x: ops.where(x == 0, 1.0, ops.sin(x) / x),
        [0, np.pi],
        [1, 0],
        [0, -1 / np.pi],
    ),
    "exp where small": (
        lambda x: ops.where(x > 0, x, ops.exp(x) - 1),
        [100, -1, 0],
        [100, np.exp(-1) - 1, 0],
        [1, np.exp(-1), 1],
    ),
    "power where positive": (
        lambda x: ops.where(x > 0, ops.power(x, 0.5), 0.0),
        [0, -1, 4],
        [0, 0, 2],
        [0, 0, 0.25],
    ),
    "x log x where positive": (lambda x: ops.where(x > 0, x * ops.log(x), 0.0), [0, 1], [0, 0], [0, 1]),
    "rsqrt where positive": (lambda x: ops.where(x > 0, ops.rsqrt(x), 1.0), [0, 4], [1, 0.5], [0, -1 / 16]),
    "erfinv inside": (
        lambda x: ops.where(ops.abs(x) < 1, ops.erfinv(x), 0.0),
        [1, -1, 0],
        [0, 0, 0],
        [0, 0, np.sqrt(np.pi) / 2],
    ),
    "an infinite constant": (lambda x: ops.where(x > 0, x, INF), [1, 2], [1, 2], [1, 1]),
    "log of a clipped number": (
        lambda x: ops.log(ops.clip(x, 0.5, 1.0)),
        [0.25, 2],
        [np.log(0.5), 0],
        [0, 0],
    ),
    "sqrt of a clipped number": (
        lambda x: ops.sqrt(ops.clip(x, 0.0, 1.0)),
        [-1, 4, 0.25],
        [0, 1, 0.5],
        [0, 0, 1],
    ),
    "sqrt of relu": (lambda x: ops.sqrt(ops.relu(x)), [0, -1, 4], [0, 0, 2], [0, 0, 0.25]),
    "sqrt of maximum": (lambda x: ops.sqrt(ops.maximum(x, 0.0)), [-1, 4], [0, 2], [0, 0.25]),
    "sqrt of the largest": (lambda x: ops.sqrt(ops.max(x)), [1, 4], 2, [0, 0.25]),
    "relu of log": (lambda x: ops.relu(ops.log(x)), [0, 1, np.e], [0, 0, 1], [0, 0, 1 / np.e]),
    "log of 0 not selected": (lambda x: ops.log(x)[1:], [0, 1], [0], [0, 1]),
    # lengths of vectors that are 0
    "length": (lambda x: ops.sqrt(ops.sum(ops.square(x))), [0, 0], 0, [0, 0]),
    "lengths": (lambda x: ops.sqrt(ops.sum(x * x, axis=1)), [[0, 0], [3, 4]], [0, 5], [[0, 0], [0.6, 0.8]]),
    "length by powers": (lambda x: ops.power(ops.sum(ops.power(x, 2.0)), 0.5), [0, 0], 0, [0, 0]),
    "cubic length": (lambda x: ops.power(ops.sum(ops.power(ops.abs(x), 3.0)), 1 / 3), [0, 0], 0, [0, 0]),
    "distance": (
        lambda x: ops.sqrt(ops.sum(ops.square(x - 1.0), axis=-1, keepdims=True)),
        [[1, 1]],
        [[0]],
        [[0, 0]],
    ),
    "root mean square": (lambda x: ops.sqrt(ops.mean(ops.square(x))), [0, 0], 0, [0, 0]),
    "hypotenuse": (lambda x: ops.sqrt(ops.square(x) + ops.square(2 * x)), [0], [0], [0]),
    "half the squares": (lambda x: ops.sqrt(0.5 * ops.sum(ops.square(x)) / 3), [0, 0], 0, [0, 0]),
    "std": (ops.std, [5, 5, 5], 0, [0, 0, 0]),
    "std of one": (ops.std, [5], 0, [0]),
    "norm": (lambda x: ops.normalize(x), [[0, 0], [0, 2]], [[0, 0], [0, 1]], [[1e7, 1e7], [0.5, 0]]),
    # powers
    "power 0": (lambda x: ops.power(x, 0.0), [0, -0.0, 2, -3], [1, 1, 1, 1], [0, 0, 0, 0]),
    "power 0 by **": (lambda x: x**0, [0, 2], [1, 1], [0, 0]),
    "power 1": (lambda x: ops.power(x, 1.0), [0, -2], [0, -2], [1, 1]),
    "power 2": (lambda x: ops.power(x, 2), [0, -2], [0, 4], [0, -4]),
    "power 3": (lambda x: ops.power(x, 3.0), [0, -2], [0, -8], [0, 12]),
    "power 0.5": (lambda x: ops.power(x, 0.5), [0, 4], [0, 2], [INF, 0.25]),
    "power x": (lambda x: ops.power(2.0, x), [0, -1], [1, 0.5], [np.log(2), np.log(2) / 2]),
    "power of powers": (lambda x: ops.power(x, ops.zeros_like(x)), [0, 3], [1, 1], [0, 0]),
    "0 to a power": (lambda x: ops.power(0.0, x), [1, 2, 0], [0, 0, 1], [0, 0, 0]),
    # what might be simplified away
    "x * 0": (lambda x: x * 0.0, [1, INF, NAN], [0, NAN, NAN], [0, 0, 0]),
    "x / x": (lambda x: x / x, [2, 0], [1, NAN], [0, NAN]),
    "x - x": (lambda x: x - x, [2, INF], [0, NAN], [0, 0]),
    "-(-x)": (lambda x: ops.negative(ops.negative(x)), [0, -INF], [0, -INF], [1, 1]),
    "log of softmax": (
        lambda x: ops.log(ops.softmax(x)),
        [[0, 0], [1, 1]],
        np.log([[0.5, 0.5]] * 2),
        [[0, 0]] * 2,
    ),
    "log of sigmoid": (lambda x: ops.log(ops.sigmoid(x)), [0, -30, 30], [-np.log(2), -30, 0], [0.5, 1, 0]),
    "softmax of masked": (lambda x: ops.softmax(x + np.array([0, -INF], "f4")), [[1, 2]], [[1, 0]], [[0, 0]]),
    "pool of relu": (
        lambda x: ops.max_pool(ops.relu(x), 2, 2),
        [[[0], [-1], [-1], [-2], [3], [3]]],
        [[[0], [0], [3]]],
        [[[0], [0], [0], [0], [1], [0]]],
    ),
    # kinks
    "|x|": (ops.abs, [0, -0.0, -1], [0, 0, 1], [0, 0, -1]),
    "sqrt of |x|": (lambda x: ops.sqrt(ops.abs(x)), [0, -4], [0, 2], [0, -0.25]),
    "sqrt of a square": (lambda x: ops.sqrt(ops.square(x)), [0, -2], [0, 2], [0, -1]),
    "maximum of equals": (lambda x: ops.maximum(x, x[::-1]), [1, 1], [1, 1], [1, 1]),
    "maximum with 0": (lambda x: ops.maximum(x, 0.0), [0, 1], [0, 1], [0.5, 1]),
    "relu": (ops.relu, [0, -0.0, 1], [0, 0, 1], [0, 0, 1]),
    "relu6": (activations.relu6, [0, 6, 7, 1], [0, 6, 6, 1], [0, 0, 0, 1]),
    "celu": (activations.celu, [0, -0.0, 1], [0, 0, 1], [1, 1, 1]),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_composed(name: str) -> None:
    function, x, value, slope = COMPOSED[name]
    found = results(function, x)
    for what, array, expected in zip(("value", "gradient"), found, (value, slope), strict=True):
        np.testing.assert_allclose(array, np.asarray(expected, "float32"), 1e-5, 1e-6, err_msg=what)


ROW = np.array([[1.0, 0.0, 0.0]], "float32")
LOSSES: dict[str, tuple[Callable[[Any, Any], Any], list[list[float]]]] = {
    "mse": (losses.mean_squared_error, [[1, 0, 0]]),
    "mae": (losses.mean_absolute_error, [[1, 0, 0]]),
    "mape": (losses.mean_absolute_percentage_error, [[1, 0, 0]]),
    "msle": (losses.mean_squared_logarithmic_error, [[1, -1, 0]]),
    "huber": (losses.huber, [[1, 1, -1]]),
    "log_cosh": (losses.log_cosh, [[1, 1e4, -1e4]]),
    "poisson": (losses.poisson, [[0, 0, 1]]),
    "kl_divergence": (losses.kl_divergence, [[0, 0, 1]]),
    "cosine_similarity": (losses.cosine_similarity, [[0, 0, 0]]),
    "hinge": (losses.hinge, [[1, -1, 0]]),
    "squared_hinge": (losses.squared_hinge, [[1, -1, 0]]),
    "categorical_hinge": (losses.categorical_hinge, [[1, 0, 0]]),
    "binary_crossentropy": (losses.binary_crossentropy, [[0, 1, 0]]),
    "binary_focal": (losses.binary_focal_crossentropy, [[0, 1, 0]]),
    "binary_focal 0.5": (lambda t, p: losses.binary_focal_crossentropy(t, p, gamma=0.5), [[1, 0, 1]]),
    "categorical_crossentropy": (losses.categorical_crossentropy, [[0, 1, 0]]),
    "categorical_crossentropy of nothing": (losses.categorical_crossentropy, [[0, 0, 0]]),
    "categorical_focal": (losses.categorical_focal_crossentropy, [[0, 1, 0]]),
    "logits": (lambda t, p: losses.categorical_crossentropy(t, p, from_logits=True), [[-1e4, 1e4, 0]]),
    "binary logits": (lambda t, p: losses.binary_crossentropy(t, p, from_logits=True), [[-1e4, 1e4, 0]]),
    "focal logits": (lambda t, p: losses.binary_focal_crossentropy(t, p, from_logits=True), [[-1e4, 1e4, 0]]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients_are_finite(name: str) -> None:
    loss, output = LOSSES[name]
    value, slope = results(lambda p: loss(ops.convert(ROW), p), output)
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()


def test_a_softmax_under_a_crossentropy_learns_from_far_logits() -> None:
    """Seen together they are one operation of the logits, which neither cuts off nor stops learning."""
    x = np.array([[-1e4, 1e4, 0.0]], "float32")

    def loss(z: Any) -> Any:
        return losses.categorical_crossentropy(ops.convert(ROW), ops.softmax(z))

    value, slope = interpret(optimize(graph_of(loss, x)[0]), [x])
    assert value.tolist() == [2e4]
    assert slope.tolist() == [[-1, 1, 0]]
