"""What this machine has, whether the configured backend works here, and how to mend what does not."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import backend, config, version
from gputrain.backend.cupy import environment, families, opening
from gputrain.backend.cupy.environment import cuda_version, replace_line, version_numbers
from gputrain.errors import DeviceError
from gputrain.ops.base import REGISTRY, Constant, Operation
from gputrain.utils import resources

OK, WARNING, PROBLEM = "ok", "warning", "problem"

OLDEST_PYTHON, OLDEST_NUMPY, FIRST_TOO_NEW_NUMPY = (3, 11), (2, 0), (3,)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: "ok", "warning" (it works, or nobody asked for it) or "problem".
        found: what was found; for a problem also why it is one.
        fix: what to type or do; "" where there is nothing to mend, or where `found` ends with it.
    """

    name: str
    state: str
    found: str
    fix: str = ""


def examine() -> list[Check]:
    """All checks, in the order in which they are shown. They take a second or two where there is a GPU.

    Example:
        >>> [check.name for check in examine()][:3]
        ['python', 'numpy', 'gputrain']
    """
    checks = [*_host(), *_settings(), *_gpu(), _operations()]
    return [*checks, _result(explained=not works(checks))]


def works(checks: Sequence[Check]) -> bool:
    """Whether everything that is asked for works."""
    return all(check.state != PROBLEM for check in checks)


def as_table(checks: Sequence[Check]) -> str:
    """The checks for people, a line each, and a line below for what to do."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.state:<7}  {check.name:<{width}}  {check.found}")
        if check.fix:
            lines.append(f"{'':<7}  {'':<{width}}  -> {check.fix}")
    return "\n".join(lines)


def as_json(checks: Sequence[Check]) -> str:
    """The checks for programs: {"gputrain", "backend", "works", "checks": [{name, state, found, fix}]}."""
    report = {
        "gputrain": version.__version__,
        "backend": config.backend(),
        "works": works(checks),
        "checks": [asdict(check) for check in checks],
    }
    return json.dumps(report, indent=2)


def without_kernel() -> list[str]:
    """gputrain's operations without a kernel of their own, which CuPy's functions compute on a GPU."""
    served = {name for family in families.FAMILIES for name in family.KERNELS}
    return sorted(
        name
        for name, cls in REGISTRY.items()
        if cls.__module__.startswith("gputrain.")
        and name not in served
        and not (cls.view or cls is Constant or cls.on_host or cls.bodies is not Operation.bodies)
    )


# -------------------------------------------------------------------------------------------------- the host


def _host() -> Iterator[Check]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    right = version_numbers(platform.python_version()) >= OLDEST_PYTHON
    yield Check("python", OK if right else PROBLEM, found, "" if right else "Install Python 3.11 or later.")
    right = OLDEST_NUMPY <= version_numbers(np.__version__) < FIRST_TOO_NEW_NUMPY
    yield Check(
        "numpy", OK if right else PROBLEM, np.__version__, "" if right else "pip install 'numpy>=2.0,<3'"
    )
    yield Check("gputrain", OK, f"{version.__version__} in {Path(version.__file__).parent}")
    yield _blas()
    yield _kernel_files()


def _blas() -> Check:
    """Who multiplies matrices on the CPU, and with how many threads."""
    known: Any = np.show_config(mode="dicts")
    blas = known.get("Build Dependencies", {}).get("blas", {})
    name, version = blas.get("name", "none"), blas.get("version", "")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "GPUTRAIN_THREADS")
    limits = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    found = ", ".join([f"{name} {version}".strip(), f"{cores()} cores", *limits])
    if name in ("none", "lapack"):
        return Check("cpu", WARNING, found, "NumPy has no BLAS: pip install --force-reinstall numpy")
    return Check("cpu", OK, found)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _kernel_files() -> Check:
    try:
        folder = resources.kernels_dir()
    except FileNotFoundError as error:
        return Check("kernel files", _trouble(), str(error))
    return Check("kernel files", OK, f"{len(list(folder.glob('*.cu')))} in {folder}")


def _settings() -> Iterator[Check]:
    """Where to compute, without which there is nothing to look at, and the other settings that are wrong."""
    for name in ("backend", "device"):
        value, source = config.get(name)
        yield Check(name, OK, f"{value} ({source})")
    wrong: dict[str, str] = {}
    for name in config.SETTINGS:
        try:
            config.get(name)
        except config.ConfigError as error:
            wrong.setdefault(str(error), name)  # what is wrong with the config file is so for all of them
    yield from (Check(name, PROBLEM, text) for text, name in wrong.items())


# --------------------------------------------------------------------------------------------------- the GPU


def _trouble() -> str:
    """How bad it is that something of the GPU does not work: only if it is asked for, or seen to be there."""
    asked = config.backend()
    return PROBLEM if asked == "cupy" or (asked == "auto" and environment.driver_visible()) else WARNING


def _gpu() -> Iterator[Check]:
    """From the driver to a matrix product; what needs something that is missing is left out."""
    visible, installed = environment.driver_visible(), environment.cupy_installed()
    yield _driver(visible, installed)
    yield _wheels()
    if not (installed or environment.installed_wheels()):
        return
    yield _cache()
    try:
        cupy = opening.import_cupy()
    except DeviceError as error:
        yield Check("cupy", _trouble(), str(error))
        return
    yield Check("cupy", OK, cupy.__version__)
    yield _versions(cupy)
    if visible or config.backend() == "cupy":
        yield from _device(cupy, config.device_number())


def _device(cupy: Any, number: int) -> Iterator[Check]:
    """The configured GPU, what it computes, and the other GPUs."""

    def figures() -> str:
        opening.check_gpu(cupy, number)
        return opening.describe(cupy, number)

    def kernel() -> str:
        opening.check_kernel(cupy, number)
        return "compiled (float16 headers found), run, right"

    found = _tried("gpu", figures)
    yield found
    if found.state == OK:
        yield from _others(cupy, number)
        yield _tried("kernel", kernel)
        yield _tried("cublas", lambda: _product(cupy, number))


def _tried(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, OK, check())
    except DeviceError as error:
        return Check(name, _trouble(), str(error))


def _driver(visible: bool, installed: bool) -> Check:
    asked = config.backend()
    if not visible and (asked == "cupy" or (asked == "auto" and installed)):
        fix = "Install NVIDIA's driver for a GPU to be used; nvidia-smi must list it."
        return Check("driver", _trouble(), "none", fix)
    if not visible:
        return Check("driver", OK, "none")
    number, release = environment.driver_cuda(), environment.driver_release()
    found = (
        f"{release or 'unknown version'}, for CUDA {cuda_version(number) if number else 'of unknown version'}"
    )
    if not number:
        fix = "libcuda.so.1 does not load. A container needs NVIDIA_DRIVER_CAPABILITIES=compute,utility."
        return Check("driver", _trouble(), found, fix)
    if number < environment.OLDEST_CUDA:
        return Check("driver", _trouble(), found, "Update the driver to 525 or later.")
    return Check("driver", OK, found)


def _wheels() -> Check:
    wheels = environment.installed_wheels()
    found = ", ".join(f"{name} {version}" for name, version in wheels.items()) or "none"
    cuda = environment.driver_cuda()
    if len(wheels) > 1:
        return Check(
            "wheels", _trouble(), f"{found}: they overwrite each other's files", replace_line(cuda, wheels)
        )
    wanted = config.backend() == "cupy" or environment.driver_visible()
    if not wheels and wanted and not environment.cupy_installed():
        return Check("wheels", _trouble(), found, replace_line(cuda, wheels))
    return Check("wheels", OK, found)


def _cache() -> Check:
    if environment.cache_in_memory():
        return Check("kernel cache", OK, "none: CUPY_CACHE_IN_MEMORY is set")
    folder, trouble = environment.cache_folder(), environment.cache_trouble()
    if trouble:
        fix = "Name a folder that can be written with CUPY_CACHE_DIR; until then each process compiles anew."
        return Check("kernel cache", WARNING, f"{folder}: {trouble}", fix)
    return Check("kernel cache", OK, folder)


def _versions(cupy: Any) -> Check:
    """CUDA's versions: the driver's must be at least the wheel's, up to the minor number."""
    runtime, nvrtc = cupy.cuda.runtime, getattr(cupy.cuda, "nvrtc", None)
    try:
        with opening.explained(cupy):
            driver, own = runtime.driverGetVersion(), runtime.runtimeGetVersion()
            compiler = "{}.{}".format(*nvrtc.getVersion()) if nvrtc is not None else "unknown"
    except DeviceError as error:
        return Check("cuda", _trouble(), str(error))
    named = f"driver {cuda_version(driver)}" if driver else "no driver"
    found = f"{named}, runtime {cuda_version(own)}, NVRTC {compiler}"
    if driver and driver // 1000 < own // 1000:
        line = replace_line(driver, environment.installed_wheels())
        return Check("cuda", _trouble(), f"{found}: the wheel is for a newer driver", line)
    return Check("cuda", OK, found)


def _others(cupy: Any, number: int) -> Iterator[Check]:
    """The GPUs that are not the configured one."""
    for other in range(cupy.cuda.runtime.getDeviceCount()):
        if other != number:
            try:
                with opening.explained(cupy):
                    found = opening.describe(cupy, other)
            except DeviceError as error:
                found = str(error)
            yield Check("gpu", OK, f"{found}, not the configured one")


def _product(cupy: Any, number: int) -> str:
    device = opening.bare_device(cupy, number)
    opening.check_product(device)
    version = device.blas.version
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}, a product was right"


def _operations() -> Check:
    names = without_kernel()
    if not names:
        return Check("own kernels", OK, "every operation has one")
    return Check("own kernels", WARNING, f"CuPy's functions compute {', '.join(names)}")


def _result(explained: bool) -> Check:
    """What training would run on. `explained`: a check before this one says why it would not."""
    asked = config.backend()
    try:
        device = backend.current_device()
    except DeviceError as error:
        rule = f'backend = "{asked}" does not work here'
        return Check("result", PROBLEM, rule if explained else f"{rule}: {error}")
    where = "the CPU" if device.name == "numpy" else f"the GPU, cuda:{config.device_number()}"
    return Check("result", OK, f'backend = "{asked}" runs on {where}')
