"""Saving: what a training is made of, as one tree of named arrays and plain data."""

from gputrain.saving.state_tree import set_state_tree, state_tree

__all__ = ["set_state_tree", "state_tree"]
