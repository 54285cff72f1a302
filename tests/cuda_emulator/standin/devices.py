"""`cupy.cuda.Device` and `cupy.cuda.runtime`."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

from tests.cuda_emulator.standin.errors import CUDARuntimeError
from tests.cuda_emulator.standin.kernels import MAX_BLOCK, MAX_GRID, MAX_THREADS, SHARED_BYTES
from tests.cuda_emulator.standin.memory import copy_memory, fill_memory, null_stream, void
from tests.cuda_emulator.standin.world import GLOBAL, RELAXED, THREAD_LOCAL, Work, World

COMPUTE_CAPABILITY = (9, 0)
CUDA_VERSION = 12090
COPIES = {0: "host_to_host", 1: "host_to_device", 2: "device_to_host", 3: "device_to_device"}


def device_attributes(world: World) -> dict[str, int]:
    """What `Device.attributes` has, by the names that CuPy gives."""
    return {
        "MaxThreadsPerBlock": MAX_THREADS,
        "MaxBlockDimX": MAX_BLOCK[0],
        "MaxBlockDimY": MAX_BLOCK[1],
        "MaxBlockDimZ": MAX_BLOCK[2],
        "MaxGridDimX": MAX_GRID[0],
        "MaxGridDimY": MAX_GRID[1],
        "MaxGridDimZ": MAX_GRID[2],
        "MaxSharedMemoryPerBlock": SHARED_BYTES,
        "MaxSharedMemoryPerBlockOptin": SHARED_BYTES,
        "MaxSharedMemoryPerMultiprocessor": 2 * SHARED_BYTES,
        "MaxRegistersPerBlock": 65536,
        "MaxRegistersPerMultiprocessor": 65536,
        "MaxThreadsPerMultiProcessor": 2048,
        "MaxBlocksPerMultiprocessor": 32,
        "MultiProcessorCount": world.multiprocessors,
        "WarpSize": 32,
        "ClockRate": 1_000_000,
        "MemoryClockRate": 1_000_000,
        "GlobalMemoryBusWidth": 256,
        "L2CacheSize": 4 << 20,
        "TotalConstantMemory": 65536,
        "ConcurrentKernels": 1,
        "ComputeMode": 0,
        "Integrated": 0,
        "ManagedMemory": 1,
        "PageableMemoryAccessUsesHostPageTables": 0,
        "UnifiedAddressing": 1,
        "CooperativeLaunch": 1,
        "MemoryPoolsSupported": 1,
    }


class Device:
    """The emulated device, number 0."""

    _world: World

    def __init__(self, device: Any = None) -> None:
        self.id = 0 if device is None else int(device)
        if self.id != 0:
            raise CUDARuntimeError(101)

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> None:
        """Make it the current device."""

    def synchronize(self) -> None:
        """Wait for all its work."""
        self._world.sync("Device.synchronize")

    @property
    def compute_capability(self) -> str:
        """Its generation."""
        return "{}{}".format(*COMPUTE_CAPABILITY)

    @property
    def pci_bus_id(self) -> str:
        """Where it is plugged in."""
        return "0000:00:00.0"

    @property
    def mem_info(self) -> tuple[int, int]:
        """(free, total) bytes."""
        return self._world.memory_limit - self._world.allocated, self._world.memory_limit

    @property
    def attributes(self) -> dict[str, int]:
        """Its figures."""
        return device_attributes(self._world)


def device_properties(world: World) -> dict[str, Any]:
    """What `runtime.getDeviceProperties` gives."""
    major, minor = COMPUTE_CAPABILITY
    return {
        "name": b"CUDA emulator",
        "uuid": bytes(16),
        "totalGlobalMem": world.memory_limit,
        "sharedMemPerBlock": SHARED_BYTES,
        "sharedMemPerBlockOptin": SHARED_BYTES,
        "sharedMemPerMultiprocessor": 2 * SHARED_BYTES,
        "regsPerBlock": 65536,
        "regsPerMultiprocessor": 65536,
        "warpSize": 32,
        "maxThreadsPerBlock": MAX_THREADS,
        "maxThreadsPerMultiProcessor": 2048,
        "maxThreadsDim": MAX_BLOCK,
        "maxGridSize": MAX_GRID,
        "clockRate": 1_000_000,
        "memoryClockRate": 1_000_000,
        "memoryBusWidth": 256,
        "l2CacheSize": 4 << 20,
        "totalConstMem": 65536,
        "major": major,
        "minor": minor,
        "multiProcessorCount": world.multiprocessors,
        "concurrentKernels": 1,
        "computeMode": 0,
        "integrated": 0,
        "unifiedAddressing": 1,
        "managedMemory": 1,
        "cooperativeLaunch": 1,
        "pciBusID": 0,
        "pciDeviceID": 0,
        "pciDomainID": 0,
    }


class Runtime(SimpleNamespace):
    """`cupy.cuda.runtime`."""

    CUDARuntimeError = CUDARuntimeError
    is_hip = False
    memcpyHostToHost, memcpyHostToDevice, memcpyDeviceToHost, memcpyDeviceToDevice, memcpyDefault = range(5)
    streamCaptureModeGlobal, streamCaptureModeThreadLocal, streamCaptureModeRelaxed = (
        GLOBAL,
        THREAD_LOCAL,
        RELAXED,
    )
    streamCaptureStatusNone, streamCaptureStatusActive, streamCaptureStatusInvalidated = range(3)
    memoryTypeUnregistered, memoryTypeHost, memoryTypeDevice, memoryTypeManaged = range(4)
    streamDefault, streamNonBlocking, streamLegacy, streamPerThread = 0, 1, 1, 2

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def getDeviceCount(self) -> int:
        """Number of devices."""
        return 1

    def getDevice(self) -> int:
        """Number of the current device."""
        return 0

    def setDevice(self, device: int) -> None:
        """Make a device the current one."""
        if device != 0:
            raise CUDARuntimeError(101)

    def getDeviceProperties(self, device: int) -> dict[str, Any]:
        """What there is to know of a device."""
        if device != 0:
            raise CUDARuntimeError(101)
        return device_properties(self._world)

    def driverGetVersion(self) -> int:
        """Version of CUDA that the driver is for."""
        return CUDA_VERSION

    def runtimeGetVersion(self) -> int:
        """Version of the runtime."""
        return CUDA_VERSION

    def memGetInfo(self) -> tuple[int, int]:
        """(free, total) bytes."""
        return self._world.memory_limit - self._world.allocated, self._world.memory_limit

    def pointerGetAttributes(self, ptr: int) -> Any:
        """What kind of memory an address lies in, one of memoryType*."""
        on_device, pinned = self._world.heap.find(ptr) is not None, self._world.races.is_pinned(ptr)
        kind = self.memoryTypeDevice if on_device else self.memoryTypeHost if pinned else 0
        return SimpleNamespace(
            device=0 if kind else -2,
            devicePointer=ptr if kind else 0,
            hostPointer=0 if on_device else ptr,
            type=kind,
        )

    def deviceSynchronize(self) -> None:
        """Wait for the device."""
        self._world.sync("deviceSynchronize")

    def streamSynchronize(self, stream: int) -> None:
        """Wait for a stream."""
        self._world.sync("streamSynchronize", self._world.stream_at(stream))

    def streamIsCapturing(self, stream: int) -> int:
        """Whether a stream records, one of streamCaptureStatus*."""
        capture = self._world.stream_at(stream).capture
        return 0 if capture is None else 1 if capture.valid else 2

    def memcpy(self, dst: int, src: int, size: int, kind: int) -> None:
        """Copy and wait."""
        self._world.forbid_in_captures()
        self._world.statistics.note("sync", "memcpy")
        self._copy(dst, src, size, kind, null_stream(self._world))
        self._world.races.host_waits(null_stream(self._world))

    def memcpyAsync(self, dst: int, src: int, size: int, kind: int, stream: int) -> None:
        """Copy in a stream."""
        self._copy(dst, src, size, kind, self._world.stream_at(stream))

    def memset(self, ptr: int, value: int, size: int) -> None:
        """Fill with a byte."""
        self._world.forbid_in_captures()
        fill_memory(self._world, ptr, value, size, null_stream(self._world))

    def memsetAsync(self, ptr: int, value: int, size: int, stream: int) -> None:
        """Fill with a byte, in a stream."""
        fill_memory(self._world, ptr, value, size, self._world.stream_at(stream))

    def _copy(self, dst: int, src: int, size: int, kind: int, stream: Any) -> None:
        if kind == self.memcpyDefault:
            on_device = [self._world.heap.find(address) is not None for address in (src, dst)]
            kind = {(False, False): 0, (False, True): 1, (True, False): 2, (True, True): 3}[
                on_device[0], on_device[1]
            ]
        if kind == self.memcpyHostToHost:
            self._world.submit(
                Work("function", "memcpy", lambda: void(ctypes.memmove(dst, src, size))), stream
            )
        else:
            copy_memory(self._world, COPIES[kind], dst, src, size, stream)
