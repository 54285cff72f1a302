"""Compiled layer normalization: rows about the length of vectors, many of them, and what is not finite."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.ops.layer_norm import LayerNorm, LayerNormGrad
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, run
from tests.backend.compiled.thread_counts import same_on_all
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

EPSILON = 1e-3
COLUMNS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 129, 513, 1031]
SHAPES = [(7001, 5), (9, 70, 64), (3, 7, 11, 100), (331, 257), (2100, 33), (3, 70_001)]


def data(shape: tuple[int, ...], dtype: str) -> list[np.ndarray]:
    """x, its gradient, gamma and beta."""
    rng = np.random.default_rng(sum(shape))
    x, g = rng.standard_normal(shape) + 0.5, rng.standard_normal(shape) + 0.25
    weights = [rng.uniform(0.5, 1.5, shape[-1:]) for _ in range(2)]
    return [a.astype(dtype) for a in (x, g, *weights)]


def forward(*given: np.ndarray) -> list[np.ndarray]:
    """y, mean and 1 / deviation in float64."""
    x, gamma, beta = (a.astype("float64") for a in given)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    rstd = 1 / np.sqrt(variance + EPSILON)
    return [(x - mean) * rstd * gamma + beta, mean[..., 0], rstd[..., 0]]


def backward(*given: np.ndarray) -> list[np.ndarray]:
    """Gradients for x, gamma and beta in float64."""
    g, x, gamma, mean, rstd = (a.astype("float64") for a in given)
    h, u, axes = (x - mean[..., None]) * rstd[..., None], g * gamma, tuple(range(x.ndim - 1))
    apart = u - u.mean(-1, keepdims=True) - h * (u * h).mean(-1, keepdims=True)
    return [apart * rstd[..., None], (g * h).sum(axes), g.sum(axes)]


def both_agree(level: str, shape: tuple[int, ...], dtype: str, skipped: int) -> None:
    """The two operations on data of a shape."""
    on, (x, g, gamma, beta) = device(level), data(shape, dtype)
    expected = forward(x, gamma, beta)
    outs = run(on, LayerNorm(EPSILON), [x, gamma, beta], skipped)
    mean, rstd = (a.astype(dtype) for a in expected[1:])
    outs += run(on, LayerNormGrad(), [g, x, gamma, mean, rstd], skipped)
    for found, reference in zip(outs, [*expected, *backward(g, x, gamma, mean, rstd)], strict=True):
        assert_close(found, reference, dtype, f"of {shape}")


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_columns_and_rows(level: str, columns: int, dtype: str) -> None:
    for rows in (1, 2, 7, 50):
        both_agree(level, (rows, columns), dtype, skipped=rows % 4)
    both_agree(level, (columns,), dtype, skipped=1)


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_sizes_of_many_tasks(level: str, shape: tuple[int, ...], dtype: str) -> None:
    both_agree(level, shape, dtype, skipped=1)


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_means_far_from_zero_leave_variances_as_they_are(level: str) -> None:
    x, _, gamma, beta = data((300, 77), "float32")
    x += 1000
    y, mean, rstd = run(device(level), LayerNorm(EPSILON), [x, gamma, beta])
    expected = forward(x, gamma, beta)
    np.testing.assert_allclose(mean, expected[1], rtol=3e-7)
    np.testing.assert_allclose(rstd, expected[2], rtol=1e-5)
    np.testing.assert_allclose(y, expected[0], atol=5e-4)  # the mean's last bit is 6e-5


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("columns", [3, 40, 64])
def test_what_is_not_finite_stays_in_its_row(level: str, value: float, columns: int) -> None:
    x, g, gamma, beta = data((9, columns), "float32")
    x[4, columns - 1], x[7, 0] = value, value
    with np.errstate(invalid="ignore"):
        expected = forward(x, gamma, beta)
    outs = run(device(level), LayerNorm(EPSILON), [x, gamma, beta])
    x[4, columns - 1], g[5, 1] = 0, value
    given = [g, x, gamma, np.zeros(9, "float32"), np.ones(9, "float32")]
    with np.errstate(invalid="ignore"):
        expected += backward(*given)
    outs += run(device(level), LayerNormGrad(), given)
    for found, reference in zip(outs, expected, strict=True):
        np.testing.assert_allclose(found, reference, rtol=1e-4, atol=1e-4)


THREADS = """
from gputrain.ops.layer_norm import LayerNorm, LayerNormGrad
x, g = rng.standard_normal((2, 4003, 70), "float32")
gamma, beta = rng.standard_normal((2, 70), "float32")
_, mean, rstd = show(LayerNorm(1e-3), x, gamma, beta)
show(LayerNormGrad(), g, x, gamma, mean, rstd)
"""


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_results_are_the_same_for_every_number_of_threads(level: str) -> None:
    same_on_all(THREADS, level)
