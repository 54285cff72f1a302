"""Values that have memory: variables, arenas, executables, and running a graph node by node."""
