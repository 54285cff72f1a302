"""Puts the parts together to an object that looks like the module `cupy`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.cuda_emulator.standin import errors, kernels, memory, streams
from tests.cuda_emulator.standin.arrays import ndarray
from tests.cuda_emulator.standin.devices import Device, Runtime
from tests.cuda_emulator.standin.functions import Functions
from tests.cuda_emulator.standin.world import World

VERSION = "14.2.0"

_CLASSES: tuple[type, ...] = (
    memory.BaseMemory, memory.Memory, memory.UnownedMemory, memory.PooledMemory, memory.MemoryPointer,
    memory.MemoryPool, memory.PinnedMemoryPool, streams.Stream, streams.Event, streams.Graph,
    kernels.RawKernel, kernels.RawModule, Device, ndarray,
)  # fmt: skip


class Module:
    """Looks like the module `cupy`: attributes of its own, then functions by name."""

    def __init__(self, functions: Functions, attributes: dict[str, Any]) -> None:
        self.__dict__.update(attributes)
        self.__dict__["_functions"] = functions
        self.__name__ = "cupy"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module 'cupy' has no attribute '{name}'")
        return self._functions.get(name)

    def __dir__(self) -> list[str]:
        own = [name for name in self.__dict__ if not name.startswith("_")]
        return sorted({*own, *self._functions.names()})


def assemble(world: World) -> Any:
    """A module for a world."""
    for cls in _CLASSES:
        # A class of its own for each world, so that what it makes knows where it belongs.
        world.classes[cls.__name__] = type(cls.__name__, (cls,), {"_world": world, "__module__": "cupy"})
    classes = world.classes
    functions = Functions(world, classes["ndarray"])
    classes["ndarray"]._functions = functions
    classes["Stream"].null, classes["Stream"].ptds = (
        classes["Stream"](null=True),
        classes["Stream"](ptds=True),
    )
    classes["_malloc"] = lambda size: classes["MemoryPointer"](classes["Memory"](size), 0)
    pool, pinned_pool = classes["MemoryPool"](), classes["PinnedMemoryPool"]()
    world.default_allocator = pool.malloc
    module = Module(
        functions,
        {
            "cuda": _cuda(world),
            "ndarray": classes["ndarray"],
            "RawKernel": classes["RawKernel"],
            "RawModule": classes["RawModule"],
            "get_default_memory_pool": lambda: pool,
            "get_default_pinned_memory_pool": lambda: pinned_pool,
            "is_available": lambda: True,
            "newaxis": None,
            "__version__": VERSION,
        },
    )
    classes["module"] = module
    return module


def _cuda(world: World) -> Any:
    """`cupy.cuda`."""
    classes, runtime = world.classes, Runtime(world)
    allocation = memory.allocation_functions(world)
    shown = [
        "Memory",
        "UnownedMemory",
        "MemoryPointer",
        "MemoryPool",
        "PinnedMemoryPool",
        "Stream",
        "Event",
        "Graph",
        "Device",
    ]
    in_memory = ["BaseMemory", "Memory", "UnownedMemory", "PooledMemory", "MemoryPointer", "MemoryPool"]
    return SimpleNamespace(
        **{name: classes[name] for name in shown},
        **allocation,
        runtime=runtime,
        driver=SimpleNamespace(CUDADriverError=errors.CUDADriverError),
        compiler=SimpleNamespace(CompileException=errors.CompileException),
        memory=SimpleNamespace(
            **{name: classes[name] for name in in_memory},
            OutOfMemoryError=errors.OutOfMemoryError,
            alloc=allocation["alloc"],
            set_allocator=allocation["set_allocator"],
        ),
        stream=SimpleNamespace(Stream=classes["Stream"], Event=classes["Event"]),
        device=SimpleNamespace(Device=classes["Device"]),
        graph=SimpleNamespace(Graph=classes["Graph"]),
        get_current_stream=lambda device_id=-1: world.current_stream,
        get_elapsed_time=_elapsed,
        get_device_id=lambda: 0,
        is_available=lambda: True,
    )


def _elapsed(start_event: streams.Event, end_event: streams.Event) -> float:
    """Milliseconds between two events."""
    return max(0.0, (end_event.time - start_event.time) * 1e3)
