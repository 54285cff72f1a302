"""A graph as a device runs it: elementwise chains, with the reductions they end in, become one node each.

The graph that was traced stays as it is: its nodes are what reports of NaN name. A device that emits kernels
for chains says which it can run (`Target.chain_limits`); the others run what they are given.
"""

from __future__ import annotations

from collections.abc import Collection

from gputrain.compiler.rewrite.switches import PASSES, enabled
from gputrain.compiler.target import Target
from gputrain.ir import Graph, Value

PASSES.append("fuse_elementwise")


def lower(graph: Graph, device: Target, given: Collection[Value] = ()) -> Graph:
    """The graph as `device` runs it; the graph itself where the device fuses nothing.

    Args:
        graph: what was traced.
        device: where it will run.
        given: inputs that are read where the caller has them, in the dtype they have there.
    """
    limits = device.chain_limits
    if limits is None or not enabled("fuse_elementwise"):
        return graph
    from gputrain.compiler.chains import Fusion, Simplified

    return Fusion(Simplified(graph, given).graph if limits.simplified else graph, limits).run()
