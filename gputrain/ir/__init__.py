"""The graph: Spec, Value, Node, Graph, and the interpreters that give operations their meaning."""

from gputrain.ir.graph import Graph, State, schedule
from gputrain.ir.interpreter import Interpreter, Stored, Tensor, as_tensor
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

__all__ = [
    "DTYPES",
    "FLOATS",
    "INTEGERS",
    "Dim",
    "Graph",
    "Interpreter",
    "Node",
    "Shape",
    "Spec",
    "State",
    "Stored",
    "Tensor",
    "Trace",
    "Value",
    "as_tensor",
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
