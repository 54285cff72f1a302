"""Every operation that has a kernel, in four thread orders: near its float64 reference and the CPU's result.

Unaligned starts, arrays without elements and of more than one grid are what `check` and the samples bring.
Each family of kernels has a file of its own for what is special about it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice, elementwise
from gputrain.backend.cupy.families import FAMILIES
from gputrain.backend.numpy import NumpyDevice
from gputrain.errors import DTypeError
from gputrain.ops.base import REGISTRY, Operation, Sample, spec_of
from gputrain.runtime.eager import run_once
from tests.backend.cupy.running import FLOATS, check, run, samples
from tests.on_device import using
from tests.ops.test_operations import coarser, make_inputs, references
from tests.selection import quick

EVERY = sorted({name for family in FAMILIES for name in family.KERNELS})
# The bound of errors by norm, for each square root of the elements that are read for one written.
ROUNDINGS = 8


def test_no_kernel_is_left_out(gpu: CupyDevice) -> None:
    """The device's kernels are those of the families, each with samples that a file of tests runs."""
    assert sorted(gpu.kernels) == EVERY
    without = [name for name in EVERY if not REGISTRY[name].samples()]
    assert not without, f"operations with a kernel and no samples: {without}"
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    for family in FAMILIES:
        short = family.__name__.rpartition(".")[2]
        assert any(f"samples({short})" in text for text in texts), f"no test runs the samples of {short}.py"


@pytest.mark.parametrize("sample", samples(elementwise))
@pytest.mark.parametrize("dtype", quick(("float32",), FLOATS))
def test_generated_kernels_agree_with_their_references(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


def inputs_of(sample: Sample, dtype: str) -> list[np.ndarray]:
    """A sample's arrays; the statistics of float16, which come last, are float32."""
    dtype = sample.dtype or dtype
    inputs = make_inputs(sample, dtype if dtype != "float16" else "float32")
    for tensors in range(len(inputs), 0, -1):
        with np.errstate(over="ignore"), suppress(DTypeError):
            narrow = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs[:tensors]]
            found = [*narrow, *inputs[tensors:]]
            sample.op.output_specs(*(spec_of(x) for x in found))
            return found
    return [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]


def distance(found: Any, expected: Any) -> float:
    """The norm of the difference; infinite where only one is finite, or both are not and differ."""
    a, b = np.asarray(found, "float64"), np.asarray(expected, "float64")
    there = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~there], b[~there], equal_nan=True):
        return float("inf")
    return float(np.linalg.norm(a[there] - b[there]))


def bound(op: Operation, inputs: list[np.ndarray], reference: Any, dtype: str) -> float:
    """How far results may be from the reference, by norm: the more elements make one, the farther."""
    size = max(1, np.size(reference))
    length = max(1.0, max((x.size for x in inputs), default=1) / size)
    finite = np.asarray(reference, "float64")[np.isfinite(np.asarray(reference, "float64"))]
    magnitude = max(float(np.linalg.norm(finite)), size**0.5)
    return float(ROUNDINGS * float(np.finfo(dtype).eps) * length**0.5 * magnitude)


@pytest.mark.slow  # each family's own tests run the same samples, element by element
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", EVERY)
def test_results_are_near_by_norm(gpu: CupyDevice, name: str, dtype: str) -> None:
    cpu = NumpyDevice()
    for sample in REGISTRY[name].samples():
        inputs = inputs_of(sample, dtype)
        outs = run(gpu, sample.op, inputs)
        with using("numpy"):
            on_cpu = run_once(sample.op, inputs, cpu)
        for out, expected, reference in zip(outs, on_cpu, references(sample, inputs), strict=True):
            assert out.dtype == expected.dtype
            if out.dtype.kind != "f":
                np.testing.assert_array_equal(out, reference)
                continue
            limit = bound(sample.op, inputs, reference, coarser(dtype, out))
            assert distance(out, reference) <= limit, f"{sample.op}: from the reference"
            assert distance(out, expected) <= 2 * limit, f"{sample.op}: from the CPU's result"
