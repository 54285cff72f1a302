"""Kernels of recurrent steps: from their samples, and recorded into one CUDA graph."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import ops
from gputrain.backend.cupy import CupyDevice, recurrence
from gputrain.backend.cupy.launch import launches
from gputrain.backend.cupy.recording import Recorded
from gputrain.compiler import gradients
from gputrain.ir import Graph, Spec, Value
from gputrain.ops.base import Sample
from gputrain.runtime import Executable, interpret
from tests.backend.cupy.running import FLOATS, check, samples
from tests.backend.cupy.world import emulated
from tests.selection import quick
from tests.tolerances import assert_close


@pytest.mark.parametrize("sample", samples(recurrence))
@pytest.mark.parametrize("dtype", quick(("float32",), FLOATS))
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


def graph_of(masked: bool) -> tuple[Graph, list[np.ndarray]]:
    """A sequence through an LSTM and a GRU, the loss and its gradients, with data for the inputs."""
    rng, (n, steps, units) = np.random.default_rng(3), (5, 7, 6)
    shapes = [(n, steps, 4 * units), (n, units), (units, 4 * units), (units, 3 * units), (3 * units,)]
    feeds = [rng.standard_normal(shape).astype("float32") for shape in shapes]
    x, h, w, v, b = values = [Value(Spec(shape)) for shape in shapes]
    mask = Value(Spec((n, steps), "bool")) if masked else None
    y, _, c = ops.lstm(x, h, h, w, mask)
    z, last = ops.gru(y[:, :, :1] * x[:, :, : 3 * units], c, v, b, mask, reverse=True)
    loss = ops.sum(ops.square(z)) + ops.sum(last)
    inputs = [*values, *([] if mask is None else [mask])]
    return Graph(inputs, [loss, *gradients(loss, values)]), [
        *feeds,
        *([rng.random((n, steps)) < 0.7] * masked),
    ]


@pytest.mark.parametrize("masked", [False, True])
def test_a_sequence_is_recorded_as_one_graph(masked: bool) -> None:
    graph, feeds = graph_of(masked)
    expected = interpret(graph, feeds)
    with emulated() as world:
        executable = Executable(graph, world.device)
        for _ in range(3):
            found = [world.device.download(array) for array in executable.run(feeds)]
        program = executable._programs[None]
        assert isinstance(program, Recorded)
        assert program.parts is not None
        assert len(program.parts) == 1
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, "float32")


def test_a_step_is_a_product_and_a_launch() -> None:
    x, h, w = (Value(Spec(shape)) for shape in ((4, 9, 12), (4, 3), (3, 12)))
    with emulated() as world:
        executable = Executable(Graph([x, h, w], list(ops.lstm(x, h, h, w))), world.device)
        executable.run([np.zeros(v.shape, "float32") for v in (x, h, w)])
        names = [name for thunk in executable.thunks for name in launches(thunk)]
    assert names.count("cublasGemmEx") == names.count("lstm_step<float>") == 9
    assert len(names) == 2 * 9 + 2  # the states before the first step are copied
