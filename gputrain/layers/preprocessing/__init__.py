"""Layers that prepare features."""

from gputrain.layers.preprocessing.category_encoding import CategoryEncoding
from gputrain.layers.preprocessing.discretization import Discretization
from gputrain.layers.preprocessing.feature_normalization import Normalization
from gputrain.layers.preprocessing.hashing import HashedCrossing, Hashing
from gputrain.layers.preprocessing.lookup import IntegerLookup, StringLookup
from gputrain.layers.preprocessing.rescaling import Rescaling
from gputrain.layers.preprocessing.spectrograms import MelSpectrogram, STFTSpectrogram
from gputrain.layers.preprocessing.text_vectorization import TextVectorization

__all__ = [
    "CategoryEncoding",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "MelSpectrogram",
    "Normalization",
    "Rescaling",
    "STFTSpectrogram",
    "StringLookup",
    "TextVectorization",
]
