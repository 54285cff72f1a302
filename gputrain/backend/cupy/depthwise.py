"""Convolution channel by channel on the GPU: launches of `kernels/depthwise.cu`, without an im2col matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gputrain.backend.base import InOrder, Thunk
from gputrain.backend.cupy.window import WINDOW, axes, scalars, vector_elements
from gputrain.ir.spec import Spec
from gputrain.ops.precision import wide_dtype

if TYPE_CHECKING:
    from gputrain.backend.cupy.conv import Geometry
    from gputrain.backend.cupy.device import CupyDevice

ROWS = 256  # positions of windows that a thread sums over for the filters' gradient, at least
SUMS = 1 << 22  # partial sums of that gradient, at most


def fprop(gpu: CupyDevice, g: Geometry, out: Any, x: Any, w: Any) -> Thunk:
    """A thunk for the convolution of images x."""
    return _launch(gpu, g, "depthwise", (x, w, out))


def dgrad(gpu: CupyDevice, g: Geometry, out: Any, dy: Any, w: Any) -> Thunk:
    """A thunk for the images' gradient."""
    return _launch(gpu, g, "depthwise_input_grad", (dy, w, out))


def wgrad(gpu: CupyDevice, g: Geometry, out: Any, x: Any, dy: Any, sums: Any) -> Thunk:
    """A thunk for the filters' gradient: `sums` over parts of the positions, then over the parts."""
    each, parts, types = _each(g), len(sums), (g.dtype, sums.dtype.name)
    numbers = scalars(g.window, g.images, g.channels)
    add = gpu.kernel_function(
        "depthwise", "depthwise_filter_sums", f"T T U i i i{WINDOW}", *types, axes(g.window)
    )
    total = gpu.kernel_function("depthwise", "depthwise_filter_total", "U T i i", *types)
    return InOrder(
        (
            add.bind(x, dy, sums, _multiplier(g), each, parts, *numbers, threads=sums.size),
            total.bind(sums, out, out.size, parts, threads=32 * out.size),
        )
    )


def sums_spec(g: Geometry) -> Spec:
    """The workspace of `wgrad`: (parts of the positions, elements of the filters)."""
    parts = math.ceil(g.images * g.rows_per_image / _each(g))
    return Spec((parts, math.prod(g.window.kernel) * g.filters), wide_dtype(g.dtype))


def _each(g: Geometry) -> int:
    """Positions that a thread sums over."""
    elements = math.prod(g.window.kernel) * g.filters
    return max(ROWS, math.ceil(g.images * g.rows_per_image * elements / SUMS))


def _multiplier(g: Geometry) -> int:
    """Filters for each channel."""
    return g.filters // g.channels


def _launch(gpu: CupyDevice, g: Geometry, name: str, arrays: tuple[Any, ...]) -> Thunk:
    """A kernel from images and filters, or gradients and filters, to the last of the arrays."""
    elements = vector_elements(g.dtype, g.channels, *arrays) if _multiplier(g) == 1 else 1
    kernel = gpu.kernel_function(
        "depthwise", name, f"T T T i{WINDOW}", g.dtype, str(elements), axes(g.window)
    )
    numbers = scalars(g.window, g.images, g.channels)
    return kernel.bind(*arrays, _multiplier(g), *numbers, threads=arrays[-1].size // elements)
