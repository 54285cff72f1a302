"""Normalization on the CPU: arrays of several blocks, a last row that is shorter, in place."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.backend.numpy import NumpyDevice, half_normalization, layer_norm, normalization
from gputrain.ops.base import Operation, spec_of
from gputrain.ops.batch_norm import BatchNorm, BatchNormGrad, BatchNormWeightGrad
from gputrain.ops.layer_norm import LayerNorm, LayerNormGrad
from tests.tolerances import assert_close

# Long rows of 6 elements, blocks of two of them: one block, several, with a shorter one, with a shorter row.
SHAPES = [(4, 3), (8, 3), (2, 5, 3), (13, 3), (3, 3), (1, 3), (5, 9), (7, 1), (25, 2)]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normalization, "LANES", 6)
    monkeypatch.setattr(normalization, "BLOCK_BYTES", 2 * 6 * 8)
    monkeypatch.setattr(half_normalization, "BLOCK", 6)
    monkeypatch.setattr(layer_norm, "BLOCK", 6)


def run(op: Operation, inputs: list[np.ndarray], in_place: bool = False) -> list[np.ndarray]:
    """Outputs of an operation, in buffers full of NaN; the first on the first input where `in_place`."""
    device, specs = NumpyDevice(None), [spec_of(x) for x in inputs]
    assert device.kernel(op, specs) is not None
    outs = [np.full(s.dims, np.nan, s.dtype) for s in op.output_specs(*specs)]
    given = [x.copy() for x in inputs]
    if in_place:
        outs[0] = given[0]
    scratch = [np.full(s.dims, np.nan, s.dtype) for s in device.scratch(op, specs)]
    device.prepare(op, specs, outs, given, scratch)()
    for array, before in list(zip(given, inputs, strict=True))[in_place:]:
        np.testing.assert_array_equal(array, before)
    return outs


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_every_cut_of_an_array(shape: tuple[int, ...], dtype: str) -> None:
    rng, axes, channels = np.random.default_rng(0), tuple(range(len(shape) - 1)), shape[-1:]
    wide = "float32" if dtype == "float16" else dtype
    x, g = (rng.uniform(-2, 2, shape).astype(dtype) for _ in range(2))
    gamma, beta = (rng.uniform(0.5, 2, channels).astype(wide) for _ in range(2))
    exact, ct = x.astype("float64"), g.astype("float64")
    mean, variance = exact.mean(axes), exact.var(axes)
    r = 1 / np.sqrt(variance + 1e-3)
    h = (exact - mean) * r
    d_gamma, d_beta = (ct * h).sum(axes), ct.sum(axes)
    dx = gamma * r * (ct - ct.mean(axes) - h * (ct * h).mean(axes))
    statistics = [mean.astype(wide), variance.astype(wide)]
    found = run(BatchNorm(1e-3), [x, gamma, beta])
    for in_place in (False, True):
        found += run(BatchNormGrad(1e-3), [g, x, gamma, *statistics], in_place)
    found += run(BatchNormWeightGrad(1e-3), [g, x, *statistics])
    expected = [h * gamma + beta, mean, variance, *[dx, d_gamma, d_beta] * 2, d_gamma, d_beta]
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, a.dtype.name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_every_cut_of_rows(shape: tuple[int, ...], dtype: str) -> None:
    rng, axes = np.random.default_rng(0), tuple(range(len(shape) - 1))
    wide = "float32" if dtype == "float16" else dtype
    x, g = (rng.uniform(-2, 2, shape).astype(dtype) for _ in range(2))
    gamma, beta = (rng.uniform(0.5, 2, shape[-1:]).astype(wide) for _ in range(2))
    exact, ct = x.astype("float64"), g.astype("float64")
    mean, rstd = exact.mean(-1), 1 / np.sqrt(exact.var(-1) + 1e-3)
    h, u = (exact - mean[..., None]) * rstd[..., None], ct * gamma
    averages = u.mean(-1, keepdims=True), (u * h).mean(-1, keepdims=True)
    dx = rstd[..., None] * (u - averages[0] - h * averages[1])
    found = run(LayerNorm(1e-3), [x, gamma, beta])
    for in_place in (False, True):
        found += run(LayerNormGrad(), [g, x, gamma, mean.astype(wide), rstd.astype(wide)], in_place)
    expected = [h * gamma + beta, mean, rstd, *[dx, (ct * h).sum(axes), ct.sum(axes)] * 2]
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, a.dtype.name)


def test_a_large_mean_costs_no_digits_of_the_variance() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (200, 3)).astype("float32") + np.float32(4096)
    ones = np.ones(3, "float32")
    _, mean, variance = run(BatchNorm(1e-3), [x, ones, ones])
    np.testing.assert_allclose(mean, x.astype("float64").mean(0), rtol=1e-6)
    np.testing.assert_allclose(variance, x.astype("float64").var(0), rtol=1e-5)


def test_no_elements_are_left_to_the_reference() -> None:
    for dtype in ("float16", "float32"):
        x = np.zeros((2, 0), dtype)
        weight = np.zeros(x.shape[-1:], "float32")
        assert NumpyDevice(None).kernel(BatchNorm(1e-3), [spec_of(a) for a in (x, weight, weight)]) is None
