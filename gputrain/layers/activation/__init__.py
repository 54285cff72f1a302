"""Activations as layers."""

from gputrain.layers.activation.activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from gputrain.layers.activation.prelu import PReLU

__all__ = [
    "ELU",
    "Activation",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Softmax",
]
