"""What this machine has, whether the configured backend works here, and how to mend what does not."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import backend, config, release
from gputrain.backend.cupy import environment, families, opening
from gputrain.backend.cupy.environment import cuda_version, replace_line, version_numbers
from gputrain.backend.numpy.compiled.binding import BUILD, OFF, Library, opened, wanted
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
    rows = [(check.state, check.name, check.found) for check in checks]
    fixes = [("", "", f"-> {check.fix}") if check.fix else None for check in checks]
    lines = [line for pair in zip(rows, fixes, strict=True) for line in pair if line]
    return "\n".join(f"{state:<7}  {name:<{width}}  {words}" for state, name, words in lines)


def as_json(checks: Sequence[Check]) -> str:
    """The checks for programs: {"gputrain", "backend", "works", "checks": [{name, state, found, fix}]}."""
    report = {
        "gputrain": release.__version__,
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


def _judged(name: str, found: str, fix: str | None, bad: str | None = None) -> Check:
    """A check that is `bad` where there is something to mend; by default as bad as trouble with the GPU."""
    return Check(name, (bad or _trouble()) if fix else OK, found, fix or "")


# -------------------------------------------------------------------------------------------------- the host


def _host() -> Iterator[Check]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    right = version_numbers(platform.python_version()) >= OLDEST_PYTHON
    yield _judged("python", found, None if right else "Install Python 3.11 or later.", PROBLEM)
    right = OLDEST_NUMPY <= version_numbers(np.__version__) < FIRST_TOO_NEW_NUMPY
    yield _judged("numpy", np.__version__, None if right else "pip install 'numpy>=2.0,<3'", PROBLEM)
    yield Check("gputrain", OK, f"{release.__version__} in {Path(release.__file__).parent}")
    yield _blas()
    yield _compiled()
    yield _tried("kernel files", _kernel_files, FileNotFoundError)


def _blas() -> Check:
    """Who multiplies matrices on the CPU, and with how many threads."""
    known: Any = np.show_config(mode="dicts")
    blas = known.get("Build Dependencies", {}).get("blas", {})
    name, version = blas.get("name", "none"), blas.get("version", "")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "GPUTRAIN_THREADS")
    limits = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    found = ", ".join([f"{name} {version}".strip(), f"{cores()} cores", *limits])
    lacks = name in ("none", "lapack")
    fix = "NumPy has no BLAS: pip install --force-reinstall numpy" if lacks else None
    return _judged("cpu", found, fix, WARNING)


def _compiled() -> Check:
    """Whether the CPU device has its compiled kernels, and which."""
    try:
        found = wanted()
    except config.ConfigError:  # which is told where all settings are looked at
        found = opened()
    if isinstance(found, Library):
        others = ", ".join(found.levels[1:])
        return Check("cpu kernels", OK, f"compiled, {found.level}" + (f" (also: {others})" if others else ""))
    if found.startswith(OFF):
        return Check("cpu kernels", OK, f"NumPy alone: {found}")
    fix = f"Install a C++ compiler (g++ or clang++) and gputrain again; in a checkout: {BUILD}"
    return Check("cpu kernels", WARNING, f"NumPy alone, which is slower: {found}", fix)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _kernel_files() -> str:
    folder = resources.kernels_dir()
    return f"{len(list(folder.glob('*.cu')))} in {folder}"


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
    found = _tried("cupy", lambda: str(opening.import_cupy().__version__))
    yield found
    if found.state != OK:
        return
    cupy = opening.import_cupy()
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
        describe = opening.explained(cupy)(opening.describe)
        for other in sorted(set(range(cupy.cuda.runtime.getDeviceCount())) - {number}):
            seen = _tried("gpu", partial(describe, cupy, other)).found
            yield Check("gpu", OK, f"{seen}, not the configured one")
        yield _tried("kernel", kernel)
        yield _tried("cublas", partial(_product, cupy, number))


def _tried(name: str, look: Callable[[], str], error: type[Exception] = DeviceError) -> Check:
    """What `look` finds; where it fails, the error says what to do."""
    try:
        return Check(name, OK, look())
    except error as failed:
        return Check(name, _trouble(), str(failed))


def _driver(visible: bool, installed: bool) -> Check:
    if not visible:
        wanted = config.backend() == "cupy" or (config.backend() == "auto" and installed)
        fix = "Install NVIDIA's driver for a GPU to be used; nvidia-smi must list it."
        return _judged("driver", "none", fix if wanted else None)
    number, release = environment.driver_cuda(), environment.driver_release()
    version = cuda_version(number) if number else "of unknown version"
    fix = "" if number >= environment.OLDEST_CUDA else "Update the driver to 525 or later."
    if not number:
        fix = "libcuda.so.1 does not load. A container needs NVIDIA_DRIVER_CAPABILITIES=compute,utility."
    return _judged("driver", f"{release or 'unknown version'}, for CUDA {version}", fix)


def _wheels() -> Check:
    wheels = environment.installed_wheels()
    found = ", ".join(f"{name} {version}" for name, version in wheels.items()) or "none"
    wanted = config.backend() == "cupy" or environment.driver_visible()
    lacking = not wheels and wanted and not environment.cupy_installed()
    said = f"{found}: they overwrite each other's files" if len(wheels) > 1 else found
    line = replace_line(environment.driver_cuda(), wheels)
    return _judged("wheels", said, line if lacking or len(wheels) > 1 else None)


def _cache() -> Check:
    if environment.cache_in_memory():
        return Check("kernel cache", OK, "none: CUPY_CACHE_IN_MEMORY is set")
    folder, trouble = environment.cache_folder(), environment.cache_trouble()
    found = f"{folder}: {trouble}" if trouble else folder
    fix = "Name a folder that can be written with CUPY_CACHE_DIR; until then each process compiles anew."
    return _judged("kernel cache", found, fix if trouble else None, WARNING)


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
    too_new = driver and driver // 1000 < own // 1000
    said = f"{found}: the wheel is for a newer driver" if too_new else found
    return _judged("cuda", said, replace_line(driver, environment.installed_wheels()) if too_new else None)


def _product(cupy: Any, number: int) -> str:
    device = opening.bare_device(cupy, number)
    opening.check_product(device)
    version = device.blas.version
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}, a product was right"


def _operations() -> Check:
    names = ", ".join(without_kernel())
    found = f"CuPy's functions compute {names}" if names else "every operation has one"
    return Check("own kernels", WARNING if names else OK, found)


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
