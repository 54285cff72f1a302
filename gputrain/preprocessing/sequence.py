"""The names that Keras has in `keras.preprocessing.sequence`."""

from typing import TYPE_CHECKING

from gputrain.names import public
from gputrain.utils.padding import pad_sequences

__all__ = ["pad_sequences"]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("", __name__, __all__)
