"""NVRTC by ctypes, of NVIDIA's wheels. It needs no driver.

`GPUTRAIN_NVRTC_MAJOR` chooses between CUDA 12 (the default) and 13, which is what cupy-cuda13x compiles with.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from importlib.metadata import version as version_of
from pathlib import Path
from typing import NamedTuple

MAJOR = "GPUTRAIN_NVRTC_MAJOR"  # environment: the version of CUDA whose NVRTC and headers are used
# For each, the wheel of NVRTC and that of CUDA's headers.
WHEELS = {
    12: ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-runtime-cu12"),
    13: ("nvidia-cuda-nvrtc", "nvidia-cuda-runtime"),
}
# CuPy adds the last two to every compilation.
OPTIONS = ("-std=c++17", "-ftz=true", "--device-as-default-execution-space")


class NvrtcError(RuntimeError):
    """A text does not compile; the message is NVRTC's own."""


class Compiled(NamedTuple):
    """What came of a compilation.

    Attributes:
        binary: for the architecture that was asked for.
        log: warnings.
        lowered: the name in the binary of each name expression.
    """

    binary: bytes
    log: str
    lowered: dict[str, str]


def major() -> int:
    """The version of CUDA that the environment asks for."""
    chosen = os.environ.get(MAJOR, "12")
    if chosen not in map(str, WHEELS):
        raise ValueError(f"{MAJOR} is one of {', '.join(map(str, WHEELS))}, not {chosen!r}")
    return int(chosen)


def missing() -> str:
    """What pip installs for the chosen version; "" where it is there."""
    there = _library_file() is not None and include_dir() is not None
    return "" if there else " ".join(WHEELS[major()])


def available() -> bool:
    """Whether both wheels of the chosen version are installed."""
    return not missing()


def include_dir() -> Path | None:
    """The folder with cuda_fp16.h."""
    header = _file(WHEELS[major()][1], "cuda_fp16.h", major())
    return None if header is None else header.parent


def _library_file() -> Path | None:
    return _file(WHEELS[major()][0], f"libnvrtc.so.{major()}", major())


def version() -> tuple[int, int]:
    """NVRTC's version."""
    major, minor = c_int(), c_int()
    _check(_library().nvrtcVersion(byref(major), byref(minor)), "")
    return major.value, minor.value


def compile(
    source: str, name_expressions: Sequence[str] = (), arch: str = "sm_90", options: Sequence[str] = ()
) -> Compiled:
    """Compile a kernel text for a GPU.

    Args:
        source: CUDA source.
        name_expressions: C++ expressions that name its kernels, such as `im2col<float>`.
        arch: `sm_90` and the like for a binary, `compute_90` for PTX.
        options: beside those that CuPy uses.
    """
    library, program = _library(), c_void_p()
    created = library.nvrtcCreateProgram(byref(program), source.encode(), b"kernel.cu", 0, None, None)
    _check(created, "")
    try:
        for expression in name_expressions:
            _check(library.nvrtcAddNameExpression(program, expression.encode()), expression)
        flags = [f"-arch={arch}", f"-I{include_dir()}", *OPTIONS, *options]
        encoded = (c_char_p * len(flags))(*(flag.encode() for flag in flags))
        status = library.nvrtcCompileProgram(program, len(flags), encoded)
        log = _text(program, "ProgramLog")
        _check(status, log)
        lowered = {expression: _lowered(program, expression) for expression in name_expressions}
        return Compiled(_bytes(program, "CUBIN" if arch.startswith("sm_") else "PTX"), log, lowered)
    finally:
        library.nvrtcDestroyProgram(byref(program))


def _library() -> ctypes.CDLL:
    path = _library_file()
    if path is None:
        raise NvrtcError(f"NVRTC is not installed: pip install {missing()}")
    return _loaded(path)


@cache
def _loaded(path: Path) -> ctypes.CDLL:
    # Opened here, because NVRTC looks for it by its name alone and a sanitizer hides where NVRTC itself lies.
    for builtins in sorted(path.parent.glob("libnvrtc-builtins.so.*")):
        ctypes.CDLL(str(builtins))
    library = ctypes.CDLL(str(path))
    library.nvrtcGetErrorString.restype = c_char_p
    library.nvrtcCreateProgram.argtypes = (POINTER(c_void_p), c_char_p, c_char_p, c_int, c_void_p, c_void_p)
    library.nvrtcAddNameExpression.argtypes = (c_void_p, c_char_p)
    library.nvrtcCompileProgram.argtypes = (c_void_p, c_int, POINTER(c_char_p))
    library.nvrtcGetLoweredName.argtypes = (c_void_p, c_char_p, POINTER(c_char_p))
    for name in ("ProgramLog", "CUBIN", "PTX"):
        getattr(library, f"nvrtcGet{name}Size").argtypes = (c_void_p, POINTER(c_size_t))
        getattr(library, f"nvrtcGet{name}").argtypes = (c_void_p, c_char_p)
    return library


@cache
def _file(package: str, name: str, of: int) -> Path | None:
    """A file of a wheel, if that is for this version of CUDA: from 13 on the names no longer tell."""
    try:
        listed = files(package) if int(version_of(package).partition(".")[0]) == of else ()
    except PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in listed or () if f.name == name), None)


def _bytes(program: c_void_p, what: str) -> bytes:
    size = c_size_t()
    library = _library()
    _check(getattr(library, f"nvrtcGet{what}Size")(program, byref(size)), "")
    buffer = ctypes.create_string_buffer(size.value)
    _check(getattr(library, f"nvrtcGet{what}")(program, buffer), "")
    return buffer.raw


def _text(program: c_void_p, what: str) -> str:
    return _bytes(program, what).rstrip(b"\0").decode(errors="replace").strip()


def _lowered(program: c_void_p, expression: str) -> str:
    name = c_char_p()
    _check(_library().nvrtcGetLoweredName(program, expression.encode(), byref(name)), expression)
    return (name.value or b"").decode()


def _check(status: int, context: str) -> None:
    if status:
        reason = _library().nvrtcGetErrorString(status).decode()
        raise NvrtcError(f"{reason}: {context}" if context else reason)
