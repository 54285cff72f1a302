"""Operations run on the emulated GPU, each in buffers that were filled with what no operation writes."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice
from gputrain.ir import Spec
from gputrain.ops.base import REGISTRY, Operation, Sample, spec_of
from tests.ops.test_operations import coarser, make_inputs, references
from tests.tolerances import assert_close

FLOATS = ("float16", "float32", "float64")


def samples(family: ModuleType) -> list[Any]:
    """The samples of all operations that a family of kernels serves, as parameters."""
    return [
        pytest.param(sample, id=f"{name}-{i}")
        for name in family.KERNELS
        for i, sample in enumerate(REGISTRY[name].samples())
    ]


def placed(gpu: CupyDevice, host: Any, skipped: int = 0) -> Any:
    """A host array on the device, `skipped` elements behind an aligned start."""
    host = np.asarray(host)
    memory = gpu.empty((host.size + skipped,), host.dtype.name)
    array = memory[skipped:].reshape(host.shape)
    gpu.upload(host, array)
    return array


def poisoned(gpu: CupyDevice, spec: Spec, other: bool = False, skipped: int = 0) -> Any:
    """A device array full of what no operation writes."""
    if spec.dtype.startswith("float"):
        value: Any = 1.7e4 if other else np.nan
    else:
        value = other if spec.dtype == "bool" else (101 if other else 77)
    return placed(gpu, np.full(spec.dims, value, spec.dtype), skipped)


def run(
    gpu: CupyDevice,
    op: Operation,
    inputs: Sequence[np.ndarray],
    other: bool = False,
    skipped: int = 0,
    in_place: Sequence[tuple[int, int]] = (),
) -> list[np.ndarray]:
    """Outputs of an operation by its own kernel. Inputs that no output lies on stay as they are."""
    specs = [spec_of(x) for x in inputs]
    assert gpu.kernel(op, specs) is not None, f"no kernel for {op}"
    ins = [placed(gpu, x, skipped) for x in inputs]
    outs = [poisoned(gpu, s, other, skipped) for s in op.output_specs(*specs)]
    for o, i in in_place:
        outs[o] = ins[i].reshape(outs[o].shape)
    scratch = [poisoned(gpu, s, other) for s in gpu.scratch(op, specs)]
    thunk = gpu.prepare(op, specs, outs, ins, scratch)
    with gpu.running():
        thunk()
    for i, (array, x) in enumerate(zip(ins, inputs, strict=True)):
        if all(i != pair[1] for pair in in_place):
            assert gpu.download(array).tobytes() == x.tobytes(), f"{op} changes input {i}"
    return [gpu.download(out) for out in outs]


def check(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    """A sample against its reference: aligned and not, twice, and in place where the kernel says so."""
    inputs = make_inputs(sample, dtype)
    first = run(gpu, sample.op, inputs)
    for out, reference in zip(first, references(sample, inputs), strict=True):
        assert_close(out, reference, coarser(dtype, out), str(sample.op))
    pairs = [
        (o, i)
        for o, i in gpu.overwrites(sample.op, [spec_of(x) for x in inputs])
        if first[o].nbytes == inputs[i].nbytes  # as the planner asks
    ]
    again = {
        "with another poison": run(gpu, sample.op, inputs, other=True),
        "unaligned": run(gpu, sample.op, inputs, skipped=1),
        "in place": run(gpu, sample.op, inputs, in_place=pairs),
    }
    for how, outs in again.items():
        for a, b in zip(first, outs, strict=True):
            same = how == "unaligned" or a.tobytes() == b.tobytes()
            assert same, f"{sample.op}, {dtype}: other results {how}"
            assert_close(b, a, coarser(dtype, a), f"{sample.op} {how}")
