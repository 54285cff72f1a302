"""Convolution and pooling kernels: samples, wide channels, volumes, many images, few at a time, NaN."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.backend.base import leaves
from gputrain.backend.cupy import CupyDevice, conv, depthwise, pool
from gputrain.ir import Spec
from gputrain.ops.base import Operation, Sample, spec_of
from gputrain.ops.conv_pool import ConvMaxPool, ConvMaxPoolFilterGrad
from gputrain.ops.convolution import Conv, ConvFilterGrad, ConvInputGrad
from gputrain.ops.pool import AveragePool, AveragePoolGrad, MaxPool, MaxPoolGather, MaxPoolGrad
from gputrain.ops.window import Ints, Padding
from tests.backend.cupy.running import FLOATS, check, poisoned, run, samples
from tests.tolerances import TABLE, assert_close


@pytest.fixture(params=[None, 600], ids=["at once", "in pieces"])
def _workspace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(conv, "WORKSPACE_BYTES", request.param)


@pytest.mark.parametrize("sample", [*samples(conv), *samples(pool)])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.usefixtures("_workspace")
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


def by_numpy(op: Operation, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The reference's results in float64, in which it is checked against loops."""
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in inputs]
    specs = [spec_of(x) for x in wide]
    outs = [np.full(s.dims, 99, s.dtype) for s in op.output_specs(*specs)]
    scratch = tuple(np.full(s.dims, 98, s.dtype) for s in op.scratch(*specs))
    op.compute(np, outs[0] if len(outs) == 1 else tuple(outs), *wide, scratch=scratch)
    return outs


def agree(gpu: CupyDevice, op: Operation, inputs: list[np.ndarray], skipped: int = 0) -> list[np.ndarray]:
    outs = run(gpu, op, inputs, skipped=skipped)
    dtype = inputs[0].dtype.name
    for out, reference in zip(outs, by_numpy(op, inputs), strict=True):
        assert_close(out, reference, dtype if out.dtype.name in TABLE else out.dtype.name, str(op))
    return outs


def drawn(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Multiples of 1/16 below 1, so that float16 sums are exact and equal elements occur."""
    return (np.random.default_rng(seed).integers(-15, 16, shape) / 16).astype(dtype)


CONVOLUTIONS: list[tuple[Conv, tuple[int, ...], tuple[int, ...]]] = [
    (Conv(), (9, 28, 28, 1), (3, 3, 1, 32)),
    (Conv((1, 1), "same"), (3, 13, 14, 32), (3, 3, 32, 8)),
    (Conv((2, 2), "same"), (2, 15, 14, 16), (3, 3, 16, 4)),
    (Conv((4, 3), "valid"), (2, 23, 21, 3), (11, 7, 3, 5)),
    (Conv((2, 3), "same", (3, 2)), (2, 15, 14, 8), (3, 4, 8, 4)),
    (Conv((4, 6), "valid", (6, 4)), (2, 29, 31, 2), (4, 5, 2, 3)),
    (Conv((1, 1), "same", (1, 1), 2), (2, 7, 8, 32), (3, 3, 16, 6)),
    (Conv((2, 1), "same", (1, 2), 8), (2, 9, 8, 8), (3, 3, 1, 16)),
    (Conv((1, 1), "valid", (1, 1), 4), (3, 5, 6, 32), (1, 1, 8, 12)),
    (Conv((2, 2), "valid", (1, 1), 4), (3, 5, 6, 16), (1, 1, 4, 8)),
    (Conv((5, 5), "same"), (2, 7, 11, 4), (2, 2, 4, 3)),
    (Conv((2, 1), ((3, 0), (1, 2))), (3, 7, 6, 8), (3, 2, 8, 4)),
    (Conv((1, 1), ((0, 1), (2, 0))), (2, 3, 4, 8), (1, 1, 8, 4)),
    (Conv((1, 1), "same", (1, 1), 16), (2, 9, 7, 16), (3, 3, 1, 32)),
    (Conv((1,), "causal", (2,)), (3, 37, 16), (3, 16, 8)),
    (Conv((3,), "same", (1,), 3), (5, 41, 3), (5, 1, 6)),
    (Conv((4,), ((5, 2),), (6,)), (2, 53, 5), (4, 5, 3)),
    (Conv((1,), "valid", (1,)), (3, 11, 8), (1, 8, 12)),
    (Conv((1, 1, 1), "same", (1, 1, 1)), (2, 5, 6, 7, 8), (3, 3, 2, 8, 4)),
    (Conv((2, 1, 3), "valid", (1, 2, 1)), (3, 7, 8, 9, 3), (3, 2, 4, 3, 5)),
    (Conv((1, 2, 2), ((1, 0), (0, 2), (1, 1)), (3, 1, 2), 2), (2, 7, 5, 6, 32), (2, 3, 2, 16, 6)),
    (Conv((1, 1, 1), "valid", (1, 1, 1), 4), (2, 4, 3, 3, 16), (1, 1, 1, 4, 8)),
]


@pytest.mark.parametrize("op, x, w", CONVOLUTIONS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("images", [None, 2])
def test_convolutions(
    gpu: CupyDevice,
    op: Conv,
    x: tuple[int, ...],
    w: tuple[int, ...],
    dtype: str,
    images: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All at once from aligned arrays, and two images at a time from unaligned ones."""
    y = op.infer(Spec(x), Spec(w)).dims
    if images:
        per_image = conv.fprop_geometry(op, Spec(x, dtype), Spec(w, dtype)).bytes_per_image
        monkeypatch.setattr(conv, "WORKSPACE_BYTES", max(1, images * per_image))
    skipped = 1 if images else 0
    images_, filters, outputs = drawn(x, dtype, 1), drawn(w, dtype, 2), drawn(y, dtype, 3)
    agree(gpu, op, [images_, filters], skipped)
    agree(gpu, ConvInputGrad(x[1:-1], *op.how), [outputs, filters], skipped)
    agree(gpu, ConvFilterGrad(w[:-2], *op.how), [images_, outputs], skipped)


def launched(gpu: CupyDevice, op: Operation, *specs: Spec, skipped: int = 0) -> list[str]:
    """Names of what an operation launches."""
    ins = [poisoned(gpu, s, skipped=skipped) for s in specs]
    outs = [poisoned(gpu, s) for s in op.output_specs(*specs)]
    scratch = [poisoned(gpu, s) for s in gpu.scratch(op, specs)]
    return [getattr(leaf, "name", "") for leaf in leaves(gpu.prepare(op, specs, outs, ins, scratch))]


def test_what_is_launched(gpu: CupyDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, y = Spec((4, 6, 6, 8)), Spec((3, 3, 8, 4)), Spec((4, 4, 4, 4))
    grey, pointwise = Spec((4, 6, 6, 1)), Spec((1, 1, 8, 4))
    grouped = Conv((1, 1), "valid", (1, 1), 2)
    assert launched(gpu, Conv(), x, w) == ["im2col_channels<float, 4, 2>", "cublasGemmEx"]
    assert launched(gpu, Conv(), x, w, skipped=1) == ["im2col_elements<float, 4, 2>", "cublasGemmEx"]
    assert launched(gpu, Conv(), grey, Spec((3, 3, 1, 4))) == ["im2col_elements<float, 4, 2>", "cublasGemmEx"]
    assert launched(gpu, Conv(), x, pointwise) == ["cublasGemmEx"]
    assert launched(gpu, grouped, x, Spec((1, 1, 4, 4))) == ["cublasGemmStridedBatchedEx"]
    assert launched(gpu, ConvInputGrad((6, 6)), y, w) == ["cublasGemmEx", "col2im<float, 4, 2>"]
    assert launched(gpu, ConvFilterGrad((3, 3)), x, y) == ["im2col_channels<float, 4, 2>", "cublasGemmEx"]
    assert launched(gpu, MaxPool((2, 2), (2, 2)), x) == ["max_pool<float, unsigned char, 4, 2>"]
    line, volume = Spec((4, 6, 8)), Spec((4, 6, 6, 6, 8))
    one, three = Conv((1,), "causal", (1,)), Conv((1, 1, 1), "same", (1, 1, 1))
    assert launched(gpu, one, line, Spec((3, 8, 4)))[0] == "im2col_channels<float, 4, 2>"
    assert launched(gpu, three, volume, Spec((3, 1, 1, 8, 4)))[0] == "im2col_channels<float, 4, 3>"
    assert launched(gpu, three, volume, Spec((1, 1, 1, 8, 4))) == ["cublasGemmEx"]
    own = ((1, 1), "valid", (1, 1), 8)
    gradient = ConvInputGrad((6, 6), *own)
    one_each, two_each, images = Spec((3, 3, 1, 8)), Spec((3, 3, 1, 16)), Spec((4, 4, 4, 8))
    assert launched(gpu, Conv(*own), x, one_each) == ["depthwise<float, 4, 2>"]
    assert launched(gpu, Conv(*own), x, one_each, skipped=1) == ["depthwise<float, 1, 2>"]
    assert launched(gpu, Conv(*own), x, two_each) == ["depthwise<float, 1, 2>"]
    assert launched(gpu, gradient, images, one_each) == ["depthwise_input_grad<float, 4, 2>"]
    summed = ["depthwise_filter_sums<float, float, 2>", "depthwise_filter_total<float, float>"]
    assert launched(gpu, ConvFilterGrad((3, 3), *own), x, images) == summed
    assert launched(gpu, Conv(*own), x, Spec((3, 3, 1, 64)))[1:] == ["cublasGemmStridedBatchedEx"]
    bordered = Conv((1, 1), ((1, 0), (0, 0)))
    assert launched(gpu, bordered, x, pointwise)[0] == "im2col_channels<float, 4, 2>"
    monkeypatch.setattr(conv, "WORKSPACE_BYTES", 3 * 4 * 4 * 9 * 8 * 4)
    assert len(launched(gpu, Conv(), x, w)) == 4
    assert gpu.scratch(Conv(), [x, w]) == (Spec((1, 3 * 16, 72)),)
    assert gpu.scratch(Conv(), [x, pointwise]) == (Spec((1, 0, 8)),)


def test_images_without_channels_and_filters_without_outputs(gpu: CupyDevice) -> None:
    for groups in (1, 2):
        op = Conv(groups=groups)
        empty, filters = np.ones((3, 5, 5, 0), "f4"), np.ones((3, 3, 0, 4), "f4")
        assert not run(gpu, op, [empty, filters])[0].any()
        grad = ConvInputGrad((5, 5), groups=groups)
        none = [np.ones((3, 3, 3, 0), "f4"), np.ones((3, 3, 2, 0), "f4")]
        assert not run(gpu, grad, none)[0].any()


# ---------------------------------------------------------------------------------------------------- pooling

POOLINGS: list[tuple[Ints, Ints, Padding, Ints]] = [
    ((2, 2), (2, 2), "valid", (9, 26, 26, 32)),
    ((2, 2), (2, 2), "same", (3, 13, 15, 16)),
    ((3, 3), (2, 2), "same", (2, 14, 15, 8)),
    ((3, 2), (1, 3), "valid", (2, 9, 10, 5)),
    ((2, 3), (5, 4), "same", (2, 19, 18, 8)),
    ((16, 17), (3, 2), "same", (1, 20, 19, 8)),
    ((20, 20), (20, 20), "valid", (2, 20, 41, 4)),
    ((3, 2), (2, 1), ((2, 1), (0, 1)), (2, 8, 9, 8)),
    ((3,), (3,), "valid", (5, 43, 16)),
    ((4,), (1,), "causal", (2, 33, 3)),
    ((5,), (2,), "same", (3, 30, 8)),
    ((2, 2, 2), (2, 2, 2), "valid", (3, 6, 7, 8, 16)),
    ((3, 2, 3), (1, 2, 2), "same", (2, 5, 6, 7, 8)),
    ((2, 3, 2), (2, 1, 3), ((1, 1), (0, 2), (1, 0)), (2, 5, 4, 6, 3)),
    ((7, 7, 7), (7, 7, 7), "same", (1, 9, 8, 8, 4)),
]


@pytest.mark.parametrize("size, strides, padding, x", POOLINGS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("skipped", [0, 1])
def test_pooling(
    gpu: CupyDevice,
    size: Ints,
    strides: Ints,
    padding: Padding,
    x: Ints,
    dtype: str,
    skipped: int,
) -> None:
    images = drawn(x, dtype, 4)
    best, winner = agree(gpu, MaxPool(size, strides, padding), [images], skipped)
    dy = drawn(best.shape, dtype, 5)
    agree(gpu, MaxPoolGrad(x[1:-1], size, strides, padding), [dy, winner], skipped)
    gathered = agree(gpu, MaxPoolGather(size, strides, padding), [images, winner], skipped)[0]
    assert gathered.tobytes() == best.tobytes()
    agree(gpu, AveragePool(size, strides, padding), [images], skipped)
    agree(gpu, AveragePoolGrad(x[1:-1], size, strides, padding), [dy], skipped)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_nan_wins_and_the_border_never_does(gpu: CupyDevice, padding: str) -> None:
    images = np.full((1, 3, 3, 1), -np.inf, "f4")
    best, winner = run(gpu, MaxPool((3, 3), (1, 1), padding), [images])
    assert (best == -np.inf).all()
    assert winner[0, 0, 0, 0] == (4 if padding == "same" else 0)
    images[0, 1, 1] = np.nan
    images[0, 2, 2] = 5
    best, ended = run(gpu, MaxPool((3, 3), (1, 1), padding), [images])
    assert np.isnan(best).all()
    assert (ended == winner).all()  # the NaN ends the search, before 5 is met


def test_winners_outside_the_window_name_nothing(gpu: CupyDevice) -> None:
    winner = np.array([200, 4, 1, 0], "uint8").reshape(1, 2, 2, 1)
    images = np.arange(1, 17, dtype="f4").reshape(1, 4, 4, 1)
    gathered = run(gpu, MaxPoolGather((2, 2), (2, 2)), [images, winner])[0]
    assert gathered.ravel().tolist() == [0, 0, 10, 11]
    spread = run(gpu, MaxPoolGrad((4, 4), (2, 2), (2, 2)), [np.ones((1, 2, 2, 1), "f4"), winner])[0]
    assert spread.sum() == 2


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("images", [None, 2])
def test_convolution_with_pooling(
    gpu: CupyDevice, dtype: str, images: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first layers of the reference CNN, all at once and two images at a time."""
    if images:
        size = np.dtype(dtype).itemsize
        monkeypatch.setattr(conv, "WORKSPACE_BYTES", images * 26 * 26 * (9 + 32) * size)
    op, x, w = (
        ConvMaxPool(Conv(), MaxPool((2, 2), (2, 2))),
        drawn((5, 28, 28, 1), dtype),
        drawn((3, 3, 1, 32), dtype, 1),
    )
    best, winner = agree(gpu, op, [x, w])
    dy = drawn(best.shape, dtype, 2) / 16
    grad = ConvMaxPoolFilterGrad(op.conv, op.pool, (3, 3))
    agree(gpu, grad, [x, dy.astype(dtype), winner])
    names = launched(gpu, op, Spec(x.shape, dtype), Spec(w.shape, dtype))
    assert len(names) == (9 if images else 3)


def test_the_filters_gradient_of_many_positions_is_summed_in_parts(
    gpu: CupyDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part ends within an image, and the last one is shorter; few sums make the parts longer."""
    grad = ConvFilterGrad((3, 2), (2, 1), "same", (1, 1), 3)
    x, y = (5, 11, 9, 3), (5, 6, 9, 6)
    specs = [Spec(x), Spec(y)]
    monkeypatch.setattr(depthwise, "ROWS", 100)
    assert gpu.scratch(grad, specs) == (Spec((3, 36)),)
    for dtype in ("float32", "float16"):
        agree(gpu, grad, [drawn(x, dtype, 1), drawn(y, dtype, 2)])
    monkeypatch.setattr(depthwise, "SUMS", 72)
    assert gpu.scratch(grad, specs) == (Spec((2, 36)),)
    agree(gpu, grad, [drawn(x, "float32", 1), drawn(y, "float32", 2)])
