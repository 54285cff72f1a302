"""Advice while training: measured signs of trouble, and what to try."""

from gputrain.callbacks.advice.advice import Advice
from gputrain.callbacks.advice.advisor import Advisor

__all__ = ["Advice", "Advisor"]
