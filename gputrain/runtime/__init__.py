"""Values that have memory: variables, arenas, executables, and running a graph node by node."""

from gputrain.ir.interpreter import install
from gputrain.runtime.arena import Arena
from gputrain.runtime.eager import Eager
from gputrain.runtime.executable import Executable
from gputrain.runtime.node_by_node import interpret
from gputrain.runtime.variable import Variable

__all__ = ["Arena", "Executable", "Variable", "interpret"]

install(Eager())
