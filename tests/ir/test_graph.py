"""Graphs: schedule, verification of planted faults, and the text of a dump."""

from __future__ import annotations

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain.errors import GraphError
from gputrain.ir import Graph, Spec, State, Trace, Value, schedule
from gputrain.runtime import Variable
from tests.compiler.random_graphs import random_program


def small() -> tuple[Graph, Value, Value]:
    x = Value(Spec((2, 3)), name="x")
    hidden = ops.tanh(x)
    return Graph([x], [ops.sum(hidden + 1.0)]), x, hidden


@pytest.mark.parametrize("seed", range(10))
def test_every_node_stands_behind_what_it_reads(seed: int) -> None:
    graph = random_program(seed).graph
    position = {node: i for i, node in enumerate(graph.nodes)}
    assert len(position) == len(graph.nodes)
    for node in graph.nodes:
        assert all(position[v.node] < position[node] for v in node.inputs if v.node is not None)
    graph.verify()


def test_the_schedule_keeps_the_order_of_creation() -> None:
    graph = random_program(4).graph
    assert [n.order for n in graph.nodes] == sorted(n.order for n in graph.nodes)


def test_dead_nodes_fall_out() -> None:
    x = Value(Spec((3,)))
    ops.exp(x)
    kept = ops.tanh(x)
    assert [str(node.op) for node in schedule([kept])] == ["Tanh"]


def test_consumers_count_each_reading() -> None:
    x = Value(Spec((3,)))
    y = ops.multiply(x, x)
    assert Graph([x], [y]).consumers() == {x: [y.node, y.node]}


# ------------------------------------------------------------------------------------------- planted faults


def test_a_wrong_spec_is_found() -> None:
    graph, _, hidden = small()
    hidden.spec = Spec((2, 4))
    with pytest.raises(GraphError, match=r"Tanh \(.*Expected: float32\[2, 3\]\. Received: float32\[2, 4\]"):
        graph.verify()


def test_an_unknown_value_is_found() -> None:
    graph, x, _ = small()
    graph.inputs = []
    with pytest.raises(
        GraphError, match=r"Tanh \(.*test_graph\.py:\d+\) reads a value.*<Value x.*Pass it as"
    ):
        graph.verify()
    with pytest.raises(GraphError, match="An output reads a value that is neither"):
        Graph([], [x]).verify()


def test_a_cycle_is_found() -> None:
    graph, _, hidden = small()
    assert hidden.node is not None
    hidden.node.inputs = (graph.outputs[0],)
    for find in (graph.verify, graph.refresh):
        with pytest.raises(GraphError, match=r"Tanh \(.*cannot depend on its own output.*ops\.scan"):
            find()


def test_a_wrong_order_is_found() -> None:
    graph, _, _ = small()
    graph.nodes.reverse()
    with pytest.raises(GraphError, match="neither an input of this graph nor computed in it"):
        graph.verify()


def test_an_output_of_another_node_is_found() -> None:
    graph, x, hidden = small()
    hidden.node = ops.exp(x).node
    graph.nodes[0].outputs = (hidden,)
    graph.nodes = [n for n in graph.nodes if n.op != ops.Exp()]
    with pytest.raises(GraphError, match="output 0 says that another node makes it"):
        graph.verify()


def test_a_state_of_another_shape_is_found() -> None:
    v, x = Variable(np.zeros(3), path="layer/total"), Value(Spec((2,), "float64"))
    before = Value(v.spec)
    graph = Graph([x], [], [State(v, before, ops.exp(x))])
    with pytest.raises(GraphError, match=r"layer/total: a state.*float64\[3\] before and float64\[2\] after"):
        graph.verify()


# ----------------------------------------------------------------------------------------------------- dump


def recorded() -> Graph:
    v, trace = Variable(np.zeros(3), path="layer/total"), Trace()
    x = Value(Spec((2, 3), "float64"), name="x")
    with trace.active():
        with trace.scope("layer", "layer"):
            v.assign_add(ops.sum(x, axis=0))
        trace.effects.append(ops.exp(x))
        return trace.graph([x], [v.value, ops.reshape(x, (6,))])


DUMP = """\
input   %0: float64[2, 3] x
state   %1: float64[3] layer/total
%2: float64[3] = Sum(axes=(0,), keepdims=False)(%0)   # layer
%3: float64[3] = Add(%1, %2)   # layer
%4: float64[2, 3] = Exp(%0)
%5: float64[6] = Reshape(shape=(6,))(%0)
write   layer/total <- %3
keep    %4
return  %3, %5"""


def test_the_dump_is_readable_and_stable() -> None:
    assert recorded().dump() == DUMP
    assert str(recorded()) == DUMP


def test_equal_programs_have_equal_dumps() -> None:
    assert random_program(7).graph.dump() == random_program(7).graph.dump()


def test_the_dump_of_a_broken_graph_marks_what_is_unknown() -> None:
    graph, _, _ = small()
    graph.inputs = []
    assert "Tanh(?)" in graph.dump()
