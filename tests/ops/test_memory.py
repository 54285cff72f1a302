"""Operations allocate nothing of their own: what they need they declare as workspaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain import backend
from gputrain.ops.base import REGISTRY, Operation, spec_of
from tests.on_device import allocated, put

LIMIT = 64 * 1024
N = 200_000

RNG = np.random.default_rng(9)
FLAT = RNG.uniform(0.1, 0.9, N).astype("float32")
TABLE = FLAT.reshape(2000, 100)
CUBE = FLAT.reshape(20, 100, 100)
ROWS = RNG.integers(0, 2000, 2000).astype("int32")
FLAGS = FLAT > 0.5


def steps(cell: str, dtype: str, **settings: Any) -> dict[str, tuple[Operation, tuple[Any, ...]]]:
    """Recurrent steps as in training and their gradient, with a mask."""
    n, count, units = 100, 8, 64
    forward: Any = REGISTRY[f"{cell}Steps"](keeps=True, **settings)
    width = units * len(forward.squashed)
    mask = RNG.random((n, count)) < 0.8
    shapes = [(n, count, width), *[(n, units)] * forward.states, (units, width)]
    shapes += [(width,)] * forward.biases
    inputs = [*(RNG.uniform(-0.1, 0.1, shape).astype(dtype) for shape in shapes), mask]
    kept = [s.dims for s in forward.output_specs(*map(spec_of, inputs))][1 + forward.states :]
    given = (True,) * (1 + forward.states)
    backward = REGISTRY[f"{cell}StepsGrad"](given, **settings)
    shapes = [(n, count, units), *[(n, units)] * (len(given) - 1), (units, width), *kept]
    gradient = [*(RNG.uniform(-0.1, 0.1, shape).astype(dtype) for shape in shapes), mask]
    name = f"{cell} {dtype} {settings or ''}"
    return {name: (forward, tuple(inputs)), f"{name} gradient": (backward, tuple(gradient))}


CASES: dict[str, tuple[Operation, tuple[Any, ...]]] = {
    "sum of all": (ops.Sum((0, 1)), (TABLE,)),
    "sum of rows": (ops.Sum((1,)), (TABLE,)),
    "sum of columns": (ops.Sum((0,)), (TABLE,)),
    "sum of the middle": (ops.Sum((1,)), (CUBE,)),
    "sum of both ends": (ops.Sum((0, 2)), (CUBE,)),
    "sum of float16": (ops.Sum((0,)), (TABLE.astype("float16"),)),
    "mean": (ops.Mean((0, 1)), (CUBE,)),
    "bias gradient": (ops.SumTo((100,)), (CUBE,)),
    "max of rows": (ops.Max((1,)), (TABLE,)),
    "max of columns": (ops.Max((0,)), (TABLE,)),
    "argmax of rows": (ops.ArgMax(1), (TABLE,)),
    "argmax of columns": (ops.ArgMax(0), (TABLE,)),
    "any": (ops.AnyTrue((0,)), (FLAGS,)),
    "transpose": (ops.Transpose((1, 0)), (TABLE,)),
    "broadcast": (ops.BroadcastTo((20, 2000, 100)), (TABLE,)),
    "concatenate": (ops.Concatenate(1), (TABLE, TABLE)),
    "split": (ops.Split(4, 1), (TABLE,)),
    "pad": (ops.Pad(((1, 1), (2, 2))), (TABLE,)),
    "flip": (ops.Flip((0, 1)), (TABLE,)),
    "roll": (ops.Roll(7, 1), (TABLE,)),
    "slice": (ops.GetItem(((None, None, -2), (1, 99, 3))), (TABLE,)),
    "slice gradient": (ops.GetItemGrad(((None, None, 2),), (4000, 100)), (TABLE,)),
    "take": (ops.Take(0), (TABLE, ROWS)),
    "take in the middle": (ops.Take(1), (CUBE, ROWS[:50] % 100)),
    "scatter": (ops.ScatterAdd(0, 2000), (TABLE, ROWS)),
    "take along axis": (ops.TakeAlongAxis(1), (TABLE, np.broadcast_to(ROWS[:100] % 100, (2000, 100)).copy())),
    "one hot": (ops.OneHot(100, 1, "float32"), (ROWS,)),
    **{
        name: (REGISTRY[name](), (FLAT,))
        for name in ["Erf", "Erfc", "Erfinv", "Exp", "Sigmoid", "Relu", "Softplus"]
    },
    **{name: (REGISTRY[name](), (TABLE, TABLE[0])) for name in ["Add", "Multiply", "Maximum", "Less"]},
    "where": (ops.Where(), (FLAGS, FLAT, FLAT)),
    "batch norm": (ops.BatchNorm(1e-3), (CUBE, TABLE[0], TABLE[1])),
    "batch norm gradient": (ops.BatchNormGrad(1e-3), (CUBE, CUBE, TABLE[0], TABLE[1], TABLE[2])),
    "batch norm weights": (ops.BatchNormWeightGrad(1e-3), (CUBE, CUBE, TABLE[0], TABLE[1])),
    "layer norm": (ops.LayerNorm(1e-3), (TABLE, TABLE[0], TABLE[1])),
    "layer norm gradient": (ops.LayerNormGrad(), (TABLE, TABLE, TABLE[0], FLAT[:2000], FLAT[:2000])),
    **steps("LSTM", "float32"),
    **steps("LSTM", "float16"),
    **steps("GRU", "float32"),
    **steps("GRU", "float32", reset_after=False),
    **steps("Simple", "float32"),
}


@pytest.mark.parametrize("name", CASES)
def test_no_hidden_temporaries(name: str) -> None:
    op, inputs = CASES[name]
    device = backend.current_device()
    specs = [spec_of(x) for x in inputs]
    outs = [device.empty(s.dims, s.dtype) for s in op.output_specs(*specs)]
    scratch = [device.empty(s.dims, s.dtype) for s in device.scratch(op, specs)]
    with device.running():
        thunk = device.prepare(op, specs, outs, put(inputs), scratch)
        thunk()
        peak = allocated(thunk)
    assert peak < LIMIT, f"{op} allocates {peak} bytes"
