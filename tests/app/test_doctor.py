"""`gputrain doctor`: what it says of machines with and without cupy, driver and GPU, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gputrain
from gputrain import backend, config
from gputrain.app import doctor
from gputrain.app.cli import main
from gputrain.backend.cupy import cublas, environment, opening
from gputrain.errors import DeviceError
from gputrain.utils import notes
from tests.cuda_emulator import Emulated, make

INSTALL = "pip install 'cupy-cuda12x[ctk]>=14,<15'"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A machine with neither driver nor cupy; tests change what it has."""
    has = SimpleNamespace(wheels={}, cuda=0, visible=False, installed=False, release="")
    monkeypatch.setattr(environment, "installed_wheels", lambda: has.wheels)
    monkeypatch.setattr(environment, "driver_cuda", lambda: has.cuda)
    monkeypatch.setattr(environment, "driver_release", lambda: has.release)
    monkeypatch.setattr(environment, "driver_visible", lambda: has.visible)
    monkeypatch.setattr(environment, "cupy_installed", lambda: has.installed)
    monkeypatch.setattr(opening, "_opened", {})
    monkeypatch.setattr(backend, "_devices", {})
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "0")
    monkeypatch.setenv("GPUTRAIN_BACKEND", "auto")
    monkeypatch.delenv("GPUTRAIN_DEVICE", raising=False)
    notes.forget()
    config.reset()
    yield has
    config.reset()


@pytest.fixture
def gpu(machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """The stand-in as the GPU of a machine that has all it needs."""
    world = make()
    machine.wheels, machine.installed, machine.visible = {"cupy-cuda12x": "14.2.0"}, True, True
    machine.cuda, machine.release = 12090, "575.57.08"
    monkeypatch.setitem(sys.modules, "cupy", world.cupy)
    monkeypatch.setattr(cublas, "find_library", lambda major: world.blas)
    return world


def told(capsys: pytest.CaptureFixture[str], expected: int) -> dict[str, tuple[str, str, str]]:
    """{name: (state, found, fix)} of what `gputrain doctor --json` prints, after its exit code was "
    "looked at."""
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == expected
    assert report["works"] == (expected == 0)
    return {check["name"]: (check["state"], check["found"], check["fix"]) for check in report["checks"]}


def states(checks: dict[str, tuple[str, str, str]]) -> dict[str, str]:
    """The states that are not "ok"."""
    return {name: state for name, (state, _, _) in checks.items() if state != "ok" and name != "own kernels"}


def raising(error: Exception) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise error

    return call


# ---------------------------------------------------------------------------------------------------- the CPU


@pytest.mark.parametrize("name", ["auto", "numpy"])
@pytest.mark.usefixtures("machine")
def test_a_machine_without_a_gpu(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPUTRAIN_BACKEND", name)
    checks = told(capsys, 0)
    assert states(checks) == {}
    assert checks["driver"] == ("ok", "none", "")
    assert checks["wheels"] == ("ok", "none", "")
    assert checks["backend"][1] == f"{name} (environment variable GPUTRAIN_BACKEND)"
    assert checks["result"][1] == f'backend = "{name}" runs on the CPU'
    assert checks["gputrain"][1].startswith(f"{gputrain.__version__} in ")
    assert "cores" in checks["cpu"][1]
    assert "cupy" not in checks


@pytest.mark.usefixtures("machine")
def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUTRAIN_BACKEND", "cupy")
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["ok", "python"]
    at = next(i for i, line in enumerate(lines) if line.split()[1] == "wheels")
    assert lines[at].split() == ["problem", "wheels", "none"]
    assert (
        lines[at + 1]
        .strip()
        .startswith("-> pip install 'cupy-cuda12x[ctk]>=14,<15' (driver for CUDA 12) or pip")
    )
    assert lines[-1].split(maxsplit=2)[::2] == ["problem", 'backend = "cupy" does not work here']
    assert err == ""


@pytest.mark.parametrize(
    ("module", "name", "value", "check", "fix"),
    [
        (doctor.platform, "python_version", lambda: "3.10.1", "python", "Install Python 3.11 or later."),
        (doctor.np, "__version__", "3.1.0", "numpy", "pip install 'numpy>=2.0,<3'"),
    ],
)
@pytest.mark.usefixtures("machine")
def test_versions_that_are_out_of_range(
    module: Any,
    name: str,
    value: Any,
    check: str,
    fix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, name, value)
    assert told(capsys, 1)[check][::2] == ("problem", fix)


@pytest.mark.usefixtures("machine")
def test_a_numpy_without_blas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor.np, "show_config", lambda mode: {})
    assert told(capsys, 0)["cpu"][::2] == (
        "warning",
        "NumPy has no BLAS: pip install --force-reinstall numpy",
    )


@pytest.mark.usefixtures("machine")
def test_kernel_files_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor.resources, "kernels_dir", raising(FileNotFoundError("no kernels here")))
    assert told(capsys, 0)["kernel files"][:2] == ("warning", "no kernels here")


@pytest.mark.usefixtures("machine")
def test_a_wrong_setting_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPUTRAIN_BACKEND", "cuda")
    assert main(["doctor"]) == 2
    assert "GPUTRAIN_BACKEND gives 'cuda'" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- the GPU


@pytest.mark.parametrize("name", ["auto", "cupy"])
@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_works(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPUTRAIN_BACKEND", name)
    checks = told(capsys, 0)
    assert states(checks) == {}
    assert checks["driver"][1] == "575.57.08, for CUDA 12.9"
    assert checks["wheels"][1] == "cupy-cuda12x 14.2.0"
    assert checks["cupy"][1] == "14.2.0"
    assert checks["cuda"][1] == "driver 12.9, runtime 12.9, NVRTC unknown"
    assert checks["gpu"][1].startswith("CUDA emulator (cuda:0, capability 9.0, 8.00 GiB free of 8.00 GiB")
    assert checks["kernel"][1] == "compiled (float16 headers found), run, right"
    assert checks["cublas"][1] == "12.9.0, a product was right"
    assert checks["kernel cache"][1] == os.environ["CUPY_CACHE_DIR"]
    assert checks["result"][1] == f'backend = "{name}" runs on the GPU, cuda:0'


def test_cupy_is_missing(machine: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    machine.visible, machine.cuda = True, 13000
    checks = told(capsys, 1)
    assert states(checks) == {"wheels": "problem"}
    assert checks["wheels"] == ("problem", "none", "pip install 'cupy-cuda13x[ctk]>=14,<15'")
    assert checks["result"][1] == 'backend = "auto" runs on the CPU'


def test_two_wheels(machine: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    machine.visible = machine.installed = True
    machine.wheels, machine.cuda = {"cupy-cuda12x": "14.2.0", "cupy-cuda13x": "14.2.0"}, 12040
    checks = told(capsys, 1)
    assert states(checks) == {"wheels": "problem", "cupy": "problem"}
    assert checks["wheels"][1:] == (
        "cupy-cuda12x 14.2.0, cupy-cuda13x 14.2.0: they overwrite each other's files",
        "pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install 'cupy-cuda12x[ctk]>=14,<15'",
    )


def test_cupy_but_no_driver(
    machine: SimpleNamespace,
    gpu: Emulated,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine.visible, machine.cuda = False, 0
    monkeypatch.setattr(gpu.cupy.cuda.runtime, "driverGetVersion", lambda: 0, raising=False)
    checks = told(capsys, 0)
    assert states(checks) == {"driver": "warning"}
    assert checks["driver"][2] == "Install NVIDIA's driver for a GPU to be used; nvidia-smi must list it."
    assert checks["cuda"][1] == "no driver, runtime 12.9, NVRTC unknown"
    assert "gpu" not in checks


def test_the_backend_numpy_needs_no_driver(
    machine: SimpleNamespace,
    gpu: Emulated,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.visible = False
    monkeypatch.setenv("GPUTRAIN_BACKEND", "numpy")
    assert states(told(capsys, 0)) == {}
    assert gpu.cupy is sys.modules["cupy"]


def test_a_driver_that_is_older_than_the_wheel(
    machine: SimpleNamespace,
    gpu: Emulated,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.wheels, machine.cuda = {"cupy-cuda13x": "14.2.0"}, 12040
    runtime = gpu.cupy.cuda.runtime
    monkeypatch.setattr(runtime, "driverGetVersion", lambda: 12040, raising=False)
    monkeypatch.setattr(runtime, "runtimeGetVersion", lambda: 13000, raising=False)
    error = RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
    monkeypatch.setattr(runtime, "getDeviceCount", raising(error), raising=False)
    checks = told(capsys, 1)
    assert states(checks) == {"cuda": "problem", "gpu": "problem"}
    assert checks["cuda"][1:] == (
        "driver 12.4, runtime 13.0, NVRTC unknown: the wheel is for a newer driver",
        "pip uninstall -y cupy-cuda13x && pip install 'cupy-cuda12x[ctk]>=14,<15'",
    )


def test_a_driver_that_no_wheel_serves(
    machine: SimpleNamespace, gpu: Emulated, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.cuda = 11080
    assert told(capsys, 1)["driver"] == (
        "problem", "575.57.08, for CUDA 11.8", "Update the driver to 525 or later."
    )  # fmt: skip
    assert gpu.cupy.__version__ == "14.2.0"


def test_a_driver_without_its_library(machine: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    machine.visible, machine.wheels, machine.cuda = True, {}, 0
    state, found, fix = told(capsys, 1)["driver"]
    assert (state, found) == ("problem", "unknown version, for CUDA of unknown version")
    assert fix.startswith("libcuda.so.1 does not load. A container needs NVIDIA_DRIVER_CAPABILITIES=")


@pytest.mark.parametrize(
    ("name", "code", "state"), [("cupy", 1, "problem"), ("auto", 1, "problem"), ("numpy", 0, "warning")]
)
def test_what_does_not_work_counts_where_it_is_asked_for(
    gpu: Emulated,
    name: str,
    code: int,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = 'k.cu(1): catastrophic error: cannot open source file "cuda_fp16.h"'
    error = gpu.cupy.cuda.compiler.CompileException(log, "", "k.cu", ())
    monkeypatch.setattr(gpu.cupy.RawModule, "compile", raising(error))
    monkeypatch.setattr(cublas, "find_library", raising(DeviceError("cuBLAS is nowhere.")))
    monkeypatch.setenv("GPUTRAIN_BACKEND", name)
    checks = told(capsys, code)
    expected = {"kernel": state, "cublas": state}
    assert states(checks) == (expected | {"result": "problem"} if name == "cupy" else expected)
    assert "which float16 kernels need" in checks["kernel"][1]
    assert INSTALL in checks["kernel"][1]
    assert checks["cublas"][1] == "cuBLAS is nowhere."


@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GPUTRAIN_DEVICE", "cuda:4")
    checks = told(capsys, 1)
    assert checks["device"][1] == "cuda:4 (environment variable GPUTRAIN_DEVICE)"
    assert 'Expected: "cuda:0". Received: "cuda:4".' in checks["gpu"][1]
    assert "kernel" not in checks


def test_other_gpus_are_listed(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu.cupy.cuda.runtime, "getDeviceCount", lambda: 2, raising=False)
    assert main(["doctor"]) == 0
    assert "invalid device ordinal" in capsys.readouterr().out


def test_nvrtc_and_its_version(
    gpu: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nvrtc = SimpleNamespace(getVersion=lambda: (12, 9), getSupportedArchs=lambda: (75, 90, 121))
    monkeypatch.setattr(gpu.cupy.cuda, "nvrtc", nvrtc, raising=False)
    assert told(capsys, 0)["cuda"][1].endswith("NVRTC 12.9")
    nvrtc.getVersion = raising(RuntimeError("CuPy failed to load libnvrtc.so.12"))
    assert "NVIDIA's NVRTC, and it cannot be loaded" in told(capsys, 1)["cuda"][1]


@pytest.mark.usefixtures("gpu")
def test_the_kernel_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "file" / "deep"))
    state, found, fix = told(capsys, 0)["kernel cache"]
    assert (state, found) == ("warning", f"{tmp_path}/file/deep: Not a directory")
    assert "CUPY_CACHE_DIR" in fix
    assert told(capsys, 0)["kernel cache"][1] == "none: CUPY_CACHE_IN_MEMORY is set"


def test_an_emulated_gpu_is_for_the_suite(
    machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPUTRAIN_BACKEND", "emulated")
    monkeypatch.setitem(backend._openers, "emulated", backend._emulated)
    assert not machine.installed
    result = told(capsys, 1)["result"]
    assert result[:2][1].startswith(
        'backend = "emulated" does not work here: backend="emulated" runs the GPU device on'
    )


# ------------------------------------------------------------------------------------------------- operations


def test_operations_without_a_kernel_are_named(
    machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gputrain.backend.cupy import families, linalg

    assert not {"Reshape", "Constant", "Print", "Cond", "Scan"} & set(doctor.without_kernel())
    assert not machine.visible
    monkeypatch.setattr(families, "FAMILIES", tuple(f for f in families.FAMILIES if f is not linalg))
    assert "MatMul" in doctor.without_kernel()
    state, found, _ = told(capsys, 0)["own kernels"]
    assert (state, "MatMul" in found) == ("warning", True)
    monkeypatch.setattr(doctor, "without_kernel", list)
    assert told(capsys, 0)["own kernels"][:2] == ("ok", "every operation has one")


# ------------------------------------------------------------------------------------------------ the command


def test_help_tells_the_exit_codes_and_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--help"]) == 0
    out = capsys.readouterr().out
    assert "exit codes: 0 the configured backend works, 1 something that is asked for does not" in out
    assert "GPUTRAIN_BACKEND=cupy gputrain doctor" in out
    assert "130 interrupted" in out


@pytest.mark.parametrize("hidden", ["cupy", ""])
def test_as_a_program(hidden: str, tmp_path: Path) -> None:
    """On this machine as it is, and as if cupy were not installed: data to stdout alone, never a "
    "traceback."""
    script = f"import sys; sys.modules.update({{n: None for n in {hidden!r}.split()}}); " + (
        "from gputrain.app.cli import main; sys.exit(main(['doctor', '--json']))"
    )
    env = {**os.environ, "GPUTRAIN_BACKEND": "numpy", "CUPY_CACHE_DIR": str(tmp_path)}
    env["PYTHONPATH"] = str(Path(gputrain.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["works"], done.stderr) == (0, True, "")
    assert report["backend"] == "numpy"
    assert {"python", "driver", "wheels", "result"} <= {check["name"] for check in report["checks"]}
