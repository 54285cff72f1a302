"""Convolution on the GPU: im2col and col2im kernels around cuBLAS, a workspace full of images at a time.

With groups, the im2col matrix is (groups, rows, patch), and one strided-batched product does all groups:
filters and outputs of a group are columns of the whole, which a leading dimension expresses without a copy.
A convolution of one tap and stride 1 needs no im2col, its images are the matrix. Where each channel has a few
filters of its own, `depthwise` does without matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy import depthwise
from gputrain.backend.cupy.cublas import Matrix, zeros
from gputrain.backend.cupy.window import WINDOW, axes, scalars, vector_elements
from gputrain.ir.spec import Spec
from gputrain.ops.window import Ints, Window

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

WORKSPACE_BYTES = 256 << 20  # most of an im2col matrix at a time
MANY_FILTERS = 8  # for each channel alone: from here on products of matrices serve


def images_at_once(images: int, bytes_per_image: int) -> int:
    """Images whose workspace fits WORKSPACE_BYTES, at least one."""
    return max(1, min(images, WORKSPACE_BYTES // max(1, bytes_per_image)))


@dataclass(frozen=True)
class Geometry:
    """Sizes of one convolution of a batch."""

    window: Window
    images: int
    channels: int
    filters: int
    groups: int
    dtype: str

    @classmethod
    def of(cls, op: Any, x: Ints, kernel: Ints, filters: int, dtype: str) -> Geometry:
        """Of a Conv, ConvInputGrad or ConvFilterGrad with images of shape x."""
        return cls(op.window(tuple(x[1:-1]), tuple(kernel)), x[0], x[-1], filters, op.groups, dtype)

    @property
    def rows_per_image(self) -> int:
        return self.window.positions

    @property
    def patch(self) -> int:
        """Elements that one output element of a group depends on."""
        return math.prod(self.window.kernel) * (self.channels // self.groups)

    @property
    def depthwise(self) -> bool:
        """Whether each channel has a few filters of its own, which no product is worth."""
        single = self.groups > 1 and self.groups == self.channels
        return single and self.filters < MANY_FILTERS * self.channels

    @property
    def direct(self) -> bool:
        """Whether the images themselves are the im2col matrix."""
        return {*self.window.kernel, *self.window.strides} == {1} and not self.window.padded

    @property
    def bytes_per_image(self) -> int:
        """Of the im2col matrix."""
        elements = 0 if self.direct else self.groups * self.rows_per_image * self.patch
        return elements * np.dtype(self.dtype).itemsize

    def cols(self, images: int) -> Spec:
        """The im2col matrix of so many images."""
        rows = 0 if self.direct else images * self.rows_per_image
        return Spec((self.groups, rows, self.patch), self.dtype)

    def chunks(self, size: int) -> Iterator[tuple[int, int]]:
        """(first image, images) of each piece of the batch."""
        for first in range(0, self.images, size):
            yield first, min(size, self.images - first)

    # ----------------------------------------------------------------------------------------------- matrices

    def patches(self, source: Any, first: int, images: int) -> Matrix:
        """Patches of each group (rows, patch): columns of the images, or the im2col matrix of a chunk."""
        rows = images * self.rows_per_image
        if self.direct:
            start = first * self.rows_per_image * self.channels
            return Matrix(source, rows, self.patch, start, self.channels, self.patch)
        return Matrix(source, rows, self.patch, stride=rows * self.patch)

    def outputs(self, array: Any, first: int, images: int) -> Matrix:
        """Each group's columns of (positions, F)."""
        width = self.filters // self.groups
        start = first * self.rows_per_image * self.filters
        return Matrix(array, images * self.rows_per_image, width, start, self.filters, width)

    def filter_matrix(self, array: Any) -> Matrix:
        """Each group's columns of (taps * C/groups, F)."""
        width = self.filters // self.groups
        return Matrix(array, self.patch, width, 0, self.filters, width)


def im2col(gpu: CupyDevice, g: Geometry, x: Any, cols: Any, first: int, images: int) -> Thunk:
    """A thunk that lays out the patches of some images; nothing where the images serve as they are."""
    if g.direct:
        return InOrder(())
    elements = vector_elements(g.dtype, g.channels // g.groups, x, cols)
    name, work = "im2col_channels", math.prod(g.cols(images).dims)
    if elements == 1:
        name, elements = "im2col_elements", vector_elements(g.dtype, 0, cols)
    return _launch(gpu, g, name, elements, (x, cols), first, images, math.ceil(work / elements))


def col2im(gpu: CupyDevice, g: Geometry, cols: Any, out: Any, first: int, images: int) -> Thunk:
    """A thunk that sums patches into the images that they overlap in."""
    if g.direct:
        return InOrder(())
    elements = vector_elements(g.dtype, g.channels // g.groups, out, cols)
    work = images * math.prod(g.window.size) * g.channels
    return _launch(gpu, g, "col2im", elements, (cols, out), first, images, work // elements)


def _launch(
    gpu: CupyDevice,
    g: Geometry,
    name: str,
    elements: int,
    arrays: tuple[Any, Any],
    first: int,
    images: int,
    threads: int,
) -> Thunk:
    """A kernel from some images to their matrix, or back, that moves so many elements at a time."""
    kernel = gpu.kernel_function("conv", name, "T T i i" + WINDOW, g.dtype, str(elements), axes(g.window))
    return kernel.bind(*arrays, first, g.groups, *scalars(g.window, images, g.channels), threads=threads)


# ------------------------------------------------------------------------------------------------------ fprop


def fprop_geometry(op: Any, x: Any, w: Any) -> Geometry:
    """Of a Conv; x and w are arrays or specs."""
    return Geometry.of(op, x.shape, w.shape[:-2], w.shape[-1], str(x.dtype))


def _chunk_scratch(g: Geometry) -> tuple[Spec, ...]:
    """The im2col matrix of a chunk, where there is one."""
    if g.depthwise:
        return ()
    return (g.cols(images_at_once(g.images, g.bytes_per_image)),)


def _chunk_size(g: Geometry, cols: Any) -> int:
    """Images for which `cols` was made."""
    return max(1, g.images if g.direct else cols.shape[1] // g.rows_per_image)


def fprop_chunk(
    gpu: CupyDevice, g: Geometry, x: Any, w: Any, cols: Any, y: Matrix, first: int, images: int
) -> Thunk:
    """The convolution of some images into `y`."""
    patches = g.patches(x if g.direct else cols, first, images)
    product = gpu.blas.gemm(patches, g.filter_matrix(w), y, count=g.groups)
    return InOrder((im2col(gpu, g, x, cols, first, images), product))


def _fprop(gpu: CupyDevice, op: Any, out: Any, x: Any, w: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    g = fprop_geometry(op, x, w)
    if g.depthwise:
        return depthwise.fprop(gpu, g, out, x, w)
    (cols,) = scratch
    return InOrder(
        fprop_chunk(gpu, g, x, w, cols, g.outputs(out, first, images), first, images)
        for first, images in g.chunks(_chunk_size(g, cols))
    )


# ------------------------------------------------------------------------------------------------------ dgrad


def _dgrad_geometry(op: Any, dy: Any, w: Any) -> Geometry:
    x = (dy.shape[0], *op.size, w.shape[-2] * op.groups)
    return Geometry.of(op, x, w.shape[:-2], w.shape[-1], str(dy.dtype))


def _dgrad(gpu: CupyDevice, op: Any, out: Any, dy: Any, w: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    g = _dgrad_geometry(op, dy, w)
    if 0 in (dy.size, w.size):
        return zeros(gpu, out)
    if g.depthwise:
        return depthwise.dgrad(gpu, g, out, dy, w)
    (cols,) = scratch
    steps: list[Thunk] = []
    for first, images in g.chunks(_chunk_size(g, cols)):
        patches = g.patches(out if g.direct else cols, first, images)
        source = g.outputs(dy, first, images)
        steps.append(gpu.blas.gemm(source, g.filter_matrix(w), patches, transpose_b=True, count=g.groups))
        steps.append(col2im(gpu, g, cols, out, first, images))
    return InOrder(steps)


# ------------------------------------------------------------------------------------------------------ wgrad


def wgrad_geometry(op: Any, x: Any, filters: int) -> Geometry:
    """Of a ConvFilterGrad; x is an array or a spec."""
    return Geometry.of(op, x.shape, op.kernel, filters, str(x.dtype))


def wgrad_chunk(
    gpu: CupyDevice, g: Geometry, x: Any, dy: Matrix, cols: Any, out: Any, first: int, images: int
) -> Thunk:
    """The filters' gradient from some images: the first chunk writes it, the others add to it."""
    patches = g.patches(x if g.direct else cols, first, images)
    product = gpu.blas.gemm(
        patches, dy, g.filter_matrix(out), transpose_a=True, beta=float(first > 0), count=g.groups
    )
    return InOrder((im2col(gpu, g, x, cols, first, images), product))


def _wgrad(gpu: CupyDevice, op: Any, out: Any, x: Any, dy: Any, *, scratch: tuple[Any, ...]) -> Thunk:
    g, (workspace,) = wgrad_geometry(op, x, dy.shape[-1]), scratch
    if dy.size == 0:
        return zeros(gpu, out)
    if g.depthwise:
        return depthwise.wgrad(gpu, g, out, x, dy, workspace)
    return InOrder(
        wgrad_chunk(gpu, g, x, g.outputs(dy, first, images), workspace, out, first, images)
        for first, images in g.chunks(_chunk_size(g, workspace))
    )


def _wgrad_scratch(op: Any, x: Spec, dy: Spec) -> tuple[Spec, ...]:
    g = wgrad_geometry(op, x, dy.dims[-1])
    return (depthwise.sums_spec(g),) if g.depthwise else _chunk_scratch(g)


KERNELS = {
    "Conv": Kernel(_fprop, lambda op, x, w: _chunk_scratch(fprop_geometry(op, x, w))),
    "ConvInputGrad": Kernel(_dgrad, lambda op, dy, w: _chunk_scratch(_dgrad_geometry(op, dy, w))),
    "ConvFilterGrad": Kernel(_wgrad, _wgrad_scratch),
}
