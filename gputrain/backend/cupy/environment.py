"""What this machine has for a GPU, told without importing cupy: wheels, driver, kernel cache, pip lines."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gputrain.utils.notes import note

# Distributions that all bring a package named `cupy`; two of them overwrite each other's files.
WHEELS = (
    "cupy",
    "cupy-cuda11x",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "cupy-rocm-5-0",
    "cupy-rocm-7-0",
    "cupy-rocm-7-1",
    "amd-cupy",
)
OLDEST_CUPY, FIRST_TOO_NEW = (14,), (15,)
CUPY_RANGE = ">=14,<15"
OLDEST_CUDA, CUDA_13 = 12000, 13000  # as CUDA counts: 12040 is 12.4

# Where a driver shows itself on Linux, in WSL and on Jetson boards.
DRIVER_PLACES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/nvhost-gpu")
DRIVER_RELEASE = "/proc/driver/nvidia/version"
DRIVER_LIBRARIES = ("libcuda.so.1", "nvcuda.dll")


def cupy_installed() -> bool:
    """Whether there is a cupy to import."""
    if "cupy" in sys.modules:
        return sys.modules["cupy"] is not None
    from importlib.util import find_spec

    return find_spec("cupy") is not None


def installed_wheels() -> dict[str, str]:
    """The distributions in this environment that bring cupy, with their versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in WHEELS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def driver_visible() -> bool:
    """Whether anything of NVIDIA's driver can be seen from here."""
    return any(Path(place).exists() for place in DRIVER_PLACES) or _driver_library() is not None


def driver_cuda() -> int:
    """The newest CUDA that the driver serves, as 12040 for 12.4; 0 where there is no driver."""
    library, number = _driver_library(), ctypes.c_int()
    if library is None or library.cuDriverGetVersion(ctypes.byref(number)):
        return 0
    return number.value


def driver_release() -> str:
    """The driver's own version, as "570.86.15"; "" where the system does not tell."""
    try:
        text = Path(DRIVER_RELEASE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", text)
    return found[0] if found else ""


def _driver_library() -> Any:
    for name in DRIVER_LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def cuda_version(number: int) -> str:
    """A version of CUDA for people.

    >>> cuda_version(12040)
    '12.4'
    """
    return f"{number // 1000}.{number % 1000 // 10}"


def version_numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> version_numbers("14.2.0rc1")
    (14, 2, 0)
    """
    numbers = (re.match(r"\d+", part) for part in text.split("."))
    return tuple(int(number[0]) for number in numbers if number)


# ----------------------------------------------------------------------------------------------- what to type


def install_line(cuda: int = 0) -> str:
    """The pip line for a driver that serves this CUDA; both lines where that is not known.

    >>> install_line(12040)
    "pip install 'cupy-cuda12x[ctk]>=14,<15'"
    """
    if not cuda:
        return f"{install_line(OLDEST_CUDA)} (driver for CUDA 12) or {install_line(CUDA_13)} (CUDA 13)"
    wheel = "cupy-cuda13x" if cuda >= CUDA_13 else "cupy-cuda12x"
    return f"pip install '{wheel}[ctk]{CUPY_RANGE}'"


def replace_line(cuda: int, wheels: Collection[str]) -> str:
    """The pip lines that leave one fitting cupy, whatever is there now."""
    if not wheels:
        return install_line(cuda)
    return f"pip uninstall -y {' '.join(sorted(wheels))} && {install_line(cuda)}"


def complete_line(cuda: int, wheels: Collection[str]) -> str:
    """The pip line that adds CUDA's libraries to the wheel that is there.

    >>> complete_line(0, ["cupy-cuda13x"])
    "pip install 'cupy-cuda13x[ctk]>=14,<15'"
    """
    if len(wheels) == 1 and set(wheels) <= {"cupy-cuda12x", "cupy-cuda13x"}:
        return f"pip install '{next(iter(wheels))}[ctk]{CUPY_RANGE}'"
    return replace_line(cuda, wheels)


# ----------------------------------------------------------------------------------------------- kernel cache


def cache_folder() -> str:
    """The folder in which CuPy keeps compiled kernels."""
    return os.environ.get("CUPY_CACHE_DIR", os.path.expanduser("~/.cupy/kernel_cache"))


def cache_in_memory() -> bool:
    """Whether CuPy was told to keep no kernels on disk."""
    return os.environ.get("CUPY_CACHE_IN_MEMORY", "0") not in ("", "0")


def cache_trouble() -> str:
    """Why the folder of the kernel cache cannot be used; "" where it can."""
    folder = cache_folder()
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def keep_kernels_in_memory(why: str) -> None:
    """Have CuPy compile anew in each process and leave its cache folder alone, and say so once."""
    folder = cache_folder()
    os.environ["CUPY_CACHE_IN_MEMORY"] = "1"
    os.environ["CUPY_CACHE_DIR"] = tempfile.gettempdir()  # only looked at: nothing is written there
    note(
        f"CuPy's kernel cache {folder} cannot be used ({why}). Kernels are compiled anew in this process and "
        f"kept in memory. Delete the folder, or name another one with CUPY_CACHE_DIR."
    )
