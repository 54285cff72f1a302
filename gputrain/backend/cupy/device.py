"""The GPU device: CuPy's memory and streams, gputrain's own kernels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import numpy as np

from gputrain.backend.base import Device, InOrder, Kernel, Thunk
from gputrain.backend.cupy import elementwise, memory, own
from gputrain.backend.cupy.cublas import Cublas
from gputrain.backend.cupy.families import FAMILIES
from gputrain.backend.cupy.feeding import CupyFeeder
from gputrain.backend.cupy.launch import Function, Library
from gputrain.backend.cupy.recording import Copy, Recorded
from gputrain.errors import DeviceError, explain
from gputrain.ir.spec import Spec
from gputrain.ops.base import Operation

RESIDENT_THREADS = 2048  # threads that a multiprocessor holds at a time


class CupyDevice(Device):
    """Arrays on one NVIDIA GPU.

    All work goes to one stream of its own, which waits for nobody: an array that somebody else's stream is
    still writing is waited for by an event (`asarray`).

    Args:
        cupy: the module `cupy`, or what stands in for it.
        blas: cuBLAS's library, as ctypes loads it.
        number: which GPU.
        name: under which the device is known.
    """

    def __init__(self, cupy: Any, blas: Any, number: int = 0, name: str = "cupy") -> None:
        super().__init__()
        self.name = self.description = name
        self._lock = threading.RLock()
        self.cupy = self.xp = cupy
        self.number = number
        self.gpu = cupy.cuda.Device(number)
        with self.gpu:
            self.stream = cupy.cuda.Stream(non_blocking=True)
            attributes = self.gpu.attributes
            self.multiprocessors = int(attributes["MultiProcessorCount"])
            # As on Grace Hopper: copies read any memory of the host by themselves, when they come to it.
            self._reads_host_pages = bool(attributes.get("PageableMemoryAccessUsesHostPageTables"))
            self.kernel_library = Library(cupy, self.multiprocessors * RESIDENT_THREADS // 256)
            self.blas = Cublas(self, blas)
        for family in FAMILIES:
            for operation, kernel in family.KERNELS.items():
                self.kernels[operation] = Kernel(
                    partial(kernel.prepare, self), kernel.scratch, kernel.overwrites, kernel.accepts
                )

    chain_limits = elementwise.LIMITS
    asynchronous = True

    def kernel_function(self, family: str, name: str, params: str, *types: str) -> Function:
        """A kernel of `kernels/<family>.cu`; see `Library.get`."""
        return self.kernel_library.get(family, name, params, *types)

    @contextmanager
    def running(self) -> Iterator[None]:
        # One thread at a time: what another one launched meanwhile would become part of what is recorded.
        with self._lock, self.gpu, self.stream:
            yield

    def bind_kernel(self, op: Operation, kernel: Any, outs: Sequence[Any], ins: Sequence[Any]) -> Thunk:
        return own.bind_kernel(self, op, kernel, outs, ins)

    def program(self, thunks: Sequence[Thunk]) -> Thunk:
        return Recorded(self, thunks)

    def feeder(self) -> CupyFeeder:
        return CupyFeeder(self)

    def free_memory(self) -> int:
        """Bytes that can still be had in one piece; CuPy's pool gives back what it keeps for that."""
        return memory.released_room(self.cupy, self.gpu)

    def fits(self, nbytes: int, share: float = 1.0) -> bool:
        """Whether so many bytes can still be had, from this share of what is free."""
        return nbytes <= share * memory.room(self.cupy, self.gpu) or nbytes <= share * self.free_memory()

    # -------------------------------------------------------------------------------------- memory and copies

    def zeroed(self, shape: tuple[int, ...], dtype: str) -> Any:
        """A new array of zeros."""
        array = self.empty(shape, dtype)
        with self.running():
            array.data.memset_async(0, array.nbytes, self.stream)
        return array

    def copy(self, target: Any, source: Any) -> Thunk:
        if target.size == 0 or target.data.ptr == source.data.ptr:
            return InOrder(())
        assert target.nbytes == source.nbytes
        assert target.flags.c_contiguous
        assert source.flags.c_contiguous
        return Copy(self, target, source)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        with self.running(), memory.explain_memory(self, shape, dtype):
            return self.cupy.empty(shape, dtype)

    def no_room_for(self, batch: int, plan_of: Callable[[int], int]) -> str:
        free = self.free_memory()
        best = memory.largest_batch(plan_of, free, batch - 1)
        return str(memory.batch_error(batch, plan_of(batch), free, best))

    def require_room(self, nbytes: int, what: str) -> None:
        if not self.fits(nbytes):
            raise memory.memory_error(self, what, nbytes)

    def upload(self, host: Any, out: Any) -> None:
        if self.owns(host):
            source = self.asarray(host)
            with self.running():
                self.cupy.copyto(out, source, casting="unsafe")
            self._before_user()
            return
        with self.running(), np.errstate(all="ignore"):
            source = np.ascontiguousarray(host, out.dtype).reshape(out.shape)
            out.set(source, stream=self.stream)
            if self._copied_later(source):  # and what the user writes there meanwhile would be copied
                self.stream.synchronize()

    def download(self, array: Any) -> np.ndarray:
        if not self.owns(array):
            return np.array(array)
        self._after_user(array)
        with self.running():
            return np.asarray(array.get(stream=self.stream))

    def asarray(self, array: Any, dtype: str | None = None) -> Any:
        if self.owns(array):
            self._after_user(array)
            with self.running():
                if int(array.device) != self.number:
                    array = self.cupy.array(array)  # from another GPU
                return self.cupy.ascontiguousarray(array, dtype)
        host = np.asarray(array, dtype)
        out = self.empty(host.shape, host.dtype.name)
        self.upload(host, out)
        return out

    def operand(self, array: Any, dtype: str | None = None) -> Any:
        if not self.owns(array) and not isinstance(array, np.ndarray):
            array = self._imported(array)
        if self.owns(array):
            return array if dtype is None else array.astype(dtype, copy=False)
        return np.asarray(array, dtype)

    def returned(self, outs: Sequence[Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        if not any(self.owns(x) for x in inputs):
            return tuple(self.download(out) for out in outs)
        # CuPy gives freed memory to the stream it was allocated on. So the user gets memory of the user's
        # stream: ours would be written again by our next work, whatever still reads it there.
        self._before_user()
        with self.gpu:
            copies = tuple(self.cupy.array(out) for out in outs)
        for copy in copies:
            self._after_user(copy)
        return copies

    def carried(self) -> AbstractContextManager[object]:
        # A thread begins on GPU 0 and its default stream, whatever the user chose in this one.
        gpu, stream = self.cupy.cuda.Device(), self.cupy.cuda.get_current_stream()

        @contextmanager
        def current() -> Iterator[None]:
            with gpu, stream:
                yield

        return current()

    def owns(self, array: Any) -> bool:
        """Whether an array lies on a GPU."""
        return isinstance(array, self.cupy.ndarray)

    def shown(self, array: Any) -> Any:
        return self.download(array)

    def view(self, arena: Any, offset: int, spec: Spec) -> Any:
        return arena[offset : offset + spec.nbytes].view(spec.dtype).reshape(spec.dims)

    def _copied_later(self, host: np.ndarray) -> bool:
        """Whether copies from there go on by themselves; from ordinary memory the driver takes all now."""
        runtime = self.cupy.cuda.runtime
        kind = runtime.pointerGetAttributes(host.ctypes.data).type
        return self._reads_host_pages or bool(kind != runtime.memoryTypeUnregistered)

    def _imported(self, array: Any) -> Any:
        """An array of another library, shared without a copy where it lies on a GPU."""
        if hasattr(array, "__dlpack__"):
            on_gpu = array.__dlpack_device__()[0] in (2, 13)  # kDLCUDA, kDLCUDAManaged
            return self.cupy.from_dlpack(array) if on_gpu else array
        if not hasattr(array, "__cuda_array_interface__"):
            return array
        try:
            return self.cupy.asarray(array)  # CuPy waits for the stream that the array names
        except ValueError as error:
            raise DeviceError(
                explain(
                    f"An array of {type(array).__module__} cannot be shared by its __cuda_array_interface__.",
                    expected="version 3 of the interface: no mask, stream None, 1, 2 or a handle",
                    received=str(error),
                    fix="Hand it over by DLPack, or copy it to the host.",
                )
            ) from error

    def _after_user(self, array: Any) -> None:
        """Let our stream wait for what the user's current stream was asked to do before."""
        with array.device:  # each GPU has a current stream of its own
            current = self.cupy.cuda.get_current_stream()
            if current.ptr == self.stream.ptr:
                return
            done = current.record()
        with self.running():
            self.stream.wait_event(done)

    def _before_user(self) -> None:
        """Let the user's current stream wait for our results."""
        with self.gpu:
            current = self.cupy.cuda.get_current_stream()
        if current.ptr == self.stream.ptr:
            return
        with self.running():
            done = self.stream.record()
        current.wait_event(done)
