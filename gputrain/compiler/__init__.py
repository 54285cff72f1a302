"""From a graph to a plan: differentiation, rewrites, chains, memory plan."""

from gputrain.compiler.autodiff import gradients
from gputrain.compiler.plan import Plan, make_plan

__all__ = ["Plan", "gradients", "make_plan"]
