"""A step allocates nothing once its program has run: the arena holds it all."""

from __future__ import annotations

import pytest

from gputrain import config
from gputrain.runtime import Executable
from tests.compiler.reference_cnn import reference_cnn, train_program
from tests.on_device import allocated
from tests.runtime.test_control import planned_steps

LIMIT = 64 * 1024


def largest(exe: Executable) -> str:
    """The three operations that allocate most."""
    nodes = [node for node in exe.graph.nodes if exe._runs(node)]
    found = [(allocated(thunk), str(node)) for node, thunk in zip(nodes, exe.thunks, strict=False)]
    return ", ".join(f"{nbytes} in {node}" for nbytes, node in sorted(found, reverse=True)[:3])


@pytest.mark.parametrize("graphs", [True, False])
def test_a_step_of_the_reference_cnn_allocates_nothing_large(graphs: bool) -> None:
    """Also where the step is not recorded, which on a GPU would hide what its launches allocate."""
    config.put("cuda_graphs", graphs)
    try:
        exe = train_program(reference_cnn(), 128).executable
        exe.step()
        peak = allocated(exe.step)
    finally:
        config.put("cuda_graphs", None)
    assert peak < LIMIT, f"{peak} bytes in a step: {largest(exe)}"


def test_a_loop_allocates_nothing_large() -> None:
    exe = planned_steps(100)
    exe.step()
    peak = allocated(exe.step)
    assert peak < LIMIT, f"{peak} bytes in a step: {largest(exe)}"
