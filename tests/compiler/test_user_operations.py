"""Operations of users: classes of their own in a model, custom gradients, printing from a running model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain import initializers, layers, losses, models
from gputrain.backend import current_device
from gputrain.compiler import gradients
from gputrain.compiler.rewrite import optimize
from gputrain.errors import DTypeError, GraphError, ShapeError
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.ops.base import apply, require_float
from gputrain.ops.custom import custom_gradient
from gputrain.ops.custom import print as print_value
from gputrain.runtime import Executable, Variable, interpret
from tests.tolerances import assert_close

F64 = "float64"


class Cube(ops.Operation):
    """scale * x ** 3, with everything an operation has."""

    scale: float = 1.0

    def infer(self, x: Spec) -> Spec:
        require_float(x, "Cube")
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> list[Value]:
        return [ct * x * x * (3.0 * self.scale)]

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return (x,)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (square,) = scratch
        xp.multiply(x, x, out=square)
        xp.multiply(square, x, out=out)
        xp.multiply(out, self.scale, out=out)


class Halves(ops.Operation):
    """First and second half of the last axis: two outputs, no parameters."""

    n_outputs = 2

    def infer(self, x: Spec) -> tuple[Spec, Spec]:
        half = x.with_shape((*x.shape[:-1], x.dims[-1] // 2))
        return half, half

    def vjp(self, ct: Any, out: Any, x: Value) -> list[Value]:
        known = [ops.zeros_like(o) if c is None else c for c, o in zip(ct, out, strict=True)]
        return [ops.concatenate(known, axis=-1)]

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        middle = x.shape[-1] // 2
        xp.copyto(out[0], x[..., :middle])
        xp.copyto(out[1], x[..., middle:])


class Cubed(layers.Layer):
    """The difference of the halves of a cubed input."""

    def call(self, inputs: Any) -> Any:
        left, right = apply(Halves(), apply(Cube(0.5), inputs))
        return left - right


class Ordinary(layers.Layer):
    """The same, of operations that are there already."""

    def call(self, inputs: Any) -> Any:
        cubed = inputs * inputs * inputs * 0.5
        return cubed[..., :4] - cubed[..., 4:]


def trained(layer: layers.Layer) -> list[np.ndarray]:
    x = np.random.default_rng(0).standard_normal((64, 6)).astype("float32")
    start = initializers.RandomNormal(stddev=0.3, seed=1)
    model = models.Sequential([layers.Input((6,)), layers.Dense(8, kernel_initializer=start), layer])
    model.compile("sgd", losses.MeanSquaredError())
    history = model.fit(x, x[:, :4], epochs=3, batch_size=20, shuffle=False, verbose=0)
    return [np.array(history.history["loss"]), *model.get_weights()]


def test_a_users_operation_trains_in_a_model() -> None:
    found, expected = trained(Cubed()), trained(Ordinary())
    assert found[0][-1] < found[0][0]
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, "float32")


def test_a_users_operation_is_differentiated_planned_and_computed_at_once() -> None:
    at = np.array([[0.5, -1.0, 2.0, 1.5]])
    x = Value(Spec((1, 4), F64))
    left, right = apply(Halves(), apply(Cube(2.0), x))
    (gradient,) = gradients(ops.sum(left * 3.0), [x])
    graph = optimize(Graph([x], [left, right, gradient]))
    graph.verify()
    assert "Cube(scale=2.0)(%0)" in graph.dump()
    assert "= Halves(" in graph.dump()
    expected = [2 * at[:, :2] ** 3, 2 * at[:, 2:] ** 3, 18 * at**2 * np.array([1, 1, 0, 0])]
    planned = Executable(graph, current_device()).run([at], poison=True)
    for found in (planned, interpret(graph, [at])):
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, F64)
    assert_close(apply(Cube(2.0), at), 2 * at**3, F64)


def test_equal_operations_of_users_are_computed_once() -> None:
    x = Value(Spec((3,)))
    graph = optimize(Graph([x], [apply(Cube(2.0), x), apply(Cube(2.0), x), apply(Cube(3.0), x)]))
    assert len(graph.nodes) == 2
    assert graph.outputs[0] is graph.outputs[1]


def test_errors_of_a_users_infer_come_when_the_model_is_built() -> None:
    with pytest.raises(DTypeError, match=r"Cube needs floating-point input.*int32\[3\]"):
        apply(Cube(), Value(Spec((3,), "int32")))


def test_the_class_in_place_of_an_operation_is_refused() -> None:
    with pytest.raises(TypeError, match=r"takes an operation, not its class.*Pass Cube\(\.\.\.\)"):
        ops.apply(Cube, np.ones(3))  # type: ignore[arg-type]


def test_a_name_of_gputrains_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"test_user_operations\.Dropout: devices.*gputrain\.ops\.random\.Dropout"
    ):
        type("Dropout", (ops.Operation,), {"__module__": "test_user_operations"})
    assert ops.REGISTRY["Dropout"] is ops.Dropout


# ------------------------------------------------------------------------------------------ custom gradient


@custom_gradient
def log1pexp(x: Any) -> Any:
    """log(1 + exp(x)), whose own gradient does not overflow (the example of the Keras manual)."""
    e = ops.exp(x)

    def grad(*args: Any, upstream: Any = None) -> Any:
        if upstream is None:
            (upstream,) = args
        return ops.multiply(upstream, 1.0 - 1.0 / ops.add(1, e))

    return ops.log(1 + e), grad


def test_a_custom_gradient_is_used() -> None:
    at = np.array([-2.0, 0.0, 3.0])
    x, ct = Value(Spec((3,), F64)), Value(Spec((3,), F64))
    y = log1pexp(x)
    (gradient,) = gradients(y, [x], ct)
    assert gradient is not None
    graph = optimize(Graph([x, ct], [y, gradient]))
    graph.verify()
    up = np.array([1.0, -2.0, 0.5])
    for found in (interpret(graph, [at, up]), Executable(graph, current_device()).run([at, up], poison=True)):
        assert_close(found[0], np.log1p(np.exp(at)), F64)
        assert_close(found[1], up * (1 - 1 / (1 + np.exp(at))), F64)


def test_a_custom_function_computes_at_once_on_arrays() -> None:
    assert_close(log1pexp(np.array([0.5])), np.log1p(np.exp([0.5])), F64)


def test_a_custom_gradient_of_several_arguments_and_results() -> None:
    @custom_gradient
    def swapped(x: Any, scale: float, w: Any) -> Any:
        return (x * scale, w * scale), lambda dx, dw: (dw * 10.0, None)

    v, trace, x = Variable(np.ones(2), name="v"), Trace(), Value(Spec((2,), F64))
    with trace.active():
        a, b = swapped(x, 2.0, v)
        dx, dv = gradients(ops.sum(a) + 3.0 * ops.sum(b), [x, v])
        only_first = gradients(ops.sum(a), [x])[0]
        assert dx is not None
        assert dv is None
        assert only_first is not None
        graph = trace.graph([x], [a, b, dx, only_first])
    found = interpret(graph, [np.array([1.0, 2.0])])
    for array, expected in zip(found, ([2.0, 4.0], [2.0, 2.0], [30.0, 30.0], [0.0, 0.0]), strict=True):
        assert_close(array, np.array(expected), F64)


def test_a_custom_gradient_is_checked() -> None:
    x = Value(Spec((3,), F64))
    many = custom_gradient(lambda x: (x * 2.0, lambda ct: (ct, ct)))
    with pytest.raises(
        GraphError, match=r"one gradient per argument\. Expected: 1\. Received: 2\. Return None"
    ):
        gradients(ops.sum(many(x)), [x])
    wrong = custom_gradient(lambda x: (x * 2.0, lambda ct: ops.sum(ct)))
    with pytest.raises(
        ShapeError, match=r"gradient 0 must have.*Expected: float64\[3\]\. Received: float64\[\]"
    ):
        gradients(ops.sum(wrong(x)), [x])


# -------------------------------------------------------------------------------------------------- printing


def test_print_shows_a_value_once_per_run(capsys: pytest.CaptureFixture[str]) -> None:
    trace, x = Trace(), Value(Spec((2,), F64))
    with trace.active():
        y = print_value(x * 2.0, "doubled ") + 1.0
        print_value(ops.sum(x), "sum ")
        print_value(ops.sum(x), "sum ")
        graph = optimize(trace.graph([x], [y]))
    exe = Executable(graph, current_device())
    assert capsys.readouterr().out == ""
    for scale in (1.0, 2.0):
        (found,) = exe.run([np.array([1.0, 2.0]) * scale], poison=True)
        np.testing.assert_array_equal(found, [2 * scale + 1, 4 * scale + 1])
        total = 3.0 * scale
        doubled = np.array([2.0, 4.0]) * scale
        assert capsys.readouterr().out == f"doubled {doubled}\nsum {total}\nsum {total}\n"


def test_print_of_an_array_prints_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.array([1, 2])
    assert print_value(x, "x = ") is x
    assert capsys.readouterr().out == "x = [1 2]\n"


def test_print_has_no_part_in_the_gradient() -> None:
    trace, x = Trace(), Value(Spec((2,), F64))
    with trace.active():
        (gradient,) = gradients(ops.sum(print_value(x * 3.0)), [x])
    assert gradient is not None
    np.testing.assert_array_equal(interpret(Graph([x], [gradient]), [np.zeros(2)])[0], [3.0, 3.0])


def test_a_layer_prints_while_the_model_trains(capsys: pytest.CaptureFixture[str]) -> None:
    class Shown(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return print_value(inputs, "seen ")

    model = models.Sequential([layers.Input((1,)), Shown(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.array([[1.0], [2.0]]), np.zeros((2, 1)), batch_size=1, shuffle=False, verbose=0)
    assert capsys.readouterr().out == "seen [[1.]]\nseen [[2.]]\n"
