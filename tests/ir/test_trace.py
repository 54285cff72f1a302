"""Traces: what reading and writing variables means in a traced function."""

from __future__ import annotations

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.errors import GraphError, ShapeError
from gputrain.ir import Spec, Trace, Value, current_trace
from gputrain.runtime import Variable, interpret


def variable(*shape: int) -> Variable:
    return Variable(np.zeros(shape), path="layer/state")


def test_reading_twice_gives_one_value() -> None:
    v, trace = variable(2), Trace()
    with trace.active():
        assert v.value is v.value is trace.read(v)
    assert trace.graph([], []).states[0].written is False


def test_reading_after_writing_gives_the_new_value() -> None:
    v, trace = variable(2), Trace()
    with trace.active():
        old = v.value
        new = v.assign(old + 1.0)
        assert v.value is new
        v.assign_add(v)
        v.assign_sub(np.ones(2))
        graph = trace.graph([], [old, v.value])
    (state,) = graph.states
    assert state.before is old
    assert state.after is graph.outputs[1]
    interpret(graph, [])
    np.testing.assert_array_equal(v.numpy(), 1.0)


def test_writing_alone_makes_the_variable_a_state() -> None:
    v, trace, x = variable(2), Trace(), Value(Spec((2,), "float64"))
    with trace.active():
        v.assign(x)
        graph = trace.graph([x], [])
    graph.verify()
    interpret(graph, [np.array([3.0, 4.0])])
    np.testing.assert_array_equal(v.numpy(), [3.0, 4.0])


def test_numbers_arrays_and_other_dtypes_are_written() -> None:
    scalar, vector, trace = Variable(np.float32(0)), variable(2), Trace()
    with trace.active():
        scalar.assign(2)
        vector.assign(np.array([1, 2], "int32"))
        graph = trace.graph([], [])
    graph.verify()
    interpret(graph, [])
    assert scalar.numpy() == np.float32(2)
    np.testing.assert_array_equal(vector.numpy(), [1.0, 2.0])


def test_a_write_keeps_shape_and_dtype() -> None:
    v, trace = variable(2), Trace()
    with trace.active():
        with pytest.raises(ShapeError, match=r"layer/state.*Expected: float64\[2\]. Received: float64\[1\]"):
            v.assign(np.zeros(1))
        with pytest.raises(ShapeError, match=r"layer/state.*Received: int32\[2\]"):
            trace.write(v, Value(Spec((2,), "int32")))
    assert not trace.after


def test_no_write_in_a_body() -> None:
    v, outer = variable(2), Trace()
    body = Trace(parent=outer)
    with body.active(), pytest.raises(GraphError, match=r"layer/state: a variable cannot be assigned inside"):
        v.assign(v + 1.0)


def test_states_come_in_the_order_of_reading() -> None:
    a, b, trace = variable(1), variable(1), Trace()
    with trace.active():
        b.assign(b + a)
        a.assign(a * 2.0)
        graph = trace.graph([], [])
    assert [s.variable for s in graph.states] == [b, a]


def test_the_innermost_trace_counts_and_is_left_on_an_error() -> None:
    outer, inner, seen = Trace(), Trace(), []

    def fail() -> None:
        seen.append(current_trace())
        raise KeyError

    with outer.active():
        with pytest.raises(KeyError), inner.active():
            fail()
        assert seen == [inner]
        assert current_trace() is outer
    assert current_trace() is None


def test_scopes_name_layers_and_restore_training() -> None:
    trace = Trace(training=True)
    with trace.scope("model", "0"):
        with trace.scope("dropout", "0/1", training=False):
            assert (trace.path, trace.training) == ("model/dropout", False)
        assert (trace.path, trace.training) == ("model", True)
    assert trace.path == ""


def test_each_draw_has_its_own_stream_path() -> None:
    trace = Trace()
    with trace.scope("a", "0"):
        paths = [trace.stream_path(), trace.stream_path()]
        paths.append(Trace(parent=trace).stream_path())
    with trace.scope("b", "1"):
        paths.append(trace.stream_path())
    assert len(set(paths)) == len(paths)


def test_a_draw_needs_a_step_counter() -> None:
    with Trace().active(), pytest.raises(GraphError, match="step counter"):
        ops.dropout(Value(Spec((4,))), 0.5)
