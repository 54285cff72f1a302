"""Dense, Input and layers that only pass values on."""

from gputrain.layers.core.dense import Dense
from gputrain.layers.core.einsum_dense import EinsumDense
from gputrain.layers.core.input_layer import Input, InputLayer
from gputrain.layers.core.passing import ActivityRegularization, Identity

__all__ = [
    "ActivityRegularization",
    "Dense",
    "EinsumDense",
    "Identity",
    "Input",
    "InputLayer",
]
