"""Passes over a finished graph, gradients included."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np

from gputrain.compiler.rewrite.rules import Uses, become, made_by, rewrite
from gputrain.compiler.rewrite.switches import PASSES, enabled
from gputrain.errors import GraphError, explain
from gputrain.ir import Graph, Node, Value
from gputrain.ops.base import Constant, evaluate
from gputrain.ops.normalization import BatchNormGrad, BatchNormWeightGrad

FOLDED_BYTES = 1 << 16  # constants larger than this are computed in each step, where their memory is shared

Pass = Callable[[Graph], None]
_passes: list[Pass] = []


def whole_graph(function: Pass) -> Pass:
    """Put a pass into the table, under its own name as the name of its switch."""
    _passes.append(function)
    PASSES.append(function.__name__)
    return function


def optimize(graph: Graph) -> Graph:
    """All rewrites on a finished graph and on the bodies of its nodes."""
    for body in (body for node in graph.nodes for body in node.op.bodies):
        optimize(body.graph)
        body.plans.clear()  # they are of what it was before
    rewrite(graph.roots())
    graph.refresh()
    for function in _passes:
        if enabled(function.__name__):
            function(graph)
    return graph


@whole_graph
def fold_constants(graph: Graph) -> None:
    """What follows from constants alone is computed once, when the graph is built, unless it is large."""
    for node in graph.nodes:
        op, small = node.op, sum(v.spec.nbytes for v in node.outputs) <= FOLDED_BYTES
        plain = op.n_outputs == 1 and not op.bodies and op.on_host is None
        if not (node.inputs and small and plain and all(made_by(v, Constant) for v in node.inputs)):
            continue
        arrays = [v.node.op.array() for v in node.inputs]  # type: ignore[union-attr]
        with np.errstate(all="ignore"):
            become(node, Constant.of(evaluate(op, np, arrays)[0]))
    graph.refresh()


@whole_graph
def merge_common(graph: Graph) -> None:
    """Compute equal things once: nodes of one operation with the same inputs become one."""
    kept: dict[tuple[Hashable, ...], Node] = {}
    same: dict[Value, Value] = {}
    for node in graph.nodes:
        node.inputs = tuple(same.get(v, v) for v in node.inputs)
        first = kept.setdefault(_identity(node), node)
        if first is not node:
            same.update(zip(node.outputs, first.outputs, strict=True))
    graph.outputs = [same.get(v, v) for v in graph.outputs]
    graph.effects = [same.get(v, v) for v in graph.effects]
    graph.states = [type(s)(s.variable, s.before, same.get(s.after, s.after)) for s in graph.states]
    graph.refresh()


def _identity(node: Node) -> tuple[Hashable, ...]:
    """What two nodes that compute the same have in common."""
    try:
        hash(node.op)
    except TypeError as error:
        raise GraphError(
            explain(
                f"{type(node.op).__name__} ({node.path or node.source}): an operation must be hashable, "
                "so that equal ones are computed once.",
                received=str(error),
                fix="Give it hashable parameters: tuples instead of lists and arrays.",
            )
        ) from error
    # The text tells 0.0 from -0.0 and 1 from True, which are equal as parameters.
    return node.op, str(node.op), *map(id, node.inputs)


@whole_graph
def drop_unread_gradients(graph: Graph) -> None:
    """A normalization of the model's inputs: nobody reads the gradient for them, so it is not computed."""
    uses = Uses(graph.consumers(), frozenset(graph.roots()), frozenset())
    for node in graph.nodes:
        if type(node.op) is BatchNormGrad and not node.frozen and not uses.count(node.outputs[0]):
            g, x, _, mean, variance = node.inputs
            become(node, BatchNormWeightGrad(node.op.epsilon), g, x, mean, variance)
            node.outputs = node.outputs[1:]
            for i, value in enumerate(node.outputs):
                value.index = i
    graph.refresh()
