"""Compiled pooling: channels about those of vectors, windows that overlap, leave gaps or the image, NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.errors import ShapeError
from gputrain.ir import Spec
from gputrain.ops.base import Operation
from gputrain.ops.pool import AveragePool, AveragePoolGrad, MaxPool, MaxPoolGrad
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, run
from tests.backend.compiled.thread_counts import same_on_all
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

CHANNELS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 20, 31, 32, 33, 64, 65, 130]
WINDOWS: list[tuple[tuple[int, ...], tuple[int, ...], Any, tuple[int, ...]]] = [
    ((2, 2), (2, 2), "valid", (6, 8)),
    ((2, 2), (2, 2), "valid", (5, 7)),  # elements that no window meets
    ((2, 2), (2, 2), "same", (5, 7)),
    ((2, 17), (2, 17), "same", (4, 33)),
    ((3, 1), (3, 2), "same", (6, 7)),
    ((3, 3), (2, 2), "same", (8, 7)),
    ((3, 3), (1, 1), "same", (4, 5)),
    ((2, 1), (3, 2), "valid", (8, 5)),
    ((3, 2), (2, 1), ((2, 0), (1, 1)), (4, 3)),
    ((1, 1), (1, 1), "valid", (3, 3)),
    ((16, 16), (1, 1), "valid", (17, 16)),
    ((2,), (2,), "valid", (9,)),
    ((4,), (1,), "causal", (6,)),
    ((2, 2, 2), (2, 2, 2), "valid", (4, 5, 6)),
    ((2, 2, 3), (2, 2, 3), "valid", (4, 4, 9)),
    ((2, 3, 1), (1, 2, 3), "same", (3, 4, 5)),
]


def plainly(op: Operation, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """What the operation's `compute` gives, in float64."""
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in inputs]
    specs = [Spec(x.shape, x.dtype.name) for x in wide]
    outs = [np.zeros(s.dims, s.dtype) for s in op.output_specs(*specs)]
    scratch = tuple(np.zeros(s.dims, s.dtype) for s in op.scratch(*specs))
    target: Any = outs[0] if op.n_outputs == 1 else tuple(outs)
    op.compute(np, target, *wide, scratch=scratch)
    return outs


def agree(level: str, op: Operation, inputs: list[np.ndarray], dtype: str, skipped: int) -> None:
    """What the kernel gives is what `compute` gives."""
    for found, expected in zip(run(device(level), op, inputs, skipped), plainly(op, inputs), strict=True):
        kind = dtype if found.dtype.kind == "f" else found.dtype.name
        assert_close(found, expected, kind, f"{op} of {inputs[0].shape}")


def four_agree(level: str, how: Any, shape: tuple[int, ...], dtype: str, values: int = 4) -> None:
    """Both ways of pooling and their gradients; `values` few, so that there are equal ones."""
    rng = np.random.default_rng(sum(shape))
    skipped = shape[-1] % 3
    x = rng.integers(-values, values, shape).astype(dtype)
    agree(level, MaxPool(*how), [x], dtype, skipped)
    agree(level, AveragePool(*how), [x], dtype, skipped)
    best, winner = plainly(MaxPool(*how), [x])
    dy = rng.standard_normal(best.shape).astype(dtype)
    agree(level, MaxPoolGrad(shape[1:-1], *how), [dy, winner], dtype, skipped)
    agree(level, AveragePoolGrad(shape[1:-1], *how), [dy], dtype, skipped)


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_windows_and_channels(level: str, window: Any, dtype: str) -> None:
    *how, size = window
    for channels in CHANNELS:
        four_agree(level, how, (2, *size, channels), dtype)


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("shape", [(7, 40, 41, 5), (3, 33, 20, 33), (1, 200, 131, 1)], ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_sizes_of_many_tasks(level: str, shape: tuple[int, ...], dtype: str) -> None:
    four_agree(level, ((3, 2), (2, 2), "same"), shape, dtype)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_a_nan_is_the_maximum_and_ends_the_search(level: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 3, (2, 9, 9, 5)).astype("float32")
    x[rng.uniform(size=x.shape) < 0.2] = np.nan
    x[rng.uniform(size=x.shape) < 0.2] = -np.inf
    x[1, :4] = -np.inf
    x[rng.uniform(size=x.shape) < 0.05] = np.inf
    for how in [((2, 2), (2, 2), "valid"), ((3, 3), (2, 2), "same"), ((3, 2), (1, 1), ((2, 2), (1, 0)))]:
        op = MaxPool(*how)  # type: ignore[arg-type]
        for found, expected in zip(run(device(level), op, [x]), plainly(op, [x]), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_what_is_not_finite_reaches_its_winner_alone(level: str) -> None:
    x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    _, winner = plainly(MaxPool((2, 2), (2, 2)), [x])
    dy = np.float32([np.nan, np.inf, 1, -np.inf]).reshape(1, 2, 2, 1)
    op = MaxPoolGrad((4, 4), (2, 2), (2, 2))
    (found,) = run(device(level), op, [dy, winner])
    np.testing.assert_array_equal(found, plainly(op, [dy, winner])[0])
    assert np.isfinite(found).sum() == 13


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_what_is_left_to_numpy(level: str) -> None:
    taken = device(level).compiled["MaxPool"].accepts
    assert taken(MaxPool((16, 16), (16, 16)), Spec((1, 16, 16, 2)))
    assert not taken(MaxPool((17, 17), (17, 17)), Spec((1, 17, 17, 2)))  # winners are no bytes
    assert not taken(MaxPool((2, 2), (2, 2)), Spec((1, 4, 4, 2), "float16"))
    assert not taken(MaxPool((2, 2), (2, 2)), Spec((0, 4, 4, 2)))
    with pytest.raises(ShapeError):
        MaxPool((5, 5), (5, 5)).infer(Spec((1, 4, 4, 2)))


THREADS = """
from gputrain.ops.pool import AveragePool, AveragePoolGrad, MaxPool, MaxPoolGrad
how = ((3, 3), (2, 2), "same")
x = rng.standard_normal((6, 41, 43, 7), "float32")
y, winner = show(MaxPool(*how), x)
show(MaxPoolGrad((41, 43), *how), y, winner)
y, winner = show(MaxPool((2, 3), (2, 3), "same"), x)
show(MaxPoolGrad((41, 43), (2, 3), (2, 3), "same"), y, winner)
y = show(AveragePool(*how), x)[0]
show(AveragePoolGrad((41, 43), *how), y)
"""


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_results_are_the_same_for_every_number_of_threads(level: str) -> None:
    same_on_all(THREADS, level)
