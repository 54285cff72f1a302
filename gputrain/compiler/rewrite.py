"""Rewrites of a graph. Each keeps what the graph computes, can be switched off, and is tested.

Forward rewrites run before differentiation, so that the gradient is that of the better form. They change
nodes in place; a value keeps its identity, whoever holds it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from gputrain.errors import GraphError, explain
from gputrain.ir import Graph, Node, Value, schedule
from gputrain.ir.graph import readers_of
from gputrain.ops.activation import Relu
from gputrain.ops.base import Constant, Operation
from gputrain.ops.conv import Conv
from gputrain.ops.conv_pool import ConvMaxPool
from gputrain.ops.elementwise import Add, Multiply, Sigmoid
from gputrain.ops.indexing import OneHot
from gputrain.ops.nn import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    SparseSoftmaxCrossentropy,
)
from gputrain.ops.normalization import BatchNormGrad, BatchNormWeightGrad
from gputrain.ops.pool import MaxPool
from gputrain.ops.reduction import ArgMax
from gputrain.ops.shape import Reshape

_disabled: ContextVar[frozenset[str]] = ContextVar("disabled_passes", default=frozenset())


@contextmanager
def disabled(*names: str) -> Iterator[None]:
    """Switch passes off within a `with` block; without names, all of them.

    The environment variable GPUTRAIN_DISABLE_PASSES (names separated by commas, or "all") does the same.
    """
    token = _disabled.set(_disabled.get() | frozenset(names or PASSES))
    try:
        yield
    finally:
        _disabled.reset(token)


def enabled(name: str) -> bool:
    """Whether the pass of that name runs."""
    switched_off = os.environ.get("GPUTRAIN_DISABLE_PASSES", "").split(",")
    return name not in _disabled.get() and name not in switched_off and "all" not in switched_off


@dataclass(slots=True)
class Uses:
    """Who needs the values of a program.

    Attributes:
        readers: the nodes that read each value.
        roots: values needed for their own sake.
        kept: values that gradients are wanted for, so that the way to the roots must lead through them.
    """

    readers: dict[Value, list[Node]]
    roots: frozenset[Value]
    kept: frozenset[Value]

    def count(self, value: Value) -> int:
        """How many need the value."""
        return len(self.readers.get(value, ())) + (value in self.roots) + (value in self.kept)


def rewrite(roots: Sequence[Value], kept: Iterable[Value] = ()) -> None:
    """Apply the forward rewrites to everything under `roots` until none applies.

    Nodes that were differentiated are left alone: their gradients read the outputs they have. So are the
    ways through `kept`, the values that gradients are wanted for.
    """
    active = [f for name, f in FORWARD.items() if enabled(name)]
    needed, kept = frozenset(roots), frozenset(kept)
    changed = bool(active)
    while changed:
        nodes = schedule(roots)
        uses = Uses(readers_of(nodes), needed, kept)
        changes = [f(node, uses) for node in nodes if not node.frozen for f in active]
        changed = any(changes)


def _made_by(value: Value, kind: type[Operation]) -> Node | None:
    """The node that makes `value`, if it is of that kind."""
    return value.node if value.node is not None and type(value.node.op) is kind else None


def _make(op: Operation, like: Node, *inputs: Value) -> tuple[Value, ...]:
    """A new node that stands where `like` stood in the user's code."""
    node = Node(op, inputs, op.output_specs(*(v.spec for v in inputs)), like.path)
    node.source, node.order = like.source, like.order
    return node.outputs


def _become(node: Node, op: Operation, *inputs: Value) -> None:
    """Compute the outputs of `node` by another operation with the same output specs."""
    node.op, node.inputs = op, inputs


def fuse_softmax_crossentropy(node: Node, uses: Uses) -> bool:
    """Crossentropy of a softmax becomes one operation on the logits, without logarithms of small numbers."""
    if type(node.op) is not CategoricalCrossentropy:
        return False
    target, output = node.inputs
    softmax = _made_by(output, Softmax)
    if softmax is None or output in uses.kept:
        return False
    (logits,) = softmax.inputs
    onehot = _made_by(target, OneHot) if target not in uses.kept else None
    if onehot is not None and len(onehot.inputs) == 1 and onehot.op.axis in (-1, target.ndim - 1):
        loss = _make(SparseSoftmaxCrossentropy(), node, onehot.inputs[0], logits)[0]
    else:
        loss = _make(SoftmaxCrossentropy(), node, target, logits)[0]
    _forward(node, loss)
    return True


def fold_label_smoothing(node: Node, uses: Uses) -> bool:
    """target * (1 - s) + s / classes under a softmax crossentropy becomes a parameter of it."""
    if type(node.op) is not SoftmaxCrossentropy or node.op.smoothing:
        return False
    smoothed, logits = node.inputs
    classes = logits.shape[-1]
    even = _with_number(smoothed, Add, uses)
    kept = _with_number(even[0], Multiply, uses) if even else None
    if even is None or kept is None or not classes:
        return False
    smoothing = _share(kept[1], even[1], classes)
    if smoothing is None:
        return False
    _become(node, SoftmaxCrossentropy(smoothing), kept[0], logits)
    return True


def _with_number(value: Value, kind: type[Operation], uses: Uses) -> tuple[Value, np.ndarray] | None:
    """The other operand and the number where `value`, read once, is made of an operand of its spec and a
    constant number."""
    made = _made_by(value, kind)
    if made is None or uses.count(value) != 1:
        return None
    for other, number in (made.inputs, made.inputs[::-1]):
        constant = _made_by(number, Constant)
        if constant is not None and number.spec.size == 1 and other.spec == value.spec:
            return other, constant.op.array().reshape(())
    return None


def _share(kept: np.ndarray, even: np.ndarray, classes: int) -> float | None:
    """The shortest s in 0..1 of which the numbers are 1 - s and s / classes, rounded; None without one."""
    number = kept.dtype.type
    if kept.dtype.kind != "f" or kept.dtype != even.dtype or not np.isfinite([kept, even]).all():
        return None
    (least, most), (low, high) = _rounded_to(kept), _rounded_to(even)
    middle = (max(1.0 - most, low * classes) + min(1.0 - least, high * classes)) / 2
    near = (middle, *(float(np.nextafter(middle, end)) for end in (0, 1)))
    candidates = (*(round(middle, digits) for digits in range(17)), *near)
    for s in candidates:
        if 0 <= s <= 1 and number(1.0 - s) == kept and number(s / classes) == even:
            return s
    return None


def _rounded_to(number: np.ndarray) -> tuple[float, float]:
    """Between which numbers lie those that are rounded to this one."""
    exact = float(number)
    below, above = (float(np.nextafter(number, number.dtype.type(end))) for end in (-np.inf, np.inf))
    return (exact + below) / 2, (exact + above) / 2


def fuse_sigmoid_crossentropy(node: Node, uses: Uses) -> bool:
    """Binary crossentropy of a sigmoid becomes one operation on the logits."""
    if type(node.op) is not BinaryCrossentropy:
        return False
    target, output = node.inputs
    sigmoid = _made_by(output, Sigmoid)
    if sigmoid is None or output in uses.kept:
        return False
    _become(node, SigmoidCrossentropy(), target, *sigmoid.inputs)
    return True


def _forward(node: Node, value: Value) -> None:
    """Let the single output of `node` be `value` under its old identity (a view of it)."""
    _become(node, Reshape(value.spec.dims), value)


def pool_before_activation(node: Node, uses: Uses) -> bool:
    """MaxPool(relu(x)) becomes relu(MaxPool(x)), and likewise past a bias: fewer elements, the same values.

    Both are non-decreasing for each channel, so the largest stays the largest.
    """
    if type(node.op) is not MaxPool:
        return False
    (x,) = node.inputs
    before = x.node
    if before is None or uses.count(x) != 1 or uses.count(node.outputs[1]):
        return False
    if type(before.op) is Relu:
        pooled = _make(node.op, node, before.inputs[0])[0]
        _move_after(node, Relu(), pooled)
        return True
    if type(before.op) is Add and [v.shape for v in before.inputs] == [x.shape, x.shape[-1:]]:
        pooled = _make(node.op, node, before.inputs[0])[0]
        _move_after(node, Add(), pooled, before.inputs[1])
        return True
    return False


def _move_after(node: Node, op: Operation, *inputs: Value) -> None:
    """Node's first output is made by `op` from now on; its other outputs were not used."""
    _become(node, op, *inputs)
    node.outputs = node.outputs[:1]


def fuse_conv_pool(node: Node, uses: Uses) -> bool:
    """MaxPool(Conv(x, w)), windows side by side, becomes one operation that stays in cache."""
    if type(node.op) is not MaxPool or not node.op.tiled:
        return False
    (y,) = node.inputs
    conv = _made_by(y, Conv)
    if conv is None or uses.count(y) != 1 or conv.op.groups != 1:
        return False
    op = ConvMaxPool(conv.op, node.op)
    _become(node, op, *conv.inputs)
    return True


def argmax_of_logits(node: Node, uses: Uses) -> bool:
    """The largest softmax output belongs to the largest logit, so a class is found without probabilities."""
    if type(node.op) is not ArgMax:
        return False
    softmax = _made_by(node.inputs[0], Softmax)
    if softmax is None or node.op.axis != softmax.outputs[0].ndim - 1:
        return False
    _become(node, node.op, *softmax.inputs)
    return True


FORWARD: dict[str, Callable[[Node, Uses], bool]] = {
    "fuse_softmax_crossentropy": fuse_softmax_crossentropy,
    "fold_label_smoothing": fold_label_smoothing,
    "fuse_sigmoid_crossentropy": fuse_sigmoid_crossentropy,
    "pool_before_activation": pool_before_activation,
    "fuse_conv_pool": fuse_conv_pool,
    "argmax_of_logits": argmax_of_logits,
}


def merge_common(graph: Graph) -> None:
    """Compute equal things once: nodes of one operation with the same inputs become one."""
    if not enabled("merge_common"):
        return
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


def drop_unread_gradients(graph: Graph) -> None:
    """A normalization of the model's inputs: nobody reads the gradient for them, so it is not computed."""
    if not enabled("drop_unread_gradients"):
        return
    uses = Uses(graph.consumers(), frozenset(graph.roots()), frozenset())
    for node in graph.nodes:
        if type(node.op) is BatchNormGrad and not node.frozen and not uses.count(node.outputs[0]):
            g, x, _, mean, variance = node.inputs
            _become(node, BatchNormWeightGrad(node.op.epsilon), g, x, mean, variance)
            node.outputs = node.outputs[1:]
            for i, value in enumerate(node.outputs):
                value.index = i
    graph.refresh()


PASSES = (*FORWARD, "merge_common", "drop_unread_gradients", "fuse_elementwise")


def optimize(graph: Graph) -> Graph:
    """All passes on a finished graph."""
    rewrite(graph.roots())
    graph.refresh()
    merge_common(graph)
    drop_unread_gradients(graph)
    return graph
