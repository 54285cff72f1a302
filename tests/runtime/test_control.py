"""Body graphs: scan and cond, traced and eager, with gradients, variables and nested bodies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain
from gputrain import backend, layers, ops
from gputrain.compiler import gradients
from gputrain.compiler.rewrite import optimize
from gputrain.data import make_arrays
from gputrain.errors import GraphError, ShapeError
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import Arena, Executable, Variable, interpret
from gputrain.utils import tree
from tests.on_device import host

F64 = "float64"


def recurrent_loop(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    """h_t = tanh(x_t w + h_{t-1} u + b), all h_t: (T, N, H)."""
    h = np.zeros((x.shape[1], u.shape[0]))
    out = []
    for step in x:
        h = np.tanh(step @ w + h @ u + b)
        out.append(h)
    return np.stack(out)


class Recurrent(layers.Layer):
    """A simple recurrent layer over (N, T, D), written with ops.scan; returns the last state."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.u = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="u")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

    def call(self, inputs: Any) -> Any:
        def step(h: Any, x: Any) -> tuple[Any, Any]:
            new = ops.tanh(x @ self.w + h @ self.u + self.b)
            return new, new

        start = ops.matmul(inputs[:, 0] * 0.0, self.w)
        last, _ = ops.scan(step, start, ops.transpose(inputs, (1, 0, 2)))
        return last


def traced(specs: list[Spec], function: Any) -> tuple[Any, list[Value], Trace]:
    inputs = [Value(s) for s in specs]
    trace = Trace()
    with trace.active():
        outputs = function(*inputs)
    return outputs, inputs, trace


def test_scan_agrees_with_a_loop_and_its_gradient_with_central_differences() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(5, 2, 3)), rng.normal(size=(3, 4))
    u, b, upstream = rng.normal(size=(4, 4)) * 0.3, rng.normal(size=4), rng.normal(size=(5, 2, 4))

    def program(x: Value, w: Value, u: Value, b: Value, g: Value) -> list[Value]:
        def step(h: Value, row: Value) -> tuple[Value, Value]:
            new = ops.tanh(row @ w + h @ u + b)
            return new, new

        _, hs = ops.scan(step, ops.zeros((2, 4), F64), x)
        loss = ops.sum(hs * g)
        found = gradients(loss, [x, w, u, b])
        assert all(f is not None for f in found)
        return [hs, *found]  # type: ignore[list-item]

    arrays = [x, w, u, b, upstream]
    outputs, inputs, trace = traced([Spec(a.shape, F64) for a in arrays], program)
    hs, *grads = interpret(trace.graph(inputs, outputs), arrays)
    np.testing.assert_allclose(hs, recurrent_loop(x, w, u, b), rtol=1e-12)
    for i, gradient in enumerate(grads):
        direction = rng.normal(size=arrays[i].shape)
        ends = []
        for sign in (1, -1):
            moved = [a + sign * 1e-6 * direction if j == i else a for j, a in enumerate(arrays[:4])]
            ends.append((recurrent_loop(*moved) * upstream).sum())
        assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_a_planned_scan_equals_the_interpreted_one_in_a_poisoned_arena() -> None:
    def program(x: Value, a: Value) -> list[Value]:
        (low, high), ys = ops.scan(
            lambda c, row: ((c[1], c[0] * a + row), c[0]), (a, a * 2.0), x, reverse=True
        )
        loss = ops.sum(ys * ys) + ops.sum(low * high)
        return [low, high, ys, *gradients(loss, [x, a])]  # type: ignore[list-item]

    specs = [Spec((6, 3), F64), Spec((3,), F64)]
    outputs, inputs, trace = traced(specs, program)
    graph = trace.graph(inputs, outputs)
    feeds = [np.random.default_rng(1).normal(size=s.dims) for s in specs]
    expected = interpret(graph, feeds)
    device = gputrain.backend.current_device()
    exe = Executable(graph, device, Arena(device))
    for _ in range(2):
        exe.bind()
        exe.poison()
        for got, want in zip(exe.run(feeds), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_recurrent_layer_learns_through_scan() -> None:
    gputrain.config.set_seed(3)
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, size=(256, 6, 1)).astype("float32")
    y = x.sum((1, 2)) % 2  # parity: needs the state
    model = gputrain.Sequential([layers.Input((6, 1)), Recurrent(16), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=gputrain.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=60, batch_size=64, verbose=0).history
    assert history["accuracy"][-1] > 0.95, history["accuracy"][-5:]


def test_eager_scan_is_a_plain_loop() -> None:
    total, before = ops.scan(lambda c, x: (c + x, c), np.float32(0), np.arange(4, dtype="float32"))
    assert float(total) == 6
    np.testing.assert_array_equal(before, [0, 0, 1, 3])


@pytest.mark.parametrize("symbolic", [True, False])
def test_a_loop_without_a_step_stacks_nothing_of_each_y(symbolic: bool) -> None:
    v = Variable(np.full((3,), 2.0, "f4"))

    def step(c: Any, x: Any) -> Any:
        return c + x, {"sums": c * v, "none": None, "flags": ops.sum(x) > 0}

    start, xs = np.ones(3, "f4"), np.zeros((0, 3), "f4")
    if symbolic:
        specs = [Spec((3,)), Spec((0, 3))]
        outputs, *_ = traced(specs, lambda c, x: list(tree.flatten(ops.scan(step, c, x))))
        assert [out.shape for out in outputs if out is not None] == [(3,), (0, 3), (0,)]
        return
    last, ys = ops.scan(step, start, xs)
    assert host(last).tolist() == [1, 1, 1]
    assert (ys["sums"].shape, ys["sums"].dtype, ys["none"]) == ((0, 3), "float32", None)
    assert (ys["flags"].shape, ys["flags"].dtype) == ((0,), "bool")
    assert ops.scan(lambda c, _: (c + 1, c), np.float32(0), length=0)[1].shape == (0,)


def test_scans_nest() -> None:
    def program(x: Value) -> list[Value]:
        def outer(c: Value, row: Value) -> tuple[Value, Value]:
            inner, _ = ops.scan(lambda d, v: (d * 0.5 + v * c, v), c, row)
            return inner, inner

        last, ys = ops.scan(outer, ops.ones((), F64), x)
        return [last, *gradients(ops.sum(ys), [x])]  # type: ignore[list-item]

    def loops(x: np.ndarray) -> float:
        c, total = 1.0, 0.0
        for row in x:
            d = c
            for v in row:
                d = d * 0.5 + v * c
            c = d
            total += c
        return total

    x = np.random.default_rng(2).normal(size=(3, 4))
    outputs, inputs, trace = traced([Spec((3, 4), F64)], program)
    _, gradient = interpret(trace.graph(inputs, outputs), [x])
    for at in np.ndindex(3, 4):
        step = np.zeros_like(x)
        step[at] = 1e-6
        assert gradient[at] == pytest.approx((loops(x + step) - loops(x - step)) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("flag", [True, False])
def test_cond_computes_one_branch_and_differentiates_it(flag: bool) -> None:
    weight = Variable(np.array([2.0, 3.0]), name="weight")

    def program(pred: Value, x: Value) -> list[Value]:
        y = ops.cond(pred, lambda: ops.log(x) * weight, lambda: x * x)
        found = gradients(ops.sum(y), [x, weight])
        return [y, *found]  # type: ignore[list-item]

    outputs, inputs, trace = traced([Spec((), "bool"), Spec((2,), F64)], program)
    x = np.array([0.5, 1.5]) if flag else np.array([-0.5, 0.0])  # the other branch would be NaN
    y, dx, dw = interpret(trace.graph(inputs, outputs), [np.array(flag), x])
    np.testing.assert_allclose(y, np.log(x) * [2, 3] if flag else x * x)
    np.testing.assert_allclose(dx, np.array([2, 3]) / x if flag else 2 * x)
    np.testing.assert_allclose(dw, np.log(x) if flag else [0, 0])


def test_errors_say_the_rule() -> None:
    x = Value(Spec((4, 2)))
    with pytest.raises(ShapeError, match=r"carry 0 must keep its shape and dtype\. Expected: float32\[2\]"):
        ops.scan(lambda c, row: (ops.concatenate([c, row]), row), ops.zeros((2,)), x)
    with pytest.raises(ShapeError, match="agree on one known number of steps"):
        ops.scan(lambda c, row: (c, row), ops.zeros((2,)), x, length=3)
    with pytest.raises(ShapeError, match="both branches must return the same shapes"):
        ops.cond(Value(Spec((), "bool")), lambda: x[0], lambda: x)
    counter = Variable(np.zeros(2, np.float32), name="counter")

    def assigns(c: Value, row: Value) -> tuple[Value, Value]:
        counter.assign(row)
        return c, row

    with Trace().active(), pytest.raises(GraphError, match=r"counter: .*cannot be assigned inside the body"):
        ops.scan(assigns, ops.zeros((2,)), x)


def test_print_in_a_body_prints_at_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    def program(x: Value) -> Value:
        def step(c: Value, row: Value) -> tuple[Value, Value]:
            ops.print(row, "row: ")
            return c + row, row

        return ops.scan(step, ops.zeros((), F64), x)[0]

    total, inputs, trace = traced([Spec((3,), F64)], program)
    interpret(trace.graph(inputs, [total]), [np.array([1.0, 2.0, 3.0])])
    assert capsys.readouterr().out.splitlines() == ["row: 1.0", "row: 2.0", "row: 3.0"]


@pytest.mark.parametrize("used", [True, False])
def test_print_in_a_branch_prints_where_the_branch_is_taken(
    used: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def program(flag: Value, x: Value) -> Value:
        y = ops.cond(flag, lambda: ops.print(x * 2.0, "yes: "), lambda: ops.print(x, "no: "))
        return y if used else x

    out, inputs, trace = traced([Spec((), "bool"), Spec((), F64)], program)
    graph = trace.graph(inputs, [out])
    for flag in (True, False):
        interpret(graph, [np.array(flag), np.array(3.0)])
    assert capsys.readouterr().out.splitlines() == ["yes: 6.0", "no: 3.0"]


class Adds(layers.Layer):
    """Adds its inputs' sum to the loss."""

    def call(self, inputs: Any) -> Any:
        self.add_loss(ops.sum(inputs))
        return inputs


PENALIZED: dict[str, Any] = {
    "add_loss": lambda: Adds(name="adds"),
    "activity_regularizer": lambda: layers.Dense(2, activity_regularizer="l2", name="adds"),
}


@pytest.mark.parametrize("make", PENALIZED.values(), ids=PENALIZED)
def test_a_loss_added_in_a_branch_is_an_error(make: Any) -> None:
    layer, x = make(), Value(Spec((4, 3, 2)))
    rule = r"outer/adds: a loss .*cannot be added inside a branch of a cond.* Return its value"
    with Trace().active() as trace, trace.scope("outer", "0"), pytest.raises(GraphError, match=rule):
        ops.cond(Value(Spec((), "bool")), lambda: layer(x), lambda: x)


def test_a_loss_added_in_a_loop_outside_of_a_layer_is_an_error() -> None:
    layer, x = Adds(name="adds"), gputrain.Input(batch_shape=(4, 3, 2))
    with pytest.raises(GraphError, match=r"adds: a loss .* in a scan outside of a layer\. Return its value"):
        ops.scan(lambda c, row: (c, layer(row)), ops.zeros(()), x)


class Loops(layers.Layer):
    """Scans the axes behind the first, by loops or unrolled, and calls one layer twice in each step."""

    def __init__(self, make: Any, unrolled: bool) -> None:
        super().__init__()
        self.inner, self.unrolled = make(), unrolled

    def call(self, inputs: Any) -> Any:
        scan = self._unrolled if self.unrolled else ops.scan
        rows = ops.transpose(inputs, (1, 2, 0, 3))  # (T, S, N, features)
        return scan(lambda c, row: scan(self._step, c, row), ops.ones_like(inputs[:, 0, 0]), rows)[0]

    def _step(self, carry: Any, x: Any) -> tuple[Any, None]:
        return ops.tanh(self.inner(self.inner(carry) + x)), None

    def _unrolled(self, f: Any, carry: Any, xs: Any) -> tuple[Any, None]:
        for t in range(xs.shape[0]):
            carry, _ = f(carry, xs[t])
        return carry, None


@pytest.mark.parametrize("make", PENALIZED.values(), ids=PENALIZED)
def test_losses_added_in_loops_count_for_all_steps(make: Any) -> None:
    """As without loops: what is evaluated, and what a step of training makes of the weights."""
    x = np.random.default_rng(0).normal(size=(4, 3, 2, 2)).astype("float32")
    y = np.zeros((4, 1), "float32")
    found = []
    for unrolled in (False, True):
        model = gputrain.Sequential(
            [layers.Input((3, 2, 2)), Loops(make, unrolled), layers.Dense(1, kernel_initializer="ones")]
        )
        model.set_weights([np.linspace(-0.5, 0.5, w.size).reshape(w.shape) for w in model.get_weights()])
        model.compile(gputrain.optimizers.SGD(0.1), "mse")
        losses = [model.evaluate(x, y, batch_size=size, verbose=0) for size in (4, 2)]
        model(x)
        found.append([*losses, float(sum(model.losses)), model.train_on_batch(x, y), *model.get_weights()])
    plain = model.predict(x, verbose=0)
    assert abs(found[0][0] - float(np.square(plain).mean())) > 0.01  # something was added
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_a_requirement_in_a_body_is_an_error() -> None:
    def step(c: Value, row: Value) -> tuple[Value, Value]:
        trace = gputrain.ir.current_trace()
        assert trace is not None
        trace.require(ops.isfinite(row))
        return c, row

    x = Value(Spec((4,)))
    rule = r"outer: a value cannot be required .* inside the body of a scan or cond\. Return it"
    with Trace().active() as trace, trace.scope("outer", "0"), pytest.raises(GraphError, match=rule):
        ops.scan(step, ops.zeros(()), x)


class Draws(layers.Layer):
    """Draws in a body: x plus noise where x is positive, or at each time step."""

    def __init__(self, kind: str) -> None:
        super().__init__(name="draws")
        self.kind = kind

    def call(self, inputs: Any) -> Any:
        if self.kind == "cond":
            positive = ops.sum(inputs) > 0
            return ops.cond(positive, lambda: inputs + ops.random_normal(inputs.shape), lambda: inputs)
        if self.kind == "nested":
            return ops.scan(lambda c, x: (c, self.choose(x)), ops.zeros(()), inputs)[1]
        return ops.scan(lambda c, x: (c, x + ops.random_normal(x.shape)), ops.zeros(()), inputs)[1]

    def choose(self, x: Any) -> Any:
        return ops.cond(ops.sum(x) > 0, lambda: x + ops.random_normal(x.shape), lambda: x)


@pytest.mark.parametrize("kind", ["scan", "nested"])
def test_a_draw_in_a_loop_is_an_error(kind: str) -> None:
    rule = r"draws: random numbers cannot be drawn inside the body of a scan.*leading time axis.*as xs"
    with pytest.raises(GraphError, match=rule):
        Draws(kind)(np.ones((3, 2), "float32"))


def test_a_branch_may_draw() -> None:
    ones = np.ones((3, 2), "float32")
    model = gputrain.Sequential([layers.Input((2,)), Draws("cond")])
    first, second = (model.predict(ones, verbose=0) for _ in range(2))
    assert len(np.unique(np.concatenate([first, second]))) == 12
    np.testing.assert_array_equal(model.predict(-ones, verbose=0), -ones)


def planned_steps(length: int) -> Executable:
    """The train step of a recurrent model over `length` steps."""
    x, y = np.ones((32, length, 8), np.float32), np.ones((32, 1), np.float32)
    model = gputrain.Sequential([layers.Input((length, 8)), Recurrent(16), layers.Dense(1)])
    model.compile("adam", "mse")
    model.train_on_batch(x, y)
    program = model._traced_programs.get("train", make_arrays(x, y, None, "fit"), 32)
    assert program is model._traced_programs.get("train", make_arrays(x, y, None, "fit"), 32)
    return program.executable


def test_a_body_is_planned_once_whatever_the_number_of_steps() -> None:
    calls = {}
    for length in (3, 200):
        exe = planned_steps(length)
        found = [leaf for thunk in exe.thunks for leaf in backend.leaves(thunk)]
        loops = [leaf for leaf in found if isinstance(leaf, backend.Loop)]
        assert [len(loop.order) for loop in loops] == [length, length]
        calls[length] = len(found) - len(loops), [len(loop.body) for loop in loops]
    assert calls[3][1] == calls[200][1]
    assert abs(calls[3][0] - calls[200][0]) <= 2  # a device may split what is larger
    outside, (forward, backward) = calls[200]
    assert outside <= 42, outside  # as many as a model without a loop has, and two products for the weights
    assert forward <= 4, forward  # a product, two sums, tanh: the slices' product is made before the loop
    assert backward <= 5, backward


def test_captured_matrices_get_their_gradient_from_one_product_over_all_steps() -> None:
    def program(x: Value, u: Value, b: Value) -> list[Value]:
        last, _ = ops.scan(lambda h, row: (ops.tanh(h @ u + row + b), None), ops.zeros((4, 5), F64), x)
        return [ops.sum(last), *gradients(ops.sum(last), [u, b])]  # type: ignore[list-item]

    specs = [Spec((7, 4, 5), F64), Spec((5, 5), F64), Spec((5,), F64)]
    outputs, inputs, trace = traced(specs, program)
    graph = trace.graph(inputs, outputs)
    products = [n for n in graph.nodes if type(n.op).__name__ == "MatMul"]
    assert [p.inputs[0].shape for p in products] == [(28, 5)]  # 7 steps of 4 rows
    for node in graph.nodes:
        for body in node.op.bodies:
            inner = [n for n in body.graph.nodes if type(n.op).__name__ == "MatMul"]
            assert len(inner) == 1, body.graph.dump()  # h @ u forward, d @ u' backward; nothing again


def test_what_no_step_changes_is_computed_before_the_loop() -> None:
    def program(x: Value, w: Value) -> list[Value]:
        last, ys = ops.scan(lambda h, row: (h * ops.exp(w) + row, h), ops.zeros((3,), F64), x)
        return [last, ys]

    outputs, inputs, trace = traced([Spec((6, 3), F64), Spec((3,), F64)], program)
    graph = trace.graph(inputs, outputs)
    (scan,) = (n for n in graph.nodes if n.op.bodies)
    assert [type(n.op).__name__ for n in graph.nodes if not n.op.bodies].count("Exp") == 1
    assert [type(n.op).__name__ for n in scan.op.body.graph.nodes] == ["Multiply", "Add"]
    x, w = np.random.default_rng(0).normal(size=(6, 3)), np.array([0.1, -0.2, 0.3])
    last, ys = interpret(graph, [x, w])
    h, before = np.zeros(3), []
    for row in x:
        before.append(h)
        h = h * np.exp(w) + row
    np.testing.assert_allclose(last, h, rtol=1e-12)
    np.testing.assert_allclose(ys, before, rtol=1e-12)


def test_second_gradients_go_through_a_loop() -> None:
    def loss(x: Value, u: Value) -> Value:
        last, _ = ops.scan(lambda h, row: (ops.tanh(h @ u + row), None), ops.zeros((2, 3), F64), x)
        return ops.sum(last)

    def program(x: Value, u: Value) -> list[Value]:
        (first,) = gradients(loss(x, u), [u])
        (second,) = gradients(ops.sum(first * first), [u])  # type: ignore[operator]
        return [first, second]  # type: ignore[list-item]

    rng = np.random.default_rng(4)
    x, u, direction = rng.normal(size=(4, 2, 3)), rng.normal(size=(3, 3)) * 0.3, rng.normal(size=(3, 3))
    outputs, inputs, trace = traced([Spec(x.shape, F64), Spec(u.shape, F64)], program)
    graph = trace.graph(inputs, outputs)
    _, second = interpret(graph, [x, u])
    ends = [(interpret(graph, [x, u + s * 1e-6 * direction])[0] ** 2).sum() for s in (1, -1)]
    assert (second * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_a_captured_value_may_be_read_twice_in_a_step() -> None:
    """Its gradient is a sum of two products over all steps, or of their views."""

    def loss(x: Value, u: Value, b: Value) -> Value:
        def step(h: Value, row: Value) -> tuple[Value, None]:
            return ops.tanh(ops.tanh(h @ u + b) @ u + row @ ops.reshape(b, (3, 1)) + b), None

        return ops.sum(ops.scan(step, ops.zeros((2, 3), F64), x)[0])

    def program(x: Value, u: Value, b: Value) -> list[Value]:
        value = loss(x, u, b)
        return [value, *gradients(value, [u, b])]  # type: ignore[list-item]

    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=shape) * 0.5 for shape in ((4, 2, 3), (3, 3), (3,))]
    outputs, inputs, trace = traced([Spec(a.shape, F64) for a in arrays], program)
    graph = trace.graph(inputs, outputs)
    _, *found = interpret(graph, arrays)
    for i, gradient in enumerate(found, 1):
        direction, ends = rng.normal(size=gradient.shape), []
        for sign in (1, -1):
            moved = [a + sign * 1e-6 * direction if j == i else a for j, a in enumerate(arrays)]
            ends.append(float(interpret(graph, moved)[0]))
        assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_bodies_may_return_variables_and_numbers() -> None:
    weight = Variable(np.array([2.0, 3.0]), name="weight", dtype=F64)

    def program(flag: Value, x: Value) -> list[Value]:
        chosen = ops.cond(flag, lambda: weight, lambda: x)
        last, ys = ops.scan(lambda c, row: (weight, (c, 1.5)), x, length=2)
        ones, zeros = ops.scan(lambda c, _: ((1, 0.0), c), (0, 0.0), length=2)[1]
        return [chosen, last, *ys, ones, zeros]

    outputs, inputs, trace = traced([Spec((), "bool"), Spec((2,), F64)], program)
    weight.assign([4.0, 5.0])
    found = interpret(trace.graph(inputs, outputs), [np.array(True), np.array([0.0, 1.0])])
    expected: list[Any] = [[4, 5], [4, 5], [[0, 1], [4, 5]], [1.5, 1.5], [0, 1], [0, 0]]
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    assert [str(a.dtype) for a in found[3:]] == ["float32", "int32", "float32"]  # as where they are computed


@pytest.mark.parametrize("symbolic", [True, False])
def test_none_in_a_carry_or_in_ys_stands_for_nothing(symbolic: bool) -> None:
    def program(x: Any) -> list[Any]:
        last, (nothing, ys) = ops.scan(lambda c, row: (None, (None, row * 2.0)), None, x)
        assert last is None
        assert nothing is None
        (none, total), _ = ops.scan(lambda c, row: ((None, c[1] + row[1]), None), (None, 0.0), (None, x))
        assert none is None
        return [ys, total]

    x = np.array([1.0, 2.0], np.float32)
    found = program(x)
    if symbolic:
        outputs, inputs, trace = traced([Spec((2,))], program)
        found = interpret(trace.graph(inputs, outputs), [x])
    np.testing.assert_array_equal(found[0], [2, 4])
    assert float(found[1]) == 3


@pytest.mark.parametrize("symbolic", [True, False])
@pytest.mark.parametrize("returned", [1, 3])
def test_a_step_returns_as_many_carries_as_it_gets(symbolic: bool, returned: int) -> None:
    x: Any = Value(Spec((4,))) if symbolic else np.ones(4, np.float32)
    rule = rf"f must return \(carry, y\), .*as many values as `init`\. Expected: 2\. Received: {returned}"
    with pytest.raises(ShapeError, match=rule):
        ops.scan(lambda c, row: ((c[0],) * returned, row), (0.0, 0.0), x)


@ops.custom_gradient
def scaled_tanh(x: Any) -> Any:
    """Its gradient function remembers values that nobody else reads."""
    y, slope = ops.tanh(x), ops.exp(x) * 0.5
    return y, lambda upstream: upstream * (slope + y)


def plain_gradient(x: np.ndarray) -> np.ndarray:
    return np.exp(x) * 0.5 + np.tanh(x)


def test_custom_gradients_in_a_loop() -> None:
    def program(x: Value, w: Value) -> list[Value]:
        last, ys = ops.scan(
            lambda h, row: (scaled_tanh(h + scaled_tanh(row @ w)), h), ops.zeros((2, 3), F64), x
        )
        return gradients(ops.sum(last) + ops.sum(ys), [x, w])  # type: ignore[return-value]

    rng = np.random.default_rng(6)
    arrays = [rng.normal(size=(4, 2, 3)), rng.normal(size=(3, 3))]
    outputs, inputs, trace = traced([Spec(a.shape, F64) for a in arrays], program)
    dx, dw = interpret(trace.graph(inputs, outputs), arrays)
    x, w = arrays
    before, products = [np.zeros((2, 3))], x @ w
    for product in products:
        before.append(np.tanh(before[-1] + np.tanh(product)))
    d, expected = np.ones((2, 3)), np.zeros_like(x)
    for t in reversed(range(4)):
        inner = d * plain_gradient(before[t] + np.tanh(products[t]))
        expected[t] = inner * plain_gradient(products[t])
        d = inner + 1.0  # of the slice of ys, too
    np.testing.assert_allclose(dx, expected @ w.T, rtol=1e-10)
    np.testing.assert_allclose(dw, np.einsum("tni,tnj->ij", x, expected), rtol=1e-10)


@pytest.mark.parametrize("flag", [True, False])
def test_custom_gradients_in_a_branch(flag: bool) -> None:
    def program(pred: Value, x: Value) -> list[Value]:
        y = ops.cond(pred, lambda: scaled_tanh(x * 2.0), lambda: scaled_tanh(x))
        return gradients(ops.sum(y), [x])  # type: ignore[return-value]

    x = np.array([0.5, -1.5])
    outputs, inputs, trace = traced([Spec((), "bool"), Spec((2,), F64)], program)
    (found,) = interpret(trace.graph(inputs, outputs), [np.array(flag), x])
    np.testing.assert_allclose(found, 2 * plain_gradient(2 * x) if flag else plain_gradient(x), rtol=1e-12)


@pytest.mark.parametrize("around", ["nothing", "cond", "scan"])
def test_a_custom_gradient_remembers_a_variable(around: str) -> None:
    """One that the function reads, and one that nothing but the gradient does."""
    v, w = Variable(np.asarray(3.0)), Variable(np.asarray(10.0))

    def program(x: Value) -> list[Value]:
        @ops.custom_gradient
        def scaled(x: Any) -> Any:
            factor, slope = ops.convert(v), ops.convert(w)
            return x * factor, lambda upstream: upstream * factor * slope

        if around == "cond":
            y = ops.cond(ops.sum(x) > 0.0, lambda: scaled(x), lambda: x)
        elif around == "scan":
            y = ops.scan(lambda c, _: (scaled(c), c), x, length=1)[0]
        else:
            y = scaled(x)
        return [y, *gradients(ops.sum(y), [x])]  # type: ignore[list-item]

    outputs, inputs, trace = traced([Spec((2,), F64)], program)
    y, slope = interpret(trace.graph(inputs, outputs), [np.array([1.0, 2.0])])
    assert y.tolist() == [3, 6]
    assert slope.tolist() == [30, 30]


def test_passes_reach_the_bodies() -> None:
    def program(x: Value, a: Value) -> list[Value]:
        last, _ = ops.scan(lambda c, row: (ops.tanh(c) * row + ops.tanh(c), None), a, x)
        return [ops.cond(ops.sum(last) > 0, lambda: ops.exp(last) + ops.exp(last), lambda: last)]

    outputs, inputs, trace = traced([Spec((6, 3), F64), Spec((3,), F64)], program)
    graph = trace.graph(inputs, outputs)
    feeds = [np.random.default_rng(0).normal(size=v.spec.dims) for v in inputs]
    (expected,) = interpret(graph, feeds)
    bodies = [body for node in optimize(graph).nodes for body in node.op.bodies]
    kinds = [type(node.op).__name__ for body in bodies for node in body.graph.nodes]
    assert kinds == ["Tanh", "Multiply", "Add", "Exp", "Add"]
    np.testing.assert_array_equal(interpret(graph, feeds)[0], expected)


def test_a_carry_that_no_step_changes_is_not_copied() -> None:
    def program(x: Value, a: Value) -> list[Value]:
        (same, last), ys = ops.scan(lambda c, row: ((c[0], c[1] + row), c[0] * row), (a, a * 2.0), x)
        return [same, last, ys]

    outputs, inputs, trace = traced([Spec((4, 3), F64), Spec((3,), F64)], program)
    exe = Executable(trace.graph(inputs, outputs), backend.current_device())
    x, a = np.random.default_rng(0).normal(size=(4, 3)), np.array([1.0, 2.0, 3.0])
    for found, expected in zip(exe.run([x, a], poison=True), [a, a * 2 + x.sum(0), a * x], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    (loop,) = (leaf for t in exe.thunks for leaf in backend.leaves(t) if isinstance(leaf, backend.Loop))
    assert len(loop.after) == 1
