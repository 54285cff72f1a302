"""Compiled draws are those of `philox`, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.ir import Spec
from gputrain.ops.random import Dropout, DropoutGrad, RandomUniform
from gputrain.utils import philox
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, plain, run
from tests.backend.compiled.test_library import python
from tests.selection import quick

pytestmark = needs_library

SIZES = (1, 2, 15, 16, 17, 63, 64, 65, 1009, 1023, 1024, 1025, 4099, 20000, 20001, 40009)
LAST = 2**64 - 1
DRAWS = [
    Dropout(0.25, 7, 11), Dropout(0.5, LAST, 2**63), Dropout(0.999, 0, LAST), Dropout(1e-7, 3, 2**40)
]  # fmt: skip


def lanes(op: Dropout, step: int, size: int) -> np.ndarray:
    """The 16-bit lanes of a draw."""
    found = np.empty(size, np.uint16)
    philox.fill_lanes(found, op.seed, op.stream, step)
    return found


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("op", DRAWS, ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_the_draw_is_that_of_numpy(level: str, op: Dropout, dtype: str) -> None:
    threshold, scale = philox.keep_threshold(op.rate)
    for size, step in zip(SIZES, (0, 1, 2**40, 2**63 - 1) * 4, strict=True):
        x = np.random.default_rng(size).uniform(-1, 1, size).astype(dtype)
        y, keep = run(device(level), op, [x, np.array(step)], skipped=1)
        np.testing.assert_array_equal(keep, lanes(op, step, size) < threshold, err_msg=f"{size} {step}")
        np.testing.assert_array_equal(y, (x * x.dtype.type(scale)) * keep)
        in_place = run(device(level), op, [x, np.array(step)], 0, [(0, 0)])
        np.testing.assert_array_equal(in_place[0], y)
        (gradient,) = run(device(level), DropoutGrad(op.rate), [x, keep], skipped=1)
        np.testing.assert_array_equal(gradient.view(f"int{8 * x.itemsize}"), y.view(f"int{8 * x.itemsize}"))
        assert keep.view(np.uint8).max() <= 1


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_uniform_numbers_are_those_of_numpy(level: str, dtype: str) -> None:
    for size, step in zip(SIZES, (0, 1, 2**40, 2**63 - 1) * 4, strict=True):
        op = RandomUniform((size,), dtype, LAST - size, size)
        (found,) = run(device(level), op, [np.array(step)], skipped=1)
        expected = np.empty(size, dtype)
        op.compute(np, expected, np.array(step))
        np.testing.assert_array_equal(found, expected, err_msg=f"{size} {step}")


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_what_is_not_finite_is_as_with_numpy(level: str) -> None:
    values = [np.nan, np.inf, -np.inf, -0.0, 0.0, np.finfo("float32").max, -1.0]
    x = np.array(values * 30, "float32").reshape(7, 30)
    inputs = [x, np.array(5)]
    y, keep = run(device(level), DRAWS[0], inputs)
    scratch = tuple(
        np.empty(s.dims, s.dtype) for s in plain().kernels["Dropout"].scratch(DRAWS[0], Spec(x.shape))
    )
    expected = np.empty_like(x), np.empty(x.shape, bool)
    with plain().running():
        plain().kernels["Dropout"].prepare(DRAWS[0], expected, *inputs, scratch=scratch)()
    np.testing.assert_array_equal(keep, expected[1])
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_array_equal(np.signbit(y)[x == 0], np.signbit(expected[0])[x == 0])


def test_what_the_kernel_does_not_take() -> None:
    accepts, step = device(LEVELS[0]).compiled["Dropout"].accepts, Spec((), "int64")
    assert accepts(DRAWS[0], Spec((3,)), step)
    assert not accepts(DRAWS[0], Spec((3,), "float16"), step)
    assert not accepts(DRAWS[0], Spec((None,)), step)
    assert not accepts(Dropout(0.9999999, 1, 2), Spec((3,)), step)  # keeps nothing
    assert not accepts(Dropout(0.5, -1, 2), Spec((3,)), step)
    assert not accepts(Dropout(0.5, 1, 2**64), Spec((3,)), step)


PROGRAM = """
import numpy as np, hashlib
from gputrain.backend import current_device
from gputrain.ops.random import Dropout
from gputrain.runtime.eager import run_once
x = np.random.default_rng(0).standard_normal(100003, "float32")
y, keep = run_once(Dropout(0.3, 1, 2), [x, np.array(4)], current_device("numpy"))
print(hashlib.sha256(y.tobytes() + keep.tobytes()).hexdigest())
"""


def test_draws_are_the_same_for_every_number_of_threads_and_without_the_library() -> None:
    settings = [{"GPUTRAIN_THREADS": str(n)} for n in (1, 2, 5)] + [{"GPUTRAIN_CPU_KERNELS": "0"}]
    assert len({python(PROGRAM, GPUTRAIN_BACKEND="numpy", **each) for each in settings}) == 1
