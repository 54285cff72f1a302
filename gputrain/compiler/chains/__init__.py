"""Elementwise chains: which nodes run as one kernel, and what each operation is in it."""

from gputrain.compiler.chains.analysis import Chain, analyse
from gputrain.compiler.chains.fused import Fused
from gputrain.compiler.chains.grouping import Fusion
from gputrain.compiler.chains.simplified import Simplified

__all__ = ["Chain", "Fused", "Fusion", "Simplified", "analyse"]
