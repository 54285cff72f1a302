"""From nodes to chains: which neighbours, and which chains side by side, become one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gputrain.compiler.chains.analysis import Chain, analyse, fusable
from gputrain.compiler.chains.fused import Fused
from gputrain.compiler.chains.rebuilding import Rebuilt
from gputrain.compiler.target import ChainLimits
from gputrain.ir import Graph, Node, Value


class _Group:
    """Nodes that will be one."""

    def __init__(self, position: int, node: Node) -> None:
        self.nodes = {position: node}
        self.first = self.last = position

    def absorb(self, other: _Group) -> None:
        self.nodes.update(other.nodes)
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)

    def in_order(self, *others: _Group) -> list[Node]:
        together = dict(self.nodes)
        for other in others:
            together.update(other.nodes)
        return [together[i] for i in sorted(together)]


class Fusion(Rebuilt):
    """Groups grow along the edges of the graph, then sideways, as long as the device can run them as one."""

    def __init__(self, graph: Graph, limits: ChainLimits) -> None:
        super().__init__(graph)
        self.limits = limits
        self.groups = {node: _Group(i, node) for i, node in enumerate(graph.nodes)}
        self.fusable = {node for node in graph.nodes if fusable(node) and limits.takes(node)}
        self.readers: dict[Value, list[Node]] = {}
        for node in graph.nodes:
            for value in node.inputs:
                self.readers.setdefault(value, []).append(node)
        self.roots = set(graph.roots())
        self.wide: set[_Group] = set()  # groups of more than one node

    def run(self) -> Graph:
        self._along_edges()
        self._sideways()
        self._along_edges()
        for group in self._finished_groups():
            self._emit(group)
        return self.finished()

    def _along_edges(self) -> None:
        for node in self.old.nodes:
            if node in self.fusable:
                for value in node.inputs:
                    if value.node in self.fusable:
                        self._merge(self.groups[value.node], self.groups[node])

    def _sideways(self) -> None:
        """Join chains over equally many elements that end in reductions, and those of single numbers."""
        by_size: dict[int, list[_Group]] = {}
        for group in dict.fromkeys(self.groups[n] for n in self.old.nodes if n in self.fusable):
            chain = self._chain(group.in_order())
            if chain is not None and (chain.folds or chain.n == 1):
                by_size.setdefault(chain.n, []).append(group)
        for groups in by_size.values():
            kept: list[_Group] = []
            for group in groups:
                if not any(self._merge(other, group) for other in reversed(kept)):
                    kept.append(group)

    def _merge(self, a: _Group, b: _Group) -> bool:
        """Make two groups one, if they may be; the second is gone then."""
        if a is b:
            return False
        nodes = a.in_order(b)
        if self._path_around(a, b) or self._path_around(b, a):
            return False
        if self._chain(nodes) is None:
            return False
        a.absorb(b)
        self.wide.discard(b)
        self.wide.add(a)
        for node in b.nodes.values():
            self.groups[node] = a
        return True

    def _chain(self, nodes: Sequence[Node]) -> Chain | None:
        return analyse(nodes, self._needed(nodes), self.limits)

    def _needed(self, nodes: Collection[Node]) -> set[Value]:
        """Values of these nodes that are read elsewhere."""
        inside = set(nodes)
        return {
            v
            for node in nodes
            for v in node.outputs
            if v in self.roots or any(r not in inside for r in self.readers.get(v, ()))
        }

    def _path_around(self, a: _Group, b: _Group) -> bool:
        """Whether a third group lies on a way from `a` to `b`."""
        limit = self._horizon(b)
        pending = [g for g in self._after(a) if g is not b]
        seen = {a, *pending}
        while pending:
            for group in self._after(pending.pop()):
                if group is b:
                    return True
                if group not in seen and group.first <= limit:
                    seen.add(group)
                    pending.append(group)
        return False

    def _horizon(self, b: _Group) -> int:
        """The position behind which no way leads back to `b`: nodes read earlier ones, groups may span."""
        limit, before = b.last, -1
        while limit != before:
            before = limit
            limit = max([limit, *(g.last for g in self.wide if g.first <= limit)])
        return limit

    def _after(self, group: _Group) -> list[_Group]:
        outputs = [v for node in group.nodes.values() for v in node.outputs]
        found = dict.fromkeys(self.groups[r] for v in outputs for r in self.readers.get(v, ()))
        return [g for g in found if g is not group]

    def _finished_groups(self) -> list[_Group]:
        """All groups, each after those that it reads."""
        order: list[_Group] = []
        entered: set[_Group] = set()
        pending = [(g, False) for g in reversed(list(dict.fromkeys(self.groups.values())))]
        while pending:
            group, done = pending.pop()
            if done:
                order.append(group)
            elif group not in entered:
                entered.add(group)
                pending.append((group, True))
                before = [v.node for n in group.nodes.values() for v in n.inputs if v.node is not None]
                pending.extend((self.groups[n], False) for n in before if self.groups[n] not in entered)
        return order

    def _emit(self, group: _Group) -> None:
        nodes = group.in_order()
        first = nodes[0]
        if len(nodes) == 1 or all(node.op.view for node in nodes):
            for node in nodes:
                self.keep(node, self.all(node.inputs))
            return
        chain = self._chain(nodes)
        assert chain is not None
        op = Fused(tuple(nodes), tuple(chain.inputs), tuple(chain.outputs), chain.overwrites())
        specs = tuple(v.spec for v in chain.outputs)
        made = Node.like(nodes[-1], op, tuple(self.all(chain.inputs)), specs)
        made.path = first.path
        self.known.update(zip(chain.outputs, made.outputs, strict=True))
