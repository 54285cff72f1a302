"""Pooling on the GPU, alone and after a convolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.conv import (
    Geometry,
    fprop_chunk,
    fprop_geometry,
    images_at_once,
    wgrad_chunk,
    wgrad_geometry,
)
from gputrain.backend.cupy.cublas import zeros
from gputrain.backend.cupy.window import VECTOR_BYTES, WINDOW, axes, scalars, vector_elements
from gputrain.ir.spec import Spec
from gputrain.ops.window import Ints

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice


def _elements(values: Any, *others: Any, winner: Any = None) -> int:
    """Channels for each thread: as many as fill a load of values, where winners are aligned for it too."""
    elements = vector_elements(values.dtype.name, values.shape[-1], values, *others)
    if winner is not None and winner.data.ptr % min(VECTOR_BYTES, elements * winner.dtype.itemsize):
        return 1
    return elements


def _launch(
    gpu: CupyDevice, op: Any, name: str, pointers: str, arrays: tuple[Any, ...], size: Ints, elements: int = 0
) -> Thunk:
    """A kernel for windows over images of some size.

    Args:
        pointers: T for each array of values, U for that of winners.
        arrays: from the first, which says how many images and channels there are, to what is written last.
        elements: channels of each thread, where the kernel asks for them.
    """
    window = op.window(tuple(size))
    types = dict(zip(pointers.split(), (array.dtype.name for array in arrays), strict=True))
    asked = (str(elements),) if elements else ()
    kernel = gpu.kernel_function("pool", name, pointers + WINDOW, *types.values(), *asked, axes(window))
    numbers = scalars(window, arrays[0].shape[0], arrays[0].shape[-1])
    return kernel.bind(*arrays, *numbers, threads=arrays[-1].size // max(1, elements))


# ------------------------------------------------------------------------------------------ pooling by itself


def max_pool(gpu: CupyDevice, op: Any, x: Any, best: Any, winner: Any) -> Thunk:
    """A thunk for the maxima of images, and which they were."""
    elements = _elements(x, best, winner=winner)
    return _launch(gpu, op, "max_pool", "T T U", (x, best, winner), x.shape[1:-1], elements)


def max_pool_grad(gpu: CupyDevice, op: Any, dy: Any, winner: Any, out: Any) -> Thunk:
    """A thunk for the gradient of images."""
    elements = _elements(dy, out, winner=winner)
    return _launch(gpu, op, "max_pool_grad", "T U T", (dy, winner, out), out.shape[1:-1], elements)


def _max_pool(gpu: CupyDevice, op: Any, out: Any, x: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    return max_pool(gpu, op, x, *out)


def _max_pool_grad(
    gpu: CupyDevice, op: Any, out: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...]
) -> Thunk:
    return max_pool_grad(gpu, op, dy, winner, out)


def _max_pool_gather(
    gpu: CupyDevice, op: Any, out: Any, x: Any, winner: Any, *, scratch: tuple[Any, ...]
) -> Thunk:
    return _launch(gpu, op, "max_pool_gather", "T U T", (x, winner, out), x.shape[1:-1])


def _average_pool(gpu: CupyDevice, op: Any, out: Any, x: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    return _launch(gpu, op, "average_pool", "T T", (x, out), x.shape[1:-1], _elements(x, out))


def _average_pool_grad(gpu: CupyDevice, op: Any, out: Any, dy: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    return _launch(gpu, op, "average_pool_grad", "T T", (dy, out), out.shape[1:-1], _elements(dy, out))


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
        steps.append(max_pool(gpu, op.pool, part, best, winner))
    return InOrder(steps)


def _conv_max_pool_wgrad(
    gpu: CupyDevice, op: Any, out: Any, x: Any, dy: Any, winner: Any, *, scratch: tuple[Any, ...]
) -> Thunk:
    g, (y, cols) = wgrad_geometry(op.wgrad, x, dy.shape[-1]), scratch
    if dy.size == 0:
        return zeros(gpu, out)
    steps: list[Thunk] = []
    for first, images, part, gradient, winners in _pieces(g, y, dy, winner):
        steps.append(max_pool_grad(gpu, op.pool, gradient, winners, part))
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
        _conv_max_pool_wgrad,
        lambda op, x, dy, winner: _both_scratch(wgrad_geometry(op.wgrad, x, dy.dims[-1])),
    ),
}
