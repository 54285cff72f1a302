"""Operations beside their samples, so that every kernel is met: more dtypes, wide rows, many rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gputrain.backend.cupy.launch import CUDA_TYPES
from gputrain.ir import Spec
from gputrain.ops.base import Operation
from gputrain.ops.convolution import Conv, ConvFilterGrad, ConvInputGrad
from gputrain.ops.crossentropy import (
    CategoricalCrossentropy,
    LogSoftmax,
    Softmax,
    SoftmaxCrossentropy,
    SparseSoftmaxCrossentropy,
)
from gputrain.ops.elementwise import Clip
from gputrain.ops.indexing import OneHot, ScatterAdd, ScatterAddAlongAxis, Take
from gputrain.ops.movement import Pad, Transpose
from gputrain.ops.normalization import BatchNorm, BatchNormGrad, LayerNorm, LayerNormGrad
from gputrain.ops.pool import AveragePool, AveragePoolGrad, MaxPool, MaxPoolGather, MaxPoolGrad
from gputrain.ops.random import RandomNormal, RandomUniform
from gputrain.ops.reduction import ArgMax, Max, Sum

FLOATS = ("float16", "float32", "float64")
Case = tuple[Operation, Sequence[Spec]]

WIDTHS = (1, 5, 12, 20, 40, 80, 200, 700, 5000)  # rows for 1 to 32 lanes of a warp, and for a block
TABLES = ((9000, 2), (300, 3), (300, 6), (300, 12), (40, 24), (40, 33), (12, 70), (3, 150), (2, 1030))


def cases() -> Iterator[Case]:
    """All of them."""
    for dtype in CUDA_TYPES:
        if dtype not in (*FLOATS, "bool"):
            yield Clip(1, 5), [Spec((3,), dtype)]
        yield OneHot(5, 1, dtype), [Spec((3,), "int32")]
        yield from _moved(dtype)
        yield from _scattered(dtype)
    for dtype in FLOATS:
        yield from _drawn(dtype)
        yield from _images(dtype)
        for columns in WIDTHS:
            yield from _rows(columns, dtype)
        for shape in TABLES:
            yield from _columns(shape, dtype)


def _moved(dtype: str) -> Iterator[Case]:
    yield Transpose((1, 0)), [Spec((40, 50), dtype)]
    yield Transpose((1, 0, 3, 2)), [Spec((3, 2, 40, 50), dtype)]
    yield Transpose((0, 2, 1)), [Spec((3, 40, 50), dtype)]
    yield Transpose((1, 0, 2)), [Spec((3, 4, 2), dtype)]
    yield Pad(((1, 1), (16, 32))), [Spec((3, 64), dtype)]


def _scattered(dtype: str) -> Iterator[Case]:
    """Slices of every size, few and so many that their indices are sorted in several tiles."""
    for columns in (1, 3, 8, 16, 30, 64, 100, 300) if dtype == "float32" else (3, 16):
        yield ScatterAdd(0, 40), [Spec((2500, columns), dtype), Spec((2500,), "int32")]
        yield Take(0), [Spec((40, columns), dtype), Spec((9,), "int32")]
    yield ScatterAddAlongAxis(0, 40), [Spec((50,), dtype), Spec((50,), "int32")]


def _drawn(dtype: str) -> Iterator[Case]:
    for size in (5, 4096):
        yield RandomUniform((size,), dtype, 1, 2), [Spec((), "int64")]
        yield RandomNormal((size,), dtype, 1, 2), [Spec((), "int64")]


def _images(dtype: str) -> Iterator[Case]:
    """Convolutions and poolings of channels for wide loads."""
    for rank in (2, 3):  # a sequence is an image to the kernels
        ones = (1,) * rank
        how = (ones, "valid", ones)
        x = Spec((2, *(6,) * rank, 16), dtype)
        w, y = Spec((*(3,) * rank, 16, 8), dtype), Spec((2, *(4,) * rank, 8), dtype)
        yield Conv(*how), [x, w]
        yield ConvInputGrad((6,) * rank, *how), [y, w]
        yield ConvFilterGrad((3,) * rank, *how), [x, y]
    for size in ((2, 2), (20, 20), (2, 2, 2), (8, 8, 8)):  # winners of one byte, and of more
        images = Spec((2, *(2 * k for k in size), 16), dtype)
        pooled, winners = MaxPool(size, size).output_specs(images)
        yield MaxPool(size, size), [images]
        yield MaxPoolGrad(images.dims[1:-1], size, size), [pooled, winners]
        yield MaxPoolGather(size, size), [images, winners]
        yield AveragePool(size, size), [images]
        yield AveragePoolGrad(images.dims[1:-1], size, size), [pooled]


def _rows(columns: int, dtype: str) -> Iterator[Case]:
    """What works along rows."""
    x, loss = Spec((3, columns), dtype), Spec((3,), "int64")
    for op in (Softmax(), LogSoftmax(), Sum((1,)), Max((1,)), ArgMax(1)):
        yield op, [x]
    yield SparseSoftmaxCrossentropy(), [loss, x]
    yield SoftmaxCrossentropy(), [x, x]
    yield SoftmaxCrossentropy(0.1), [x, x]
    yield CategoricalCrossentropy(), [x, x]
    yield from _normalized(LayerNorm(1e-3), LayerNormGrad(), x, Spec((3,), _wide(dtype)))


def _columns(shape: tuple[int, int], dtype: str) -> Iterator[Case]:
    """What works down columns."""
    x = Spec(shape, dtype)
    for op in (Sum((0,)), Max((0,)), ArgMax(0)):
        yield op, [x]
    yield from _normalized(BatchNorm(1e-3), BatchNormGrad(1e-3), x, Spec(shape[1:], _wide(dtype)))
    yield LayerNormGrad(), [x, x, Spec(shape[1:], _wide(dtype)), *[Spec(shape[:1], _wide(dtype))] * 2]


def _normalized(op: Operation, grad: Operation, x: Spec, statistic: Spec) -> Iterator[Case]:
    weight = Spec(x.shape[-1:], statistic.dtype)
    yield op, [x, weight, weight]
    yield grad, [x, x, weight, statistic, statistic]


def _wide(dtype: str) -> str:
    return "float32" if dtype == "float16" else dtype
