"""What the compiler asks of a device. Devices stand above it and answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gputrain.ir import Node, Spec
from gputrain.ops.base import Operation

if TYPE_CHECKING:
    from gputrain.compiler.chains.analysis import Chain

ALIGNMENT = 256  # bytes to which arrays and their parts are aligned


@dataclass(frozen=True)
class ChainLimits:
    """What chains a device can run as one kernel.

    Attributes:
        nodes: most nodes of one.
        pointers: most inputs and outputs of one.
        column_block: threads of a block for sums down so many columns; 0 where it cannot sum them.
        takes: whether it can run a node at all.
        serves: whether it can run a chain as a whole.
        simplified: whether gates are taken apart first, and integers fed as floats.
    """

    nodes: int
    pointers: int
    column_block: Callable[[int], int]
    takes: Callable[[Node], bool] = lambda node: True
    serves: Callable[[Chain], bool] = lambda chain: True
    simplified: bool = True


class Target(Protocol):
    """A device as the compiler sees it.

    Attributes:
        name: tells plans of different devices apart.
        chain_limits: what it can run as one kernel; None where it runs one operation after the other.
    """

    name: str
    chain_limits: ChainLimits | None

    def scratch(self, op: Operation, specs: Sequence[Spec]) -> tuple[Spec, ...]:
        """Workspaces that running `op` needs."""

    def overwrites(self, op: Operation, specs: Sequence[Spec]) -> tuple[tuple[int, int], ...]:
        """Pairs (output, input) that may share memory."""
