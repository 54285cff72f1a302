"""Layers around layers."""

from __future__ import annotations

from gputrain.layers.wrappers.bidirectional import Bidirectional
from gputrain.layers.wrappers.time_distributed import TimeDistributed
from gputrain.layers.wrappers.wrapper import Wrapper

__all__ = ["Bidirectional", "TimeDistributed", "Wrapper"]
