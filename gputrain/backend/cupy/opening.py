"""Opening the GPU: every way in which that fails is an error that says why and how to mend it.

A wrong wheel shows at the first kernel, not at the import of cupy. So a kernel and a matrix product are run,
and their results looked at, before a device counts as open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.backend.cupy import environment
from gputrain.backend.cupy.environment import complete_line, cuda_version, install_line, replace_line
from gputrain.backend.cupy.memory import REMEDY, in_words, ran_out, released_room, room
from gputrain.errors import DeviceError, explain
from gputrain.utils.notes import note

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

LEAST_FREE = 128 << 20  # bytes: cuBLAS's workspace, and the smallest of models
OLDEST_CAPABILITY = (7, 0)
CPU_INSTEAD = 'Or train on the CPU: backend = "numpy", GPUTRAIN_BACKEND=numpy.'

# float16, so that CUDA's headers are looked for as well.
PROBE = """\
__global__ void gputrain_probe(const __half* x, float* out, i64 n) {
    GPUTRAIN_GRID_STRIDE(i, n) out[i] = 2.0f * wide(x[i]) + 1.0f;
}
"""
# The driver's words for compiled code that it cannot load.
BAD_IMAGE = (
    "CUDA_ERROR_INVALID_IMAGE",
    "CUDA_ERROR_NO_BINARY_FOR_GPU",
    "CUDA_ERROR_INVALID_SOURCE",
    "CUDA_ERROR_INVALID_PTX",
    "CUDA_ERROR_NOT_FOUND",
)
# What CUDA's errors mean when a GPU is opened, and what to do.
MEANINGS: dict[str, tuple[str, str]] = {
    "cudaErrorNoDevice": (
        "The driver sees no GPU.",
        "CUDA_VISIBLE_DEVICES may hide it; a container is started with --gpus all. nvidia-smi must list it.",
    ),
    "cudaErrorInvalidDevice": ("There is no such GPU.", "nvidia-smi -L lists those that there are."),
    "cudaErrorStubLibrary": (
        "The libcuda that was found is the stub for building, not the driver.",
        "Take the folder `stubs` out of LD_LIBRARY_PATH.",
    ),
    "cudaErrorDevicesUnavailable": (
        "The GPU is taken: another process uses it alone.",
        "End that process, or set the compute mode back with nvidia-smi -c DEFAULT.",
    ),
    "cudaErrorSystemDriverMismatch": (
        "The driver's kernel module and its library are of two versions, as after an update.",
        "Restart the machine.",
    ),
    "cudaErrorSystemNotReady": (
        "The GPU is not ready.",
        "Start the services it needs (nvidia-fabricmanager on machines with NVSwitch).",
    ),
    "cudaErrorCompatNotSupportedOnDevice": (
        "CUDA's compatibility libraries do not serve this GPU.",
        "Take their folder (cuda-compat) out of LD_LIBRARY_PATH, or update the driver.",
    ),
    "cudaErrorInitializationError": (
        "CUDA could not be started.",
        "In a process that was forked, start it with the method spawn; otherwise look at nvidia-smi.",
    ),
    "cudaErrorECCUncorrectable": (
        "The GPU reports faulty memory.",
        "Restart the machine, or use another GPU.",
    ),
    "cudaErrorUnsupportedPtxVersion": (
        "The driver is older than the compiler of the kernels.",
        "Update the driver.",
    ),
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION": (
        "The driver is older than the compiler of the kernels.",
        "Update the driver.",
    ),
}

_opened: dict[int, CupyDevice] = {}  # opened by `usable`, for `open_device` to hand out


def open_device(number: int, cupy: Any = None, blas: Any = None) -> CupyDevice:
    """The GPU of this number, after it has run a kernel and a matrix product.

    Args:
        number: 0 for the first GPU.
        cupy: the module `cupy` or what stands in for it; None imports it.
        blas: cuBLAS as ctypes loads it; None looks for it.

    Raises:
        DeviceError: it cannot be used here; the message says why and how to mend it.

    Example:
        >>> device = open_device(0)
    """
    if cupy is None:
        if number in _opened:
            return _opened.pop(number)
        cupy = import_cupy()
    check_gpu(cupy, number)
    check_kernel(cupy, number)
    device = bare_device(cupy, number, blas)
    check_product(device)
    return device


def usable(number: int) -> bool:
    """Whether the GPU of this number can be used, for backend="auto"; what was chosen is said once."""
    reason = _nothing_to_open()
    if reason is None:
        try:
            _opened[number] = open_device(number)
        except DeviceError as error:
            reason = str(error)
    if reason is None:
        note(f'backend="auto" chose the GPU: {describe(_opened[number].cupy, number)}.', key=f"auto {number}")
    elif reason:
        note(f'backend="auto" chose the CPU. {reason}', key=f"auto {number}")
    return reason is None


def _nothing_to_open() -> str | None:
    """Why there is no GPU to try; "" where nobody would expect one, None where one may be there."""
    visible = environment.driver_visible()
    if not environment.cupy_installed():
        line = install_line(environment.driver_cuda())
        return f"An NVIDIA driver is here, but cupy is not installed: {line}." if visible else ""
    return None if visible else "cupy is installed, but there is no NVIDIA driver on this machine."


# -------------------------------------------------------------------------------------------- the module cupy


def import_cupy() -> Any:
    """The module `cupy`, of one wheel and of a version that gputrain knows.

    Raises:
        DeviceError: it is not installed, cannot be imported, or is installed twice.
    """
    wheels = environment.installed_wheels()
    if len(wheels) > 1:
        raise _two_wheels(wheels)
    if not environment.cupy_installed():
        raise _not_installed()
    trouble = "" if environment.cache_in_memory() else environment.cache_trouble()
    if trouble:
        environment.keep_kernels_in_memory(trouble)
    try:
        import cupy
    except (ImportError, OSError, RuntimeError, AttributeError, ValueError) as error:
        raise _not_imported(error, wheels) from error
    _check_version(cupy, wheels)
    return cupy


def _two_wheels(wheels: dict[str, str]) -> DeviceError:
    return DeviceError(
        explain(
            "Two wheels of cupy in one environment overwrite each other's files.",
            expected="one of them",
            received=", ".join(f"{name} {version}" for name, version in wheels.items()),
            fix=f"Run: {replace_line(environment.driver_cuda(), wheels)}",
        )
    )


def _not_installed() -> DeviceError:
    driver = environment.driver_cuda()
    extras = "gputrain[cuda13]" if driver >= environment.CUDA_13 else "gputrain[cuda12]"
    return DeviceError(
        explain(
            'backend="cupy" needs the package cupy, and it is not installed.',
            fix=f"Run: {install_line(driver)} (or pip install '{extras}'). {CPU_INSTEAD}",
        )
    )


def _not_imported(error: Exception, wheels: dict[str, str]) -> DeviceError:
    named = ", ".join(f"{name} {version}" for name, version in wheels.items()) or "of no known wheel"
    return DeviceError(
        explain(
            f"cupy ({named}) cannot be imported.",
            received=_reason(error),
            fix=f"Install it anew: {replace_line(environment.driver_cuda(), wheels)}. {CPU_INSTEAD}",
        )
    )


def _reason(error: BaseException) -> str:
    """What went wrong, in one line: cupy's own report of an import has the cause at its end."""
    text = str(error).strip()
    _, found, cause = text.partition("Original error:")
    lines = [line.strip() for line in (cause if found else text).splitlines() if line.strip(" =\n")]
    return (lines or [type(error).__name__])[0].rstrip(".")


def _check_version(cupy: Any, wheels: dict[str, str]) -> None:
    version = environment.version_numbers(cupy.__version__)
    if environment.OLDEST_CUPY <= version < environment.FIRST_TOO_NEW:
        return
    raise DeviceError(
        explain(
            "gputrain needs another version of cupy.",
            expected=environment.CUPY_RANGE,
            received=cupy.__version__,
            fix=f"Run: {replace_line(environment.driver_cuda(), wheels)}",
        )
    )


# ------------------------------------------------------------------------------------------ the GPU's figures


def check_gpu(cupy: Any, number: int) -> None:
    """Refuse a GPU that is not there, too old, too new, or full.

    Raises:
        DeviceError: with the figures.
    """
    with explained(cupy):
        runtime = cupy.cuda.runtime
        if runtime.is_hip:
            raise DeviceError(
                explain(
                    "gputrain runs on NVIDIA's GPUs.",
                    received="a cupy for AMD's",
                    fix=f"{install_line()}. {CPU_INSTEAD}",
                )
            )
        count = runtime.getDeviceCount()
        if number >= count:
            raise _out_of_range(number, count)
        with cupy.cuda.Device(number):
            _check_capability(cupy, number)
            _check_free(cupy, number)


def _out_of_range(number: int, count: int) -> DeviceError:
    names = '"cuda:0"' if count == 1 else f'"cuda:0" to "cuda:{count - 1}"'
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = f" CUDA_VISIBLE_DEVICES={shown} decides which GPUs are seen." if shown is not None else ""
    return DeviceError(
        explain(
            "There is no GPU of this number.",
            expected=names,
            received=f'"cuda:{number}"',
            fix=f"Set GPUTRAIN_DEVICE, config.set_device or `device` in the config file.{hidden}",
        )
    )


def capability_of(cupy: Any, number: int) -> tuple[int, int]:
    """(major, minor) of a GPU's compute capability."""
    text = cupy.cuda.Device(number).compute_capability
    return int(text[:-1]), int(text[-1])


def known_capabilities(cupy: Any) -> list[tuple[int, int]]:
    """The compute capabilities that NVRTC compiles for; empty where that cannot be asked."""
    nvrtc = getattr(cupy.cuda, "nvrtc", None)
    return sorted(divmod(arch, 10) for arch in nvrtc.getSupportedArchs()) if nvrtc is not None else []


def _check_capability(cupy: Any, number: int) -> None:
    found, known = capability_of(cupy, number), known_capabilities(cupy)
    oldest = max(OLDEST_CAPABILITY, known[0]) if known else OLDEST_CAPABILITY
    rule = f"GPU {number} has a compute capability that {{}}."
    if found < oldest:
        older = f" cupy-cuda12x still serves 7.0: {install_line(environment.OLDEST_CUDA)}."
        fix = f"Use a newer GPU.{older if found >= OLDEST_CAPABILITY else ''} {CPU_INSTEAD}"
        expected, received = f"{_dotted(oldest)} or later", _dotted(found)
        raise DeviceError(explain(rule.format("is too old"), expected=expected, received=received, fix=fix))
    if known and found[0] > known[-1][0] and not os.environ.get("CUPY_COMPILE_WITH_PTX"):
        raise DeviceError(
            explain(
                rule.format("this NVRTC does not know"),
                expected=f"at most {_dotted(known[-1])}",
                received=_dotted(found),
                fix=f"Run: {install_line(environment.CUDA_13)} - or set CUPY_COMPILE_WITH_PTX=1.",
            )
        )


def _dotted(capability: tuple[int, int]) -> str:
    return "{}.{}".format(*capability)


def _check_free(cupy: Any, number: int) -> None:
    gpu = cupy.cuda.Device(number)
    if room(cupy, gpu) < LEAST_FREE and (free := released_room(cupy, gpu)) < LEAST_FREE:
        raise _full(number, free, gpu.mem_info[1])


def _full(number: int, free: int, total: int) -> DeviceError:
    return DeviceError(
        explain(
            f"GPU {number} is full: other programs hold its memory.",
            expected=f"{in_words(LEAST_FREE)} free",
            received=f"{in_words(free)} free of {in_words(total)}",
            fix=REMEDY,
        )
    )


def describe(cupy: Any, number: int) -> str:
    """A GPU in words: name, compute capability, memory."""
    name = cupy.cuda.runtime.getDeviceProperties(number)["name"]
    name = name.decode(errors="replace") if isinstance(name, bytes) else name
    free, total = cupy.cuda.Device(number).mem_info
    capability = _dotted(capability_of(cupy, number))
    return f"{name} (cuda:{number}, capability {capability}, {in_words(free)} free of {in_words(total)})"


# ----------------------------------------------------------------------------------------------------- probes


def check_kernel(cupy: Any, number: int) -> None:
    """Compile a kernel and look at its result; with a kernel cache that is broken, once more without it.

    Raises:
        DeviceError: NVRTC or its headers are missing, or the GPU does not run the kernel.
    """
    with explained(cupy):
        try:
            _run_kernel(cupy, number)
        except (OSError, cupy.cuda.driver.CUDADriverError) as error:
            broken = isinstance(error, OSError) or str(error).startswith(BAD_IMAGE)
            if environment.cache_in_memory() or not broken:
                raise
            environment.keep_kernels_in_memory(_reason(error))
            _run_kernel(cupy, number)


def _run_kernel(cupy: Any, number: int) -> None:
    from gputrain.backend.cupy.launch import Library

    host = (np.arange(-500, 500) / 256).astype("float16")
    with cupy.cuda.Device(number):
        x, out = cupy.asarray(host), cupy.empty(host.shape, "float32")
        library = Library(cupy, blocks=4)
        dtypes = ("float16", "float32")
        kernel = library.generated(PROBE, "gputrain_probe", (*dtypes, "i"), dtypes)
        kernel.bind(x, out, host.size, threads=host.size)()
        _compare("kernel", out.get(), 2 * host.astype("float32") + 1)


def bare_device(cupy: Any, number: int, blas: Any = None) -> CupyDevice:
    """The device with its cuBLAS, before anything was tried on it."""
    from gputrain.backend.cupy import cublas
    from gputrain.backend.cupy.device import CupyDevice

    with explained(cupy):
        if blas is None:
            blas = cublas.find_library(cupy.cuda.runtime.runtimeGetVersion() // 1000)
        device = CupyDevice(cupy, blas, number)
        device.description = describe(cupy, number)
        return device


def check_product(device: CupyDevice) -> None:
    """Multiply two small matrices by cuBLAS and look at the result.

    Raises:
        DeviceError: cuBLAS does not run on this GPU.
    """
    a = np.arange(12, dtype="float32").reshape(3, 4)
    b = np.arange(20, dtype="float32").reshape(4, 5)
    with explained(device.cupy):
        out = device.empty((3, 5), "float32")
        product = device.blas.matmul(device.asarray(a), device.asarray(b), out)
        with device.running():
            product()
        _compare("matrix product", device.download(out), a @ b)


def _compare(what: str, found: np.ndarray, expected: np.ndarray) -> None:
    wrong = int((found != expected).sum())
    if wrong:
        raise DeviceError(
            explain(
                f"The GPU computes wrong results: a {what} was tried.",
                expected="all elements right",
                received=f"{wrong} of {expected.size} wrong",
                fix="Restart the machine and run `gputrain doctor`; the GPU or its driver may be faulty.",
            )
        )


# --------------------------------------------------------------------------------------- errors of cupy, CUDA


@contextmanager
def explained(cupy: Any) -> Iterator[None]:
    """Within it, errors of CuPy and CUDA become a DeviceError that says what they mean and what to do."""
    try:
        yield
    except DeviceError:
        raise
    except cupy.cuda.compiler.CompileException as error:
        raise _not_compiled(error) from error
    except (RuntimeError, MemoryError, OSError, ImportError, AttributeError) as error:
        raise _meaning(cupy, error) from error


def _not_compiled(error: Exception) -> DeviceError:
    text = str(error)
    driver, wheels = environment.driver_cuda(), environment.installed_wheels()
    if "cuda_fp16.h" in text or "cannot open source file" in text:
        rule = "NVRTC does not find CUDA's headers (cuda_fp16.h), which float16 kernels need."
        fix = f"The extra [ctk] brings them: {complete_line(driver, wheels)}"
    else:
        rule = "NVRTC does not compile gputrain's kernels."
        fix = f"Install cupy anew ({replace_line(driver, wheels)}); if that does not help, please report it."
    return DeviceError(explain(rule, received=_reason(error), fix=fix))


def _meaning(cupy: Any, error: Exception) -> DeviceError:
    text = _reason(error)
    code = text.partition(":")[0]
    if ran_out(error):
        rule = "The GPU is full: other programs hold its memory."
        return DeviceError(explain(rule, received=text, fix=REMEDY))
    if code == "cudaErrorInsufficientDriver":
        return _insufficient_driver(cupy)
    if "nvrtc" in text.lower():
        line = complete_line(environment.driver_cuda(), environment.installed_wheels())
        rule = "Kernels are compiled by NVIDIA's NVRTC, and it cannot be loaded."
        return DeviceError(explain(rule, received=text, fix=f"The extra [ctk] brings it: {line}"))
    rule, fix = MEANINGS.get(code, ("The GPU cannot be opened.", f"Run `gputrain doctor`. {CPU_INSTEAD}"))
    return DeviceError(explain(rule, received=f"{text} ({_versions(cupy)})", fix=fix))


def _insufficient_driver(cupy: Any) -> DeviceError:
    """No driver, or one for an older CUDA than the wheel's."""
    driver, runtime = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    wheels = environment.installed_wheels()
    if not driver:
        rule = 'backend="cupy" needs NVIDIA\'s driver, and there is none on this machine.'
        fix = f"Install the driver (nvidia-smi must list the GPU). {CPU_INSTEAD}"
        return DeviceError(explain(rule, fix=fix))
    if driver < environment.OLDEST_CUDA:
        fix = f"Update the driver to 525 or later. {CPU_INSTEAD}"
    else:
        fix = f"Run: {replace_line(driver, wheels)} - or update the driver."
    return DeviceError(
        explain(
            "The driver is too old for this wheel of cupy.",
            expected=f"a driver for CUDA {runtime // 1000}",
            received=f"a driver for CUDA {cuda_version(driver)}, a wheel for CUDA {cuda_version(runtime)}",
            fix=fix,
        )
    )


def _versions(cupy: Any) -> str:
    runtime = cupy.cuda.runtime
    try:
        driver, own = cuda_version(runtime.driverGetVersion()), cuda_version(runtime.runtimeGetVersion())
    except RuntimeError:
        return "the versions of driver and runtime cannot be asked"
    return f"driver for CUDA {driver}, runtime {own}"
