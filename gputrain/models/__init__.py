"""Models: Sequential, functional and subclassed; the programs of their steps; training."""

from gputrain.models.model import Functional, Model
from gputrain.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential"]
