"""Layers around layers."""

from __future__ import annotations

from gputrain.layers.wrappers.bidirectional import Bidirectional
from gputrain.layers.wrappers.pipeline import Pipeline
from gputrain.layers.wrappers.spectral_normalization import SpectralNormalization
from gputrain.layers.wrappers.time_distributed import TimeDistributed
from gputrain.layers.wrappers.wrapper import Wrapper

__all__ = ["Bidirectional", "Pipeline", "SpectralNormalization", "TimeDistributed", "Wrapper"]
