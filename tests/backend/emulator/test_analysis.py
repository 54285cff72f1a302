"""Which kernels are taken to need fibers."""

from __future__ import annotations

from tests.cuda_emulator.analysis import barrier_names, constant_parameters, needs_fibers

TEXT = """
// __syncthreads() in a comment does not count
#define WAIT() \\
    __syncthreads()
#define PLAIN(x) ((x) + 1)
namespace inner { namespace {
template <typename T> __device__ T lane_sum(T x) { return x + __shfl_xor_sync(0xffffffffu, x, 1); }
}  // namespace
}  // namespace inner
struct Meet { __device__ void operator()(int x) const { if (x) { WAIT(); } } };
struct Plus { __device__ int operator()(int x) const { return x; } };
template <typename F> __device__ void apply(F f, int x) { f(x); }
__device__ const char* words() { return "__syncthreads"; }
extern "C" {
__global__ void plain(float* y, int n) { for (int i = 0; i < n; i++) { y[i] = PLAIN(i); } words(); }
__global__ void direct(float* y) { __syncthreads(); }
__global__ void by_macro(float* y) { WAIT(); }
}
template <typename T> __global__ void __launch_bounds__(256) by_call(T* y) { y[0] = inner::lane_sum(y[0]); }
template <typename F> __global__ void generic(F* y) { apply(F(), 1); }
"""


def test_barriers_are_found_through_calls_macros_and_template_arguments():
    reaching = barrier_names(TEXT)
    assert {"lane_sum", "WAIT", "Meet", "direct", "by_macro", "by_call"} <= reaching
    assert not reaching & {"plain", "words", "Plus", "apply", "generic", "PLAIN"}
    assert needs_fibers("by_call<float>", reaching)
    assert needs_fibers("generic<Meet>", reaching)
    assert not needs_fibers("generic<Plus>", reaching)
    assert not needs_fibers("plain", reaching)


def test_unclosed_text_is_taken_to_its_end():
    assert "broken" in barrier_names("__global__ void broken() { __syncthreads();")


def test_parameters_that_are_only_read():
    text = """
    template <typename T> __global__ void later(T* y, const T* x);
    template <typename T, int N> __global__ void __launch_bounds__(256)
    first(const T *__restrict__ x, float const* w, T* y, /* const */ float* z, const int n) {}
    extern "C" __global__ void second(float* const* table, const float** t, const void* v) {}
    __global__ void by_macro(ARGUMENTS) {}
    """
    assert constant_parameters(text, "first<float, 3>", 5) == (True, True, False, False, False)
    assert constant_parameters(text, "second", 3) == (True, False, True)
    assert constant_parameters(text, "by_macro", 2) == (False, False)
    assert constant_parameters(text, "absent", 1) == (False,)
