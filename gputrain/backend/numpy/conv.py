"""Convolution on the CPU: the reference, its images shared out among threads.

Each thread runs the blocked im2col of `ops.conv` on its images with one BLAS thread; a single image is left
to BLAS's own threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.threads import one_blas_thread, shares, together, workers
from gputrain.ir.spec import Spec

Array = Any


def _share(spec: Spec, count: int) -> Spec:
    """The largest share of a batch."""
    return spec.with_shape((-(-spec.dims[0] // count), *spec.dims[1:]))


def _per_image_scratch(op: Any, x: Spec, w: Spec) -> tuple[Spec, ...]:
    return op.scratch(_share(x, workers()), w) * workers()


def _per_image(op: Any, out: Array, x: Array, w: Array, *, scratch: Any) -> Callable[[], None]:
    """fprop and dgrad: images are independent."""
    parts = _slices(len(x))
    size = len(scratch) // workers()

    def task(i: int, images: slice) -> Callable[[], None]:
        workspace = scratch[i * size : (i + 1) * size]
        return lambda: op.compute(np, out[images], x[images], w, scratch=workspace)

    return _run([task(i, images) for i, images in enumerate(parts)])


def _summed_scratch(op: Any, x: Spec, dy: Spec) -> tuple[Spec, ...]:
    share = (_share(x, workers()), _share(dy, workers()))
    return (op.infer(*share), *op.scratch(*share)) * workers()


def _summed(op: Any, out: Array, x: Array, dy: Array, *, scratch: Any) -> Callable[[], None]:
    """wgrad: each thread sums over its images; the sums are added in order."""
    parts = _slices(len(x))
    size = len(scratch) // workers()
    partial = [scratch[i * size] for i in range(len(parts))]

    def task(i: int, images: slice) -> Callable[[], None]:
        workspace = scratch[i * size + 1 : (i + 1) * size]
        return lambda: op.compute(np, partial[i], x[images], dy[images], scratch=workspace)

    run_all = _run([task(i, images) for i, images in enumerate(parts)])

    def run() -> None:
        run_all()
        np.copyto(out, partial[0])
        for other in partial[1:]:
            np.add(out, other, out=out)

    return run


def _slices(images: int) -> list[slice]:
    return [slice(part[0], part[-1] + 1) for part in shares(range(images))]


def _run(tasks: list[Callable[[], None]]) -> Callable[[], None]:
    run_all = together(tasks)
    if len(tasks) == 1:
        return run_all

    def run() -> None:
        with one_blas_thread:
            run_all()

    return run


def _accepts(op: Any, first: Spec, second: Spec) -> bool:
    return first.static and first.dims[0] > 0


KERNELS = {
    "Conv": Kernel(_per_image, _per_image_scratch, accepts=_accepts),
    "ConvInputGrad": Kernel(_per_image, _per_image_scratch, accepts=_accepts),
    "ConvFilterGrad": Kernel(_summed, _summed_scratch, accepts=_accepts),
}
