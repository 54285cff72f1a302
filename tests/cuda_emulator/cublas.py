"""Looks like libcublas to ctypes: the functions for matrix products, with their C signatures."""

from __future__ import annotations

import ctypes
import math
import os
import zlib
from collections.abc import Callable
from ctypes import POINTER, c_int, c_longlong, c_size_t, c_void_p
from typing import Any

import numpy as np

from tests.cuda_emulator.errors import RaceError
from tests.cuda_emulator.races import Use
from tests.cuda_emulator.standin.world import Work, World

SUCCESS, NOT_INITIALIZED, ALLOC_FAILED, INVALID_VALUE, NOT_SUPPORTED = 0, 1, 3, 7, 15
OP_N, OP_T, OP_C = 0, 1, 2
R_32F, R_64F, R_16F = 0, 1, 2
COMPUTE_16F, COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_16F, COMPUTE_32F_FAST_TF32 = 64, 68, 70, 74, 77
VERSION = 120900
SUMS = "GPUTRAIN_EMULATOR_SUMS"  # environment: "plain" sums all products in one way
VECTOR = 32  # bytes up to which a card's library looks at alignment
MOST_SUMS = 4

_TYPES: dict[int, Any] = {
    R_32F: np.dtype(np.float32),
    R_64F: np.dtype(np.float64),
    R_16F: np.dtype(np.float16),
}
# For each compute type the type of alpha and beta, and the types of the matrices.
_COMPUTE: dict[int, tuple[Any, set[int]]] = {
    COMPUTE_16F: (np.float16, {R_16F}),
    COMPUTE_32F: (np.float32, {R_16F, R_32F}),
    COMPUTE_32F_FAST_16F: (np.float32, {R_32F}),
    COMPUTE_32F_FAST_TF32: (np.float32, {R_32F}),
    COMPUTE_64F: (np.float64, {R_64F}),
}
_MATRIX = (c_void_p, c_int, c_int)
_MATRIX_OF_BATCH = (c_void_p, c_int, c_int, c_longlong)
_HEAD = (c_void_p, c_int, c_int, c_int, c_int, c_int, c_void_p)
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cublasCreate_v2": (POINTER(c_void_p),),
    "cublasDestroy_v2": (c_void_p,),
    "cublasGetVersion_v2": (c_void_p, POINTER(c_int)),
    "cublasGetProperty": (c_int, POINTER(c_int)),
    "cublasSetStream_v2": (c_void_p, c_void_p),
    "cublasGetStream_v2": (c_void_p, POINTER(c_void_p)),
    "cublasSetWorkspace_v2": (c_void_p, c_void_p, c_size_t),
    "cublasSetMathMode": (c_void_p, c_int),
    "cublasGetMathMode": (c_void_p, POINTER(c_int)),
    "cublasGemmEx": (*_HEAD, *_MATRIX, *_MATRIX, c_void_p, *_MATRIX, c_int, c_int),
    "cublasGemmStridedBatchedEx": (
        *_HEAD, *_MATRIX_OF_BATCH, *_MATRIX_OF_BATCH, c_void_p, *_MATRIX_OF_BATCH, c_int, c_int, c_int
    ),
}  # fmt: skip

Place = tuple[int, int, int, int]  # address, type, leading dimension, stride


class Handle:
    """What a cuBLAS handle remembers.

    Attributes:
        stream: address of the stream that products go to.
        workspace: (address, bytes), or None for the library's own.
        math_mode: as set.
    """

    def __init__(self) -> None:
        self.stream = 0
        self.workspace: tuple[int, int] | None = None
        self.math_mode = 0


class Operand:
    """A column-major matrix in memory, or a batch of them.

    Attributes:
        address, dtype, ld, stride: where it is; `stride` in elements from one matrix to the next.
        rows, columns: as it lies in memory.
    """

    def __init__(self, place: Place, rows: int, columns: int) -> None:
        address, kind, ld, stride = place
        self.address, self.dtype, self.ld, self.stride = address or 0, _TYPES[kind], ld, stride
        self.rows, self.columns = rows, columns

    def extent(self, batch: int) -> int:
        """Bytes from the first element to the end of the last."""
        if not (self.rows and self.columns and batch):
            return 0
        last = (self.columns - 1) * self.ld + self.rows + (batch - 1) * abs(self.stride)
        return last * self.dtype.itemsize

    def at(self, i: int) -> np.ndarray:
        """Matrix `i` of the batch."""
        size = self.dtype.itemsize
        nbytes = ((self.columns - 1) * self.ld + self.rows) * size
        memory = (ctypes.c_char * nbytes).from_address(self.address + i * self.stride * size)
        return np.ndarray((self.rows, self.columns), self.dtype, memory, 0, (size, self.ld * size))


class Cublas:
    """Attributes are C functions, as on a library that ctypes has loaded."""

    def __init__(self, world: World, as_on_a_card: bool) -> None:
        self._world, self._as_on_a_card = world, as_on_a_card
        self._handles: dict[int, Handle] = {}
        for name, arguments in SIGNATURES.items():
            prototype = ctypes.CFUNCTYPE(c_int, *arguments)
            setattr(self, name, prototype(getattr(self, "_" + name.removesuffix("_v2"))))

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def _cublasCreate(self, result: Any) -> int:
        address = 0xB1A50000 + 16 * len(self._handles)
        self._handles[address] = Handle()
        result[0] = address
        return SUCCESS

    def _cublasDestroy(self, handle: int) -> int:
        return SUCCESS if self._handles.pop(handle or 0, None) else NOT_INITIALIZED

    def _cublasGetVersion(self, handle: int, result: Any) -> int:
        result[0] = VERSION
        return SUCCESS

    def _cublasGetProperty(self, kind: int, result: Any) -> int:
        if kind not in (0, 1, 2):
            return INVALID_VALUE
        result[0] = (VERSION // 10000, VERSION // 100 % 100, VERSION % 100)[kind]
        return SUCCESS

    def _cublasSetStream(self, handle: int, stream: int | None) -> int:
        found = self._handles.get(handle or 0)
        if found is None:
            return NOT_INITIALIZED
        found.stream, found.workspace = stream or 0, None  # the library resets the workspace here
        return SUCCESS

    def _cublasGetStream(self, handle: int, result: Any) -> int:
        found = self._handles.get(handle or 0)
        if found is None:
            return NOT_INITIALIZED
        result[0] = found.stream
        return SUCCESS

    def _cublasSetWorkspace(self, handle: int, workspace: int | None, size: int) -> int:
        found = self._handles.get(handle or 0)
        if found is None:
            return NOT_INITIALIZED
        if not workspace or workspace % 256 or not self._world.heap.covers(workspace, size):
            return INVALID_VALUE
        found.workspace = (workspace, size)
        return SUCCESS

    def _cublasSetMathMode(self, handle: int, mode: int) -> int:
        found = self._handles.get(handle or 0)
        if found is None:
            return NOT_INITIALIZED
        found.math_mode = mode
        return SUCCESS

    def _cublasGetMathMode(self, handle: int, result: Any) -> int:
        found = self._handles.get(handle or 0)
        if found is None:
            return NOT_INITIALIZED
        result[0] = found.math_mode
        return SUCCESS

    def _cublasGemmEx(
        self, handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int,
        a: int, atype: int, lda: int, b: int, btype: int, ldb: int, beta: int,
        c: int, ctype: int, ldc: int, compute: int, algorithm: int,
    ) -> int:  # fmt: skip
        head = (handle, transa, transb, m, n, k, alpha)
        return self._gemm(
            "cublasGemmEx", head, (a, atype, lda, 0), (b, btype, ldb, 0), beta, (c, ctype, ldc, 0), 1, compute
        )

    def _cublasGemmStridedBatchedEx(
        self, handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int,
        a: int, atype: int, lda: int, stridea: int, b: int, btype: int, ldb: int, strideb: int, beta: int,
        c: int, ctype: int, ldc: int, stridec: int, batch: int, compute: int, algorithm: int,
    ) -> int:  # fmt: skip
        head = (handle, transa, transb, m, n, k, alpha)
        left, right, result = (a, atype, lda, stridea), (b, btype, ldb, strideb), (c, ctype, ldc, stridec)
        return self._gemm("cublasGemmStridedBatchedEx", head, left, right, beta, result, batch, compute)

    def _gemm(
        self, name: str, head: tuple[int, ...], left: Place, right: Place, beta: int,
        result: Place, batch: int, compute: int,
    ) -> int:  # fmt: skip
        address, transa, transb, m, n, k, alpha = head
        handle = self._handles.get(address or 0)
        if handle is None:
            return NOT_INITIALIZED
        if not {transa, transb} <= {OP_N, OP_T, OP_C} or min(m, n, k, batch) < 0 or not (alpha and beta):
            return INVALID_VALUE
        status = _check_types(left[1], right[1], result[1], compute)
        if status != SUCCESS:
            return status
        a = Operand(left, *((m, k) if transa == OP_N else (k, m)))
        b = Operand(right, *((k, n) if transb == OP_N else (n, k)))
        c = Operand(result, m, n)
        if any(x.ld < max(1, x.rows) for x in (a, b, c)) or (batch > 1 and 0 < c.stride < m):
            return INVALID_VALUE
        factors = [_scalar(pointer, _COMPUTE[compute][0]) for pointer in (alpha, beta)]  # by value, now
        sums = number_of_sums((a, b, c), k, batch) if self._as_on_a_card else 1
        product = _product(a, b, c, (transa != OP_N, transb != OP_N), factors, k, batch, sums)
        return self._submit(name, handle, product, (a, b, c), k, batch)

    def _submit(
        self,
        name: str,
        handle: Handle,
        product: Callable[[], None],
        operands: tuple[Operand, ...],
        k: int,
        batch: int,
    ) -> int:
        stream = self._world.stream_at(handle.stream)
        if stream.capture is not None and handle.workspace is None:
            return ALLOC_FAILED  # the library's own workspace would have to be allocated now
        used = operands if k else operands[2:]
        if not all(x.extent(batch) == 0 or self._world.heap.covers(x.address, x.extent(batch)) for x in used):
            return INVALID_VALUE  # a real product would read or write past the memory
        try:
            self._world.submit(Work("gemm", name, product, 0, 2, self._uses(handle, used, batch)), stream)
        except RaceError as error:  # nothing can be raised through C; the next call of the device does
            self._world.races.later(error)
        return SUCCESS

    def _uses(self, handle: Handle, operands: tuple[Operand, ...], batch: int) -> tuple[Use, ...]:
        """Memory that a product uses: the last operand is written, as is the workspace."""
        places = [(x.address, x.extent(batch), x is operands[-1]) for x in operands]
        if handle.workspace is not None:
            places.append((*handle.workspace, True))
        return tuple(use for place in places for use in self._world.races.uses(*place))


def _check_types(left: int, right: int, result: int, compute: int) -> int:
    if compute not in _COMPUTE or not {left, right, result} <= set(_TYPES):
        return INVALID_VALUE
    allowed = _COMPUTE[compute][1]
    # float16 into float32 exists as well; any other mixture does not.
    mixed = compute == COMPUTE_32F and (left, right, result) == (R_16F, R_16F, R_32F)
    same = left == right == result and left in allowed
    return SUCCESS if same or mixed else NOT_SUPPORTED


def _scalar(pointer: int, dtype: Any) -> Any:
    return np.frombuffer(ctypes.string_at(pointer, np.dtype(dtype).itemsize), dtype)[0]


def as_on_a_card(sums: str | None) -> bool:
    """Whether sums depend on alignment and sizes: as asked for, as the environment says, else they do."""
    chosen = sums or os.environ.get(SUMS, "as on a card")
    if chosen not in ("as on a card", "plain"):
        raise ValueError(f'sums are "as on a card" or "plain", not "{chosen}"')
    return chosen == "as on a card"


def number_of_sums(operands: tuple[Operand, ...], k: int, batch: int) -> int:
    """Into how many sums, added up at the end, a product is split.

    A card's library has many kernels, which add in different orders, and takes one by the sizes and by how
    far the operands are aligned. The same call on the same memory takes the same one.
    """
    aligned = [math.gcd(VECTOR, x.address, x.ld * x.dtype.itemsize) for x in operands]
    sizes = [(x.rows, x.columns) for x in operands]
    return 1 + zlib.crc32(repr((aligned, sizes, k, batch)).encode()) % MOST_SUMS


def _product(
    a: Operand, b: Operand, c: Operand, transposed: tuple[bool, bool], factors: list[Any], k: int, batch: int,
    sums: int,
) -> Callable[[], None]:  # fmt: skip
    """C = alpha A B + beta C for each matrix of a batch; C is not read when beta is 0."""
    wide: Any = np.float64 if c.dtype == np.float64 else np.float32
    alpha, beta = (wide(factor) for factor in factors)

    def one(i: int) -> None:
        target = c.at(i)
        total = np.zeros(target.shape, wide)
        if k and alpha != 0:
            left, right = (x.at(i).T if t else x.at(i) for x, t in zip((a, b), transposed, strict=True))
            left, right = left.astype(wide), right.astype(wide)
            total = alpha * sum(left[:, i::sums] @ right[i::sums] for i in range(sums))
        if beta != 0:
            total = total + beta * target.astype(wide)
        target[...] = total.astype(c.dtype)

    def run() -> None:
        if c.rows and c.columns:
            with np.errstate(all="ignore"):
                for i in range(batch):
                    one(i)

    return run
