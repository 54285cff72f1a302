"""Draws on the GPU: the same bits as on the host."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice, random
from gputrain.ops.base import Operation, Sample, spec_of
from gputrain.ops.random import Dropout, DropoutGrad, RandomNormal, RandomUniform
from gputrain.utils import philox
from tests.backend.cupy.running import FLOATS, check, run, samples

LARGE = 2**64 - 3  # seeds and streams use all 64 bits
SIZES = (1, 15, 16, 17, 4096, 4099, 70001)


def on_host(op: Operation, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Outputs of the operation's own `compute` in NumPy."""
    specs = [spec_of(x) for x in inputs]
    outs = tuple(np.empty(s.dims, s.dtype) for s in op.output_specs(*specs))
    work = tuple(np.empty(s.dims, s.dtype) for s in op.scratch(*specs))
    op.compute(np, outs if len(outs) > 1 else outs[0], *inputs, scratch=work)
    return outs


@pytest.mark.parametrize("sample", samples(random))
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


@pytest.mark.parametrize("skipped", [0, 1])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", SIZES)
def test_dropout_has_the_bits_of_the_host(gpu: CupyDevice, size: int, dtype: str, skipped: int) -> None:
    x = np.linspace(-2, 2, size).astype(dtype)
    op, step = Dropout(0.3, LARGE, LARGE - 2), np.array(2**40 + 5)
    expected = on_host(op, x, step)
    for found, wanted in zip(run(gpu, op, [x, step], skipped=skipped), expected, strict=True):
        assert found.tobytes() == wanted.tobytes()
    grad = DropoutGrad(0.3)
    (back,) = run(gpu, grad, [x, expected[1]], skipped=skipped)
    assert back.tobytes() == on_host(grad, x, expected[1])[0].tobytes()


def test_dropout_of_more_than_one_grid(gpu: CupyDevice) -> None:
    size = gpu.multiprocessors * 8 * 4096 * 2 + 13
    x, op, step = np.ones(size, np.float32), Dropout(0.3, 4, 5), np.array(6)
    for found, wanted in zip(run(gpu, op, [x, step]), on_host(op, x, step), strict=True):
        assert found.tobytes() == wanted.tobytes()


def test_dropout_keeps_what_is_not_finite_as_the_host_does(gpu: CupyDevice) -> None:
    x = np.array([np.nan, np.inf, -np.inf, -0.0, -1.0] * 7, np.float32)
    op, step = Dropout(0.5, 1, 2), np.array(0)
    with np.errstate(invalid="ignore"):
        expected = on_host(op, x, step)
    y, keep = run(gpu, op, [x, step])
    np.testing.assert_array_equal(keep, expected[1])
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_array_equal(np.signbit(y[3::5]), np.signbit(expected[0][3::5]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [0, 1, 5, 70001])
def test_uniform_has_the_bits_of_the_host(gpu: CupyDevice, size: int, dtype: str) -> None:
    op, step = RandomUniform((size,), dtype, LARGE, 4), np.array(9)
    (found,) = run(gpu, op, [step], skipped=0)
    assert found.tobytes() == on_host(op, step)[0].tobytes()
    assert size == 0 or found.max() < 1


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [0, 1, 6, 4097])
def test_normal_agrees_with_the_host(gpu: CupyDevice, size: int, dtype: str) -> None:
    op, step = RandomNormal((size,), dtype, 3, LARGE), np.array(9)
    (found,) = run(gpu, op, [step])
    tolerance = 1e-3 if dtype == "float16" else 1e-6
    np.testing.assert_allclose(found, on_host(op, step)[0], rtol=tolerance, atol=tolerance)


def test_words_of_the_paper(gpu: CupyDevice) -> None:
    """The first block under a key of zeros, read off the uniform numbers."""
    (found,) = run(gpu, RandomUniform((4,), "float64", 0, 0), [np.array(0)])
    words = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    np.testing.assert_array_equal(found, [(w >> 11) / 2**53 for w in words])
    np.testing.assert_array_equal(philox.words(0, 0, 0, 4), np.array(words, np.uint64))
