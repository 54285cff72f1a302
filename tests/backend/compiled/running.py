"""Operations run by the compiled kernels, each in buffers that were filled with what no operation writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.backend.numpy import NumpyDevice
from gputrain.backend.numpy.compiled import binding as module
from gputrain.backend.numpy.compiled.binding import NAME, Library, opened
from gputrain.ir import Spec
from gputrain.ops.base import Operation, Sample, spec_of
from tests.ops.test_operations import coarser, make_inputs, references
from tests.tolerances import assert_close

FLOATS = ("float32", "float64")
ELSEWHERE = (
    "GPUTRAIN_TESTED_LIBRARY"  # a folder with another build of the library: tests.backend.compiled.sanitized
)
if ELSEWHERE in os.environ:
    module.FOLDER = Path(os.environ[ELSEWHERE])
_FOUND = opened()
LEVELS = _FOUND.levels if isinstance(_FOUND, Library) else ("none",)
needs_library = [
    pytest.mark.cpu_only("kernels of the CPU"),
    pytest.mark.skipif(not isinstance(_FOUND, Library), reason=str(_FOUND)),
]


def library(level: str) -> Library:
    """The library with the kernels of one instruction set."""
    return Library(module.FOLDER / NAME, level)


@cache
def device(level: str) -> NumpyDevice:
    """A device with the kernels of one instruction set."""
    return NumpyDevice(library(level))


@cache
def plain() -> NumpyDevice:
    """A device of NumPy alone."""
    return NumpyDevice(None)


def placed(host: Any, skipped: int = 0) -> Any:
    """An array `skipped` elements behind the start of memory that ends with it."""
    host = np.asarray(host)
    memory = np.empty((host.size + skipped,), host.dtype)
    array = memory[skipped:].reshape(host.shape)
    array[...] = host
    return array


def poisoned(spec: Spec, skipped: int = 0) -> Any:
    """An array full of what no operation writes."""
    value: Any = np.nan if spec.dtype.startswith("float") else spec.dtype != "bool" and 77
    return placed(np.full(spec.dims, value, spec.dtype), skipped)


def run(
    on: NumpyDevice,
    op: Operation,
    inputs: Sequence[np.ndarray],
    skipped: int = 0,
    in_place: Sequence[tuple[int, int]] = (),
) -> list[np.ndarray]:
    """Outputs of an operation by its compiled kernel. Inputs that no output lies on stay as they are."""
    specs = [spec_of(x) for x in inputs]
    kernel = on.compiled[type(op).__name__]
    assert kernel.accepts(op, *specs), f"the kernel does not take {op} of {specs}"
    ins = [placed(x, skipped) for x in inputs]
    outs = [poisoned(s, skipped) for s in op.output_specs(*specs)]
    for out, source in in_place:
        outs[out] = ins[source]
    scratch = tuple(poisoned(s, skipped) for s in kernel.scratch(op, *specs))
    target: Any = outs[0] if op.n_outputs == 1 else tuple(outs)
    with on.running():
        thunk = on.program([kernel.prepare(op, target, *ins, scratch=scratch)])
        thunk()
    overwritten = {source for _, source in in_place}
    for i, (x, given) in enumerate(zip(ins, inputs, strict=True)):
        if i not in overwritten:
            np.testing.assert_array_equal(x, given, err_msg=f"input {i} of {op}")
    return outs


def agree(on: NumpyDevice, sample: Sample, dtype: str, skipped: int = 0) -> bool:
    """Whether the kernel takes a sample; what it gives is near the float64 reference, element by element."""
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in make_inputs(sample, dtype)]
    if not on.compiled[type(sample.op).__name__].accepts(sample.op, *(spec_of(x) for x in inputs)):
        return False
    outs = run(on, sample.op, inputs, skipped)
    for out, reference in zip(outs, references(sample, inputs), strict=True):
        assert_close(out, reference, coarser(dtype, out), str(sample.op))
    return True
