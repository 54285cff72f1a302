"""Advice while training: measured signs of trouble, and what to try."""

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.advisor import Advisor

__all__ = ["Advice", "Advisor"]
