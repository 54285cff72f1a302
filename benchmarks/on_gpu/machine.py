"""What the figures were taken on."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from gputrain.backend.cupy import environment

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "torch", "triton", "jax", "jaxlib", "optax")


def version_of(package: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The checkout's commit, "+" behind it where files differ from it; None outside of git."""
    try:
        return _git("rev-parse", "--short=12", "HEAD") + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


def _asked(question: Callable[[], Any]) -> Any:
    """An answer, or None where the library does not give it."""
    try:
        return question()
    except Exception:  # noqa: BLE001 - a figure less in the report is no reason to end the run
        return None


def gpu_name(gpu: Any) -> str:
    """The name that the driver gives the device."""
    name = gpu.cupy.cuda.runtime.getDeviceProperties(int(gpu.gpu))["name"]
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def describe(gpu: Any) -> dict[str, Any]:
    """The device and the versions of everything, for the report."""
    cupy, attributes = gpu.cupy, gpu.gpu.attributes
    runtime = cupy.cuda.runtime
    return {
        "gpu": gpu_name(gpu),
        "compute_capability": str(gpu.gpu.compute_capability),
        "memory_bytes": int(gpu.gpu.mem_info[1]),
        "l2_bytes": attributes.get("L2CacheSize"),
        "multiprocessors": gpu.multiprocessors,
        "clocks": "as found; neither clocks nor power limits were set",
        "driver": environment.driver_release() or None,
        "driver_cuda": _asked(lambda: environment.cuda_version(runtime.driverGetVersion())),
        "runtime_cuda": _asked(lambda: environment.cuda_version(runtime.runtimeGetVersion())),
        "nvrtc": _asked(lambda: ".".join(map(str, cupy.cuda.nvrtc.getVersion()))),
        "cublas": _asked(lambda: gpu.blas.version),
        "cupy": getattr(cupy, "__version__", None),
        **{name: version_of(name) for name in PACKAGES},
        "python": platform.python_version(),
        "system": platform.platform(),
        "commit": commit(),
    }
