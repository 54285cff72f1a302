"""Opening the GPU: whatever is wrong with cupy, CUDA or the GPU is an error that says how to mend it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gputrain.backend.cupy import cublas, environment, memory, opening
from gputrain.errors import DeviceError
from gputrain.utils import notes
from tests.cuda_emulator import Emulated, make


class CUDARuntimeError(RuntimeError):
    """As CuPy raises it: the name and the text of CUDA's error."""


class CUDADriverError(RuntimeError):
    """The same of the driver."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A machine with a driver for CUDA 12.9 and one wheel of cupy; tests change what it has."""
    has = SimpleNamespace(wheels={"cupy-cuda12x": "14.2.0"}, cuda=12090, visible=True, installed=True)
    monkeypatch.setattr(environment, "installed_wheels", lambda: has.wheels)
    monkeypatch.setattr(environment, "driver_cuda", lambda: has.cuda)
    monkeypatch.setattr(environment, "driver_visible", lambda: has.visible)
    monkeypatch.setattr(environment, "cupy_installed", lambda: has.installed)
    monkeypatch.setattr(opening, "_opened", {})
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUPY_COMPILE_WITH_PTX", raising=False)
    notes.forget()
    return has


@pytest.fixture
def gpu() -> Emulated:
    return make()


def refusal(gpu: Emulated, number: int = 0) -> str:
    """What is said when the GPU is opened."""
    with pytest.raises(DeviceError) as caught:
        opening.open_device(number, gpu.cupy, gpu.blas)
    return str(caught.value)


def raising(error: Exception) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise error

    return call


def in_place(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `import cupy` give the stand-in, and cuBLAS be found."""
    monkeypatch.setitem(sys.modules, "cupy", gpu.cupy)
    monkeypatch.setattr(cublas, "find_library", lambda major: gpu.blas)


# ----------------------------------------------------------------------------------------------- it opens


@pytest.mark.usefixtures("machine")
def test_a_gpu_that_works_is_opened(gpu: Emulated) -> None:
    with gpu.statistics.record() as log:
        device = opening.open_device(0, gpu.cupy, gpu.blas)
    ran = {event.name for event in log if event.kind == "launch"}
    assert "gputrain_probe" in ran
    assert device.download(device.asarray(np.arange(3))).tolist() == [0, 1, 2]


@pytest.mark.usefixtures("machine")
def test_cupy_and_cublas_are_looked_for(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    in_place(gpu, monkeypatch)
    assert opening.open_device(0).cupy is gpu.cupy


# -------------------------------------------------------------------------------------------- the module cupy


@pytest.mark.parametrize(
    ("cuda", "line"),
    [
        (12040, "pip install 'cupy-cuda12x[ctk]>=14,<15' (or pip install 'gputrain[cuda12]')"),
        (13010, "pip install 'cupy-cuda13x[ctk]>=14,<15' (or pip install 'gputrain[cuda13]')"),
        (0, "(driver for CUDA 12) or pip install 'cupy-cuda13x[ctk]>=14,<15' (CUDA 13)"),
    ],
)
def test_cupy_is_not_installed(machine: SimpleNamespace, cuda: int, line: str) -> None:
    machine.wheels, machine.installed, machine.cuda = {}, False, cuda
    with pytest.raises(DeviceError) as caught:
        opening.open_device(0)
    message = str(caught.value)
    assert message.startswith(
        'backend="cupy" needs the package cupy, and it is not installed. Run: pip install'
    )
    assert line in message
    assert message.endswith('Or train on the CPU: backend = "numpy", GPUTRAIN_BACKEND=numpy.')


def test_two_wheels(machine: SimpleNamespace) -> None:
    machine.wheels = {"cupy-cuda12x": "14.2.0", "cupy-cuda13x": "14.1.0"}
    with pytest.raises(DeviceError) as caught:
        opening.open_device(0)
    assert str(caught.value) == (
        "Two wheels of cupy in one environment overwrite each other's files. Expected: one of them. "
        "Received: cupy-cuda12x 14.2.0, cupy-cuda13x 14.1.0. Run: pip uninstall -y cupy-cuda12x cupy-cuda13x "
        "&& pip install 'cupy-cuda12x[ctk]>=14,<15'"
    )


IMPORT_REPORT = """
================================================================
Failed to import CuPy.

Original error:
  ImportError: libcudart.so.13: cannot open shared object file: No such file or directory
================================================================
"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ImportError(IMPORT_REPORT),
            "ImportError: libcudart.so.13: cannot open shared object file: No such file",
        ),
        (ValueError("numpy.dtype size changed"), "numpy.dtype size changed"),
        (ImportError(), "ImportError"),
    ],
)
def test_the_import_fails(
    machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            if name == "cupy":
                raise error

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    machine.wheels = {"cupy-cuda13x": "14.2.0"}
    with pytest.raises(DeviceError) as caught:
        opening.open_device(0)
    message = str(caught.value)
    assert message.startswith(f"cupy (cupy-cuda13x 14.2.0) cannot be imported. Received: {reason}")
    assert "pip uninstall -y cupy-cuda13x && pip install 'cupy-cuda12x[ctk]>=14,<15'" in message


@pytest.mark.parametrize("version", ["13.6.0", "15.0.0a1"])
@pytest.mark.usefixtures("machine")
def test_another_version(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    module = ModuleType("cupy")
    module.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", module)
    with pytest.raises(
        DeviceError, match=r"Expected: >=14,<15\. Received: 1[35].*pip uninstall -y cupy-cuda12x"
    ):
        opening.open_device(0)


@pytest.mark.usefixtures("machine")
def test_a_cupy_for_amd(gpu: Emulated) -> None:
    gpu.cupy.cuda.runtime.is_hip = True
    assert "gputrain runs on NVIDIA's GPUs. Received: a cupy for AMD's." in refusal(gpu)


# ------------------------------------------------------------------------------------------------- the driver

INSUFFICIENT = CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for ...")


def old_driver(gpu: Emulated, monkeypatch: pytest.MonkeyPatch, driver: int, runtime: int) -> str:
    monkeypatch.setattr(gpu.cupy.cuda.runtime, "getDeviceCount", raising(INSUFFICIENT), raising=False)
    monkeypatch.setattr(gpu.cupy.cuda.runtime, "driverGetVersion", lambda: driver, raising=False)
    monkeypatch.setattr(gpu.cupy.cuda.runtime, "runtimeGetVersion", lambda: runtime, raising=False)
    return refusal(gpu)


@pytest.mark.usefixtures("machine")
def test_no_driver(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    assert old_driver(gpu, monkeypatch, 0, 12090) == (
        'backend="cupy" needs NVIDIA\'s driver, and there is none on this machine. Install the driver '
        "(nvidia-smi "
        'must list the GPU). Or train on the CPU: backend = "numpy", GPUTRAIN_BACKEND=numpy.'
    )


def test_a_wheel_that_is_newer_than_the_driver(
    machine: SimpleNamespace, gpu: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.wheels = {"cupy-cuda13x": "14.2.0"}
    assert old_driver(gpu, monkeypatch, 12040, 13000) == (
        "The driver is too old for this wheel of cupy. Expected: a driver for CUDA 13. Received: a "
        "driver for "
        "CUDA 12.4, a wheel for CUDA 13.0. Run: pip uninstall -y cupy-cuda13x && "
        "pip install 'cupy-cuda12x[ctk]>=14,<15' - or update the driver."
    )


@pytest.mark.usefixtures("machine")
def test_a_driver_that_no_wheel_serves(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    message = old_driver(gpu, monkeypatch, 11080, 12090)
    assert (
        "Received: a driver for CUDA 11.8, a wheel for CUDA 12.9. Update the driver to 525 or later."
        in message
    )


@pytest.mark.parametrize("code", [c for c in opening.MEANINGS if c.startswith("cuda")])
@pytest.mark.usefixtures("machine")
def test_what_errors_of_cuda_mean(gpu: Emulated, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    error = CUDARuntimeError(f"{code}: as CUDA says it")
    monkeypatch.setattr(gpu.cupy.cuda.runtime, "getDeviceCount", raising(error), raising=False)
    rule, fix = opening.MEANINGS[code]
    expected = f"{rule} Received: {code}: as CUDA says it (driver for CUDA 12.9, runtime 12.9). {fix}"
    assert refusal(gpu) == expected


@pytest.mark.usefixtures("machine")
def test_an_error_that_nobody_knows(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    error = CUDARuntimeError("cudaErrorUnknown: unknown error")
    for name in ("getDeviceCount", "driverGetVersion"):
        monkeypatch.setattr(gpu.cupy.cuda.runtime, name, raising(error), raising=False)
    message = refusal(gpu)
    assert message.startswith(
        "The GPU cannot be opened. Received: cudaErrorUnknown: unknown error (the versions of"
    )
    assert "Run `gputrain doctor`." in message


# ---------------------------------------------------------------------------------------------------- the GPU


@pytest.mark.usefixtures("machine")
def test_no_gpu_of_this_number(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(gpu, 3) == (
        'There is no GPU of this number. Expected: "cuda:0". Received: "cuda:3". '
        "Set GPUTRAIN_DEVICE, config.set_device or `device` in the config file."
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.setattr(gpu.cupy.cuda.runtime, "getDeviceCount", lambda: 2, raising=False)
    message = refusal(gpu, 2)
    assert 'Expected: "cuda:0" to "cuda:1".' in message
    assert message.endswith("CUDA_VISIBLE_DEVICES=2,3 decides which GPUs are seen.")


def set_capability(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch, capability: str, known: tuple[int, ...]
) -> None:
    monkeypatch.setattr(gpu.cupy.cuda.Device, "compute_capability", capability)
    nvrtc = SimpleNamespace(getSupportedArchs=lambda: known)
    monkeypatch.setattr(gpu.cupy.cuda, "nvrtc", nvrtc, raising=False)


@pytest.mark.usefixtures("machine")
def test_a_gpu_that_is_too_old(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    set_capability(gpu, monkeypatch, "61", (50, 61, 90, 121))
    message = refusal(gpu)
    assert "GPU 0 has a compute capability that is too old. Expected: 7.0 or later. Received: 6.1." in message
    assert "cupy-cuda12x still" not in message


@pytest.mark.usefixtures("machine")
def test_a_gpu_that_only_an_older_wheel_serves(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    set_capability(gpu, monkeypatch, "70", (75, 90, 121))
    message = refusal(gpu)
    assert (
        "Expected: 7.5 or later. Received: 7.0. Use a newer GPU. cupy-cuda12x still serves 7.0: pip"
        in message
    )


@pytest.mark.usefixtures("machine")
def test_a_gpu_that_nvrtc_does_not_know(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    set_capability(gpu, monkeypatch, "130", (50, 90, 121))
    message = refusal(gpu)
    assert (
        "that this NVRTC does not know. Expected: at most 12.1. Received: 13.0. Run: pip install "
        "'cupy-cuda13x" in message
    )
    monkeypatch.setenv("CUPY_COMPILE_WITH_PTX", "1")
    opening.open_device(0, gpu.cupy, gpu.blas)


@pytest.mark.usefixtures("machine")
def test_a_gpu_that_others_fill() -> None:
    message = refusal(make(memory=100 << 20))
    assert message.startswith(
        "GPU 0 is full: other programs hold its memory. Expected: 128.00 MiB free. "
        "Received: 100.00 MiB free of 100.00 MiB. Use a smaller batch_size, or end other programs"
    )


@pytest.mark.usefixtures("machine")
def test_a_gpu_on_which_nothing_can_be_started(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    error = CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")
    monkeypatch.setattr(gpu.cupy.cuda.Device, "mem_info", property(raising(error)))
    assert "The GPU is full: other programs hold its memory. Received: cudaErrorMemoryAllocation" in refusal(
        gpu
    )


# ----------------------------------------------------------------------------------------------------- probes


@pytest.mark.usefixtures("machine")
def test_headers_are_missing(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    log = (
        'k.cu(1): catastrophic error: cannot open source file "cuda_fp16.h"\n\n1 catastrophic error detected.'
    )
    error = gpu.cupy.cuda.compiler.CompileException(log, "", "k.cu", ())
    monkeypatch.setattr(gpu.cupy.RawModule, "compile", raising(error))
    assert refusal(gpu) == (
        "NVRTC does not find CUDA's headers (cuda_fp16.h), which float16 kernels need. Received: k.cu(1): "
        'catastrophic error: cannot open source file "cuda_fp16.h". The extra [ctk] brings them: pip '
        "install 'cupy-cuda12x[ctk]>=14,<15'"
    )


@pytest.mark.usefixtures("machine")
def test_kernels_that_do_not_compile(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    error = gpu.cupy.cuda.compiler.CompileException("k.cu(7): error: no such type", "", "k.cu", ())
    monkeypatch.setattr(gpu.cupy.RawModule, "compile", raising(error))
    assert "does not compile gputrain's kernels. Received: k.cu(7): error: no such type. Install" in refusal(
        gpu
    )


@pytest.mark.parametrize("where", ["getSupportedArchs", "compile"])
@pytest.mark.usefixtures("machine")
def test_nvrtc_is_missing(gpu: Emulated, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    error = RuntimeError(
        "CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: cannot open shared object file"
    )
    if where == "compile":
        monkeypatch.setattr(gpu.cupy.RawModule, "compile", raising(error))
    else:
        nvrtc = SimpleNamespace(getSupportedArchs=raising(error))
        monkeypatch.setattr(gpu.cupy.cuda, "nvrtc", nvrtc, raising=False)
    message = refusal(gpu)
    assert message.startswith(
        "Kernels are compiled by NVIDIA's NVRTC, and it cannot be loaded. Received: CuPy failed"
    )
    assert "The extra [ctk] brings it: pip install 'cupy-cuda12x[ctk]" in message


@pytest.mark.usefixtures("machine")
def test_cublas_is_missing(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cublas, "find_library", raising(DeviceError("Matrix products need cuBLAS.")))
    with pytest.raises(DeviceError, match=r"Matrix products need cuBLAS\."):
        opening.open_device(0, gpu.cupy)


@pytest.mark.usefixtures("machine")
def test_a_cublas_without_its_functions(gpu: Emulated) -> None:
    with pytest.raises(DeviceError, match=r"The GPU cannot be opened\. Received: .*cublasCreate_v2"):
        opening.open_device(0, gpu.cupy, SimpleNamespace())


@pytest.mark.usefixtures("machine")
def test_a_cublas_that_fails(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    def gemm(*args: Any) -> int:
        return 13

    gemm.argtypes = gemm.restype = None  # type: ignore[attr-defined]
    monkeypatch.setattr(gpu.blas, "cublasGemmEx", gemm)
    assert "cuBLAS failed in cublasGemmEx." in refusal(gpu)


@pytest.mark.parametrize("function", ["_run_kernel", "check_product"])
@pytest.mark.usefixtures("machine")
def test_wrong_results(gpu: Emulated, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    right = opening._compare
    shift = 1 if function == "_run_kernel" else 0
    name = "kernel" if shift else "matrix product"
    monkeypatch.setattr(
        opening, "_compare", lambda what, found, expected: right(what, found + (what == name), expected)
    )
    assert f"The GPU computes wrong results: a {name} was tried." in refusal(gpu)


# ----------------------------------------------------------------------------------------------- kernel cache


def broken_once(gpu: Emulated, monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    """Have kernels that come from the disk fail to load; returns a list that grows by each attempt."""
    compile_, attempts = gpu.cupy.RawModule.compile, []

    def compiling(module: Any, log_stream: Any = None) -> None:
        attempts.append(1)
        if not environment.cache_in_memory():
            raise error
        compile_(module, log_stream)

    monkeypatch.setattr(gpu.cupy.RawModule, "compile", compiling)
    monkeypatch.setattr(gpu.cupy.cuda.driver, "CUDADriverError", CUDADriverError)
    return attempts


@pytest.mark.parametrize(
    "error",
    [
        CUDADriverError("CUDA_ERROR_INVALID_IMAGE: device kernel image is invalid"),
        OSError(28, "No space left on device"),
    ],
)
@pytest.mark.usefixtures("machine")
def test_a_broken_cache_is_left_alone(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    attempts = broken_once(gpu, monkeypatch, error)
    folder = os.environ["CUPY_CACHE_DIR"]
    opening.open_device(0, gpu.cupy, gpu.blas)
    opening.open_device(0, gpu.cupy, gpu.blas)
    assert len(attempts) >= 2
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"CuPy's kernel cache {folder} cannot be used (")
    assert "Kernels are compiled anew in this process and kept in memory." in caplog.messages[0]


@pytest.mark.usefixtures("machine")
def test_other_errors_of_the_driver_are_not_the_cache_s(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = CUDADriverError("CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the provided PTX was compiled with ...")
    attempts = broken_once(gpu, monkeypatch, error)
    assert "The driver is older than the compiler of the kernels." in refusal(gpu)
    assert len(attempts) == 1


@pytest.mark.usefixtures("machine")
def test_a_cache_that_is_not_to_blame(gpu: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory the kernel fails as well: the error is told, nothing is tried a third time."""
    error, attempts = CUDADriverError("CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image"), []

    def compiling(module: Any, log_stream: Any = None) -> None:
        attempts.append(1)
        raise error

    monkeypatch.setattr(gpu.cupy.RawModule, "compile", compiling)
    monkeypatch.setattr(gpu.cupy.cuda.driver, "CUDADriverError", CUDADriverError)
    assert "Received: CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image" in refusal(gpu)
    assert len(attempts) == 2


@pytest.mark.usefixtures("machine")
def test_a_cache_folder_that_cannot_be_written(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """cupy would fail at its import."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "file" / "kernels"))
    in_place(gpu, monkeypatch)
    opening.open_device(0)
    assert os.environ["CUPY_CACHE_IN_MEMORY"] == "1"
    assert Path(os.environ["CUPY_CACHE_DIR"]).is_dir()
    assert len(caplog.messages) == 1
    assert "file/kernels cannot be used (Not a directory)" in caplog.messages[0]


# --------------------------------------------------------------------------------------------- backend="auto"


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_auto_says_nothing_where_nobody_expects_a_gpu(
    machine: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    machine.installed = machine.visible = False
    assert not opening.usable(0)
    assert said(caplog) == []


def test_auto_with_a_driver_but_no_cupy(machine: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    machine.installed, machine.cuda = False, 13000
    assert [opening.usable(0), opening.usable(0)] == [False, False]
    assert said(caplog) == [
        'backend="auto" chose the CPU. An NVIDIA driver is here, but cupy is not installed: '
        "pip install 'cupy-cuda13x[ctk]>=14,<15'."
    ]


def test_auto_with_cupy_but_no_driver(machine: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    machine.visible = False
    assert not opening.usable(0)
    assert said(caplog) == [
        'backend="auto" chose the CPU. cupy is installed, but there is no NVIDIA driver on this machine.'
    ]


@pytest.mark.usefixtures("machine")
def test_auto_opens_the_gpu_once(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    in_place(gpu, monkeypatch)
    assert opening.usable(0)
    kept = opening._opened[0]
    assert opening.open_device(0) is kept
    assert opening.open_device(0) is not kept
    (line,) = said(caplog)
    assert line.startswith('backend="auto" chose the GPU: CUDA emulator (cuda:0, capability 9.0, 7.')
    assert line.endswith("free of 8.00 GiB).")


@pytest.mark.usefixtures("machine")
def test_auto_with_a_gpu_that_does_not_work(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    in_place(gpu, monkeypatch)
    assert not opening.usable(2)
    assert said(caplog)[0].startswith('backend="auto" chose the CPU. There is no GPU of this number.')


# -------------------------------------------------------------------------------------------- the environment


def test_wheels_are_found_by_their_names() -> None:
    wheels = environment.installed_wheels()
    assert set(wheels) <= set(environment.WHEELS)
    assert environment.cupy_installed() or not wheels


@pytest.mark.parametrize(
    ("wheels", "line"),
    [
        (["cupy-cuda13x"], "pip install 'cupy-cuda13x[ctk]>=14,<15'"),
        (["cupy"], "pip uninstall -y cupy && pip install 'cupy-cuda12x[ctk]>=14,<15'"),
        ([], "pip install 'cupy-cuda12x[ctk]>=14,<15'"),
    ],
)
def test_the_line_that_adds_cuda_s_libraries(wheels: list[str], line: str) -> None:
    assert environment.complete_line(12040, wheels) == line


USED = (
    "__version__",
    "get_default_memory_pool",
    "cuda.nvrtc.getSupportedArchs",
    "cuda.nvrtc.getVersion",
    "cuda.compiler.CompileException",
    "cuda.driver.CUDADriverError",
    "cuda.runtime.is_hip",
    "cuda.runtime.getDeviceCount",
    "cuda.runtime.getDeviceProperties",
    "cuda.runtime.driverGetVersion",
    "cuda.runtime.runtimeGetVersion",
    "cuda.Device.compute_capability",
    "cuda.Device.mem_info",
)


def test_the_real_cupy_has_what_is_used_here() -> None:
    cupy = pytest.importorskip("cupy")
    for path in USED:
        attrgetter(path)(cupy)
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)


def test_the_driver_is_told_by_its_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "DRIVER_LIBRARIES", ("no-such-libcuda.so.1",))
    monkeypatch.setattr(environment, "DRIVER_PLACES", (str(tmp_path / "nvidia"),))
    monkeypatch.setattr(environment, "DRIVER_RELEASE", str(tmp_path / "version"))
    assert (environment.driver_visible(), environment.driver_cuda(), environment.driver_release()) == (
        False,
        0,
        "",
    )
    (tmp_path / "nvidia").write_text("")
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release"
    )
    assert (environment.driver_visible(), environment.driver_release()) == (True, "570.86.15")


def test_the_driver_is_told_by_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        @staticmethod
        def cuDriverGetVersion(number: Any) -> int:
            number._obj.value = 12080
            return 0

    monkeypatch.setattr(environment, "_driver_library", Library)
    assert environment.driver_cuda() == 12080
    assert environment.driver_visible()


# ----------------------------------------------------------------------------------------------------- memory


def test_memory_that_runs_out(gpu: Emulated) -> None:
    device = opening.bare_device(gpu.cupy, 0, gpu.blas)
    with pytest.raises(DeviceError) as caught, memory.explain_memory(device, (4, 1 << 30), "float32"):
        gpu.cupy.empty((4, 1 << 30), "float32")
    assert str(caught.value) == (
        "GPU 0 has no room for an array float32[4, 1073741824]. Expected: at most what is free, 8.00 GiB "
        "free "
        "of 8.00 GiB. Received: 17179869184 bytes (16.00 GiB). Use a smaller batch_size, or end other "
        "programs that "
        "use this GPU (nvidia-smi lists them) or take another with GPUTRAIN_DEVICE=cuda:1."
    )


def test_other_errors_pass_through(gpu: Emulated) -> None:
    device = opening.bare_device(gpu.cupy, 0, gpu.blas)
    with pytest.raises(RuntimeError, match="something else"), memory.explain_memory(device, (1,), "int8"):
        raise RuntimeError("something else")
    error = CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")
    with pytest.raises(DeviceError, match=r"int8\[1\]"), memory.explain_memory(device, (1,), "int8"):
        raise error


@pytest.mark.parametrize("batch", [1, 2, 7, 128])
def test_the_largest_batch_that_fits(batch: int) -> None:
    asked: list[int] = []

    def plan_of(n: int) -> int:
        asked.append(n)
        return 100 + 10 * n

    for free in (0, 109, 110, 119, 120, 500, 10**6):
        asked.clear()
        best = memory.largest_batch(plan_of, free, batch)
        assert best == max(0, min(batch, (free - 100) // 10))
        assert len(asked) <= 1 + batch.bit_length()
        assert all(1 <= n <= batch for n in asked)


def test_a_batch_that_does_not_fit() -> None:
    assert str(memory.batch_error(512, 3 << 30, 1 << 30, 170)) == (
        "Steps on batches of 512 do not fit the GPU's memory. Expected: at most 1.00 GiB, which is free. "
        "Received: 3.00 GiB. Use batch_size=170, the largest that fits, or less; or end other programs that "
        "use this GPU (nvidia-smi lists them)."
    )
    assert "Not even one sample fits: make the model smaller;" in str(memory.batch_error(1, 9, 8, 0))
