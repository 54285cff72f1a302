"""The library of compiled kernels: found, checked, and called through ctypes.

A kernel takes a pointer to slots of 8 bytes, one for each letter of its signature: p a pointer, i an integer,
d a double. They are filled once, when a plan is bound; while a kernel runs, the interpreter lock is released.
"""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import config
from gputrain.backend.base import Thunk
from gputrain.backend.numpy.threads import cores
from gputrain.release import __version__
from gputrain.utils.notes import note
from gputrain.utils.resources import kernels_dir

FOLDER = Path(__file__).resolve().parent
NAME = "kernels.dso"  # a shared library; by another suffix Python would take it for a module
OFF = "switched off"  # how the reason begins where nothing is wrong
BUILD = "python setup.py build_ext --inplace"
LANES = 16  # numbers of float32 in the widest vector
FLOATS = ("float32", "float64")  # dtypes that kernels of floats are there for


def version_of(sources: Path) -> str:
    """What a library says that was built from these files; without them, the version alone."""
    files = sorted(path for path in sources.glob("*.*") if path.suffix in (".cpp", ".h", ".inc"))
    if not files:
        return __version__
    return f"{__version__} {zlib.crc32(b''.join(path.read_bytes() for path in files)):08x}"


class LibraryError(Exception):
    """The library cannot be used: why, in words."""


class Library:
    """The kernels of one instruction set.

    Args:
        path: the file.
        level: the instruction set; "auto" means the best that this processor has.

    Attributes:
        level: its name.
        levels: what this processor could run.
        threads: that share a kernel's work.

    Raises:
        LibraryError: the file is for another processor or version, or lacks the instruction set.
    """

    def __init__(self, path: Path, level: str = "auto") -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            version = self._function("gputrain_version", ctypes.c_char_p)().decode()
        except (OSError, AttributeError) as error:
            raise LibraryError(f"{path} does not load on this machine: {error}") from None
        known = version_of(kernels_dir() / "cpu")
        if known not in (version, version.split()[0]):
            raise LibraryError(f"{path} was built for gputrain {version}, and this is {known}")
        numbers = dict(self._levels())
        self.levels = tuple(numbers)
        self.level = self.levels[0] if level == "auto" else level
        if self.level not in numbers:
            has = f"this processor runs {', '.join(self.levels)}"
            raise LibraryError(f"kernels for {level} were asked for, and {has}")
        self._entries = dict(self._kernels(numbers[self.level]))
        self.threads = cores()
        self._function("gputrain_set_threads", None, ctypes.c_int64)(self.threads)
        self.run = self._function("gputrain_run", None, ctypes.c_void_p, ctypes.c_int64)

    def _function(self, name: str, returns: Any, *takes: Any) -> Any:
        function = getattr(self._library, name)
        function.restype, function.argtypes = returns, takes
        return function

    def _levels(self) -> Iterator[tuple[str, int]]:
        """(name, number) of each instruction set that this processor has, best first."""
        ask = self._function(
            "gputrain_level", ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64)
        )
        number, runs = 0, ctypes.c_int64()
        while (name := ask(number, ctypes.byref(runs))) is not None:
            if runs.value:
                yield name.decode(), number
            number += 1

    def _kernels(self, level: int) -> Iterator[tuple[str, tuple[str, int]]]:
        """(name, (signature, address)) of each kernel."""

        class Entry(ctypes.Structure):
            _fields_ = [("name", ctypes.c_char_p), ("signature", ctypes.c_char_p), ("run", ctypes.c_void_p)]

        entries = self._function("gputrain_kernels", ctypes.POINTER(Entry), ctypes.c_int64)(level)
        for entry in entries:
            if entry.name is None:
                return
            yield entry.name.decode(), (entry.signature.decode(), entry.run)

    def address(self, name: str, dtype: str) -> int:
        """Where a kernel is, for kernels that call others."""
        return self._entries[f"{name}_{dtype}"][1]

    def bind(self, name: str, dtype: Any, *arguments: Any, keeps: Iterable[Any] = ()) -> Call:
        """A kernel with its arguments, to be called again and again.

        Args:
            name: of the kernel.
            dtype: of its elements; "" for a kernel of bytes.
            arguments: C-contiguous arrays (None is a null pointer), integers and floats, in the order of its
                members; a tuple stands for its parts.
            keeps: arrays whose addresses stand in one of these, and which must live as long as the call.

        Raises:
            TypeError: they do not fit the kernel's signature.
        """
        full = f"{name}_{dtype}" if dtype else name
        signature, address = self._entries[full]
        values = list(_flat(arguments))
        if len(values) != len(signature):
            raise TypeError(f"{full} takes {len(signature)} arguments, and {len(values)} were given")
        slots = b"".join(_slot(full, i, *pair) for i, pair in enumerate(zip(signature, values, strict=True)))
        return Call(self, name, address, slots, [*(a for a in values if isinstance(a, np.ndarray)), *keeps])


def _flat(arguments: Iterable[Any]) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _flat(argument)
        else:
            yield argument


def _slot(kernel: str, place: int, letter: str, value: Any) -> bytes:
    """The 8 bytes of an argument."""
    if letter == "p":
        if value is None:
            return bytes(8)
        if isinstance(value, np.ndarray) and value.flags.c_contiguous:
            return struct.pack("=Q", value.ctypes.data)
    elif letter == "d" and isinstance(value, float | int):
        return struct.pack("=d", value)
    elif letter == "i" and isinstance(value, int | np.integer):
        return struct.pack("=q", value)
    given = type(value).__name__
    raise TypeError(f"argument {place} of {kernel} has the letter {letter!r}, and {given} was given")


class Call:
    """A kernel and its arguments.

    Attributes:
        name: of the kernel, for people.
    """

    __slots__ = ("_kept", "_run", "_table", "name", "slots")

    def __init__(self, library: Library, name: str, address: int, slots: bytes, kept: Sequence[Any]) -> None:
        self.name, self._run = name, library.run
        held = np.frombuffer(slots, "uint64").copy()
        self._kept = (kept, held)
        self.slots = (address, held.ctypes.data)
        self._table = (ctypes.c_uint64 * 2)(*self.slots)

    def __call__(self) -> None:
        self._run(self._table, 1)


class Calls:
    """Kernels that run one after the other without Python between them."""

    __slots__ = ("_kept", "_run", "_table", "name")

    def __init__(self, library: Library, calls: Sequence[Call]) -> None:
        self.name, self._run, self._kept = " ".join(call.name for call in calls), library.run, tuple(calls)
        self._table = (ctypes.c_uint64 * (2 * len(calls)))(*(n for call in calls for n in call.slots))

    def __call__(self) -> None:
        self._run(self._table, len(self._kept))


def joined(library: Library, thunks: Sequence[Thunk]) -> list[Thunk]:
    """The thunks, with neighbouring kernels as one call."""
    found: list[Thunk] = []
    neighbours: list[Call] = []
    for thunk in [*thunks, None]:
        if isinstance(thunk, Call):
            neighbours.append(thunk)
            continue
        if neighbours:
            found.append(neighbours[0] if len(neighbours) == 1 else Calls(library, neighbours))
            neighbours = []
        if thunk is not None:
            found.append(thunk)
    return found


@cache
def opened(level: str = "auto") -> Library | str:
    """The library that was built with the package, or why there is none."""
    path = FOLDER / NAME
    if not path.is_file():
        return f"no library of compiled kernels was built (with a C++ compiler: {BUILD})"
    try:
        return Library(path, level)
    except LibraryError as error:
        found = f"{error} (built anew by: {BUILD})"
        note(f"The CPU runs on NumPy alone, which is slower: {found}.", "compiled kernels")
        return found


def wanted() -> Library | str:
    """The library, if the configuration does not rule it out; else why it is not used."""
    if not config.cpu_kernels():
        return f"{OFF} ({config.get('cpu_kernels')[1]})"
    return opened(config.cpu_instructions())
