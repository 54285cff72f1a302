"""Which nodes can be one kernel, and what each of their values is in it.

A chain computes over a space of `n` elements, one after the other in flat order. Its values are of three
kinds: elements of that space (EACH); scalars known before it (BEFORE), which every thread computes for
itself; and scalars that follow from reductions over it (AFTER), which one thread computes at the end.
Reductions are over everything, or down the columns of the space seen as rows of `columns` elements.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gputrain.compiler.chains.expressions import EXPRESSIONS
from gputrain.compiler.target import ChainLimits
from gputrain.ir import Node, Spec, Value, is_float

EACH, BEFORE, AFTER = "each", "before", "after"
FOLDED = {"Sum", "Mean", "SumTo", "Max", "Min", "AllTrue", "AnyTrue", "AllFinite"}
MOVED = {"Reshape", "ExpandDims", "Squeeze", "StopGradient", "BroadcastTo"}


class Site(NamedTuple):
    """How a value of another shape is read for an element: sizes and strides of the space, outermost first.

    Values are no keys of equality (`==` on them is recorded), so sites are told apart by `key`.
    """

    value: Value
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def key(self) -> tuple[object, ...]:
        return id(self.value), self.sizes, self.strides


@dataclass
class Chain:
    """Nodes that run as one kernel.

    Attributes:
        nodes: in order.
        limits: of the device that will run it.
        inputs: values from outside, in the order in which they are first read.
        outputs: values that somebody outside reads, in order.
        n: elements of the space.
        kinds: EACH, BEFORE or AFTER of each value.
        sites: for a node and the number of its input, how the input is read, where not in flat order.
        columns: columns of the column sums; 0 where there are none.
    """

    nodes: Sequence[Node]
    limits: ChainLimits
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    n: int = 1
    kinds: dict[Value, str] = field(default_factory=dict)
    sites: dict[tuple[Node, int], Site] = field(default_factory=dict)
    columns: int = 0

    @property
    def folds(self) -> list[Node]:
        """The reductions over everything."""
        return [n for n in self.nodes if self.n > 1 and folds_all(n) and n.inputs[0].spec.size == self.n]

    @property
    def column_sums(self) -> list[Node]:
        return [node for node in self.nodes if self.columns and column_count(node) == self.columns]

    @property
    def draws(self) -> list[Node]:
        """The nodes that draw random numbers for each element."""
        return [node for node in self.nodes if name_of(node) == "Dropout"]

    def overwrites(self) -> tuple[tuple[int, int], ...]:
        """Pairs (output, input) that may share memory: an element is read before it is written there."""
        read_elsewhere = {site.value for site in self.sites.values()}
        pairs = []
        for i, out in enumerate(self.outputs):
            for j, value in enumerate(self.inputs):
                same_place = (self.kinds[out] == EACH) == (self.kinds[value] == EACH)
                if same_place and value not in read_elsewhere and value.spec.nbytes == out.spec.nbytes:
                    pairs.append((i, j))
        return tuple(pairs)


def name_of(node: Node) -> str:
    """The class of the node's operation, by which kernels are found."""
    return type(node.op).__name__


def folds_all(node: Node) -> bool:
    """Whether the node reduces all its input to one number."""
    if name_of(node) not in FOLDED or len(node.inputs) != 1:
        return False
    x, out = node.inputs[0].spec, node.outputs[0].spec
    known = name_of(node) not in ("Max", "Min") or is_float(x.dtype)
    return out.size == 1 and x.size >= 1 and known


def column_count(node: Node) -> int:
    """Columns of a node that sums down the columns of its input; 0 for all others."""
    if name_of(node) not in ("Sum", "SumTo"):
        return 0
    x, out = node.inputs[0].spec, node.outputs[0].spec
    kept = tuple(d for d in out.dims if d != 1)
    width = math.prod(kept)
    trailing = x.dims[len(x.dims) - len(out.dims) :] if len(out.dims) <= len(x.dims) else ()
    if not 1 < width < x.size or x.size % width:
        return 0
    if name_of(node) == "Sum":
        axes = node.op.axes
        leads = axes == tuple(range(len(axes))) and math.prod(x.dims[len(axes) :]) == width
        return width if leads else 0
    own = tuple(d for d in trailing if d != 1)
    tail = math.prod(x.dims[_first_kept(x, out) :])
    return width if own[-len(kept) :] == kept and tail == width else 0


def _first_kept(x: Spec, out: Spec) -> int:
    """The first axis of x that is kept in `out`, if only leading axes are summed."""
    extra = len(x.dims) - len(out.dims)
    for i, size in enumerate(out.dims):
        if size != 1:
            return i + extra
    return len(x.dims)


def is_map(node: Node) -> bool:
    """Whether the node computes each element from elements at the same place."""
    name = name_of(node)
    if name == "Cast" or name in EXPRESSIONS:
        return True
    if name == "Dropout":  # the step is a number known before the elements
        return node.inputs[1].spec.size == 1 and node.outputs[0].spec.size > 1
    # A reduction over no axes, or of one element, changes at most the dtype.
    return name in FOLDED and len(node.inputs) == 1 and node.inputs[0].spec.size == node.outputs[0].spec.size


def fusable(node: Node) -> bool:
    """Whether the node may be part of a chain at all."""
    if any(not v.spec.static or v.spec.size == 0 for v in (*node.inputs, *node.outputs)):
        return False
    return is_map(node) or name_of(node) in MOVED or folds_all(node) or bool(column_count(node))


def analyse(nodes: Sequence[Node], needed: Collection[Value], limits: ChainLimits) -> Chain | None:
    """The chain of these nodes, or None where they cannot be one kernel.

    Args:
        nodes: fusable, in order.
        needed: values that somebody outside reads.
        limits: what the device can run.
    """
    if len(nodes) > limits.nodes:
        return None
    chain = Chain(nodes, limits)
    inside = {v for node in nodes for v in node.outputs}
    chain.inputs = list(dict.fromkeys(v for node in nodes for v in _read(node) if v not in inside))
    chain.outputs = [v for node in nodes for v in node.outputs if v in needed]
    sizes = {v.spec.size for node in nodes for v in node.outputs if not column_count(node)}
    sizes |= {node.inputs[0].spec.size for node in nodes if folds_all(node) or column_count(node)}
    chain.n = max(sizes)
    fits = len(chain.inputs) + len(chain.outputs) <= limits.pointers and sizes <= {1, chain.n}
    if not fits or not all(_take(chain, node, inside) for node in nodes):
        return None
    return chain if _consistent(chain) and limits.serves(chain) else None


def _read(node: Node) -> tuple[Value, ...]:
    """The inputs whose contents matter."""
    return () if name_of(node) == "FullLike" else node.inputs


def _take(chain: Chain, node: Node, inside: set[Value]) -> bool:
    """Give the node's values their kinds; False where it does not fit."""
    for i, value in enumerate(_read(node)):
        if value not in inside and not _take_input(chain, node, i, value):
            return False
    kinds = {chain.kinds[v] for v in _read(node)}
    if chain.n > 1 and column_count(node):
        return _take_columns(chain, node)
    if chain.n > 1 and folds_all(node) and node.inputs[0].spec.size == chain.n:
        found = AFTER if kinds == {EACH} else None
    elif node.outputs[0].spec.size == chain.n:
        found = EACH if AFTER not in kinds else None
    else:
        found = AFTER if AFTER in kinds else BEFORE
        if EACH in kinds:
            return False
    if found is None:
        return False
    chain.kinds.update(dict.fromkeys(node.outputs, found))
    return True


def _take_input(chain: Chain, node: Node, i: int, value: Value) -> bool:
    """Say how a value from outside is read."""
    space = node.outputs[0].spec
    if folds_all(node) or column_count(node):
        space = value.spec
    if value.spec.size == 1 and chain.n > 1:
        kind = BEFORE
    elif value.spec.size == chain.n:
        kind = EACH
    elif space.size == chain.n and _spreads(value.spec, space):
        kind = EACH
        chain.sites[node, i] = _site(value, space)
    else:
        return False
    chain.kinds[value] = kind
    return True


def _spreads(small: Spec, space: Spec) -> bool:
    sizes = (1,) * (space.ndim - small.ndim) + small.dims
    return len(sizes) == space.ndim and all(m in (1, n) for m, n in zip(sizes, space.dims, strict=True))


def _site(value: Value, space: Spec) -> Site:
    """Sizes and strides with neighbouring axes joined wherever one step moves alike."""
    sizes = (1,) * (space.ndim - value.spec.ndim) + value.spec.dims
    stride, axes = 1, []
    for size, whole in zip(reversed(sizes), reversed(space.dims), strict=True):
        if whole > 1:
            axes.append((whole, stride if size > 1 else 0))
        stride *= size
    joined: list[tuple[int, int]] = []
    for whole, step in axes:  # from the innermost outwards
        if joined and step == joined[-1][1] * joined[-1][0]:
            joined[-1] = (joined[-1][0] * whole, joined[-1][1])
        else:
            joined.append((whole, step))
    joined.reverse()
    return Site(value, tuple(n for n, _ in joined), tuple(s for _, s in joined))


def _take_columns(chain: Chain, node: Node) -> bool:
    columns = column_count(node)
    if chain.columns not in (0, columns) or chain.kinds[node.inputs[0]] != EACH:
        return False
    if node.inputs[0].spec.size != chain.n or not chain.limits.column_block(columns):
        return False
    chain.columns = columns
    chain.kinds[node.outputs[0]] = AFTER
    return True


def _consistent(chain: Chain) -> bool:
    """What no single node shows: scalars that are kept, column sums beside other things."""
    if chain.columns:
        sums = {node.outputs[0] for node in chain.column_sums}
        read = {v for node in chain.nodes for v in node.inputs}
        if chain.folds or chain.draws or sums & read or sums - set(chain.outputs):
            return False
        return all(chain.kinds[v] == EACH or v in sums for v in chain.outputs)
    kept_before = any(chain.kinds[v] == BEFORE for v in chain.outputs)
    # Scalars are written by the block that ends last, when nobody reads the old ones any more.
    return not kept_before or bool(chain.folds) or chain.n == 1
