"""The CPU's convolutions, many blocks and pieces at a time, against the plain reference of each operation."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.backend.numpy import NumpyDevice, conv, conv_pool
from gputrain.ir import Spec
from gputrain.ops.base import Operation, spec_of
from gputrain.ops.conv_pool import ConvMaxPool, ConvMaxPoolFilterGrad
from gputrain.ops.convolution import Conv, ConvFilterGrad, ConvInputGrad
from gputrain.ops.pool import MaxPool
from gputrain.ops.window import Ints
from gputrain.runtime.eager import run_once
from tests.tolerances import assert_close

pytestmark = pytest.mark.cpu_only("kernels of the CPU")


@pytest.fixture(params=["whole", "in blocks", "in single lanes"])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "whole":
        bytes_of_block = 6000 if request.param == "in blocks" else 1
        for module, name in ((conv, "BLOCK_BYTES"), (conv, "PIECE_BYTES"), (conv_pool, "BLOCK_BYTES")):
            monkeypatch.setattr(module, name, bytes_of_block)
        monkeypatch.setattr(conv, "LANES", 20 if request.param == "in blocks" else 1)


def agree(op: Operation, inputs: list[np.ndarray], dtype: str) -> list[np.ndarray]:
    """Results of the device's kernel, near those of the plain reference in float64."""
    device = NumpyDevice(None)
    given = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    assert device.kernel(op, [spec_of(x) for x in given]) is not None
    outs = run_once(op, given, device)
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in given]
    specs = [spec_of(x) for x in wide]
    expected = [np.zeros(s.dims, s.dtype) for s in op.output_specs(*specs)]
    scratch = tuple(np.full(s.dims, 98, s.dtype) for s in op.scratch(*specs))
    op.compute(np, expected[0] if len(outs) == 1 else tuple(expected), *wide, scratch=scratch)
    for out, reference in zip(outs, expected, strict=True):
        assert_close(out, reference, dtype if out.dtype.kind == "f" else out.dtype.name, str(op))
    return list(outs)


def drawn(shape: Ints, seed: int) -> np.ndarray:
    """Multiples of 1/16 below 1, whose sums are exact in float32."""
    return np.random.default_rng(seed).integers(-15, 16, shape) / 16


CASES: list[tuple[Conv, Ints, Ints]] = [
    (Conv(), (7, 9, 8, 3), (3, 2, 3, 5)),
    (Conv((2, 1), "same", (1, 2), 2), (5, 9, 8, 6), (3, 2, 3, 4)),
    (Conv((1, 1), "same", (1, 1), 6), (5, 9, 11, 6), (3, 3, 1, 6)),  # each channel by itself
    (Conv((2, 3), ((2, 0), (1, 3)), (1, 1), 5), (3, 9, 11, 5), (3, 4, 1, 15)),
    (Conv((1, 1), "valid", (2, 1), 3), (4, 9, 8, 3), (3, 2, 1, 27)),  # many filters for each
    (Conv((1,), "causal", (2,)), (5, 31, 4), (3, 4, 6)),
    (Conv((1,), "causal", (3,), 7), (5, 67, 7), (4, 1, 14)),
    (Conv((3,), "same", (1,), 4), (1, 50, 4), (5, 1, 4)),
    (Conv((1, 2, 1), "same", (1, 1, 1)), (3, 5, 6, 7, 2), (2, 3, 3, 2, 4)),
    (Conv((2, 1, 2), "same", (1, 2, 1), 5), (3, 5, 6, 7, 5), (2, 3, 3, 1, 10)),
]


@pytest.mark.parametrize("op, x, w", CASES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.usefixtures("_blocks")
def test_convolutions(op: Conv, x: Ints, w: Ints, dtype: str) -> None:
    y = op.infer(Spec(x), Spec(w)).dims
    images, filters, upstream = drawn(x, 1), drawn(w, 2), drawn(y, 3)
    agree(op, [images, filters], dtype)
    agree(ConvInputGrad(x[1:-1], *op.how), [upstream, filters], dtype)
    agree(ConvFilterGrad(w[:-2], *op.how), [images, upstream], dtype)


BLOCK = MaxPool((2, 1, 2), (2, 1, 2))
POOLED: list[tuple[ConvMaxPool, Ints, Ints]] = [
    (ConvMaxPool(Conv(), MaxPool((2, 2), (2, 2))), (7, 9, 8, 3), (3, 2, 3, 5)),
    (ConvMaxPool(Conv((1, 1), "same"), MaxPool((2, 3), (2, 3))), (7, 9, 8, 3), (3, 2, 3, 5)),
    (ConvMaxPool(Conv(), MaxPool((2, 2), (2, 2))), (7, 9, 8, 12), (3, 2, 12, 5)),
    (ConvMaxPool(Conv((1,), "causal", (2,)), MaxPool((3,), (3,))), (7, 29, 3), (3, 3, 5)),
    (ConvMaxPool(Conv((1, 1, 1), "valid", (1, 1, 1)), BLOCK), (5, 5, 4, 6, 2), (2, 2, 3, 2, 3)),
]


@pytest.mark.parametrize("op, x, w", POOLED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("_blocks")
def test_convolutions_with_pooling(op: ConvMaxPool, x: Ints, w: Ints, dtype: str) -> None:
    images, filters = drawn(x, 1), drawn(w, 2)
    best, winner = agree(op, [images, filters], dtype)
    grad = ConvMaxPoolFilterGrad(op.conv, op.pool, w[:-2])
    agree(grad, [images, drawn(best.shape, 3), winner], dtype)


def test_one_channel_for_each_filter_needs_no_matrix_product() -> None:
    """The rule by which `loops` chooses."""
    x = np.zeros((2, 6, 6, 4), "f4")

    def chosen(groups: int, filters: int) -> str:
        w = np.zeros((3, 3, 4 // groups, filters), "f4")
        return type(conv.loops(Conv((1, 1), "same", (1, 1), groups), x, w)).__name__

    assert chosen(4, 4) == chosen(4, 8) == "_PerChannel"
    assert chosen(4, 4 * conv.MANY_FILTERS) == chosen(2, 4) == chosen(1, 4) == "_Im2col"
