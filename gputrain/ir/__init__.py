"""The graph: Spec, Value, Node, Graph, Variable and the Trace that records them."""

from gputrain.ir.graph import Graph, State, schedule
from gputrain.ir.spec import (
    DTYPES,
    FLOATS,
    INTEGERS,
    Dim,
    Shape,
    Spec,
    broadcast,
    dtype_name,
    is_float,
    normalize_axes,
    normalize_axis,
    promote,
)
from gputrain.ir.trace import Trace, current_trace, suspended
from gputrain.ir.value import Node, Value
from gputrain.runtime.variable import Variable

__all__ = [
    "DTYPES",
    "FLOATS",
    "INTEGERS",
    "Dim",
    "Graph",
    "Node",
    "Shape",
    "Spec",
    "State",
    "Trace",
    "Value",
    "Variable",
    "broadcast",
    "current_trace",
    "dtype_name",
    "is_float",
    "normalize_axes",
    "normalize_axis",
    "promote",
    "schedule",
    "suspended",
]
