"""A step allocates nothing once its program has run: the arena holds it all."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

from gputrain.compiler import Executable
from tests.compiler.reference_cnn import reference_cnn, train_program

LIMIT = 64 * 1024


def peak(call: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def largest(exe: Executable) -> str:
    """The three operations that allocate most."""
    nodes = [node for node in exe.graph.nodes if exe._runs(node)]
    found = [(peak(thunk), str(node)) for node, thunk in zip(nodes, exe.thunks, strict=False)]
    return ", ".join(f"{nbytes} in {node}" for nbytes, node in sorted(found, reverse=True)[:3])


def test_a_step_of_the_reference_cnn_allocates_nothing_large() -> None:
    exe = train_program(reference_cnn(), 128).executable
    exe.step()
    allocated = peak(exe.step)
    assert allocated < LIMIT, f"{allocated} bytes in a step: {largest(exe)}"
