"""Builds kernels for the host with g++, and keeps what is built in a cache that processes share."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.cuda_emulator.analysis import barrier_names, constant_parameters, needs_fibers
from tests.cuda_emulator.errors import EmulatorError

HERE = Path(__file__).resolve().parent
SANITIZE = "GPUTRAIN_EMULATOR_SANITIZE"  # environment: "1" builds kernels with the sanitizers
CACHE = "GPUTRAIN_EMULATOR_CACHE"  # environment: the folder for what is built

_FLAGS = ("-std=c++17", "-O1", "-fno-strict-aliasing", "-ffp-contract=off", "-fPIC", "-pipe", "-w")
_SANITIZER_FLAGS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-g1",
    "-fno-omit-frame-pointer",
)


class CompileError(EmulatorError):
    """g++ refused a kernel; the message is g++'s own."""


class Entry(ctypes.Structure):
    """What a compiled kernel tells of itself, see `emulator::Entry`."""

    _fields_ = (
        ("invoke", ctypes.c_void_p),
        ("count", ctypes.c_int),
        ("sizes", ctypes.POINTER(ctypes.c_int)),
        ("kinds", ctypes.c_char_p),
    )


class BuiltKernel:
    """A kernel that can be launched.

    Attributes:
        name: its name expression.
        sizes: bytes of each parameter.
        kinds: of each parameter: `p` pointer, `i` integer, `f` floating point, `s` anything else.
        constant: of each parameter whether it is a pointer through which nothing is written.
        fibers: whether its threads need stacks of their own, because it has barriers.
        address: of its `emulator::Entry`.
        text: the text it was compiled from.
    """

    def __init__(self, name: str, library: ctypes.CDLL, entry: Entry, fibers: bool, text: str) -> None:
        self.name, self.fibers, self.text = name, fibers, text
        self.sizes = tuple(entry.sizes[i] for i in range(entry.count))
        self.kinds = (entry.kinds or b"").decode()
        self.constant = constant_parameters(text, name, len(self.sizes))
        self.address = ctypes.addressof(entry)
        self._kept = library, entry


def sanitized() -> bool:
    """Whether kernels are built with the address and undefined-behaviour sanitizers."""
    return os.environ.get(SANITIZE) == "1"


def available() -> bool:
    """Whether there is a compiler, without which no kernel runs."""
    return shutil.which(_command()) is not None


def cache_dir() -> Path:
    """The folder for what is built."""
    named = os.environ.get(CACHE)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"gputrain-emulator-{os.getuid()}"


def build(text: str, names: Sequence[str], options: Sequence[str] = ()) -> dict[str, BuiltKernel]:
    """Compile a kernel text.

    Args:
        text: CUDA source.
        names: C++ expressions that name its kernels, such as `im2col<float>`.
        options: those of NVRTC; definitions (`-D`) are kept, the others mean nothing here.

    Returns:
        The kernels by name.
    """
    defines = tuple(o for o in options if o.startswith("-D"))
    library = ctypes.CDLL(str(_module(text, tuple(names), defines)))
    entries = (Entry * len(names)).in_dll(library, "emulator_entries")
    reaching = barrier_names(text)
    return {
        name: BuiltKernel(name, library, entries[i], needs_fibers(name, reaching), text)
        for i, name in enumerate(names)
    }


@cache
def runtime() -> ctypes.PyDLL:
    """The emulator's own library, loaded so that kernels find it."""
    loaded = ctypes.PyDLL(str(_base() / "runtime.so"), mode=ctypes.RTLD_GLOBAL)
    loaded.emulator_launch.restype = ctypes.c_char_p
    loaded.emulator_launch.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
    return loaded


def _module(text: str, names: tuple[str, ...], defines: tuple[str, ...]) -> Path:
    runtime()
    key = hashlib.sha256(repr((_base().name, text, names, defines)).encode()).hexdigest()
    target = cache_dir() / key[:2] / f"{key}.so"
    if not target.exists():
        entries = ", ".join(f"EMULATOR_ENTRY({name})" for name in names)
        table = (
            f'\n#line 1 "name_expressions"\nextern "C" __attribute__((visibility("default")))'
            f" const emulator::Entry emulator_entries[] = {{{entries}}};\n"
        )
        _compile_module(text + table, defines, target)
    return target


def _compile_module(text: str, defines: tuple[str, ...], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        source, made = Path(folder, "kernel.cu"), Path(folder, "kernel.so")
        source.write_text(f'#line 1 "kernel"\n{text}', encoding="utf-8")
        include = ("-include", str(_base() / "emulator.h"), f"-I{_base()}")
        linking = ("-shared", "-nostdlib", "-fvisibility=hidden")
        _gxx(*_flags(), *defines, *include, *linking, "-x", "c++", str(source), "-o", str(made))
        made.replace(target)


@cache
def _base() -> Path:
    """The folder with the precompiled header and the runtime for the present flags."""
    sources = [HERE / "emulator.h", HERE / "emulator.cpp", HERE / "include" / "cuda_fp16.h"]
    digest = hashlib.sha256(repr((_flags(), _compiler())).encode())
    for source in sources:
        digest.update(source.read_bytes())
    target = cache_dir() / f"base-{digest.hexdigest()[:24]}"
    if not target.exists():
        cache_dir().mkdir(parents=True, exist_ok=True)
        _make_base(sources, target)
    return target


def _make_base(sources: list[Path], target: Path) -> None:
    folder = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        for source in sources:
            shutil.copy(source, folder)
        header, code = str(folder / "emulator.h"), str(folder / "emulator.cpp")
        _gxx(*_flags(), "-O2", "-shared", f"-I{folder}", code, "-lm", "-o", str(folder / "runtime.so"))
        # Last, because its flags must be those of the text that uses it.
        _gxx(*_flags(), "-fvisibility=hidden", "-x", "c++-header", header, "-o", f"{header}.gch")
        folder.chmod(0o755)
        folder.rename(target)
    except OSError:
        if not target.exists():  # another process was quicker, otherwise
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _flags() -> tuple[str, ...]:
    return _FLAGS + (_SANITIZER_FLAGS if sanitized() else ())


@cache
def _compiler() -> str:
    return _gxx("-dumpfullversion", "-dumpmachine", "-v")


def _command() -> str:
    return os.environ.get("CXX", "g++")


def _gxx(*arguments: str) -> str:
    command = [_command(), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CompileError(f"The CUDA emulator needs a C++ compiler; {command[0]} was not found.") from None
    if done.returncode:
        raise CompileError(done.stderr.strip() or f"{command[0]} ended with status {done.returncode}")
    return done.stdout + done.stderr
