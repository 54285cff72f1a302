"""The CPU device: NumPy arrays in planned, aligned memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from gputrain.backend.base import Device, ForStep, InOrder, Kernel, Named, Thunk, leaves
from gputrain.backend.numpy import (
    attending,
    conv,
    conv_pool,
    erf,
    gelu,
    indexing,
    layer_norm,
    linalg,
    normalization,
    optim,
    passes,
    recurrence,
    reduction,
    softmax,
)
from gputrain.backend.numpy.compiled import chains, families
from gputrain.backend.numpy.compiled.binding import Library, joined, wanted
from gputrain.backend.numpy.threads import let_blas_threads_sleep
from gputrain.compiler.target import ALIGNMENT
from gputrain.ir.spec import Spec
from gputrain.ops.base import Operation
from gputrain.ops.pointwise import function_of

ROOMS = (
    attending,
    conv,
    conv_pool,
    erf,
    gelu,
    indexing,
    layer_norm,
    linalg,
    normalization,
    optim,
    passes,
    recurrence,
    reduction,
    softmax,
)


class NumpyDevice(Device):
    """Arrays on the host.

    Args:
        library: of compiled kernels; None means NumPy alone. Without it the configuration decides.
    """

    name = "numpy"
    xp = np

    def __init__(self, library: Library | str | None = "as configured") -> None:
        super().__init__()
        for room in ROOMS:
            self.kernels.update(room.KERNELS)
        found = wanted() if isinstance(library, str) else library
        self.loaded = found if isinstance(found, Library) else None
        self.compiled = families.kernels(self.loaded) if self.loaded is not None else {}
        self.chain_limits = chains.LIMITS if self.loaded is not None else None
        words = f"the CPU, by NumPy {np.__version__}"
        self.description = (
            words if self.loaded is None else f"{words} and compiled kernels ({self.loaded.level})"
        )
        let_blas_threads_sleep()

    def kernel(self, op: Operation, specs: Sequence[Spec]) -> Kernel | None:
        compiled = self.compiled.get(type(op).__name__)
        if compiled is not None and compiled.accepts(op, *specs):
            return compiled
        return super().kernel(op, specs)

    def prepare(
        self,
        op: Operation,
        specs: Sequence[Spec],
        outs: Sequence[Any],
        ins: Sequence[Any],
        scratch: Sequence[Any],
    ) -> Thunk:
        """As on every device. Compiled kernels get copies of strided and byte-swapped arrays."""
        compiled = self.compiled.get(type(op).__name__)
        foreign = [i for i, x in enumerate(ins) if not (x.flags.c_contiguous and x.dtype.isnative)]
        if compiled is None or not foreign or self.kernel(op, specs) is not compiled:
            return super().prepare(op, specs, outs, ins, scratch)
        whole = list(ins)
        for i in foreign:
            whole[i] = self.empty(ins[i].shape, ins[i].dtype.name)
        copies = [partial(np.copyto, whole[i], ins[i]) for i in foreign]
        return InOrder([*copies, super().prepare(op, specs, outs, whole, scratch)])

    def program(self, thunks: Sequence[Thunk]) -> Thunk:
        if self.loaded is None:
            return super().program(thunks)
        return InOrder(joined(self.loaded, [leaf for thunk in thunks for leaf in leaves(thunk)]))

    def empty(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        kind = np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        raw = np.empty(nbytes + ALIGNMENT, np.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        return raw[start : start + nbytes].view(kind).reshape(shape)

    def upload(self, host: np.ndarray, out: np.ndarray) -> None:
        np.copyto(out, host, casting="unsafe")

    def download(self, array: Any) -> np.ndarray:
        return np.array(array)

    def asarray(self, array: Any, dtype: str | None = None) -> np.ndarray:
        return np.asarray(array, dtype)

    def view(self, arena: np.ndarray, offset: int, spec: Spec) -> np.ndarray:
        return arena[offset : offset + spec.nbytes].view(spec.dtype).reshape(spec.dims)

    def running(self) -> np.errstate:
        return np.errstate(all="ignore")

    def copy(self, target: np.ndarray, source: np.ndarray) -> Thunk:
        return partial(np.copyto, target, source)

    def reference(self, op: Operation, out: Any, ins: tuple[Any, ...], scratch: tuple[Any, ...]) -> Thunk:
        """The operation's `compute`; where that is one function of NumPy's, no more than its call."""
        name = function_of(op)
        if name:
            return Named(partial(getattr(np, name), *ins, out=out), type(op).__name__)
        return super().reference(op, out, ins, scratch)

    def read_row(self, stack: np.ndarray, one: np.ndarray) -> ForStep:
        def read(t: int) -> None:
            one[...] = stack[t]

        return read

    def write_row(self, stack: np.ndarray, one: np.ndarray) -> ForStep:
        def write(t: int) -> None:
            stack[t] = one

        return write

    def gather(self, source: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        np.take(source, rows, axis=0, out=out, mode="clip")
