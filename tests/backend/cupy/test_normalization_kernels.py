"""Normalization kernels: samples, many rows, float16 with float32 statistics, a large mean, NaN."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice, normalization
from gputrain.ops.base import Sample
from gputrain.ops.normalization import BatchNorm, BatchNormGrad, BatchNormWeightGrad, LayerNorm, LayerNormGrad
from tests.backend.cupy.running import FLOATS, check, run, samples
from tests.selection import quick
from tests.tolerances import assert_close


@pytest.mark.parametrize("sample", samples(normalization))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


SHAPES = [(9000, 2), (5000, 1), (20, 15, 16), (300, 33), (12, 520), (3, 1025), (2, 3, 64)]


def drawn(shape: tuple[int, ...], dtype: str, low: float = -2.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, 2.0, shape).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", quick(("float16", "float32"), FLOATS))
def test_batch(gpu: CupyDevice, shape: tuple[int, ...], dtype: str) -> None:
    wide, rows = "float32" if dtype == "float16" else dtype, tuple(range(len(shape) - 1))
    x, gamma, beta = drawn(shape, dtype), drawn(shape[-1:], wide, 0.5), drawn(shape[-1:], wide)
    exact = x.astype("float64")
    mean, variance = exact.mean(rows), exact.var(rows)
    r = 1 / np.sqrt(variance + 1e-3)
    h = (exact - mean) * r
    y, found_mean, found_variance = run(gpu, BatchNorm(1e-3), [x, gamma, beta])
    assert_close(y, h * gamma + beta, dtype)
    assert_close(found_mean, mean, wide)
    assert_close(found_variance, variance, wide)
    ct = drawn(shape, dtype, seed=1)
    g = ct.astype("float64")
    statistics = [mean.astype(wide), variance.astype(wide)]
    op = BatchNormGrad(1e-3)
    for in_place in ((), gpu.overwrites(op, [])):
        dx, d_gamma, d_beta = run(gpu, op, [ct, x, gamma, *statistics], in_place=in_place)
        assert_close(dx, gamma * r * (g - g.mean(rows) - h * (g * h).mean(rows)), dtype)
        assert_close(d_gamma, (g * h).sum(rows), wide)
        assert_close(d_beta, g.sum(rows), wide)
    d_gamma, d_beta = run(gpu, BatchNormWeightGrad(1e-3), [ct, x, *statistics])
    assert_close(d_gamma, (g * h).sum(rows), wide)
    assert_close(d_beta, g.sum(rows), wide)


@pytest.mark.parametrize("shape", SHAPES[2:], ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_layer(gpu: CupyDevice, shape: tuple[int, ...], dtype: str) -> None:
    wide, rows = "float32" if dtype == "float16" else dtype, tuple(range(len(shape) - 1))
    x, gamma, beta = drawn(shape, dtype), drawn(shape[-1:], wide, 0.5), drawn(shape[-1:], wide)
    exact = x.astype("float64")
    mean, r = exact.mean(-1, keepdims=True), 1 / np.sqrt(exact.var(-1, keepdims=True) + 1e-3)
    h = (exact - mean) * r
    y, found_mean, rstd = run(gpu, LayerNorm(1e-3), [x, gamma, beta])
    assert_close(y, h * gamma + beta, dtype)
    assert_close(found_mean, mean[..., 0], wide)
    assert_close(rstd, r[..., 0], wide)
    ct = drawn(shape, dtype, seed=1)
    g = ct.astype("float64")
    u = g * gamma
    statistics = [mean[..., 0].astype(wide), r[..., 0].astype(wide)]
    for in_place in ((), gpu.overwrites(LayerNormGrad(), [])):
        dx, d_gamma, d_beta = run(gpu, LayerNormGrad(), [ct, x, gamma, *statistics], in_place=in_place)
        inner = u.mean(-1, keepdims=True) + h * (u * h).mean(-1, keepdims=True)
        assert_close(dx, r * (u - inner), dtype)
        assert_close(d_gamma, (g * h).sum(rows), wide)
        assert_close(d_beta, g.sum(rows), wide)


def test_a_large_mean_and_an_outlier(gpu: CupyDevice) -> None:
    x = (drawn((4000, 3), "float64") + 1000).astype("float32")
    x[0] = 0
    exact = x.astype("float64")
    ones, zeros = np.ones(3, "float32"), np.zeros(3, "float32")
    _, mean, variance = run(gpu, BatchNorm(1e-3), [x, ones, zeros])
    assert_close(mean, exact.mean(0), "float32")
    assert_close(variance, exact.var(0), "float32")


def test_nan_stays_in_its_channel_or_row(gpu: CupyDevice) -> None:
    x = drawn((50, 3), "float32")
    x[3, 0], x[4, 1] = np.nan, np.inf
    ones, zeros = np.ones(3, "float32"), np.zeros(3, "float32")
    assert np.isnan(run(gpu, BatchNorm(1e-3), [x, ones, zeros])[0]).all(0).tolist() == [True, True, False]
    rows = np.isnan(run(gpu, LayerNorm(1e-3), [x, ones, zeros])[0]).all(1)
    assert np.flatnonzero(rows).tolist() == [3, 4]
