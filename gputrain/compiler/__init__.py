"""From a graph to a running program: differentiation, passes, memory plan, executable."""

from .autodiff import gradients
from .control import cond, scan
from .executable import Arena, Executable, interpret
from .plan import Plan, make_plan

__all__ = ["Arena", "Executable", "Plan", "cond", "gradients", "interpret", "make_plan", "scan"]
