"""cuBLAS through ctypes: how products become calls, what is checked, what the handle is told."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gputrain import config
from gputrain.backend.base import leaves
from gputrain.backend.cupy import CupyDevice, cublas
from gputrain.backend.cupy.cublas import Cublas, Matrix, batches
from gputrain.errors import DeviceError
from tests.backend.cupy.running import placed
from tests.cuda_emulator import make


class Recording:
    """cuBLAS, or what stands in for it, with its calls written down.

    Attributes:
        calls: (function, arguments).
        statuses: what functions return instead of being called.
    """

    def __init__(self, library: Any) -> None:
        self.wrapped = library
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.statuses: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        def called(*args: Any) -> int:
            self.calls.append((name, args))
            return self.statuses.get(name) or getattr(self.wrapped, name)(*args)

        setattr(self, name, called)
        return called

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class Gpu(nullcontext):
    """A GPU of some compute capability."""

    def __init__(self, capability: str) -> None:
        super().__init__()
        self.compute_capability = capability


def opened(capability: str | None = None) -> tuple[Cublas, Recording, CupyDevice]:
    emulated = make()
    library = Recording(emulated.blas)
    device = CupyDevice(emulated.cupy, library, name="emulated")
    if capability is not None:
        device.gpu = Gpu(capability)
    return device.blas, library, device


@cache
def shared() -> CupyDevice:
    """A device for tests that only look at results."""
    return opened()[2]


def product(
    a: np.ndarray, b: np.ndarray, out: np.ndarray, ta: bool = False, tb: bool = False, beta: float = 0.0
) -> list[str]:
    """Run a product into `out`; what was called."""
    device = shared()
    arrays = [placed(device, x) for x in (a, b, out)]
    thunk = device.blas.matmul(*arrays, ta, tb, beta)
    with device.running():
        thunk()
    out[...] = device.download(arrays[2])
    return [getattr(leaf, "name", "") for leaf in leaves(thunk)]


def ones(device: CupyDevice, *shape: int, dtype: str = "float32") -> Any:
    return placed(device, np.ones(shape, dtype))


LEADS: list[tuple[tuple[int, ...], tuple[int, ...], int]] = [
    ((), (), 1),
    ((3,), (3,), 1),
    ((3,), (1,), 1),
    ((1,), (3,), 1),
    ((4,), (), 1),
    ((), (4,), 1),
    ((2, 3), (2, 3), 1),
    ((2, 3), (3,), 2),
    ((2, 3), (2, 1), 2),
    ((2, 1), (1, 3), 2),
    ((2, 1, 3), (2, 4, 3), 6),
    ((5, 1, 2, 1), (1, 3, 1, 2), 12),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("lead_a, lead_b, most", LEADS)
def test_products(
    lead_a: tuple[int, ...], lead_b: tuple[int, ...], most: int, ta: bool, tb: bool, dtype: str
) -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-4, 5, (*lead_a, *((5, 2) if ta else (2, 5)))).astype(dtype)
    b = rng.integers(-4, 5, (*lead_b, *((3, 5) if tb else (5, 3)))).astype(dtype)
    expected = (a.swapaxes(-1, -2) if ta else a) @ (b.swapaxes(-1, -2) if tb else b)
    out = np.full(expected.shape, np.nan, dtype)
    names = product(a, b, out, ta, tb)
    np.testing.assert_array_equal(out, expected)
    assert len(names) <= most
    product(a, b, out, ta, tb, beta=1.0)
    np.testing.assert_array_equal(out, 2 * expected)


def test_matrices_that_meet_the_same_one_are_one_tall_product() -> None:
    a, b, out = np.ones((2, 7, 3, 4), "f4"), np.ones((4, 5), "f4"), np.zeros((2, 7, 3, 5), "f4")
    assert product(a, b, out) == ["cublasGemmEx"]
    assert (out == 4).all()


@pytest.mark.parametrize("m, k, n", [(0, 3, 2), (2, 3, 0), (2, 0, 3), (0, 0, 0)])
def test_sizes_of_zero(m: int, k: int, n: int) -> None:
    out = np.full((2, m, n), np.nan, "f4")
    names = product(np.ones((2, m, k), "f4"), np.ones((2, k, n), "f4"), out)
    assert not out.any()
    assert names == (["memory_set"] if out.size else [])


def test_an_inner_size_of_zero_adds_nothing() -> None:
    out = np.full((2, 3), 7, "f4")
    assert product(np.ones((2, 0), "f4"), np.ones((0, 3), "f4"), out, beta=1.0) == []
    assert (out == 7).all()


def test_the_handle_is_made_once_and_gets_stream_then_workspace() -> None:
    blas, library, device = opened()
    assert library.names() == []
    x = ones(device, 2, 2)
    first, second = (blas.matmul(x, x, x) for _ in range(2))
    made = ["cublasCreate_v2", "cublasSetMathMode", "cublasSetStream_v2", "cublasSetWorkspace_v2"]
    assert library.names() == made
    assert library.calls[2][1][1] == device.stream.ptr
    _, (_, workspace, size) = library.calls[3]
    assert (workspace % 256, size) == (0, 32 << 20)
    with device.running():
        first(), second()
    assert library.names()[4:] == ["cublasGemmEx"] * 2
    device.stream = device.cupy.cuda.Stream(non_blocking=True)
    library.calls.clear()
    with device.running():
        first(), second()
    assert library.names() == [*made[2:], "cublasGemmEx", "cublasGemmEx"]
    assert library.calls[0][1][1] == device.stream.ptr
    assert blas.version >= 120000


@pytest.mark.parametrize("capability, mebibytes", [("75", 4), ("89", 4), ("90", 32), ("120", 32)])
def test_workspace_fits_the_gpu(capability: str, mebibytes: int) -> None:
    blas, library, _ = opened(capability)
    blas.handle()
    assert library.calls[-1][1][2] == mebibytes << 20


def test_the_handle_goes_with_its_owner() -> None:
    blas, library, device = opened()
    blas.handle()
    del blas, device
    gc.collect()
    assert library.names()[-1] == "cublasDestroy_v2"


def compute_types(dtype: str) -> set[int]:
    blas, library, device = opened()
    x, y = ones(device, 2, 2, dtype=dtype), ones(device, 2, 2, dtype=dtype)
    with device.running():
        blas.matmul(x, x, y)()
    return {args[-2] for name, args in library.calls if name == "cublasGemmEx"}


def test_what_is_computed_in() -> None:
    assert compute_types("float64") == {cublas.COMPUTE_64F}
    assert compute_types("float32") == compute_types("float16") == {cublas.COMPUTE_32F}
    config.set_allow_tf32(True)
    try:
        assert compute_types("float32") == {cublas.COMPUTE_32F_FAST_TF32}
        assert compute_types("float16") == {cublas.COMPUTE_32F}
        assert compute_types("float64") == {cublas.COMPUTE_64F}
    finally:
        config.put("allow_tf32", None)


@pytest.mark.parametrize(
    "function, status, words",
    [
        ("cublasCreate_v2", 1, ["CUBLAS_STATUS_NOT_INITIALIZED (1)", "cupy-cuda12x[ctk]"]),
        ("cublasCreate_v2", 3, ["CUBLAS_STATUS_ALLOC_FAILED (3)", "memory is full"]),
        ("cublasSetWorkspace_v2", 7, ["CUBLAS_STATUS_INVALID_VALUE (7)", "report"]),
        ("cublasSetStream_v2", 99, ["an unknown status (99)", "report"]),
        ("cublasGemmEx", 13, ["CUBLAS_STATUS_EXECUTION_FAILED (13)", "CUDA_LAUNCH_BLOCKING=1"]),
    ],
)
def test_every_failure_says_what_and_what_to_do(function: str, status: int, words: Sequence[str]) -> None:
    blas, library, device = opened()
    library.statuses[function] = status
    x, y = ones(device, 2, 2), ones(device, 2, 2)
    with pytest.raises(DeviceError, match=f"cuBLAS failed in {function}") as caught:
        blas.matmul(x, x, y)()
    assert all(word in str(caught.value) for word in words), caught.value


def test_sizes_beyond_a_c_int_are_refused() -> None:
    blas, _, _ = opened()
    tall = np.broadcast_to(np.float32(1), (2**31, 1))
    with pytest.raises(DeviceError, match=r"at most 2\^31 - 1 .* Received: 2147483648\. Use a smaller batch"):
        blas.matmul(tall, np.ones((1, 1), "float32"), tall)


def test_matrices_stay_inside_their_arrays() -> None:
    blas, _, device = opened()
    a = ones(device, 4, 4)
    inside = Matrix(a, 2, 2, start=10, ld=4)
    with pytest.raises(AssertionError, match="leaves its array"):
        blas.gemm(inside, Matrix(a, 2, 2, start=11, ld=4), inside)
    with pytest.raises(AssertionError, match="leaves its array"):
        blas.gemm(*[Matrix(a, 2, 2, start=10, ld=4, stride=1)] * 3, count=2)
    with pytest.raises(AssertionError, match="is not"):
        blas.gemm(inside, Matrix(a, 3, 2), inside)


def test_columns_of_a_matrix_as_a_batch() -> None:
    """Two groups of columns multiplied by two groups of columns, without a copy."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 6)), rng.normal(size=(3, 8))
    blas, _, device = opened()
    out = ones(device, 5, 8, dtype="float64")
    thunk = blas.gemm(
        Matrix(placed(device, a), 5, 3, ld=6, stride=3),
        Matrix(placed(device, b), 3, 4, ld=8, stride=4),
        Matrix(out, 5, 4, ld=8, stride=4),
        count=2,
    )
    with device.running():
        thunk()
    expected = np.hstack([a[:, :3] @ b[:, :4], a[:, 3:] @ b[:, 4:]])
    np.testing.assert_allclose(device.download(out), expected)


def test_products_are_recorded_into_a_graph() -> None:
    """CuPy's own calls of cuBLAS refuse that. Zeros of an empty product are part of it too."""
    blas, library, device = opened()
    a, b, out, zeros = ones(device, 2, 3), ones(device, 3, 4), ones(device, 2, 4), ones(device, 2, 2)
    none = ones(device, 2, 0)
    steps = [blas.matmul(a, b, out, beta=1.0), blas.matmul(none, none, zeros, transpose_b=True)]
    program = device.program(steps)
    with device.running():
        program()
        program()
        library.calls.clear()
        program()
    assert library.names() == []
    assert (device.download(out) == 1 + 3 * 3).all()
    assert not device.download(zeros).any()


def test_plans_of_broadcast_axes() -> None:
    assert batches((2, 3), (3, 4), (2, 4)) == (1, (0, 0, 0), [(0, 0, 0)], 1)
    assert batches((5, 2, 3), (5, 3, 4), (5, 2, 4)) == (5, (6, 12, 8), [(0, 0, 0)], 1)
    assert batches((5, 2, 3), (3, 4), (5, 2, 4)) == (5, (6, 0, 8), [(0, 0, 0)], 1)
    assert batches((5, 2, 3), (3, 4), (5, 2, 4), fold=True) == (1, (0, 0, 0), [(0, 0, 0)], 5)
    assert batches((2, 1, 2, 3), (7, 3, 4), (2, 7, 2, 4)) == (7, (0, 12, 8), [(0, 0, 0), (6, 0, 56)], 1)


# ------------------------------------------------------------------------------------ looking for the library


class Found:
    """A cuBLAS that was loaded from a path, for the version of CUDA that its name ends with."""

    def __init__(self, path: str) -> None:
        self.path = path

    def cublasGetProperty(self, kind: ctypes.c_int, result: Any) -> int:
        assert kind.value == cublas.MAJOR_VERSION
        result._obj.value = int(self.path.rpartition(".")[2])
        return 0


@dataclass
class Machine:
    """What is installed on a machine, and what was loaded there.

    Attributes:
        wheels: folder in which NVIDIA's wheels lie.
        by_pathfinder: what cuda-pathfinder finds; it takes the newest.
        by_loader: names that the loader finds.
    """

    wheels: Path
    by_pathfinder: str = ""
    by_loader: tuple[str, ...] = ()
    loaded: list[str] = field(default_factory=list)

    def put_wheel(self, folder: str, name: str) -> str:
        path = self.wheels / folder / "lib" / name
        path.parent.mkdir(parents=True)
        path.touch()
        return str(path)

    def load(self, path: str, *args: Any, **kwargs: Any) -> Found:
        if "/" not in path and path not in self.by_loader:
            raise OSError(f"{path}: cannot open shared object file")
        self.loaded.append(path)
        return Found(path)

    def find(self, name: str) -> Any:
        assert name == "cublas"
        if not self.by_pathfinder:
            raise RuntimeError('Failure finding "libcublas.so"')
        return SimpleNamespace(abs_path=self.by_pathfinder)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "nvidia")
    pathfinder = SimpleNamespace(load_nvidia_dynamic_lib=made.find)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=pathfinder))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", pathfinder)
    monkeypatch.setattr(ctypes, "CDLL", made.load)
    spec = SimpleNamespace(submodule_search_locations=[str(made.wheels)])
    monkeypatch.setattr(cublas, "find_spec", lambda name: spec if name == "nvidia" else None)
    return made


@pytest.mark.parametrize("major, folder", [(12, "cublas"), (13, "cu13")])
def test_the_wheel_of_cupys_own_cuda_comes_first(machine: Machine, major: int, folder: str) -> None:
    """Beside PyTorch's wheel of another version, which cuda-pathfinder would take."""
    names = {12: "libcublas.so.12", 13: "libcublas.so.13"}
    mine = machine.put_wheel(folder, names[major])
    machine.by_pathfinder = machine.put_wheel("of_pytorch", names[25 - major])
    assert cublas.find_library(major).path == mine
    assert machine.loaded == [mine]


def test_without_wheels_cudas_usual_places_are_searched(machine: Machine) -> None:
    machine.by_pathfinder = "/usr/local/cuda/lib64/libcublas.so.12"
    assert cublas.find_library(12).path == machine.by_pathfinder


def test_another_version_than_cupys_is_passed_over(machine: Machine) -> None:
    machine.by_pathfinder = "/site-packages/nvidia/cu13/lib/libcublas.so.13"
    machine.by_loader = ("libcublas.so.12",)
    assert cublas.find_library(12).path == "libcublas.so.12"
    machine.by_loader = ("libcublas.so.13",)
    with pytest.raises(DeviceError, match=r"cuBLAS for CUDA 12.*cuda-pathfinder: one for CUDA 13; loader: "):
        cublas.find_library(12)


def test_a_missing_library_names_the_pip_line(machine: Machine) -> None:
    with pytest.raises(DeviceError, match=r"need NVIDIA's cuBLAS.*libcublas\.so\.13.*cupy-cuda12x\[ctk\]"):
        cublas.find_library(13)


def test_the_standins_cublas_says_its_version() -> None:
    assert cublas._major_of(make().blas) == 12
