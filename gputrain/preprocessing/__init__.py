"""The names that Keras has in `keras.preprocessing`; all stand in `utils`, too."""

from typing import TYPE_CHECKING

from gputrain.names import public

if TYPE_CHECKING:
    from gputrain.preprocessing import sequence

__all__ = ["sequence"]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("", __name__, __all__, rooms=[f"{__name__}.sequence"])
