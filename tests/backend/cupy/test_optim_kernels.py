"""The optimizer's kernels: flags, clipping, and updates of many variables in one launch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.backend.base import leaves
from gputrain.backend.cupy import CupyDevice, optim
from gputrain.ops.base import Sample, spec_of
from gputrain.ops.optim import (
    AdamUpdate,
    AllFinite,
    ClipFactors,
    Gate,
    Pack,
    RMSpropUpdate,
    SGDUpdate,
    flat_size,
    segments,
)
from tests.backend.cupy.running import FLOATS, check, placed, poisoned, run, samples

SIZES = (5000, 3, 0, 9001, 1)
DECAY = (True, False, True, True, False)
UPDATES = [
    SGDUpdate(SIZES, DECAY, 0.01),
    SGDUpdate(SIZES, DECAY, 0.01, 0.9),
    SGDUpdate(SIZES, DECAY, 0.0, 0.9, True),
    RMSpropUpdate(SIZES, DECAY, 0.01),
    RMSpropUpdate(SIZES, DECAY, 0.0, momentum=0.9),
    RMSpropUpdate(SIZES, DECAY, 0.0, momentum=0.5, centered=True),
    RMSpropUpdate(SIZES, DECAY, 0.0, centered=True),
    AdamUpdate(SIZES, DECAY, 0.01),
    AdamUpdate(SIZES, DECAY, amsgrad=True),
]


@pytest.mark.parametrize("sample", samples(optim))
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


def start(op: Any, dtype: str) -> list[np.ndarray]:
    """A gradient, slots of zeros and random variables."""
    rng = np.random.default_rng(5)
    total = flat_size(op.sizes)
    slots = [np.zeros(total, dtype) for _ in range(op.slots)]
    return [
        rng.standard_normal(total).astype(dtype),
        *slots,
        *(rng.standard_normal(n).astype(dtype) for n in op.sizes),
    ]


def host_steps(
    op: Any, rate: Any, gradient: np.ndarray, states: list[np.ndarray], steps: int
) -> list[np.ndarray]:
    states = [s.copy() for s in states]
    for step in range(steps):
        numbers = np.array(True), rate, np.array(step + 1)
        op.compute(np, tuple(states), *numbers, gradient, *states)
    return states


@pytest.mark.parametrize("op", UPDATES, ids=str)
def test_twenty_steps_follow_the_host(gpu: CupyDevice, op: Any) -> None:
    """In place, the counter and the rate in the device's memory, the step bound once."""
    gradient, *states = start(op, "float32")
    rate = np.array(0.01, np.float32)
    inputs = [np.array(True), rate, np.array(1), gradient, *states]
    ins = [placed(gpu, x) for x in inputs]
    thunk = gpu.prepare(op, [spec_of(x) for x in inputs], ins[4:], ins, ())
    for step in range(20):
        gpu.upload(np.array(step + 1), ins[2])
        with gpu.running():
            thunk()
    assert len(list(leaves(thunk))) == 1, "an update is one launch"
    for found, expected in zip(ins[4:], host_steps(op, rate, gradient, states, 20), strict=True):
        error = np.linalg.norm(gpu.download(found) - expected)
        assert error <= 5e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("op", UPDATES, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_nothing_changes_where_the_flag_does_not_hold(gpu: CupyDevice, op: Any, dtype: str) -> None:
    gradient, *states = start(op, dtype)
    gradient[:] = np.nan
    inputs = [np.array(False), np.array(0.1, np.float32), np.array(0), gradient, *states]
    for pairs in [(), op.overwrites, op.overwrites[::2]]:
        for found, old in zip(run(gpu, op, inputs, in_place=pairs), states, strict=True):
            assert found.tobytes() == old.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
def test_partly_in_place_is_the_same(gpu: CupyDevice, dtype: str) -> None:
    op = AdamUpdate(SIZES, DECAY, 0.01)
    gradient, *states = start(op, dtype)
    inputs = [np.array(True), np.array(0.1, np.float32), np.array(3), gradient, *states]
    apart, mixed = run(gpu, op, inputs), run(gpu, op, inputs, in_place=op.overwrites[1::2])
    for a, b in zip(apart, mixed, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("place", [0, 4095, 4096, 70000])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_bad_element_is_found(gpu: CupyDevice, place: int, value: float) -> None:
    bad = np.ones(70001, np.float32)
    bad[place] = value
    inputs = [np.ones(3, np.float16), bad, np.array([1, 2]), np.ones((0, 2))]
    for skipped in (0, 1):
        assert not run(gpu, AllFinite(), inputs, skipped=skipped)[0]
    bad[place] = 1
    assert run(gpu, AllFinite(), inputs)[0]


def test_pack_leaves_alone_what_lies_in_place(gpu: CupyDevice) -> None:
    parts = [np.arange(n, dtype=np.float32) for n in (40000, 3, 5)]
    out = poisoned(gpu, Pack().infer(*map(spec_of, parts)))
    ins = [placed(gpu, parts[0]), out[40000:40003], placed(gpu, parts[2])]
    gpu.upload(parts[1], ins[1])
    thunk = gpu.prepare(Pack(), [spec_of(p) for p in parts], [out], ins, ())
    with gpu.running():
        thunk()
    expected = np.concatenate([parts[0], parts[1], np.zeros(5, np.float32), parts[2]])
    np.testing.assert_array_equal(gpu.download(out), expected)


def test_gate_of_states_of_several_dtypes(gpu: CupyDevice) -> None:
    new = [np.arange(70001, dtype=np.float32), np.array(5), np.ones((3, 3), np.float16)]
    old = [-x for x in new]
    for flag, expected in ((True, new), (False, old)):
        for pairs in ((), Gate(3).overwrites, ((0, 1), (1, 2), (2, 3))):
            outs = run(gpu, Gate(3), [np.array(flag), *new, *old], in_place=pairs)
            for found, wanted in zip(outs, expected, strict=True):
                assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("together", [False, True])
def test_norms_of_large_segments(gpu: CupyDevice, together: bool) -> None:
    rng = np.random.default_rng(3)
    flat = rng.standard_normal(flat_size(SIZES)).astype(np.float32)
    norms = np.array([np.linalg.norm(np.float64(flat[place])) for place in segments(SIZES)])
    norms = np.full(len(SIZES), np.linalg.norm(norms)) if together else norms
    (found,) = run(gpu, ClipFactors(SIZES, 1.5, together), [flat])
    np.testing.assert_allclose(found, 1.5 / np.maximum(norms, 1.5), rtol=1e-6)


def test_more_chunks_than_blocks(gpu: CupyDevice) -> None:
    sizes = (gpu.multiprocessors * 8 * optim.CHUNK + 4097, 9)
    op = AdamUpdate(sizes, (True, True), 0.01)
    gradient, *states = start(op, "float32")
    rate = np.array(0.1, np.float32)
    found = run(gpu, op, [np.array(True), rate, np.array(1), gradient, *states], in_place=op.overwrites)
    for a, b in zip(found, host_steps(op, rate, gradient, states, 1), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert run(gpu, AllFinite(), [gradient])[0]
    (factors,) = run(gpu, ClipFactors(sizes, 0.5, False), [gradient])
    norms = [np.linalg.norm(np.float64(gradient[place])) for place in segments(sizes)]
    np.testing.assert_allclose(factors, 0.5 / np.array(norms), rtol=1e-6)
