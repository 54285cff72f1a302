"""Rewrites of a graph: a table of rules and passes. Each keeps what the graph computes and has a switch.

A rule stands in the module of its subject; it is put into the table where it is defined.
"""

from gputrain.compiler.rewrite import classification, pooling  # their rules join the table
from gputrain.compiler.rewrite.graphs import optimize
from gputrain.compiler.rewrite.rules import rewrite
from gputrain.compiler.rewrite.switches import PASSES, disabled, enabled

__all__ = ["PASSES", "classification", "disabled", "enabled", "optimize", "pooling", "rewrite"]
