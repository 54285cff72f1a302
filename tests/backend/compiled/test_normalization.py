"""Compiled batch normalization: channels about those of vectors, large means, and what is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.ir import Spec
from gputrain.ops.batch_norm import BatchNorm, BatchNormGrad, BatchNormWeightGrad
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, plain, run
from tests.backend.compiled.thread_counts import same_on_all
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

EPSILON = 1e-3
CHANNELS = [1, 2, 3, 5, 8, 10, 15, 16, 17, 31, 32, 33, 64, 65, 100, 127, 128, 512, 1030]
ROWS = [1, 2, 7, 33, 130]
LARGE = [(41, 31, 29, 1), (9001, 10), (40, 33, 31, 16), (700, 9, 17), (1100, 100), (333, 512), (70, 4099)]


def data(shape: tuple[int, ...], dtype: str, about: float = 0.0) -> list[np.ndarray]:
    """x, its gradient, gamma and beta."""
    rng = np.random.default_rng(sum(shape))
    x, g = rng.standard_normal(shape) + about, rng.standard_normal(shape) + 0.25
    weights = [rng.uniform(0.5, 1.5, shape[-1:]) for _ in range(2)]
    return [a.astype(dtype) for a in (x, g, *weights)]


def forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> list[np.ndarray]:
    """y, mean and variance in float64."""
    x, gamma, beta = (a.astype("float64") for a in (x, gamma, beta))
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    return [(x - mean) / np.sqrt(variance + EPSILON) * gamma + beta, mean, variance]


def backward(g: np.ndarray, x: np.ndarray, *weights: np.ndarray) -> list[np.ndarray]:
    """Gradients for x, gamma and beta in float64."""
    g, x, gamma, mean, variance = (a.astype("float64") for a in (g, x, *weights))
    axes = tuple(range(x.ndim - 1))
    r = 1 / np.sqrt(variance + EPSILON)
    h = (x - mean) * r
    dx = gamma * r * (g - g.mean(axes) - h * (g * h).mean(axes))
    return [dx, (g * h).sum(axes), g.sum(axes)]


def all_agree(level: str, shape: tuple[int, ...], dtype: str, skipped: int) -> None:
    """The three operations on data of a shape."""
    on, (x, g, gamma, beta) = device(level), data(shape, dtype)
    for found, expected in zip(
        run(on, BatchNorm(EPSILON), [x, gamma, beta], skipped), forward(x, gamma, beta), strict=True
    ):
        assert_close(found, expected, dtype, f"of {shape}")
    mean, variance = (a.astype(dtype) for a in forward(x, gamma, beta)[1:])
    expected = backward(g, x, gamma, mean, variance)
    outs = run(on, BatchNormGrad(EPSILON), [g, x, gamma, mean, variance], skipped)
    fewer = run(on, BatchNormWeightGrad(EPSILON), [g, x, mean, variance], skipped)
    for found, reference in zip([*outs, *fewer], [*expected, *expected[1:]], strict=True):
        assert_close(found, reference, dtype, f"gradients of {shape}")
    np.testing.assert_array_equal(fewer, outs[1:])


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_channels_and_rows(level: str, channels: int, dtype: str) -> None:
    for rows in ROWS:
        all_agree(level, (rows, channels), dtype, skipped=rows % 4)


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("shape", LARGE, ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_sizes_of_many_tasks(level: str, shape: tuple[int, ...], dtype: str) -> None:
    all_agree(level, shape, dtype, skipped=1)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_means_far_from_zero_leave_variances_as_they_are(level: str) -> None:
    x, _, gamma, beta = data((65_000, 10), "float32", about=1000.0)
    x[:5000, 3] = 0  # what comes first says nothing about the rest
    x[5000:, 3] -= 500
    y, mean, variance = run(device(level), BatchNorm(EPSILON), [x, gamma, beta])
    expected = forward(x, gamma, beta)
    np.testing.assert_allclose(mean, expected[1], rtol=3e-7)
    np.testing.assert_allclose(variance, expected[2], rtol=1e-5)
    np.testing.assert_allclose(y, expected[0], atol=2e-4)  # the mean's last bit is 6e-5


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [3, 50, 20_000])
def test_what_is_not_finite_stays_in_its_channel(level: str, value: float, rows: int) -> None:
    x, g, gamma, beta = data((rows, 6), "float32")
    x[rows // 2, 2], x[rows - 1, 5] = value, value
    given: list[Any] = [x, gamma, beta]
    with np.errstate(invalid="ignore"):
        expected = forward(*given)
    for found, reference in zip(run(device(level), BatchNorm(EPSILON), given), expected, strict=True):
        np.testing.assert_allclose(found, reference, rtol=1e-4, atol=1e-5)
    mean, variance = np.zeros(6, "float32"), np.ones(6, "float32")
    x[rows // 2, 2], g[rows - 1, 1] = 0, value
    with np.errstate(invalid="ignore"):
        expected = backward(g, x, gamma, mean, variance)
    given = [g, x, gamma, mean, variance]
    for found, reference in zip(run(device(level), BatchNormGrad(EPSILON), given), expected, strict=True):
        np.testing.assert_allclose(found, reference, rtol=1e-4, atol=2e-2)


THREADS = """
from gputrain.ops.batch_norm import BatchNorm, BatchNormGrad
x, g = rng.standard_normal((2, 5003, 33), "float32")
gamma, beta = rng.standard_normal((2, 33), "float32")
_, mean, variance = show(BatchNorm(1e-3), x, gamma, beta)
show(BatchNormGrad(1e-3), g, x, gamma, mean, variance)
"""


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_results_are_the_same_for_every_number_of_threads(level: str) -> None:
    same_on_all(THREADS, level)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_half_precision_is_left_to_numpy(level: str) -> None:
    specs = [Spec((4, 3), "float16"), Spec((3,)), Spec((3,))]
    assert not device(level).compiled["BatchNorm"].accepts(BatchNorm(EPSILON), *specs)
    assert device(level).kernel(BatchNorm(EPSILON), specs) is plain().kernel(BatchNorm(EPSILON), specs)
