"""Compiled convolutions of every rank, stride, dilation, padding and number of groups against plain sums."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from gputrain.errors import ShapeError
from gputrain.ir import Spec
from gputrain.ops.base import Operation
from gputrain.ops.convolution import Conv, ConvFilterGrad, ConvInputGrad
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, run
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

CHANNELS = [(3, 16, 1), (4, 6, 2), (16, 40, 1), (6, 33, 3), (5, 9, 1), (3, 3, 3), (37, 37, 37)]
VOLUMES: list[tuple[tuple[int, ...], tuple[int, ...], int, Conv]] = [
    ((2, 13, 3), (4,), 5, Conv((2,), "causal", (1,))),
    ((1, 70, 3), (7,), 3, Conv((1,), "same", (3,))),
    ((3, 30, 5), (4,), 5, Conv((1,), "causal", (2,), 5)),
    ((2, 5, 6, 7, 18), (2, 3, 3), 18, Conv((2, 1, 1), "same", (1, 1, 2), 18)),
    ((2, 7, 6, 5, 4), (3, 2, 3), 9, Conv((2, 1, 2), "same", (1, 1, 1))),
    ((1, 7, 6, 5, 4), (3, 2, 3), 9, Conv((1, 1, 1), "valid", (1, 2, 1))),
    ((3, 4, 5, 6, 6), (2, 3, 1), 4, Conv((1, 3, 2), "same", (1, 1, 1), 2)),
    ((40, 6, 6, 5), (1, 1), 7, Conv()),
    ((131, 1, 1, 3), (1, 1), 4, Conv()),
    ((2, 5, 5, 4), (3, 3), 4, Conv((2, 2), ((0, 3), (2, 1)))),
    ((2, 5, 5, 4), (2, 2), 8, Conv((4, 3), ((3, 0), (0, 2)))),  # elements that no window meets
    # More positions than gradients are copied at once.
    ((2, 100, 97, 3), (3, 2), 5, Conv((1, 1), "same")),
    ((1, 23, 19, 21, 3), (1, 2, 2), 35, Conv((1, 1, 1), "same", (1, 1, 1))),
    # Short lines: tiles go across images.
    ((33, 2, 2, 40), (3, 3), 48, Conv((1, 1), "same")),
    ((9, 4, 4, 6), (3, 3), 8, Conv((2, 2), "same")),
    ((7, 5, 4, 6), (2, 3), 9, Conv((1, 3), ((1, 0), (2, 1)), (2, 1), 3)),
    ((20, 4, 3), (2,), 5, Conv((1,), "causal", (1,))),
    ((8, 1, 1, 70), (1, 1), 35, Conv((1, 1), "same")),
    ((6, 2, 3, 3), (2, 2), 3, Conv()),
]


def sums(op: Operation, inputs: list[np.ndarray]) -> Any:
    """The plain reference in float64."""
    wide = [x.astype("float64") for x in inputs]
    specs = [Spec(x.shape, "float64") for x in wide]
    out = np.zeros(op.output_specs(*specs)[0].dims)
    scratch = tuple(np.zeros(s.dims, s.dtype) for s in op.scratch(*specs))
    op.compute(np, out, *wide, **({"scratch": scratch} if scratch else {}))
    return out


def three_agree(
    level: str, op: Conv, shape: tuple[int, ...], kernel: tuple[int, ...], filters: int, dtype: str
) -> bool:
    """fprop, dgrad and wgrad; False where the filter is larger than the image."""
    rng = np.random.default_rng(len(shape) + filters)
    # Multiples of 1/16 below 1: sums of some thousand products are exact in float32.
    x = (rng.integers(-15, 16, shape) / 16).astype(dtype)
    w = (rng.integers(-15, 16, (*kernel, shape[-1] // op.groups, filters)) / 16).astype(dtype)
    try:
        out = op.infer(Spec(x.shape, dtype), Spec(w.shape, dtype))
    except ShapeError:
        return False
    dy = (rng.integers(-15, 16, out.dims) / 16).astype(dtype)
    how = op.how
    for each, inputs in (
        (op, [x, w]),
        (ConvInputGrad(shape[1:-1], *how), [dy, w]),
        (ConvFilterGrad(kernel, *how), [x, dy]),
    ):
        (found,) = run(device(level), each, inputs, skipped=1)
        assert_close(found, sums(each, inputs), dtype, f"{each} of {[a.shape for a in inputs]}")
    return True


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_images(level: str, channels: tuple[int, int, int], dtype: str) -> None:
    c, f, groups = channels
    taken = 0
    for padding, stride, dilation, k in product(("valid", "same"), (1, 2, 3), (1, 2), (1, 2, 3, 5)):
        op = Conv((stride, stride), padding, (dilation, dilation), groups)
        taken += three_agree(level, op, (3, 9, 11, c), (k, k), f, dtype)
    assert taken > 40


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("case", VOLUMES, ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_other_ranks_and_sizes(level: str, case: Any, dtype: str) -> None:
    shape, kernel, filters, op = case
    assert three_agree(level, op, shape, kernel, filters, dtype)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
@pytest.mark.parametrize("case", [((2, 5, 5, 4), (3, 3), 8, 4), ((2, 9, 9, 3), (3, 3), 2, 1)], ids=str)
def test_what_leaves_most_lanes_idle_is_left_to_numpy(level: str, case: Any) -> None:
    shape, kernel, filters, groups = case
    op = Conv((1, 1), "same", (1, 1), groups)
    specs = [Spec(shape), Spec((*kernel, shape[-1] // groups, filters))]
    assert not device(level).compiled["Conv"].accepts(op, *specs)
    assert device(level).kernel(op, specs) is not None


def test_copies_of_gradients_stay_small_however_large_images_are() -> None:
    op = ConvFilterGrad((3, 3), (1, 1), "valid", (1, 1), 1)
    on, sizes = device(LEVELS[0]), (100, 1000)
    small, large = (
        sum(s.nbytes for s in on.scratch(op, [Spec((1, n, n, 4)), Spec((1, n - 2, n - 2, 5))])) for n in sizes
    )
    assert large < 2 * small
