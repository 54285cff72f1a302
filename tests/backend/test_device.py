"""The device: memory, copies, and kernels that agree with the reference of their operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gputrain.backend import current_device
from gputrain.compiler.target import ALIGNMENT
from gputrain.ir import Spec
from gputrain.ops.base import REGISTRY, Sample, spec_of
from tests.on_device import address, fewer, fill, host, hosts, lies_in, on_cpu, put, using
from tests.tolerances import assert_close


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5), (70001,), (4, 0, 2)])
@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float64"])
def test_memory_is_aligned_and_contiguous(shape: tuple[int, ...], dtype: str) -> None:
    array = current_device().empty(shape, dtype)
    assert spec_of(array) == Spec(shape, dtype)
    assert array.size == 0 or address(array) % ALIGNMENT == 0
    assert array.flags.c_contiguous


def test_a_view_lies_in_the_arena() -> None:
    device = current_device()
    arena = device.empty((1024,), "uint8")
    view = device.view(arena, 512, Spec((2, 3), "float64"))
    device.upload(np.full((2, 3), 1.5), view)
    assert address(view) == address(arena) + 512
    assert lies_in(view, arena)
    np.testing.assert_array_equal(host(device.view(arena, 512, Spec((6,), "float64"))), 1.5)
    assert device.view(arena, 1024, Spec((0, 3))).shape == (0, 3)


def test_upload_converts_and_download_copies() -> None:
    device = current_device()
    array = device.empty((3,), "float32")
    device.upload(np.array([1, 2, 3]), array)
    found = device.download(array)
    device.upload(np.zeros(3), array)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, [1.0, 2.0, 3.0])
    assert found.dtype == np.float32


def test_asarray_copies_only_to_convert() -> None:
    device = current_device()
    (array,) = put([np.arange(3.0)])
    assert device.asarray(array) is array
    assert device.asarray(array, "float64") is array
    assert device.asarray(array, "float32").dtype == np.float32
    assert device.asarray([1, 2], "int8").dtype == np.int8
    np.testing.assert_array_equal(host(device.asarray([1, 2], "int8")), [1, 2])


def test_asarray_of_a_host_array_is_another_array_only_where_the_host_has_other_memory() -> None:
    array = np.arange(3.0)
    assert (current_device().asarray(array) is array) == on_cpu()
    assert not current_device().owns(array)


def test_gather_takes_rows() -> None:
    device, source = current_device(), np.arange(12.0).reshape(4, 3)
    out = device.empty((3, 3), "float64")
    device.gather(source, np.array([3, 0, 3]), out)
    np.testing.assert_array_equal(host(out), source[[3, 0, 3]])


# -------------------------------------------------------------------------------------------------- kernels

POISON = 0xFF  # bytes that are NaN as floats


def kernel_samples() -> list[Any]:
    names = [name for name in current_device().kernels if REGISTRY[name].__module__.startswith("gputrain.")]
    # tests/ops/test_operations.py runs all samples on each device, against references of their own.
    samples = [(n, fewer(list(enumerate(REGISTRY[n].samples())), 3)) for n in names]
    return [pytest.param(s, id=f"{n}-{i}") for n, chosen in samples for i, s in chosen]


def poisoned(spec: Spec) -> Any:
    return fill(current_device().empty(spec.dims, spec.dtype), POISON)


def arrays(sample: Sample, dtype: str) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    found = []
    for given in sample.inputs:
        is_spec = isinstance(given, Spec)
        array = np.asarray(rng.uniform(sample.low, sample.high, given.dims) if is_spec else given)
        kind = given.dtype if is_spec else array.dtype.name
        found.append(array.astype(dtype if kind.startswith("float") else kind))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sample", kernel_samples())
def test_a_kernel_agrees_with_the_reference(sample: Sample, dtype: str) -> None:
    """Twice in a row, because a kernel is prepared once and run often."""
    if sample.dtype not in (None, dtype):
        pytest.skip("the case is for another dtype")
    device, op, inputs = current_device(), sample.op, arrays(sample, dtype)
    specs = [spec_of(x) for x in inputs]
    if device.kernel(op, specs) is None:
        pytest.skip("the reference serves this case")

    def run(scratch: Sequence[Spec], prepare: Callable[..., Callable[[], None]]) -> list[np.ndarray]:
        outs = [poisoned(s) for s in op.output_specs(*specs)]
        thunk = prepare(outs, [poisoned(s) for s in scratch])
        for _ in range(2):
            for out in outs:
                fill(out, POISON)
            with current_device().running():
                thunk()
        return hosts(outs)

    def reference(outs: list[Any], scratch: list[Any]) -> Callable[[], None]:
        out = outs[0] if op.n_outputs == 1 else tuple(outs)
        return lambda: op.compute(np, out, *inputs, scratch=tuple(scratch))

    def kernel(outs: list[Any], scratch: list[Any]) -> Callable[[], None]:
        return device.prepare(op, specs, outs, put(inputs), scratch)

    with using("numpy"):
        expected = run(op.scratch(*specs), reference)
    found = run(device.scratch(op, specs), kernel)
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, b.dtype.name, str(op))
