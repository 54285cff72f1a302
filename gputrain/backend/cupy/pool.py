"""Pooling on the GPU, alone and after a convolution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.conv import (
    VECTOR_BYTES,
    Geometry,
    fprop_chunk,
    fprop_geometry,
    images_at_once,
    vector_elements,
    wgrad_chunk,
    wgrad_geometry,
)
from gputrain.backend.cupy.cublas import zeros
from gputrain.ir.spec import Spec
from gputrain.ops.conv import Pair

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

WINDOW = " i" * 12  # the scalars of WINDOW_PARAMS in kernels/pool.cu


def _scalars(op: Any, images: int, size: Pair, channels: int) -> tuple[int, ...]:
    """WINDOW_PARAMS of kernels/pool.cu for so many images."""
    window = op._window(size)
    (top, _), (left, _) = window.pads
    return (images, *size, channels, *window.out, *op.pool, *op.strides, top, left)


def _elements(values: Any, channels: int, *others: Any, winner: Any = None) -> int:
    """Channels for each thread: as many as fill a load of values, where winners are aligned for it too."""
    elements = vector_elements(values.dtype.name, channels, values, *others)
    if winner is not None and winner.data.ptr % min(VECTOR_BYTES, elements * winner.dtype.itemsize):
        return 1
    return elements


# ------------------------------------------------------------------------------------------ pooling by itself


def max_pool(gpu: CupyDevice, op: Any, x: Any, size: Pair, best: Any, winner: Any) -> Thunk:
    """A thunk for the maxima of images of some size; `best` says how many images and channels."""
    images, channels = best.shape[0], best.shape[3]
    elements = _elements(x, channels, best, winner=winner)
    types = (best.dtype.name, winner.dtype.name, str(elements))
    kernel = gpu.kernel_function("pool", "max_pool", "T T U" + WINDOW, *types)
    scalars = _scalars(op, images, size, channels)
    return kernel.bind(x, best, winner, *scalars, threads=best.size // elements)


def max_pool_grad(gpu: CupyDevice, op: Any, dy: Any, winner: Any, out: Any, size: Pair) -> Thunk:
    """A thunk for the gradient of images of some size; `dy` says how many images and channels."""
    images, channels = dy.shape[0], dy.shape[3]
    elements = _elements(dy, channels, out, winner=winner)
    types = (dy.dtype.name, winner.dtype.name, str(elements))
    kernel = gpu.kernel_function("pool", "max_pool_grad", "T U T" + WINDOW, *types)
    threads = images * math.prod(size) * channels // elements
    return kernel.bind(dy, winner, out, *_scalars(op, images, size, channels), threads=threads)


def _max_pool(gpu: CupyDevice, op: Any, out: Any, x: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    return max_pool(gpu, op, x, x.shape[1:3], *out)


def _max_pool_grad(
    gpu: CupyDevice, op: Any, out: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...]
) -> Thunk:
    return max_pool_grad(gpu, op, dy, winner, out, op.size)


def _max_pool_gather(
    gpu: CupyDevice, op: Any, out: Any, x: Any, winner: Any, *, scratch: tuple[Any, ...]
) -> Thunk:
    types = (out.dtype.name, winner.dtype.name)
    kernel = gpu.kernel_function("pool", "max_pool_gather", "T U T" + WINDOW, *types)
    scalars = _scalars(op, x.shape[0], x.shape[1:3], x.shape[3])
    return kernel.bind(x, winner, out, *scalars, threads=out.size)


def _average_pool(gpu: CupyDevice, op: Any, out: Any, x: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    elements = _elements(x, x.shape[3], out)
    kernel = gpu.kernel_function("pool", "average_pool", "T T" + WINDOW, out.dtype.name, str(elements))
    scalars = _scalars(op, x.shape[0], x.shape[1:3], x.shape[3])
    return kernel.bind(x, out, *scalars, threads=out.size // elements)


def _average_pool_grad(gpu: CupyDevice, op: Any, out: Any, dy: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    elements = _elements(dy, dy.shape[3], out)
    kernel = gpu.kernel_function("pool", "average_pool_grad", "T T" + WINDOW, out.dtype.name, str(elements))
    scalars = _scalars(op, dy.shape[0], op.size, dy.shape[3])
    return kernel.bind(dy, out, *scalars, threads=out.size // elements)


# ----------------------------------------------------------------------------- convolution and pooling in one


def _both_scratch(g: Geometry) -> tuple[Spec, ...]:
    """Some images' output of the convolution and their im2col matrix."""
    output = Spec((*g.window.out, g.filters), g.dtype)
    images = images_at_once(g.images, g.bytes_per_image + output.nbytes)
    return output.with_shape((images, *output.shape)), g.cols(images)


def _pieces(g: Geometry, y: Any, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """(first image, images, their parts of y and the arrays), as many at a time as y holds."""
    for first, images in g.chunks(y.shape[0]):
        yield first, images, y[:images], *(array[first : first + images] for array in arrays)


def _conv_max_pool(gpu: CupyDevice, op: Any, out: Any, x: Any, w: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    g, (y, cols) = fprop_geometry(op.conv, x, w), scratch
    steps: list[Thunk] = []
    for first, images, part, best, winner in _pieces(g, y, *out):
        steps.append(fprop_chunk(gpu, g, x, w, cols, g.outputs(part, 0, images), first, images))
        steps.append(max_pool(gpu, op.pool, part, g.window.out, best, winner))
    return InOrder(steps)


def _conv_max_pool_wgrad(
    gpu: CupyDevice, op: Any, out: Any, x: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...]
) -> Thunk:
    g, (y, cols) = wgrad_geometry(op.wgrad, x, dy.shape[3]), scratch
    if dy.size == 0:
        return zeros(gpu, out)
    steps: list[Thunk] = []
    for first, images, part, gradient, winners in _pieces(g, y, dy, winner):
        steps.append(max_pool_grad(gpu, op.pool, gradient, winners, part, g.window.out))
        steps.append(wgrad_chunk(gpu, g, x, g.outputs(part, 0, images), cols, out, first, images))
    return InOrder(steps)


KERNELS = {
    "MaxPool": Kernel(_max_pool),
    "MaxPoolGrad": Kernel(_max_pool_grad),
    "MaxPoolGather": Kernel(_max_pool_gather),
    "AveragePool": Kernel(_average_pool),
    "AveragePoolGrad": Kernel(_average_pool_grad),
    "ConvMaxPool": Kernel(_conv_max_pool, lambda op, x, w: _both_scratch(fprop_geometry(op.conv, x, w))),
    "ConvMaxPoolFilterGrad": Kernel(
        _conv_max_pool_wgrad, lambda op, x, dy, winner: _both_scratch(wgrad_geometry(op.wgrad, x, dy.dims[3]))
    ),
}
