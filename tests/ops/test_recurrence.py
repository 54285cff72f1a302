"""Recurrent steps beside PyTorch's cells: masks, directions, edge sizes, what is kept, threads, errors.

Values and gradients of each operation from its samples: test_operations.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import backend, ops
from gputrain.backend.numpy import recurrence, threads
from gputrain.compiler import gradients
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Graph, Spec, Value
from gputrain.runtime import Executable, interpret
from tests.on_device import hosts
from tests.tolerances import assert_close

UNITS, FEATURES = 4, 3
MASKS = {
    "right": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
    "left": [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 1, 0, 1, 1]],
    "one of nothing": [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]],
}
Steps = Callable[..., Any]


def lstm(x: Any, w: Any, states: Any, **settings: Any) -> Any:
    return ops.lstm(x, *states, w, **settings)


def gru(x: Any, w: Any, states: Any, **settings: Any) -> Any:
    return ops.gru(x, states[0], w, **settings)


def gru_before(x: Any, w: Any, states: Any, **settings: Any) -> Any:
    return ops.gru(x, states[0], w, reset_after=False, **settings)


def simple(x: Any, w: Any, states: Any, **settings: Any) -> Any:
    return ops.simple_rnn(x, states[0], w, **settings)


GATES: dict[Steps, int] = {lstm: 4, gru: 3, gru_before: 3, simple: 1}
every_cell = pytest.mark.parametrize("steps", GATES)


def drawn(steps: Steps, shape: tuple[int, int], dtype: str = "float64") -> tuple[Any, Any, list[Any]]:
    """(projected, recurrent kernel, states) for (batch, steps)."""
    rng, width = np.random.default_rng(5), GATES[steps] * UNITS
    x, w = rng.standard_normal((*shape, width)), rng.standard_normal((UNITS, width)) / 2
    states = [rng.standard_normal((shape[0], UNITS)) for _ in range(2 if steps is lstm else 1)]
    return x.astype(dtype), w.astype(dtype), [state.astype(dtype) for state in states]


def one_by_one(steps: Steps, x: Any, w: Any, states: Any, mask: Any, reverse: bool) -> tuple[Any, list[Any]]:
    """Each sequence by itself, only the steps that count, one call for each."""
    outputs, last = np.zeros((*x.shape[:2], UNITS)), [state.copy() for state in states]
    for n in range(len(x)):
        own, y = [state[n : n + 1] for state in states], np.zeros(UNITS)
        for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
            if mask[n, t]:
                _, *own = steps(x[n : n + 1, t : t + 1], w, own)
                y = own[0][0]
            outputs[n, t] = y
        for place, state in zip(last, own, strict=True):
            place[n] = state[0]
    return outputs, last


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_leaves_out_steps(steps: Steps, mask: str, reverse: bool) -> None:
    x, w, states = drawn(steps, (3, 5))
    counts = np.array(MASKS[mask], bool)
    outputs, *last = steps(x, w, states, mask=counts, reverse=reverse)
    expected, expected_last = one_by_one(steps, x, w, states, counts, reverse)
    assert_close(outputs, expected, "float64")
    for a, b in zip(last, expected_last, strict=True):
        assert_close(a, b, "float64")


@every_cell
def test_a_mask_of_ones_changes_nothing(steps: Steps) -> None:
    x, w, states = drawn(steps, (3, 5))
    for a, b in zip(steps(x, w, states, mask=np.ones((3, 5))), steps(x, w, states), strict=True):
        np.testing.assert_array_equal(a, b)


@every_cell
def test_reverse_is_the_sequence_turned_around(steps: Steps) -> None:
    x, w, states = drawn(steps, (3, 5))
    outputs, *last = steps(x, w, states, reverse=True)
    turned, *last_turned = steps(x[:, ::-1], w, states)
    np.testing.assert_array_equal(outputs, turned[:, ::-1])
    for a, b in zip(last, last_turned, strict=True):
        np.testing.assert_array_equal(a, b)


def differentiate(
    steps: Steps, arrays: list[Any], mask: Any = None, reverse: bool = False, of: slice = slice(None)
) -> tuple[list[np.ndarray], Callable[[list[Any]], float]]:
    """(gradients of a loss of some of the results with respect to x, w and states, the loss)."""
    values = [Value(Spec(a.shape, a.dtype.name)) for a in arrays]

    def loss_of(x: Any, w: Any, *states: Any) -> Any:
        found = steps(x, w, list(states), mask=mask, reverse=reverse)[of]
        parts = [ops.sum(ops.sin(ops.add(part, float(k)))) for k, part in enumerate(found)]
        return ops.sum(ops.stack(parts))

    loss = loss_of(*values)
    graph = Graph(values, gradients(loss, values))
    return hosts(interpret(graph, arrays)), lambda changed: float(loss_of(*changed))


@pytest.mark.cpu_only("the gradient of each device agrees with the samples' references")
@every_cell
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mask", [None, *MASKS])
@pytest.mark.parametrize("of", [slice(None), slice(1), slice(1, None)], ids=["all", "outputs", "states"])
def test_gradients_are_those_of_central_differences(
    steps: Steps, mask: str | None, reverse: bool, of: slice
) -> None:
    x, w, states = drawn(steps, (3, 5))
    counts = None if mask is None else np.array(MASKS[mask], bool)
    arrays, rng = [x, w, *states], np.random.default_rng(1)
    found, loss = differentiate(steps, arrays, counts, reverse, of)
    for i, gradient in enumerate(found):
        direction = rng.standard_normal(arrays[i].shape)
        ends = []
        for sign in (1, -1):
            ends.append(loss([a + sign * 1e-6 * direction if k == i else a for k, a in enumerate(arrays)]))
        assert abs(np.sum(gradient * direction) - (ends[0] - ends[1]) / 2e-6) < 1e-7


@every_cell
@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 4), (2, 0), (0, 3)])
def test_edge_sizes(steps: Steps, shape: tuple[int, int]) -> None:
    x, w, states = drawn(steps, shape)
    outputs, *last = steps(x, w, states)
    expected, expected_last = one_by_one(steps, x, w, states, np.ones(shape, bool), False)
    assert_close(outputs, expected, "float64")
    for a, b in zip(last, expected_last, strict=True):
        assert_close(a, b, "float64")
    found, _ = differentiate(steps, [x, w, *states])
    assert [g.shape for g in found] == [a.shape for a in (x, w, *states)]
    assert all(np.isfinite(g).all() for g in found)
    if 0 in shape:
        assert not found[1].any()


@every_cell
def test_steps_that_do_not_count_may_hold_anything(steps: Steps) -> None:
    x, w, states = drawn(steps, (3, 5))
    mask = np.array(MASKS["holes"], bool)
    clean, _ = differentiate(steps, [x, w, *states], mask)
    values = steps(x, w, states, mask=mask)
    for bad in (np.nan, np.inf, 1e300):
        spoilt = np.where(mask[..., None], x, bad)
        for a, b in zip(steps(spoilt, w, states, mask=mask), values, strict=True):
            np.testing.assert_array_equal(a, b)
        found, _ = differentiate(steps, [spoilt, w, *states], mask)
        for a, b in zip(found, clean, strict=True):
            np.testing.assert_array_equal(a, b)
        assert not found[0][~mask].any()


@pytest.mark.parametrize("masked", [False, True])
def test_cells_are_those_of_pytorch(masked: bool) -> None:
    """Values and gradients, by PyTorch's own cells and its autograd; its GRU has the reset gate first."""
    torch = pytest.importorskip("torch")
    rng, shape = np.random.default_rng(2), (3, 5)
    mask = np.array(MASKS["holes"], bool) if masked else np.ones(shape, bool)
    for steps, cell, order in (
        (lstm, torch.nn.LSTMCell(FEATURES, UNITS), (0, 1, 2, 3)),
        (gru, torch.nn.GRUCell(FEATURES, UNITS), (1, 0, 2)),
        (simple, torch.nn.RNNCell(FEATURES, UNITS), (0,)),
    ):
        cell = cell.double()
        ours = [_gates_of(p.detach().numpy(), order) for p in cell.parameters()]
        kernel, recurrent, bias, recurrent_bias = ours
        inputs = rng.standard_normal((*shape, FEATURES))
        x = torch.from_numpy(inputs).requires_grad_()
        own = [torch.from_numpy(rng.standard_normal((3, UNITS))) for _ in range(2 if steps is lstm else 1)]
        states, outputs = own, []
        for t in range(shape[1]):
            new = cell(x[:, t], tuple(states) if steps is lstm else states[0])
            counts = torch.from_numpy(mask[:, t, None])
            new = new if steps is lstm else (new,)
            states = [torch.where(counts, a, b) for a, b in zip(new, states, strict=True)]
            outputs.append(torch.where(counts, new[0], outputs[-1] if outputs else 0.0))
        sum(o.sin().sum() for o in (*outputs, *states)).backward()

        def loss_of(x: Any, w: Any, b: Any, steps: Any = steps, own: Any = own) -> Any:
            projected = ops.matmul(x, kernel) + bias + (b if steps is not gru else 0)  # noqa: B023
            extra = {"recurrent_bias": b} if steps is gru else {}
            found = steps(projected, w, [s.numpy() for s in own], mask=mask if masked else None, **extra)
            return ops.sum(ops.stack([ops.sum(ops.sin(part)) for part in found])), found[0]

        values = [Value(Spec(a.shape, "float64")) for a in (inputs, recurrent, recurrent_bias)]
        loss, y = loss_of(*values)
        graph = Graph(values, [y, *gradients(loss, values)])
        found, *gs = hosts(interpret(graph, [inputs, recurrent, recurrent_bias]))
        assert_close(found, torch.stack(outputs, 1).detach().numpy(), "float64")
        theirs = [x.grad.numpy(), *(_gates_of(p.grad.numpy(), order) for p in (cell.weight_hh, cell.bias_hh))]
        for a, b in zip(gs, theirs, strict=True):
            assert_close(a, b, "float64")


def _gates_of(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """PyTorch's (gates * units, ...) with gates in our order, and transposed."""
    parts = np.split(array, len(order))
    return np.ascontiguousarray(np.concatenate([parts[k] for k in order]).T)


@every_cell
def test_float16_is_computed_in_float32(steps: Steps) -> None:
    x, w, states = drawn(steps, (3, 20), "float16")
    exact = steps(*(a.astype("float64") for a in (x, w)), [s.astype("float64") for s in states])
    for a, b in zip(steps(x, w, states), exact, strict=True):
        assert np.asarray(a).dtype == "float16"
        assert_close(a, b, "float16")


@every_cell
def test_only_training_keeps_gates(steps: Steps) -> None:
    """The plan of what is only computed has no room for the gates of all steps."""
    shape, device = (16, 50), backend.current_device()
    x, w, states = drawn(steps, shape, "float32")
    values = [Value(Spec(a.shape)) for a in (x, w, *states)]
    last = steps(values[0], values[1], values[2:])[1]
    forward = Executable(Graph(values, [last]), device).plan.nbytes
    training = Executable(Graph(values, gradients(ops.sum(last), values)), device).plan.nbytes
    state = states[0].nbytes
    outputs = shape[1] * state
    assert forward < x.nbytes + outputs + 20 * state + (1 << 14)
    assert training > 2 * x.nbytes


@pytest.mark.cpu_only("threads of the NumPy device")
@every_cell
def test_threads_share_out_sequences(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, states = drawn(steps, (37, 6))
    mask = np.random.default_rng(0).random((37, 6)) < 0.7
    results = []
    monkeypatch.setattr(recurrence, "WORTH", 1)
    for count in ("1", "2", "3"):
        monkeypatch.setenv("GPUTRAIN_THREADS", count)
        threads.workers.cache_clear()
        threads._pool.cache_clear()
        found, _ = differentiate(steps, [x, w, *states], mask)
        results.append([*steps(x, w, states, mask=mask), *found])
    threads.workers.cache_clear()
    threads._pool.cache_clear()
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            assert_close(a, b, "float64")


def test_unknown_sizes_pass_through() -> None:
    x, h, w = (Value(Spec(s)) for s in ((None, 7, 12), (None, 3), (3, 12)))
    outputs, last, c = ops.lstm(x, h, h, w, Value(Spec((None, 7), "bool")))
    assert (outputs.shape, last.shape, c.shape) == ((None, 7, 3), (None, 3), (None, 3))
    outputs, last = ops.gru(Value(Spec((None, None, 9))), h, Value(Spec((3, 9))))
    assert (outputs.shape, last.shape) == ((None, None, 3), (None, 3))


def test_lists_and_whole_numbers_are_taken() -> None:
    outputs, h = ops.simple_rnn([[[0, 1]], [[2, 3]]], np.zeros((2, 2), "int32"), [[1, 0], [0, 1]])
    assert_close(outputs[:, 0], np.tanh([[0, 1], [2, 3]]), "float32")
    assert_close(h, outputs[:, 0], "float32")


WRONG = {
    "rank": (ShapeError, "LSTM takes what the inputs contribute to its 4 gates", ((2, 12), (2, 3), (3, 12))),
    "width": (ShapeError, "(batch, steps, 4 * units)", ((2, 5, 11), (2, 3), (3, 12))),
    "batch": (ShapeError, "a state has a row for each sequence", ((2, 5, 12), (3, 3), (3, 12))),
    "kernel": (ShapeError, "the recurrent kernel has another shape", ((2, 5, 12), (2, 3), (4, 12))),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_shapes_are_refused(case: str) -> None:
    error, words, shapes = WRONG[case]
    x, h, w = (np.zeros(shape, "float32") for shape in shapes)
    with pytest.raises(error) as caught:
        ops.lstm(x, h, h, w)
    assert words in str(caught.value)
    assert "Received: " in str(caught.value)


def test_a_wrong_mask_and_a_bias_that_is_not_read_are_refused() -> None:
    x, h, w = np.zeros((2, 5, 9)), np.zeros((2, 3)), np.zeros((3, 9))
    with pytest.raises(ShapeError, match="the mask says which steps count"):
        ops.gru(x, h, w, mask=np.ones((2, 4)))
    with pytest.raises(ShapeError, match="the recurrent bias has another shape"):
        ops.gru(x, h, w, recurrent_bias=np.zeros(8))
    with pytest.raises(ValueError, match="a recurrent bias belongs to reset_after=True"):
        ops.gru(x, h, w, recurrent_bias=np.zeros(9), reset_after=False)


def test_dtypes_must_agree_in_the_operation() -> None:
    specs = [Spec((2, 5, 12)), Spec((2, 3), "float64"), Spec((2, 3)), Spec((3, 12))]
    with pytest.raises(DTypeError, match="one dtype"):
        ops.LSTMSteps().infer(*specs)


@every_cell
def test_a_second_derivative_is_refused_in_words(steps: Steps) -> None:
    x, w, states = drawn(steps, (2, 3))
    values = [Value(Spec(a.shape, "float64")) for a in (x, w, *states)]
    outputs, *_ = steps(values[0], values[1], values[2:])
    (gradient,) = gradients(ops.sum(outputs), values[:1])
    with pytest.raises(NotImplementedError, match=r"cannot be differentiated again.*ops\.scan"):
        gradients(ops.sum(ops.square(gradient)), values[:1])


@every_cell
def test_steps_within_a_loop_and_a_branch(steps: Steps) -> None:
    """Their gradient asks them to keep more: so it does where they are part of a body."""
    x, w, states = drawn(steps, (2, 6))
    whole, _ = differentiate(steps, [x, w, *states], of=slice(1, None))
    chunks = np.stack([x[:, :3], x[:, 3:]])
    values = [Value(Spec(a.shape, "float64")) for a in (chunks, w, *states)]

    def body(carry: Any, chunk: Any) -> Any:
        return list(steps(chunk, values[1], carry)[1:]), None

    last, _ = ops.scan(body, list(values[2:]), values[0])
    parts = [ops.sum(ops.sin(ops.add(part, float(k)))) for k, part in enumerate(last)]
    loss = ops.sum(ops.stack(parts))
    d_chunks, *others = hosts(interpret(Graph(values, gradients(loss, values)), [chunks, w, *states]))
    for a, b in zip([np.concatenate(list(d_chunks), 1), *others], whole, strict=True):
        assert_close(a, b, "float64")
    taken = Value(Spec((), "bool"))
    y = ops.cond(taken, lambda: steps(values[0][0], values[1], values[2:])[1], lambda: values[2])
    graph = Graph([taken, *values], gradients(ops.sum(y), values[1:3]))
    for flag in (True, False):
        d_w, d_h = hosts(interpret(graph, [np.array(flag), chunks, w, *states]))
        assert d_w.any() == flag
        assert (d_h == 1).all() != flag
