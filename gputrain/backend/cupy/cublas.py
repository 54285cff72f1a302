"""cuBLAS through ctypes, with a handle of our own.

CuPy refuses every cuBLAS call while a stream is recorded into a graph, and has no SetWorkspace. cuBLAS itself
can be recorded as long as it allocates nothing, so it gets a fixed workspace here.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from collections.abc import Sequence
from ctypes import c_double, c_float, c_int, c_longlong, c_size_t, c_void_p
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gputrain import config
from gputrain.backend.base import InOrder, Thunk
from gputrain.errors import DeviceError, explain

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

PIP_LINE = (
    "pip install 'cupy-cuda12x[ctk]>=14,<15' (driver for CUDA 12) or "
    "pip install 'cupy-cuda13x[ctk]>=14,<15' (CUDA 13)"
)

# What cuBLAS recommends for capability 9.x and newer, and before.
WORKSPACE_BYTES, SMALL_WORKSPACE_BYTES = 32 << 20, 4 << 20
LARGEST_SIZE = 2**31 - 1  # sizes are C ints
MAJOR_VERSION = 0  # of libraryPropertyType

NO_TRANSPOSE, TRANSPOSE = 0, 1
DEFAULT_ALGORITHM = -1
# CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION: partial sums of float16 are float32.
MATH_MODE = 0 | 16
DATA_TYPES = {"float32": 0, "float64": 1, "float16": 2}  # CUDA_R_32F, CUDA_R_64F, CUDA_R_16F
COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_TF32 = 68, 70, 77

STATUS_NAMES = {
    1: "CUBLAS_STATUS_NOT_INITIALIZED",
    3: "CUBLAS_STATUS_ALLOC_FAILED",
    7: "CUBLAS_STATUS_INVALID_VALUE",
    8: "CUBLAS_STATUS_ARCH_MISMATCH",
    11: "CUBLAS_STATUS_MAPPING_ERROR",
    13: "CUBLAS_STATUS_EXECUTION_FAILED",
    14: "CUBLAS_STATUS_INTERNAL_ERROR",
    15: "CUBLAS_STATUS_NOT_SUPPORTED",
    16: "CUBLAS_STATUS_LICENSE_ERROR",
}
_MISMATCH = f"The installed cuBLAS does not fit the driver or the GPU: {PIP_LINE}."
_REPORT = "This is a mistake in gputrain: please report it with this message."
REMEDIES = {
    1: _MISMATCH,
    3: "The GPU's memory is full: use a smaller batch, or end other programs that use this GPU.",
    7: _REPORT,
    8: _MISMATCH,
    11: "The GPU's memory is full or in an error state: end other programs that use it, start again.",
    13: "A kernel before this one may have failed: run again with CUDA_LAUNCH_BLOCKING=1 to see which.",
    14: "A kernel before this one may have failed: run again with CUDA_LAUNCH_BLOCKING=1 to see which.",
    15: _REPORT,
}

_SHAPES = [c_void_p, c_int, c_int, c_int, c_int, c_int]  # handle, transposes, m, n, k
_MATRIX = [c_void_p, c_int, c_int]  # pointer, data type, leading dimension
_ENDING = [c_int, c_int]  # compute type, algorithm
SIGNATURES: dict[str, list[Any]] = {
    "cublasCreate_v2": [c_void_p],
    "cublasDestroy_v2": [c_void_p],
    "cublasGetVersion_v2": [c_void_p, c_void_p],
    "cublasSetStream_v2": [c_void_p, c_void_p],
    "cublasSetWorkspace_v2": [c_void_p, c_void_p, c_size_t],
    "cublasSetMathMode": [c_void_p, c_int],
    "cublasGemmEx": [*_SHAPES, c_void_p, *_MATRIX, *_MATRIX, c_void_p, *_MATRIX, *_ENDING],
    "cublasGemmStridedBatchedEx": [
        *_SHAPES,
        c_void_p,
        *(*_MATRIX, c_longlong),
        *(*_MATRIX, c_longlong),
        c_void_p,
        *(*_MATRIX, c_longlong),
        c_int,
        *_ENDING,
    ],
}


def find_library(major: int) -> Any:
    """cuBLAS for CuPy's version of CUDA, from NVIDIA's wheels, CUDA's usual places or the loader's path.

    Where there are wheels for several versions (PyTorch may bring another one), cuda-pathfinder takes the
    newest, which the driver need not serve. So the wheel of this version comes first, and each is asked.

    Args:
        major: the version of CUDA that CuPy was built for.

    Raises:
        DeviceError: there is none; the message has the pip line.
    """
    name, tried = f"libcublas.so.{major}", []
    for place, find in (("wheel", _in_wheel), ("cuda-pathfinder", _by_pathfinder), ("loader", _by_name)):
        try:
            library = ctypes.CDLL(find(major))
            found = _major_of(library)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            tried.append(f"{place}: {_first_line(error)}")
            continue
        if found == major:
            return library
        tried.append(f"{place}: one for CUDA {found}")
    raise DeviceError(
        explain(
            f"Matrix products on the GPU need NVIDIA's cuBLAS for CUDA {major}, as cupy does.",
            expected=f"{name} in a wheel, under CUDA_PATH, or where the loader looks",
            received="; ".join(tried),
            fix=f"Install it with {PIP_LINE}.",
        )
    )


def _in_wheel(major: int) -> str:
    """The file in the wheel for this version of CUDA."""
    spec = find_spec("nvidia")
    folder = "cublas" if major < 13 else f"cu{major}"
    for root in (spec and spec.submodule_search_locations) or ():
        path = Path(root, folder, "lib", f"libcublas.so.{major}")
        if path.exists():
            return str(path)
    raise OSError(f"nvidia/{folder} is not installed")


def _by_pathfinder(major: int) -> str:
    from cuda import pathfinder

    return str(pathfinder.load_nvidia_dynamic_lib("cublas").abs_path)


def _by_name(major: int) -> str:
    return f"libcublas.so.{major}"


def _major_of(library: Any) -> int:
    """The version of CUDA that a cuBLAS is for."""
    number = c_int()
    check("cublasGetProperty", library.cublasGetProperty(c_int(MAJOR_VERSION), ctypes.byref(number)))
    return number.value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def check(function: str, status: int) -> None:
    """Raise unless a cuBLAS function succeeded."""
    if status:
        raise DeviceError(
            explain(
                f"cuBLAS failed in {function}.",
                expected="CUBLAS_STATUS_SUCCESS",
                received=f"{STATUS_NAMES.get(status, 'an unknown status')} ({status})",
                fix=REMEDIES.get(status, _REPORT),
            )
        )


# ----------------------------------------------------------------------------------------- shapes of products


@dataclass(frozen=True, slots=True)
class Matrix:
    """One or several row-major matrices that lie in an array, as they are stored.

    Attributes:
        array: where they lie.
        rows, columns: of each.
        start: element of the array where the first begins.
        ld: elements from a row to the next; 0 means `columns`.
        stride: elements from a matrix to the next.
    """

    array: Any
    rows: int
    columns: int
    start: int = 0
    ld: int = 0
    stride: int = 0

    def __repr__(self) -> str:
        """Sizes alone: to show the contents would be to wait for them."""
        place = f"start {self.start}, ld {self.leading}, stride {self.stride}"
        return f"<Matrix {self.rows}x{self.columns} in {self.array.size} elements, {place}>"

    @property
    def leading(self) -> int:
        return max(self.ld or self.columns, 1)

    @property
    def pointer(self) -> int:
        return int(self.array.data.ptr) + self.start * int(self.array.dtype.itemsize)

    def sized(self, transposed: bool) -> tuple[int, int]:
        """(rows, columns) after transposing."""
        return (self.columns, self.rows) if transposed else (self.rows, self.columns)

    def inside(self, count: int) -> bool:
        """Whether `count` matrices end before the array does."""
        last = self.start + (count - 1) * self.stride + (self.rows - 1) * self.leading + self.columns
        return min(self.rows, self.columns, count) == 0 or last <= self.array.size


class Batch(NamedTuple):
    """`size` products of equally spaced matrices, from each of `starts` (a, b, out); strides (a, b, out)."""

    size: int
    strides: tuple[int, int, int]
    starts: list[tuple[int, int, int]]
    folded: int = 1  # matrices of `a` taken as one tall matrix


def batches(a: Sequence[int], b: Sequence[int], out: Sequence[int], fold: bool = False) -> Batch:
    """How the products of broadcast leading axes become few batches of constant strides.

    Args:
        a, b, out: whole shapes.
        fold: matrices of `a` that meet the same `b` may be laid below each other.
    """
    axes = _merged_axes(a, b, out)
    folded = 1
    if fold and axes and axes[-1][1:3] == (math.prod(a[-2:]), 0):
        folded = axes.pop()[0]
    longest = max(axes, default=(1, 0, 0, 0))
    if axes:
        axes.remove(longest)
    starts = [
        tuple(sum(i * axis[k] for i, axis in zip(at, axes, strict=True)) for k in (1, 2, 3))
        for at in product(*(range(axis[0]) for axis in axes))
    ]
    return Batch(longest[0], longest[1:], starts, folded)  # type: ignore[arg-type]


def _merged_axes(a: Sequence[int], b: Sequence[int], out: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """(count, strides of a, b, out) of the leading axes, neighbours merged where one stride does for both."""
    lead = out[:-2]
    strides = zip(*(_lead_strides(shape, len(lead)) for shape in (a, b, out)), strict=True)
    axes: list[tuple[int, int, int, int]] = []
    for count, (of_a, of_b, of_out) in zip(lead, strides, strict=True):
        if count == 1:
            continue
        if axes and axes[-1][1:] == (of_a * count, of_b * count, of_out * count):
            count *= axes.pop()[0]
        axes.append((count, of_a, of_b, of_out))
    return axes


def _lead_strides(shape: Sequence[int], ndim: int) -> list[int]:
    """Elements from a matrix to the next along each of `ndim` leading axes; 0 where the shape broadcasts."""
    strides = [0] * ndim
    step = math.prod(shape[-2:])
    for i in range(1, len(shape) - 1):
        size = shape[-2 - i]
        strides[-i] = step if size > 1 else 0
        step *= size
    return strides


# ------------------------------------------------------------------------------------------------- the handle


class MemorySet:
    """Zeros written over an array; calling it runs it."""

    __slots__ = ("_array", "_runtime", "_stream", "name")

    def __init__(self, device: CupyDevice, array: Any) -> None:
        self.name = "memory_set"
        self._runtime, self._stream, self._array = device.cupy.cuda.runtime, device.stream, array

    def __call__(self) -> None:
        self._runtime.memsetAsync(self._array.data.ptr, 0, self._array.nbytes, self._stream.ptr)


def zeros(device: CupyDevice, array: Any) -> Thunk:
    """A thunk that fills a contiguous array with zeros."""
    return MemorySet(device, array) if array.size else InOrder(())


class Product:
    """One call of a product with all its arguments; calling it runs it.

    Attributes:
        name: the function of cuBLAS.
    """

    __slots__ = ("_args", "_blas", "_function", "_kept", "name")

    def __init__(self, blas: Cublas, name: str, args: tuple[Any, ...], kept: tuple[Any, ...]) -> None:
        self.name = name
        self._blas, self._args, self._kept = blas, args, kept  # alpha, beta and the arrays live as long
        self._function = getattr(blas.functions, name)

    def __call__(self) -> None:
        check(self.name, self._function(self._blas.ready(), *self._args))


class Cublas:
    """Row-major matrix products on one device's stream.

    The handle is made when the first product is bound, never while one runs, so that products can be recorded
    into a graph.

    Args:
        device: its stream runs the products, its memory holds the workspace.
        library: cuBLAS as ctypes loads it, or what stands in for it.
    """

    def __init__(self, device: CupyDevice, library: Any) -> None:
        self._device = device
        self.functions = library
        for name, types in SIGNATURES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = types, c_int
        self._handle: c_void_p | None = None
        self._workspace: Any = None
        self._stream = 0

    @property
    def version(self) -> int:
        """As cuBLAS counts: 120304 is 12.3.4."""
        number = c_int()
        self._call("cublasGetVersion_v2", self.handle(), ctypes.byref(number))
        return number.value

    def handle(self) -> c_void_p:
        """The handle, made on the first call."""
        if self._handle is None:
            self._handle = self._create()
            self._use_stream()
        return self._handle

    def ready(self) -> c_void_p:
        """The handle, on the stream that is the device's now."""
        handle = self.handle()
        if self._device.stream.ptr != self._stream:
            self._use_stream()
        return handle

    def _create(self) -> c_void_p:
        device, handle = self._device, c_void_p()
        major = int(device.gpu.compute_capability[:-1])
        size = WORKSPACE_BYTES if major >= 9 else SMALL_WORKSPACE_BYTES
        with device.running():
            workspace = device.empty((size,), "uint8")
            self._call("cublasCreate_v2", ctypes.byref(handle))
            # Passing the workspace keeps it alive until cuBLAS has let go of it.
            weakref.finalize(self, _destroy, self.functions, handle, workspace)
            self._call("cublasSetMathMode", handle, MATH_MODE)
        self._workspace = workspace
        return handle

    def _use_stream(self) -> None:
        """Products go to the device's stream from now on. SetStream forgets the workspace, so it follows."""
        stream, workspace = self._device.stream.ptr, self._workspace
        self._call("cublasSetStream_v2", self._handle, stream)
        self._call("cublasSetWorkspace_v2", self._handle, workspace.data.ptr, workspace.nbytes)
        self._stream = stream

    def _call(self, name: str, *args: Any) -> None:
        check(name, getattr(self.functions, name)(*args))

    # ----------------------------------------------------------------------------------------------- products

    def matmul(
        self,
        a: Any,
        b: Any,
        out: Any,
        transpose_a: bool = False,
        transpose_b: bool = False,
        beta: float = 0.0,
    ) -> Thunk:
        """A thunk for `out = a @ b + beta * out` over the last two axes; leading axes broadcast.

        Args:
            a, b, out: contiguous float arrays of one dtype.
            transpose_a, transpose_b: exchange the last two axes of an operand first.
            beta: 0 writes, 1 adds.
        """
        if not (out.size and a.size):
            return self._empty(out, beta)
        plan = batches(a.shape, b.shape, out.shape, fold=not transpose_a)
        (rows_a, columns_a), (rows_b, columns_b), (rows, columns) = (x.shape[-2:] for x in (a, b, out))
        return InOrder(
            self.gemm(
                Matrix(a, rows_a * plan.folded, columns_a, start[0], stride=plan.strides[0]),
                Matrix(b, rows_b, columns_b, start[1], stride=plan.strides[1]),
                Matrix(out, rows * plan.folded, columns, start[2], stride=plan.strides[2]),
                transpose_a,
                transpose_b,
                beta,
                plan.size,
            )
            for start in plan.starts
        )

    def gemm(
        self,
        a: Matrix,
        b: Matrix,
        out: Matrix,
        transpose_a: bool = False,
        transpose_b: bool = False,
        beta: float = 0.0,
        count: int = 1,
    ) -> Thunk:
        """A thunk for `count` products `out = a @ b + beta * out` of matrices with strides of their own."""
        (m, k), (k2, n) = a.sized(transpose_a), b.sized(transpose_b)
        assert (m, k2, n) == (out.rows, k, out.columns), f"{a} @ {b} is not {out}"
        assert all(x.inside(count) for x in (a, b, out)), f"{a} @ {b} or {out} leaves its array"
        if 0 in (m, n, count):
            return InOrder(())
        if k == 0:
            assert out.array.size == count * m * n, "zeros are written to whole arrays only"
            return self._empty(out.array, beta)
        _require_ints(m, n, k, count, a.leading, b.leading, out.leading)
        # cuBLAS counts down columns: to it our row-major matrices are transposed, and (A B)^T is B^T A^T.
        transposes = tuple(TRANSPOSE if t else NO_TRANSPOSE for t in (transpose_b, transpose_a))
        return self._product((*transposes, n, m, k), (b, a, out), beta, count)

    def _empty(self, out: Any, beta: float) -> Thunk:
        """The product over an inner size of 0."""
        return InOrder(()) if beta else zeros(self._device, out)

    def _product(
        self, sizes: tuple[int, ...], matrices: Sequence[Matrix], beta: float, count: int
    ) -> Product:
        self.handle()
        dtype = out_dtype(matrices)
        scalar = c_double if dtype == "float64" else c_float
        scalars = (scalar(1.0), scalar(beta))
        alpha_at, beta_at = (ctypes.addressof(s) for s in scalars)
        first, second, third = (_arguments(m, dtype, count) for m in matrices)
        ending = (compute_type(dtype), DEFAULT_ALGORITHM)
        args = (*sizes, alpha_at, *first, *second, beta_at, *third, *((count,) if count > 1 else ()), *ending)
        name = "cublasGemmStridedBatchedEx" if count > 1 else "cublasGemmEx"
        return Product(self, name, args, (*scalars, *(m.array for m in matrices)))


def out_dtype(matrices: Sequence[Matrix]) -> str:
    """The one dtype of several matrices."""
    (dtype,) = {m.array.dtype.name for m in matrices}
    return dtype


def compute_type(dtype: str) -> int:
    """What products of a dtype are summed in."""
    if dtype == "float64":
        return COMPUTE_64F
    return COMPUTE_32F_FAST_TF32 if dtype == "float32" and config.allow_tf32() else COMPUTE_32F


def _arguments(matrix: Matrix, dtype: str, count: int) -> tuple[int, ...]:
    stride = (matrix.stride,) if count > 1 else ()
    return (matrix.pointer, DATA_TYPES[dtype], matrix.leading, *stride)


def _require_ints(*sizes: int) -> None:
    if max(sizes) > LARGEST_SIZE:
        raise DeviceError(
            explain(
                "cuBLAS takes matrices of at most 2^31 - 1 rows and columns.",
                received=max(sizes),
                fix="Use a smaller batch.",
            )
        )


def _destroy(library: Any, handle: c_void_p, workspace: Any) -> None:
    library.cublasDestroy_v2(handle)
