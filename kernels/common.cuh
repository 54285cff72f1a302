// What every kernel of gputrain starts from. The loader pastes this text in front of a kernel's own source, so that
// CuPy's cache, which does not look into included files, notices when it changes.

#ifdef GPUTRAIN_HALF
#include <cuda_fp16.h>
#endif

typedef long long i64;
typedef unsigned long long u64;

// Shared memory is declared by this macro alone: the emulator of the tests gives each place exactly this much, filled
// with NaN for each block. `count` is a compile-time constant.
#ifndef GPUTRAIN_EMULATOR
#define GPUTRAIN_SHARED(T, name, count) __shared__ T name[count]
#endif

// Runs the body that follows once for each index i in 0 .. count - 1, spread over all threads of the launch.
//
// A grid-stride loop: a launch of any size covers any count, so no kernel has a largest input and the launch can be
// sized for the device rather than for the data. Indices are 64 bits wide, because a tensor may well hold more than
// 2^31 elements and a product of two 32-bit block figures wraps around silently.
#define GPUTRAIN_GRID_STRIDE(i, count)                                                                  \
    for (i64 i = (i64)blockIdx.x * (i64)blockDim.x + (i64)threadIdx.x,                                  \
             gputrain_step = (i64)gridDim.x * (i64)blockDim.x;                                          \
         i < (i64)(count); i += gputrain_step)

// ---------------------------------------------------------------------------------------------------- numbers

// What a storage type is computed in: float16 in float32, all others in themselves.
template <typename T> struct Wide { typedef T type; };
template <typename T> using wide_t = typename Wide<T>::type;

template <typename T> __device__ __forceinline__ T wide(T x) { return x; }
template <typename T> struct Narrow {
    static __device__ __forceinline__ T from(wide_t<T> x) { return x; }
};

#ifdef GPUTRAIN_HALF
template <> struct Wide<__half> { typedef float type; };
__device__ __forceinline__ float wide(__half x) { return __half2float(x); }
template <> struct Narrow<__half> {
    static __device__ __forceinline__ __half from(float x) { return __float2half_rn(x); }
};
#endif

template <typename T> __device__ __forceinline__ T narrow(wide_t<T> x) { return Narrow<T>::from(x); }

__device__ __forceinline__ float infinity(float) { return __int_as_float(0x7f800000); }
__device__ __forceinline__ double infinity(double) { return __longlong_as_double(0x7ff0000000000000LL); }

// ------------------------------------------------------------------------------------------------- reductions

struct Plus {
    template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; }
};
struct Times {
    template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return a * b; }
};
// NaN wins in both, as in NumPy: "not <=" rather than ">".
struct Larger {
    template <typename T> __device__ __forceinline__ T operator()(T a, T b) const {
        return (b != b) ? b : (b > a ? b : a);
    }
};
struct Smaller {
    template <typename T> __device__ __forceinline__ T operator()(T a, T b) const {
        return (b != b) ? b : (b < a ? b : a);
    }
};

// The values of a warp combined; every lane gets the result. All 32 lanes must take part.
template <typename T, typename Op> __device__ __forceinline__ T warp_reduce(T value, Op op) {
    for (int offset = 16; offset > 0; offset >>= 1) {
        T other = __shfl_xor_sync(0xffffffffu, value, offset);
        // The lower lane's value first, so that all lanes compute the very same expression.
        value = (threadIdx.x & offset) ? op(other, value) : op(value, other);
    }
    return value;
}

// The values of a block combined; every thread gets the result. blockDim.x is a multiple of 32, all threads take part,
// and `neutral` changes nothing. The order is fixed, so equal inputs give equal bits. May be called again and again.
template <typename T, typename Op> __device__ __forceinline__ T block_reduce(T value, T neutral, Op op) {
    GPUTRAIN_SHARED(T, partial, 32);
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    value = warp_reduce(value, op);
    __syncthreads();  // a call before this one may still be reading
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    return warp_reduce(lane < warps ? partial[lane] : neutral, op);
}

// True, for all its threads, in the block that comes here last. Everything that other blocks wrote before they came is
// there to be read (through volatile). `ticket` holds 0 before and after. Every block of the launch must come once.
__device__ __forceinline__ bool last_block(unsigned int* ticket) {
    GPUTRAIN_SHARED(bool, last, 1);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        last[0] = atomicAdd(ticket, 1u) == gridDim.x - 1;
        if (last[0]) *ticket = 0;
    }
    __syncthreads();
    __threadfence();
    return last[0];
}

// Values of threads that met the same column (threadIdx.x % width) added up, in the order of the threads; the result
// is with the first `width` threads. blockDim.x, at most 1024, is a multiple of `width`.
template <typename T> __device__ __forceinline__ T column_reduce(T value, int width) {
    GPUTRAIN_SHARED(T, row, 1024);
    __syncthreads();  // a call before this one may still be reading
    row[threadIdx.x] = value;
    __syncthreads();
    if ((int)threadIdx.x < width)
        for (int k = threadIdx.x + width; k < (int)blockDim.x; k += width) value += row[k];
    return value;
}

// Column sums of the partial sums of all blocks, of which `strips` in a row make up a row of the matrix.
template <typename T>
__device__ __forceinline__ T column_total(volatile T* part,  // (gridDim.x, width)
                                          int width, i64 strip, i64 strips) {
    const int column = threadIdx.x % width, group = threadIdx.x / width, groups = blockDim.x / width;
    T total = 0;
    for (i64 b = strip + group * strips; b < (i64)gridDim.x; b += groups * strips)
        total += part[b * width + column];
    return column_reduce(total, width);
}
