"""Dense, embeddings, Input and layers that only pass values on."""

from gputrain.layers.core.dense import Dense
from gputrain.layers.core.einsum_dense import EinsumDense
from gputrain.layers.core.embedding import Embedding, ReversibleEmbedding
from gputrain.layers.core.function_layer import Lambda
from gputrain.layers.core.input_layer import Input, InputLayer
from gputrain.layers.core.masking_steps import Masking
from gputrain.layers.core.passing import ActivityRegularization, Identity
from gputrain.layers.core.positions import PositionEmbedding, SinePositionEncoding

__all__ = [
    "ActivityRegularization",
    "Dense",
    "EinsumDense",
    "Embedding",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "Masking",
    "PositionEmbedding",
    "ReversibleEmbedding",
    "SinePositionEncoding",
]
