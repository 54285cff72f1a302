"""Models: Sequential, functional and subclassed."""

from gputrain.models.model import Functional, Model
from gputrain.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential"]
