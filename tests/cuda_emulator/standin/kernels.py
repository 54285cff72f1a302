"""RawModule and RawKernel on the emulator, with arguments passed exactly as CuPy does."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tests.cuda_emulator.build import BuiltKernel, CompileError, build, runtime
from tests.cuda_emulator.errors import EmulatorError
from tests.cuda_emulator.orders import Order, in_all_orders, reachable
from tests.cuda_emulator.races import Use
from tests.cuda_emulator.standin.arrays import ndarray, use_of
from tests.cuda_emulator.standin.errors import CompileException, CUDADriverError
from tests.cuda_emulator.standin.memory import MemoryPointer
from tests.cuda_emulator.standin.world import Work, World

MAX_BLOCK = (1024, 1024, 64)
MAX_GRID = (2**31 - 1, 65535, 65535)
MAX_THREADS = 1024
SHARED_BYTES = 48 * 1024

_KINDS = {"p": "a pointer", "i": "an integer", "f": "a floating-point number", "s": "a value"}
_control = struct.Struct("6IiiQ")
_address = struct.Struct("Q")


_NUMBER_KINDS = {"b": "i", "i": "i", "u": "i", "f": "f"}


def marshal(value: Any) -> tuple[bytes, str]:
    """(bytes, kind) of an argument as CuPy passes it, whatever the kernel's parameter is.

    Kinds: p pointer, i integer, f floating point, s anything else.
    """
    if isinstance(value, ndarray):
        return _address.pack(value.data.ptr), "p"
    if isinstance(value, np.generic):
        return value.tobytes(), _NUMBER_KINDS.get(value.dtype.kind, "s")
    if isinstance(value, MemoryPointer):
        return _address.pack(value.ptr), "p"
    if value is None:
        return bytes(8), "p"
    if isinstance(value, bool):
        return struct.pack("?", value), "i"
    if isinstance(value, int):
        return struct.pack("q" if value < 2**63 else "Q", value), "i"
    if isinstance(value, float):
        return struct.pack("d", value), "f"
    if isinstance(value, complex):
        return struct.pack("dd", value.real, value.imag), "s"
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise TypeError(
                f"You are trying to pass a numpy.ndarray of shape {value.shape} as a kernel parameter. "
                "Only numpy.ndarrays of size one can be passed by value. If you meant to pass a pointer to "
                "__global__ memory, you need to pass a cupy.ndarray instead."
            )
        return value.tobytes(), _NUMBER_KINDS.get(value.dtype.kind, "s") if value.ndim == 0 else "s"
    raise TypeError(f"Unsupported type {type(value)}")


def describe(value: Any) -> str:
    """An argument in words."""
    names = {
        bool: "bool (bool)",
        int: "int (int64)",
        float: "float (float64)",
        complex: "complex (complex128)",
    }
    if type(value) in names:
        return f"a Python {names[type(value)]}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of {value.dtype}, by value,"
    return f"{type(value).__name__} {getattr(value, 'dtype', '')}".strip()


def pack(kernel: BuiltKernel, args: Sequence[Any]) -> tuple[bytes, int]:
    """(all arguments in slots of 16 bytes, how many are by value), checked against its parameters."""
    if len(args) != len(kernel.sizes):
        raise EmulatorError(
            f"{kernel.name} has {len(kernel.sizes)} parameters; {len(args)} arguments were passed."
        )
    parts: list[bytes] = []
    scalars = 0
    for value, kind, size in zip(args, kernel.kinds, kernel.sizes, strict=True):
        data, given = marshal(value)
        # An integer of 64 bits may be an address; what a class holds, nobody knows.
        fits = given in "pi" if kind == "p" else given == kind or kind == "s"
        if len(data) != size or not fits:
            raise EmulatorError(
                f"{kernel.name}: parameter {len(parts)} is {_KINDS[kind]} of {size} bytes;"
                f" {describe(value)} of {len(data)} bytes was passed."
            )
        scalars += given != "p"
        parts.append(data.ljust((size + 15) // 16 * 16, b"\0"))
    return b"".join(parts), scalars


def _dimensions(given: Iterable[int], most: tuple[int, int, int]) -> tuple[int, int, int]:
    sizes = (*given,)
    if not 1 <= len(sizes) <= 3:
        raise ValueError("grid and block have one to three dimensions")
    x, y, z = (*sizes, 1, 1)[:3]
    if not (1 <= x <= most[0] and 1 <= y <= most[1] and 1 <= z <= most[2]):
        raise CUDADriverError(1)
    return x, y, z


class Launcher:
    """Runs built kernels for a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def launch(
        self,
        kernel: BuiltKernel,
        grid: Iterable[int],
        block: Iterable[int],
        args: Sequence[Any],
        shared_mem: int,
    ) -> None:
        """Check a launch as CUDA does and give it to the current stream."""
        sizes = (*_dimensions(grid, MAX_GRID), *_dimensions(block, MAX_BLOCK))
        if sizes[3] * sizes[4] * sizes[5] > MAX_THREADS or not 0 <= shared_mem <= SHARED_BYTES:
            raise CUDADriverError(1)
        slots, scalars = pack(kernel, args)
        uses = self._uses(kernel, args) if self._world.races.enabled else ()
        work = Work("launch", kernel.name, lambda: self._run(kernel, slots, sizes), 0, scalars, uses)
        self._world.submit(work)

    def _uses(self, kernel: BuiltKernel, args: Sequence[Any]) -> tuple[Use, ...]:
        """Memory that a launch uses: what pointers point to, and what tables of pointers lead to."""
        uses: list[Use] = []
        for value, kind, constant in zip(args, kernel.kinds, kernel.constant, strict=True):
            if isinstance(value, ndarray):
                uses += use_of(value, not constant, value.dtype.itemsize == 8 and value.dtype.kind in "iu")
            elif kind == "p":
                uses += self._world.races.uses(int(value or 0), None, not constant)
        return tuple(uses)

    def _run(self, kernel: BuiltKernel, slots: bytes, sizes: tuple[int, ...]) -> None:
        orders = self._world.orders
        if not orders.checking:
            run(kernel, slots, sizes, orders.order)
            return
        buffers = reachable(self._world.heap, _pointers(slots))
        in_all_orders(lambda order: run(kernel, slots, sizes, order), buffers, kernel.name)


def _pointers(slots: bytes) -> list[int]:
    """Addresses among the arguments: those of pointers, and words that may be one."""
    return [word for (word,) in struct.iter_unpack("Q", slots)]


def run(kernel: BuiltKernel, slots: bytes, sizes: tuple[int, ...], order: Order) -> None:
    """Run a launch now.

    Args:
        kernel: what runs.
        slots: its arguments, see `pack`.
        sizes: grid and block, three each.
        order: of threads and blocks.
    """
    control = _control.pack(*sizes, kernel.fibers, order.code, order.seed)
    failure = runtime().emulator_launch(kernel.address, slots, control)
    if failure is not None:
        raise EmulatorError(f"{kernel.name}, {_with_lines(failure.decode(), kernel.text)}")


def _with_lines(failure: str, text: str) -> str:
    """A failure with the lines of source that it names."""
    lines = text.split("\n")
    numbers = dict.fromkeys(int(n) for n in re.findall(r"in line (\d+)", failure))
    return failure + "".join(f"\n  {n}: {lines[n - 1].strip()}" for n in numbers if 0 < n <= len(lines))


class RawKernel:
    """A kernel, compiled on first use."""

    _world: World

    def __init__(
        self,
        code: str,
        name: str,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        *,
        enable_cooperative_groups: bool = False,
        jitify: bool | None = None,
    ) -> None:
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self._built: BuiltKernel | None = None

    def __call__(
        self, grid: Iterable[int], block: Iterable[int], args: Sequence[Any], *, shared_mem: int = 0
    ) -> None:
        built = self._built or self._build()
        Launcher(self._world).launch(built, grid, block, args, shared_mem)

    def compile(self, log_stream: Any = None) -> None:
        """Compile now."""
        self._build()

    @property
    def attributes(self) -> dict[str, int]:
        """What the driver tells of a kernel."""
        self._build()
        return {
            "max_threads_per_block": MAX_THREADS,
            "shared_size_bytes": 0,
            "const_size_bytes": 0,
            "local_size_bytes": 0,
            "num_regs": 32,
            "ptx_version": 90,
            "binary_version": 90,
            "cache_mode_ca": 0,
            "max_dynamic_shared_size_bytes": SHARED_BYTES,
            "preferred_shared_memory_carveout": -1,
        }

    def _build(self) -> BuiltKernel:
        if self._built is None:
            self._built = _compiled(self.code, (self.name,), self.options)[self.name]
        return self._built


class RawModule:
    """A text of kernels, compiled on first use."""

    _world: World

    def __init__(
        self,
        code: str | None = None,
        *,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Iterable[str] | None = None,
        jitify: bool | None = None,
    ) -> None:
        if code is None:
            raise TypeError("the stand-in compiles text only: pass `code`")
        if not isinstance(options, tuple):
            raise TypeError(
                f"Argument 'options' has incorrect type (expected tuple, got {type(options).__name__})"
            )
        self.code, self.options, self.backend, self.file_path = code, options, backend, None
        self.name_expressions = None if name_expressions is None else tuple(name_expressions)
        self._built: dict[str, BuiltKernel] = {}

    def compile(self, log_stream: Any = None) -> None:
        """Compile now."""
        if self.name_expressions and not self._built:
            self._built = _compiled(self.code, self.name_expressions, self.options)

    def get_function(self, name: str) -> RawKernel:
        """A kernel: one of the name expressions, or the name of a function with C linkage."""
        if self.name_expressions is None:
            # Without name expressions a real module finds C names alone; those are not mangled.
            if 'extern "C"' not in self.code:
                raise CUDADriverError(500)
            self._built.update(_compiled(self.code, (name,), self.options))
        self.compile()
        if name not in self._built:
            raise CUDADriverError(500)
        kernel: RawKernel = self._world.classes["RawKernel"](self.code, name, self.options)
        kernel._built = self._built[name]
        return kernel

    def get_global(self, name: str) -> Any:
        """Memory of a global variable, which the emulator does not offer."""
        raise NotImplementedError("global variables of a module are not emulated")


def _compiled(code: str, names: tuple[str, ...], options: tuple[str, ...]) -> dict[str, BuiltKernel]:
    try:
        return build(code, names, options)
    except CompileError as error:
        raise CompileException(str(error), code, ", ".join(names), options) from None
