"""Layers that go through a sequence step by step."""

from __future__ import annotations

from gputrain.layers.recurrent.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from gputrain.layers.recurrent.elman import SimpleRNN, SimpleRNNCell
from gputrain.layers.recurrent.gated_unit import GRU, GRUCell
from gputrain.layers.recurrent.long_short_term import LSTM, LSTMCell
from gputrain.layers.recurrent.sequences import RNN
from gputrain.layers.recurrent.stacked import StackedRNNCells

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]
