"""What kernels can do on the emulator; a real card runs the same file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.backend.emulator.kernels import BLOCK_SUM, COMMON, SCALE, kernel


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000])
@pytest.mark.parametrize(
    ("dtype", "name"), [(np.float32, "float"), (np.float64, "double"), (np.int32, "int")]
)
def test_grid_stride_loops_cover_every_size(cp, n, dtype, name):
    x = cp.arange(n, dtype=dtype)
    y = cp.empty(n, dtype)
    kernel(cp, SCALE, f"scale<{name}>")((2,), (32,), (y, x, dtype(3), np.int64(n)))
    np.testing.assert_array_equal(y.get(), 3 * np.arange(n, dtype=dtype))


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 5000])
def test_a_block_sums_in_shared_memory(cp, n):
    x = cp.arange(n, dtype=np.float64)
    y = cp.empty(3)
    kernel(cp, BLOCK_SUM, "block_sum<double>")((3,), (256,), (y, x, np.int64(n)))
    assert y.get().sum() == n * (n - 1) / 2


def test_warp_and_block_reductions_of_the_kernels_own_header(cp):
    text = (
        COMMON
        + """
    template <typename T> __global__ void sums(T* y, const T* x) {
        T all = block_reduce(x[threadIdx.x], T(0), Plus());
        T most = block_reduce(x[threadIdx.x], T(-1e30), Larger());
        y[threadIdx.x] = all + most;
    }
    """
    )
    x = cp.arange(96, dtype=np.float32)
    y = cp.empty(96, np.float32)
    kernel(cp, text, "sums<float>")((1,), (96,), (y, x))
    np.testing.assert_array_equal(y.get(), np.full(96, 95 * 96 / 2 + 95, np.float32))


SHUFFLES = """
extern "C" __global__ void shuffles(int* y, int width, int delta) {
    int lane = threadIdx.x;
    y[lane] = __shfl_sync(0xffffffffu, lane, delta, width);
    y[32 + lane] = __shfl_up_sync(0xffffffffu, lane, delta, width);
    y[64 + lane] = __shfl_down_sync(0xffffffffu, lane, delta, width);
    y[96 + lane] = __shfl_xor_sync(0xffffffffu, lane, delta, width);
    y[128 + lane] = (int)__ballot_sync(0xffffffffu, lane % 3 == 0);
    y[160 + lane] = __any_sync(0xffffffffu, lane == 7) + 2 * __all_sync(0xffffffffu, lane < 31);
    y[192 + lane] = __syncthreads_count(lane < 5) + 100 * __syncthreads_or(lane == 9);
}
"""


def shuffled(width: int, delta: int) -> np.ndarray:
    """What CUDA's guide says of the four shuffles."""
    rows = np.empty((4, 32), np.int32)
    for lane in range(32):
        first = lane // width * width
        last = first + width - 1
        rows[0, lane] = first + delta % width
        rows[1, lane] = lane - delta if lane - delta >= first else lane
        rows[2, lane] = lane + delta if lane + delta <= last else lane
        rows[3, lane] = lane ^ delta if lane ^ delta <= last else lane
    return rows


@pytest.mark.parametrize(("width", "delta"), [(32, 1), (32, 16), (8, 3), (16, 0), (4, 1)])
def test_warp_operations(cp, width, delta):
    y = cp.empty(224, np.int32)
    module = cp.RawModule(code=SHUFFLES)
    module.get_function("shuffles")((1,), (32,), (y, np.int32(width), np.int32(delta)))
    result = y.get().reshape(7, 32)
    np.testing.assert_array_equal(result[:4], shuffled(width, delta))
    ballot = sum(1 << lane for lane in range(0, 32, 3))
    assert set(result[4].view(np.uint32).tolist()) == {ballot}
    assert set(result[5].tolist()) == {1}
    assert set(result[6].tolist()) == {105}


def test_a_part_of_a_warp_shuffles_among_itself(cp):
    text = """
    extern "C" __global__ void part(int* y) {
        y[threadIdx.x] = -1;
        if (threadIdx.x < 8) y[threadIdx.x] = __shfl_xor_sync(0xffu, (int)threadIdx.x, 1);
        __syncwarp();
    }
    """
    y = cp.empty(40, np.int32)
    cp.RawModule(code=text).get_function("part")((1,), (40,), (y,))
    np.testing.assert_array_equal(y.get(), [1, 0, 3, 2, 5, 4, 7, 6, *[-1] * 32])


def test_a_grid_and_a_block_of_three_dimensions(cp):
    text = """
    extern "C" __global__ void index(int* y) {
        int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
        int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
        y[block * blockDim.x * blockDim.y * blockDim.z + thread] = 1000 * block + thread;
    }
    """
    y = cp.empty(24 * 30, np.int32)
    cp.RawKernel(text, "index")((2, 3, 4), (5, 3, 2), (y,))
    expected = [1000 * b + t for b in range(24) for t in range(30)]
    np.testing.assert_array_equal(y.get(), expected)


def test_atomics_of_all_threads_are_counted(cp):
    text = """
    typedef unsigned long long u64;
    extern "C" __global__ void count(int* i, unsigned* u, u64* l, float* f, unsigned* wrapped) {
        atomicAdd(i, 1); atomicAdd(u, 2u); atomicAdd(l, 1ull << 33); atomicAdd(f, 0.5f);
        atomicInc(wrapped, 9u);
    }
    """
    arrays = [cp.zeros(1, t) for t in (np.int32, np.uint32, np.uint64, np.float32, np.uint32)]
    cp.RawKernel(text, "count")((5,), (33,), tuple(arrays))
    assert [a.get()[0] for a in arrays] == [165, 330, 165 << 33, 82.5, 5]


HALVES = """
#include <cuda_fp16.h>
extern "C" __global__ void halves(__half* y, const float* x, float* back, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) { y[i] = __float2half_rn(x[i]); back[i] = __half2float(y[i]); }
}
extern "C" __global__ void sums(__half* y, const __half* a, const __half* b, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = __hfma(a[i], b[i], a[i] + b[i]);
}
"""


def test_float16_rounds_to_nearest_even(cp):
    rng = np.random.default_rng(0)
    edges = [
        0.0,
        -0.0,
        65519.0,
        65520.0,
        -70000.0,
        2.0**-24,
        2.0**-25,
        1.5 * 2.0**-24,
        2049.0,
        2051.0,
        np.inf,
    ]
    wild = rng.integers(0, 2**32, 4000, dtype=np.uint32).view(np.float32)
    x = np.concatenate([np.float32(edges), wild, np.float32(rng.standard_normal(4000))])
    x = x[~np.isnan(x) & ((np.abs(x) > 1e-37) | (x == 0))]  # NVRTC flushes denormal float32
    with np.errstate(over="ignore", under="ignore"):
        expected = x.astype(np.float16)
    y, back = cp.empty(x.size, np.float16), cp.empty(x.size, np.float32)
    blocks = math.ceil(x.size / 256)
    module = cp.RawModule(code=HALVES)
    module.get_function("halves")((blocks,), (256,), (y, cp.asarray(x), back, np.int32(x.size)))
    np.testing.assert_array_equal(y.get().view(np.uint16), expected.view(np.uint16))
    np.testing.assert_array_equal(back.get(), expected.astype(np.float32))


def test_float16_arithmetic(cp):
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(500).astype(np.float16) for _ in range(2))
    y = cp.empty(500, np.float16)
    cp.RawModule(code=HALVES).get_function("sums")(
        (2,), (256,), (y, cp.asarray(a), cp.asarray(b), np.int32(500))
    )
    exact = a.astype(np.float64) * b.astype(np.float64) + (a + b).astype(np.float64)
    np.testing.assert_array_equal(y.get(), exact.astype(np.float16))


MATHEMATICS = """
extern "C" __global__ void mathematics(double* y, const double* x, int n) {
    int i = threadIdx.x;
    if (i >= n) return;
    double s, c;
    sincospi(x[i], &s, &c);
    y[i] = rsqrt(x[i] + 2); y[n + i] = s; y[2 * n + i] = c; y[3 * n + i] = erf(erfinv(x[i]));
    y[4 * n + i] = max(x[i], 0.25); y[5 * n + i] = min(i, 3); y[6 * n + i] = __double2int_rz(x[i] * 10);
    y[7 * n + i] = (double)(__umulhi(0x80000000u, 6u) + (unsigned)(__umul64hi(1ull << 63, 6ull)));
    y[8 * n + i] = isfinite(x[i] / 0.0) ? 1 : 0; y[9 * n + i] = __popc(7u) + __clz(1) + __ffs(8);
}
"""


def test_mathematics(cp):
    x = np.array([-0.999999, -0.75, -0.5, -0.1, 0.0, 1e-9, 0.25, 0.5, 0.9, 0.99])
    y = cp.empty((10, 10))
    cp.RawKernel(MATHEMATICS, "mathematics")((1,), (32,), (y, cp.asarray(x), np.int32(10)))
    expected = [
        1 / np.sqrt(x + 2), np.sin(np.pi * x), np.cos(np.pi * x), x, np.maximum(x, 0.25),
        np.minimum(np.arange(10), 3), np.trunc(x * 10), np.full(10, 6), np.zeros(10), np.full(10, 3 + 31 + 4),
    ]  # fmt: skip
    np.testing.assert_allclose(y.get(), np.array(expected), rtol=1e-12, atol=1e-15)


def test_a_text_that_does_not_compile_is_an_error_with_the_compilers_words(cp):
    module = cp.RawModule(
        code="__global__ void f(float* y) { y[0] = nothing_of_this_name; }", name_expressions=("f",)
    )
    with pytest.raises(cp.cuda.compiler.CompileException, match="nothing_of_this_name"):
        module.get_function("f")


def test_launches_that_no_card_accepts_are_refused(cp):
    y = cp.zeros(4, np.float32)
    f = kernel(cp, SCALE, "scale<float>")
    args = (y, y, np.float32(1), np.int64(4))
    for grid, block in [((1,), (1025,)), ((0,), (32,)), ((1,), (0,)), ((1, 70000), (32,)), ((1,), (32, 64))]:
        with pytest.raises(cp.cuda.driver.CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
            f(grid, block, args)
