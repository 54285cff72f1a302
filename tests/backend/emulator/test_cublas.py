"""The stand-in for cuBLAS, called through ctypes as the real library is."""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_void_p

import numpy as np
import pytest

from tests.cuda_emulator import RaceError, cublas, make

WORKSPACE = 1 << 20


class Products:
    """A handle with a stream and a workspace."""

    def __init__(self, emulated):
        self.emulated, self.cp, self.blas = emulated, emulated.cupy, emulated.blas
        self.handle = c_void_p()
        assert self.blas.cublasCreate_v2(ctypes.byref(self.handle)) == 0
        # It waits for the null stream, in which the tests make their arrays, and the other way round.
        self.stream = self.cp.cuda.Stream()
        self.workspace = self.cp.empty(WORKSPACE, np.uint8)
        self.bind()

    def bind(self, workspace=True):
        assert self.blas.cublasSetStream_v2(self.handle, self.stream.ptr) == 0
        if workspace:
            assert self.blas.cublasSetWorkspace_v2(self.handle, self.workspace.data.ptr, WORKSPACE) == 0

    def gemm(self, a, b, c, *, ta=False, tb=False, alpha=1.0, beta=0.0, ld=None, compute=cublas.COMPUTE_32F):
        """c = alpha a b + beta c for row-major matrices: column-major, that is c^T = b^T a^T."""
        kinds = {np.dtype(np.float32): 0, np.dtype(np.float64): 1, np.dtype(np.float16): 2}
        m, n = c.shape
        k = a.shape[0] if ta else a.shape[1]
        scalar = ctypes.c_double if compute == cublas.COMPUTE_64F else c_float
        alpha, beta = scalar(alpha), scalar(beta)
        return self.blas.cublasGemmEx(
            self.handle, int(tb), int(ta), n, m, k, ctypes.byref(alpha),
            b.data.ptr, kinds[b.dtype], ld or b.shape[1], a.data.ptr, kinds[a.dtype], a.shape[1],
            ctypes.byref(beta), c.data.ptr, kinds[c.dtype], c.shape[1], compute, -1,
        )  # fmt: skip


@pytest.fixture
def products(emulated):
    return Products(emulated)


def random(cp, *shape, dtype=np.float32):
    return cp.asarray(np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype))


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize(
    ("dtype", "compute", "tolerance"),
    [(np.float32, 68, 1e-5), (np.float64, 70, 1e-12), (np.float16, 68, 1e-2)],
)
def test_products(products, ta, tb, dtype, compute, tolerance):
    a = random(products.cp, *((4, 3) if ta else (3, 4)), dtype=dtype)
    b = random(products.cp, *((5, 4) if tb else (4, 5)), dtype=dtype)
    c = products.cp.empty((3, 5), dtype)  # NaN, which beta 0 must not read
    assert products.gemm(a, b, c, ta=ta, tb=tb, compute=compute) == 0
    left, right = (x.get().astype(np.float64) for x in (a, b))
    expected = (left.T if ta else left) @ (right.T if tb else right)
    np.testing.assert_allclose(c.get(), expected, rtol=tolerance, atol=tolerance)
    assert products.gemm(a, b, c, ta=ta, tb=tb, compute=compute, alpha=2.0, beta=-1.0) == 0
    np.testing.assert_allclose(c.get(), expected, rtol=3 * tolerance, atol=3 * tolerance)


def test_float16_is_summed_in_float32(products):
    cp = products.cp
    a, b, c = cp.ones((1, 4096), np.float16), cp.ones((4096, 1), np.float16), cp.empty((1, 1), np.float16)
    assert products.gemm(a, b, c) == 0
    assert c.item() == 4096


def test_batches(products):
    cp = products.cp
    a, b, c = random(cp, 6, 2, 3), random(cp, 6, 3, 4), cp.empty((6, 2, 4), np.float32)
    one, zero = c_float(1), c_float(0)
    status = products.blas.cublasGemmStridedBatchedEx(
        products.handle, 0, 0, 4, 2, 3, ctypes.byref(one), b.data.ptr, 0, 4, 12, a.data.ptr, 0, 3, 6,
        ctypes.byref(zero), c.data.ptr, 0, 4, 8, 6, 68, -1,
    )  # fmt: skip
    assert status == 0
    np.testing.assert_allclose(c.get(), a.get() @ b.get(), rtol=1e-5)


def test_misuse_has_a_status(products):
    cp = products.cp
    a, b, c = random(cp, 3, 4), random(cp, 4, 5), cp.empty((3, 5), np.float32)
    assert products.gemm(a, b, c, ld=4) == cublas.INVALID_VALUE
    assert products.gemm(a, b, c.astype(np.float64)) == cublas.NOT_SUPPORTED
    assert products.gemm(a, b, c, compute=5) == cublas.INVALID_VALUE
    assert (
        products.gemm(a, b, cp.empty((30, 5), np.float32)) == cublas.INVALID_VALUE
    )  # reads past the end of a
    assert products.blas.cublasSetStream_v2(c_void_p(1), 0) == cublas.NOT_INITIALIZED
    assert products.blas.cublasSetWorkspace_v2(products.handle, products.workspace.data.ptr + 8, 8) == 7
    assert products.blas.cublasDestroy_v2(products.handle) == 0
    assert products.gemm(a, b, c) == cublas.NOT_INITIALIZED


def test_a_captured_product_needs_a_workspace_set_after_the_stream(products):
    cp = products.cp
    a, b, c = random(cp, 3, 4), random(cp, 4, 5), cp.zeros((3, 5), np.float32)
    products.bind(workspace=False)
    with products.stream:
        products.stream.begin_capture()
        assert products.gemm(a, b, c) == cublas.ALLOC_FAILED
        products.bind()
        assert products.gemm(a, b, c, alpha=2.0) == 0
        graph = products.stream.end_capture()
    assert not c.get().any()
    products.emulated.statistics.reset()
    graph.launch()
    np.testing.assert_allclose(c.get(), 2 * a.get() @ b.get(), rtol=1e-5)
    assert products.emulated.statistics.replayed == 1


def test_a_product_that_did_not_wait_is_an_error_of_the_next_call(products):
    """C's functions raise nothing."""
    cp = products.cp
    a, c = random(cp, 4, 4), cp.zeros((4, 4), np.float32)
    products.stream = cp.cuda.Stream(non_blocking=True)
    products.bind()
    products.gemm(a, a, c)
    with pytest.raises(RaceError, match=r"cublasGemmEx .* reads 64 bytes that asarray in the null stream"):
        products.stream.synchronize()
    cp.cuda.Device().synchronize()
    products.gemm(a, a, c)
    with pytest.raises(RaceError, match=r"get in the null stream .* cublasGemmEx in stream"):
        c.get()


def test_products_are_counted(products):
    a = random(products.cp, 2, 2)
    with products.emulated.statistics.record() as log:
        products.gemm(a, a, products.cp.empty((2, 2), np.float32))
    assert [e.name for e in log if e.kind == "gemm"] == ["cublasGemmEx"]


def test_version(products):
    version = ctypes.c_int()
    assert products.blas.cublasGetVersion_v2(products.handle, ctypes.byref(version)) == 0
    assert version.value >= 120000


# --------------------------------------------------------------------------- orders of addition as on a card

ROWS, INNER, COLUMNS = 24, 300, 16


def summed(emulated, skipped=(0, 0), rows=ROWS):
    """A product of random matrices that begin so many elements behind an aligned start."""
    products, cp = Products(emulated), emulated.cupy
    rng = np.random.default_rng(5)
    operands = []
    for shape, skip in zip([(ROWS, INNER), (INNER, COLUMNS)], skipped, strict=True):
        memory = cp.empty(ROWS * INNER * COLUMNS, np.float32)
        array = memory[skip : skip + shape[0] * shape[1]].reshape(shape)
        array.set(rng.standard_normal(shape).astype(np.float32))
        operands.append(array)
    out = cp.empty((rows, COLUMNS), np.float32)
    assert products.gemm(operands[0][:rows], operands[1], out) == 0
    return out.get()


def test_the_same_alignment_adds_in_the_same_order():
    for skipped in ((0, 0), (1, 0), (2, 6)):
        first, second = (summed(make(), skipped) for _ in range(2))
        assert first.tobytes() == second.tobytes()
    assert summed(make(), (0, 0)).tobytes() == summed(make(), (8, 64)).tobytes()  # 32 bytes, 256 bytes


def test_another_alignment_may_add_in_another_order():
    aligned = summed(make())
    others = [summed(make(), skipped) for skipped in ((1, 0), (2, 0), (4, 0), (0, 1), (3, 3), (2, 4))]
    assert any(other.tobytes() != aligned.tobytes() for other in others)
    for other in others:
        np.testing.assert_allclose(other, aligned, rtol=1e-4, atol=1e-4)


def test_other_numbers_of_rows_may_add_in_another_order():
    whole = summed(make())
    parts = {rows: summed(make(), rows=rows) for rows in range(1, ROWS)}
    assert any(part.tobytes() != whole[:rows].tobytes() for rows, part in parts.items())
    for rows, part in parts.items():
        np.testing.assert_allclose(part, whole[:rows], rtol=1e-4, atol=1e-4)


def test_plain_sums_depend_on_nothing(monkeypatch):
    plain = summed(make(sums="plain"))
    assert plain.tobytes() == summed(make(sums="plain"), (1, 3)).tobytes()
    monkeypatch.setenv(cublas.SUMS, "plain")
    assert plain.tobytes() == summed(make(), (2, 1)).tobytes()
    monkeypatch.setenv(cublas.SUMS, "fast")
    with pytest.raises(ValueError, match='sums are "as on a card" or "plain", not "fast"'):
        make()
