"""Compiled optimizer steps: variables of sizes about those of vectors and tasks, and what a step reads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gputrain.backend.numpy.compiled.optim import SMALL, STEP, TASK, _Runs
from gputrain.ir import Spec
from gputrain.ops.base import Operation, spec_of
from gputrain.ops.optim import (
    AdamUpdate,
    AllFinite,
    ClipFactors,
    Pack,
    RMSpropUpdate,
    ScaleSegments,
    SGDUpdate,
    flat_size,
    gaps,
    segments,
    spans,
)
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, placed, run
from tests.backend.compiled.test_library import python
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

SIZES = (1, 2, 7, 8, 9, 15, 16, 17, 0, 31, 33, TASK + 5, 3, 63, 2 * TASK, 65, 1, SMALL + 11)
DECAY = tuple(i % 3 > 0 for i in range(len(SIZES)))
UPDATES = [
    SGDUpdate(SIZES, DECAY),
    SGDUpdate(SIZES, DECAY, 0.02, 0.9),
    SGDUpdate(SIZES, DECAY, 0.02, 0.9, True),
    SGDUpdate((5,), (True,), 0.1),
    RMSpropUpdate(SIZES, DECAY, 0.02),
    RMSpropUpdate(SIZES, DECAY, 0.0, 0.8, 0.5),
    RMSpropUpdate(SIZES, DECAY, 0.02, 0.8, centered=True),
    RMSpropUpdate(SIZES, DECAY, 0.0, 0.8, 0.5, 1e-3, True),
    AdamUpdate(SIZES, DECAY),
    AdamUpdate(SIZES, DECAY, 0.02, 0.8, 0.95, 1e-3),
    AdamUpdate(SIZES, DECAY, 0.02, amsgrad=True),
    AdamUpdate((1,), (True,), 0.3),
]


def arrays(op: Any, dtype: str, flag: bool = True, rate: Any = 0.07, step: int = 6) -> list[Any]:
    """Inputs of an update: second moments are above the squares of the first ones."""
    rng, n = np.random.default_rng(op.slots), flat_size(op.sizes)
    slots = [rng.uniform(1.0, 2.0, n), *(rng.uniform(-0.5, 0.5, n) for _ in range(op.slots))][: op.slots]
    if isinstance(op, AdamUpdate):
        slots[0], slots[1:] = rng.uniform(-1, 1, n), [rng.uniform(0.0, 2.0, n) for _ in slots[1:]]
    floats = [rng.uniform(-1, 1, n), *slots, *(rng.uniform(-1, 1, size) for size in op.sizes)]
    numbers = [np.array(flag), np.array(rate, getattr(rate, "dtype", dtype)), np.array(step)]
    return [*numbers, *(x.astype(dtype) for x in floats)]


def reference(op: Operation, inputs: list[Any]) -> list[Any]:
    """What the operation's own `compute` gives in float64."""
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in inputs]
    specs = [spec_of(x) for x in wide]
    outs = [np.zeros(s.dims, s.dtype) for s in op.output_specs(*specs)]
    scratch = tuple(np.zeros(s.dims, s.dtype) for s in op.scratch(*specs))
    target: Any = tuple(outs) if op.n_outputs > 1 else outs[0]
    with np.errstate(all="ignore"):
        op.compute(np, target, *wide, **({"scratch": scratch} if scratch else {}))
    return outs


def same(found: list[Any], expected: list[Any], dtype: str, what: str) -> None:
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert_close(a, b, dtype, f"result {i} of {what}")


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("op", UPDATES, ids=lambda op: f"{type(op).__name__}{UPDATES.index(op)}")
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_updates(level: str, op: Any, dtype: str) -> None:
    inputs = arrays(op, dtype)
    outs = run(device(level), op, inputs, skipped=1)
    same(outs, reference(op, inputs), dtype, str(op))
    for slot, before in zip(outs[: op.slots], inputs[4:], strict=False):
        for gap in gaps(op.sizes):
            np.testing.assert_array_equal(slot[gap], before[gap])
    in_place = run(device(level), op, inputs, 0, op.overwrites)
    for a, b in zip(in_place, outs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("op", UPDATES, ids=lambda op: f"{type(op).__name__}{UPDATES.index(op)}")
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_without_the_flag_nothing_changes(level: str, op: Any, in_place: bool) -> None:
    inputs = arrays(op, "float32", flag=False)
    inputs[3][:] = np.nan
    outs = run(device(level), op, inputs, 1, op.overwrites if in_place else ())
    for out, before in zip(outs, inputs[4:], strict=True):
        np.testing.assert_array_equal(out, before)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_flag_rate_and_step_are_read_in_each_run(level: str) -> None:
    on, op = device(level), AdamUpdate((5, 40), (True, False), 0.1)
    inputs = arrays(op, "float32", rate=np.float64(0.1), step=1)
    ins = [placed(x) for x in inputs]
    thunk = on.program([on.compiled["AdamUpdate"].prepare(op, tuple(ins[4:]), *ins, scratch=())])
    for flag, rate, step in [(True, 0.1, 1), (True, 0.3, 2), (False, 0.3, 3), (True, 1e-3, 1000)]:
        inputs[:3] = [np.array(flag), np.array(rate), np.array(step)]
        for array, value in zip(ins[:3], inputs, strict=False):
            array[...] = value
        thunk()
        inputs[4:] = reference(op, inputs)
        same(ins[4:], inputs[4:], "float32", f"step {step}")


def test_the_rate_of_a_step_is_as_in_python() -> None:
    rng = np.random.default_rng(3)
    for step in (1, 2, 3, 10, 999, 123456):
        beta_1, beta_2 = rng.uniform(0.5, 0.9999, 2).tolist()
        op = AdamUpdate((1,), (True,), 0.0, beta_1, beta_2, 0.0)
        rate = float(rng.uniform())
        one = np.ones(1)
        numbers = [np.array(True), np.array(rate), np.array(step)]
        moment, square, weight = run(device(LEVELS[0]), op, [*numbers, one, one, one, np.zeros(1)])
        assert float(moment[0]) == float(square[0]) == 1.0
        np.testing.assert_array_max_ulp(-weight[0], op.step_size(rate, step), 1)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_a_largest_moment_that_is_no_number_stays(level: str) -> None:
    op = AdamUpdate((3,), (True,), amsgrad=True)
    inputs = arrays(op, "float32")
    inputs[5][0], inputs[6][1], inputs[6][2] = np.nan, np.nan, np.inf
    outs = run(device(level), op, inputs)
    same(outs, reference(op, inputs), "float32", "amsgrad")


def test_other_dtypes_are_left_to_numpy() -> None:
    specs = [Spec((), "bool"), Spec(()), Spec((), "int64"), *(Spec((8,), "float16") for _ in range(3))]
    on, op = device(LEVELS[0]), AdamUpdate((8,), (True,))
    assert not on.compiled["AdamUpdate"].accepts(op, *specs, Spec((8,), "float16"))
    assert not on.compiled["AllFinite"].accepts(AllFinite(), Spec((8,), "float16"))
    assert not on.compiled["AllFinite"].accepts(AllFinite(), Spec((8,)), Spec((8,), "float64"))


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_one_element_that_is_not_finite_is_found(level: str, dtype: str) -> None:
    on = device(level)
    for size in (1, 2, 5, 16, 63, 64, 65, 130):
        x = np.full(size, np.finfo(dtype).max, dtype)
        assert run(on, AllFinite(), [x], skipped=1)[0]
        for place in range(size):
            for bad in (np.nan, np.inf, -np.inf):
                x[place], before = bad, x[place]
                assert not run(on, AllFinite(), [x], skipped=1)[0], (size, place, bad)
                x[place] = before
    many = [np.zeros(size, dtype) for size in SIZES] + [np.full(3, 7)]
    assert run(on, AllFinite(), many)[0]
    many[-2][-1] = np.nan
    assert not run(on, AllFinite(), many)[0]
    assert run(on, AllFinite(), [np.full(3, 7)])[0]


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_clipping(level: str, together: bool, dtype: str) -> None:
    flat = np.random.default_rng(0).uniform(-1, 1, flat_size(SIZES)).astype(dtype)
    for gap in gaps(SIZES):
        flat[gap] = np.nan  # is none of the norms'
    for limit in (1e-3, 3.0, 1e6):
        op = ClipFactors(SIZES, limit, together)
        (factors,) = run(device(level), op, [flat], skipped=1)
        same([factors], reference(op, [flat]), dtype, str(op))
    scale = ScaleSegments(SIZES)
    (scaled,) = run(device(level), scale, [flat, factors], skipped=1)
    for place, factor in zip(spans(SIZES), factors, strict=True):
        np.testing.assert_array_equal(scaled[place], flat[place] * factor)
    in_place = run(device(level), scale, [flat, factors], 0, [(0, 0)])
    np.testing.assert_array_equal(in_place[0], scaled)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_clipping_what_is_not_finite(level: str, together: bool) -> None:
    flat = np.ones(flat_size((3, 40, 2)), "float32")
    flat[1], flat[30] = np.inf, np.nan
    op = ClipFactors((3, 40, 2), 1.5, together)
    (factors,) = run(device(level), op, [flat])
    np.testing.assert_array_equal(factors, np.array([np.nan] * 3 if together else [0, np.nan, 1], "float32"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_packing_leaves_what_lies_in_place(level: str, dtype: str) -> None:
    on, rng = device(level), np.random.default_rng(0)
    hosts = [rng.uniform(-1, 1, size).astype(dtype) for size in SIZES]
    (apart,) = run(on, Pack(), hosts, skipped=1)
    out = placed(np.full(flat_size(SIZES), np.nan, dtype))
    inputs = []
    for i, (place, host) in enumerate(zip(segments(SIZES), hosts, strict=True)):
        if i % 2:
            out[place] = host
        inputs.append(out[place] if i % 2 else placed(host))
    on.program([on.compiled["Pack"].prepare(Pack(), out, *inputs, scratch=())])()
    for packed in (apart, out):
        for place, host in zip(segments(SIZES), hosts, strict=True):
            np.testing.assert_array_equal(packed[place], host)
        assert all((packed[gap] == 0).all() for gap in gaps(SIZES))


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (SMALL,), (SMALL + 1,), SIZES, (1,) * 3000], ids=str)
def test_runs_have_every_element_once(sizes: tuple[int, ...]) -> None:
    runs = _Runs(sizes)
    found: dict[int, list[tuple[int, int]]] = {}
    for number, first, count in runs.rows:
        assert count > 0
        assert first % STEP == 0
        found.setdefault(number, []).append((first, first + count))
    for number, pieces in found.items():
        assert (pieces[0][0], pieces[-1][1]) == (0, sizes[number])
        assert all(a[1] == b[0] for a, b in pairwise(pieces))
    assert len(found) == sum(size > 0 for size in sizes)
    assert (runs.starts[0], runs.starts[-1]) == (0, len(runs.rows))
    assert (np.diff(runs.starts) > 0).all()
    assert runs.tasks <= 1 or sum(sizes) > SMALL


CLIP = """
import numpy as np
from gputrain.backend import current_device
from gputrain.ops.optim import ClipFactors
from gputrain.runtime.eager import run_once
flat = np.random.default_rng(0).standard_normal(300000, "float32")
sums = [run_once(ClipFactors((100000, 200000), 1.0, t), [flat], current_device("numpy"))[0] for t in (0, 1)]
print([s.tobytes().hex() for s in sums])
"""


def test_norms_are_the_same_for_every_number_of_threads() -> None:
    found = {python(CLIP, GPUTRAIN_THREADS=str(n), GPUTRAIN_BACKEND="numpy") for n in (1, 2, 5)}
    assert len(found) == 1
