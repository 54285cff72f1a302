"""How batches reach the GPU: from data that lies there, or through pinned memory while it works.

Data that fits is copied to the device once per call of fit or evaluate. An epoch is then its order of rows
and a counter on the device; the step itself gathers its rows, so that nothing comes from the host between
steps. Other data is gathered on the host into one of two pinned buffers and copied on a stream of its own
while the step before runs.
"""

from __future__ import annotations

import math
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.backend.base import Feeder, Thunk
from gputrain.backend.cupy.batch import gather_rows

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

KEPT = 2  # stagings of one model, and data sets that nobody uses any more but whose memory may serve others
SHARE = 0.5  # of the free memory that a data set may take
TURNS = 2  # pinned buffers
UNSCALED = (1.0, 0.0)


class CupyFeeder(Feeder):
    """Brings batches into the input buffers of a model's steps on a GPU."""

    def __init__(self, device: CupyDevice) -> None:
        super().__init__(device)
        self.gpu = device
        self._residents: list[Resident] = []  # the one used last stands last
        self._too_large: weakref.WeakSet[Any] = weakref.WeakSet()
        self._stagings: OrderedDict[Any, Staging] = OrderedDict()

    def load(
        self,
        owner: object,
        arrays: Sequence[Any],
        order: np.ndarray | None,
        start: int,
        stop: int,
        buffers: Sequence[Any],
        scales: Sequence[tuple[float, float]],
    ) -> Thunk | None:
        if order is not None:
            resident = self._resident(owner, arrays)
            if resident is not None:
                return resident.load(order, start, stop, buffers, scales)
            arrays = [self.gpu.download(a) if self.gpu.owns(a) else a for a in arrays]
        elif any(self.gpu.owns(a) for a in arrays):
            self._copy_whole(arrays, buffers, scales)
            return None
        self._staging(buffers).fill(arrays, None if order is None else order[start:stop], buffers, scales)
        return None

    def moved(self) -> None:
        for resident in self._residents:
            resident.forget_buffers()
        while self._stagings:
            self._stagings.popitem()[1].close()

    def _copy_whole(
        self, arrays: Sequence[Any], buffers: Sequence[Any], scales: Sequence[tuple[float, float]]
    ) -> None:
        """A batch of which some lies on the device already."""
        for array, buffer, (scale, offset) in zip(arrays, buffers, scales, strict=True):
            self.gpu.upload(array, buffer)
            if (scale, offset) != UNSCALED:
                with self.gpu.running():
                    self.gpu.cupy.multiply(buffer, scale, out=buffer)
                    self.gpu.cupy.add(buffer, offset, out=buffer)

    def _resident(self, owner: object, arrays: Sequence[Any]) -> Resident | None:
        """The data on the device, put there if it fits."""
        for found in reversed(self._residents):
            if found.owner() is owner:
                return found
        return None if owner in self._too_large else self._placed(owner, arrays)

    def _placed(self, owner: object, arrays: Sequence[Any]) -> Resident | None:
        """The data put on the device, in memory of data that is gone where it has the same shapes."""
        key = tuple((a.shape, a.dtype.name, self.gpu.owns(a) and a.data.ptr) for a in arrays)
        gone = [resident for resident in self._residents if resident.owner() is None]
        for resident in gone:
            if resident.key == key:
                resident.replace(owner, arrays)
                self._residents.remove(resident)
                self._residents.append(resident)
                return resident
        for resident in gone[: len(gone) - KEPT + 1]:
            self._residents.remove(resident)
            resident.forget_buffers()
        needed = sum(a.nbytes for a in arrays if not self.gpu.owns(a)) + 8 * len(arrays[0])
        if not self.gpu.fits(needed, SHARE):
            self._too_large.add(owner)
            return None
        self._residents.append(Resident(self.gpu, key, owner, arrays))
        return self._residents[-1]

    def _staging(self, buffers: Sequence[Any]) -> Staging:
        key = tuple((b.data.ptr, b.shape) for b in buffers)
        if key not in self._stagings:
            while len(self._stagings) >= KEPT:
                self._stagings.popitem(last=False)[1].close()
            self._stagings[key] = Staging(self.gpu, buffers)
        self._stagings.move_to_end(key)
        return self._stagings[key]


class Resident:
    """A data set on the device, its rows in the order of an epoch, and how far the epoch has come.

    Attributes:
        key: shapes and dtypes of the data.
        owner: weak reference to what stands for the data.
    """

    def __init__(self, gpu: CupyDevice, key: Any, owner: object, arrays: Sequence[Any]) -> None:
        self.gpu, self.key, self.owner = gpu, key, weakref.ref(owner)
        self.arrays = [gpu.asarray(a) for a in arrays]
        self.order = gpu.empty((len(arrays[0]),), "int64")
        self.cursor = gpu.zeroed((), "int64")
        self._current: np.ndarray | None = None
        self._next = 0
        self._loads: OrderedDict[Any, Any] = OrderedDict()

    def replace(self, owner: object, arrays: Sequence[Any]) -> None:
        """Other data of the same shapes, in the same memory: what was recorded with it stays right."""
        self.owner = weakref.ref(owner)
        for mine, theirs in zip(self.arrays, arrays, strict=True):
            if mine is not theirs:
                self.gpu.upload(theirs, mine)

    def forget_buffers(self) -> None:
        """Input buffers have moved, or the data is given up: what was recorded with them is of no use."""
        for load in self._loads.values():
            load.stale = True
        self._loads.clear()

    def load(
        self,
        order: np.ndarray,
        start: int,
        stop: int,
        buffers: Sequence[Any],
        scales: Sequence[tuple[float, float]],
    ) -> Thunk:
        """What gathers rows start..stop of the order into the buffers, as part of the step."""
        if order is not self._current:
            self.gpu.upload(order, self.order[: len(order)])
            self._current, self._next = order, -1
        if start != self._next:
            self.gpu.upload(np.int64(start), self.cursor)
        self._next = stop
        key = (stop - start, tuple(scales), *(b.data.ptr for b in buffers))
        if key not in self._loads:
            if len(self._loads) >= 2 * KEPT:
                self._loads.popitem(last=False)[1].stale = True
            with self.gpu.running():
                self._loads[key] = gather_rows(
                    self.gpu, self.arrays, self.order, self.cursor, list(buffers), stop - start, scales
                )
        return self._loads[key]


class Staging:
    """Two pinned buffers and two on the device for the inputs of one step, used in turn."""

    def __init__(self, gpu: CupyDevice, buffers: Sequence[Any]) -> None:
        cuda = gpu.cupy.cuda
        self.gpu = gpu
        with gpu.gpu:
            self.stream = cuda.Stream(non_blocking=True)
            self.copied = [cuda.Event(disable_timing=True) for _ in range(TURNS)]
            self.read = [cuda.Event(disable_timing=True) for _ in range(TURNS)]
        self.pinned = [[self._pinned(b) for b in buffers] for _ in range(TURNS)]
        self.staged = [[gpu.empty(b.shape, b.dtype.name) for b in buffers] for _ in range(TURNS)]
        self._turn = 0
        with gpu.running():  # their memory may still be read by what was given to the stream before
            for event in self.read:
                event.record(gpu.stream)

    def close(self) -> None:
        """Wait for copies on their way: pinned memory that is let go is used again at once."""
        for event in self.copied:
            event.synchronize()

    def _pinned(self, buffer: Any) -> np.ndarray:
        memory = self.gpu.cupy.cuda.alloc_pinned_memory(max(1, buffer.nbytes))
        flat = np.frombuffer(memory, buffer.dtype, math.prod(buffer.shape))
        return flat.reshape(buffer.shape)

    def fill(
        self,
        arrays: Sequence[np.ndarray],
        rows: np.ndarray | None,
        buffers: Sequence[Any],
        scales: Sequence[tuple[float, float]],
    ) -> None:
        """Gather rows on the host and send them off; the step that is launched next finds them."""
        turn, self._turn = self._turn, (self._turn + 1) % TURNS
        runtime = self.gpu.cupy.cuda.runtime
        self.copied[turn].synchronize()  # the pinned buffer may be written again
        for source, pinned, scale in zip(arrays, self.pinned[turn], scales, strict=True):
            _gather(source, rows, pinned, *scale)
        with self.gpu.running():
            self.stream.wait_event(self.read[turn])
            for pinned, staged in zip(self.pinned[turn], self.staged[turn], strict=True):
                if pinned.nbytes:
                    runtime.memcpyAsync(
                        staged.data.ptr,
                        pinned.ctypes.data,
                        pinned.nbytes,
                        runtime.memcpyHostToDevice,
                        self.stream.ptr,
                    )
            self.copied[turn].record(self.stream)
            self.gpu.stream.wait_event(self.copied[turn])
            for staged, buffer in zip(self.staged[turn], buffers, strict=True):
                self.gpu.copy(buffer, staged)()
            self.read[turn].record(self.gpu.stream)


def _gather(
    source: np.ndarray, rows: np.ndarray | None, out: np.ndarray, scale: float, offset: float
) -> None:
    """Rows of the source, converted, scaled and moved as they are copied."""
    if rows is not None and source.dtype == out.dtype:
        np.take(source, rows, axis=0, out=out, mode="clip")
    else:
        np.copyto(out, source if rows is None else source[rows], casting="unsafe")
    if (scale, offset) != UNSCALED:
        np.multiply(out, scale, out=out)
        np.add(out, offset, out=out)
