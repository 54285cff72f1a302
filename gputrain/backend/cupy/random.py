"""Launches of `kernels/random.cu`: draws that have the same bits on every device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.ir import FLOATS, Spec
from gputrain.utils import philox

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

DRAWERS = 256  # threads of a block of the dropout kernel, one Philox block each
LANES_PER_BLOCK = 16
VECTOR = 4  # elements that are moved together


def _vectors(*arrays: Any) -> str:
    """Whether all arrays start where vectors may start, as a template's argument."""
    fit = all(a.data.ptr % min(16, VECTOR * a.dtype.itemsize) == 0 for a in arrays)
    return "1" if fit else "0"


def _scale(rate: float, dtype: Any) -> float:
    """Scale of the kept elements, rounded to the dtype that is scaled, as NumPy does."""
    return float(np.dtype(dtype).type(philox.keep_threshold(rate)[1]))


def _dropout(gpu: CupyDevice, op: Any, out: Any, x: Any, step: Any, scratch: tuple[Any, ...]) -> Thunk:
    y, keep = out
    name = x.dtype.name
    kernel = gpu.kernel_function("random", "dropout", "T T bool int64 u u i d i", name, _vectors(x, y, keep))
    threshold, scale = philox.keep_threshold(op.rate)[0], _scale(op.rate, name)
    return kernel.bind(
        x, y, keep, step, op.seed, op.stream, threshold, scale, x.size,
        threads=-(-x.size // LANES_PER_BLOCK), block=DRAWERS,
    )  # fmt: skip


def _dropout_grad(gpu: CupyDevice, op: Any, out: Any, ct: Any, keep: Any, scratch: tuple[Any, ...]) -> Thunk:
    name = ct.dtype.name
    kernel = gpu.kernel_function("random", "dropout_grad", "T bool T d i", name, _vectors(ct, keep, out))
    return kernel.bind(ct, keep, out, _scale(op.rate, name), ct.size, threads=-(-ct.size // VECTOR))


def _uniform(gpu: CupyDevice, op: Any, out: Any, step: Any, scratch: tuple[Any, ...]) -> Thunk:
    kernel = gpu.kernel_function("random", "uniform", "T int64 u u d i", out.dtype.name, _vectors(out))
    top = float(np.nextafter(out.dtype.type(1), out.dtype.type(0)))
    return kernel.bind(out, step, op.seed, op.stream, top, out.size, threads=-(-out.size // VECTOR))


def _normal(gpu: CupyDevice, op: Any, out: Any, step: Any, scratch: tuple[Any, ...]) -> Thunk:
    kernel = gpu.kernel_function("random", "normal", "T int64 u u i", out.dtype.name, _vectors(out))
    return kernel.bind(out, step, op.seed, op.stream, out.size, threads=-(-out.size // VECTOR))


def _counts_steps(op: Any, *specs: Spec) -> bool:
    return specs[-1].dtype == "int64"


def _draws_floats(op: Any, step: Spec) -> bool:
    return step.dtype == "int64" and op.dtype in FLOATS


KERNELS = {
    "Dropout": Kernel(_dropout, accepts=_counts_steps),
    "DropoutGrad": Kernel(_dropout_grad, accepts=lambda op, ct, keep: keep.dtype == "bool"),
    "RandomUniform": Kernel(_uniform, accepts=_draws_floats),
    "RandomNormal": Kernel(_normal, accepts=_draws_floats),
}
