"""Saving: what a training is made of, as one tree of named arrays and plain data."""

from typing import TYPE_CHECKING

from gputrain.names import missing_name
from gputrain.saving.state import set_state_tree, state_tree

__all__ = ["set_state_tree", "state_tree"]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__ = missing_name("function for saving", __name__, __all__)
