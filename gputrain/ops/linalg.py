"""The operations that Keras has in `keras.ops.linalg`."""

from typing import TYPE_CHECKING

from gputrain.names import public, stands_above

_NAMES = "norm"
__all__ = _NAMES.split()

stands_above(__name__, __all__, "gputrain.ops")

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("operation", __name__, __all__)
