// Lets g++ compile CUDA kernels for the host. Included in front of a kernel's text, precompiled, so it stays small.
//
// A launch runs its blocks one after another. Within a block each thread is a fiber where the kernel has barriers, and
// a turn of a plain loop where it has none. What is here is the language as the kernels use it: the built-in
// variables, barriers and warp operations, atomics, vector types and the mathematical names that <cmath> lacks.
#pragma once
#define GPUTRAIN_EMULATOR 1

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <type_traits>

// ------------------------------------------------------------------------------------------ words of the language

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __builtin_assume(condition)
#define __shared__ EMULATOR_ERROR_shared_memory_is_declared_by_GPUTRAIN_SHARED

#define EMULATOR_VECTOR2(name, T, bytes)  \
    struct alignas(bytes) name { T x, y; }; \
    inline name make_##name(T x, T y) { return {x, y}; }
#define EMULATOR_VECTOR3(name, T)       \
    struct name { T x, y, z; };         \
    inline name make_##name(T x, T y, T z) { return {x, y, z}; }
#define EMULATOR_VECTOR4(name, T, bytes)        \
    struct alignas(bytes) name { T x, y, z, w; }; \
    inline name make_##name(T x, T y, T z, T w) { return {x, y, z, w}; }

EMULATOR_VECTOR2(char2, signed char, 2) EMULATOR_VECTOR4(char4, signed char, 4)
EMULATOR_VECTOR2(uchar2, unsigned char, 2) EMULATOR_VECTOR4(uchar4, unsigned char, 4)
EMULATOR_VECTOR2(short2, short, 4) EMULATOR_VECTOR4(short4, short, 8)
EMULATOR_VECTOR2(ushort2, unsigned short, 4) EMULATOR_VECTOR4(ushort4, unsigned short, 8)
EMULATOR_VECTOR2(int2, int, 8) EMULATOR_VECTOR3(int3, int) EMULATOR_VECTOR4(int4, int, 16)
EMULATOR_VECTOR2(uint2, unsigned, 8) EMULATOR_VECTOR3(uint3, unsigned) EMULATOR_VECTOR4(uint4, unsigned, 16)
EMULATOR_VECTOR2(float2, float, 8) EMULATOR_VECTOR3(float3, float) EMULATOR_VECTOR4(float4, float, 16)
EMULATOR_VECTOR2(double2, double, 16) EMULATOR_VECTOR3(double3, double) EMULATOR_VECTOR4(double4, double, 16)
EMULATOR_VECTOR2(longlong2, long long, 16) EMULATOR_VECTOR4(longlong4, long long, 16)
EMULATOR_VECTOR2(ulonglong2, unsigned long long, 16) EMULATOR_VECTOR4(ulonglong4, unsigned long long, 16)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

extern "C" {
extern uint3 emulator_thread_index, emulator_block_index;
extern dim3 emulator_block_size, emulator_grid_size;
extern unsigned long long emulator_block_serial;
}
#define threadIdx (const_cast<const uint3&>(emulator_thread_index))
#define blockIdx (const_cast<const uint3&>(emulator_block_index))
#define blockDim (const_cast<const dim3&>(emulator_block_size))
#define gridDim (const_cast<const dim3&>(emulator_grid_size))
constexpr int warpSize = 32;

// -------------------------------------------------------------------------------------------------- shared memory

namespace emulator {

struct Site {  // one place in the source that declares shared memory, and its memory in the current block
    void* memory;
    unsigned long long serial;
    Site* next;
};

extern "C" void emulator_new_shared(Site* site, size_t bytes);

template <typename A> inline A& shared(Site* site) {
    if (site->serial != emulator_block_serial) emulator_new_shared(site, sizeof(A));
    return *static_cast<A*>(site->memory);
}

}  // namespace emulator

#define GPUTRAIN_SHARED(T, name, count)  \
    static emulator::Site name##_site;   \
    typedef T name##_array[count];       \
    auto& name = emulator::shared<name##_array>(&name##_site)

// ------------------------------------------------------------------------------------- barriers, warp operations

extern "C" {
int emulator_block_barrier(int operation, int value, int line);
unsigned emulator_warp_vote(int operation, unsigned mask, int value, int line);
void emulator_warp_barrier(unsigned mask, int line);
unsigned long long emulator_shuffle(
    int operation, unsigned mask, unsigned long long value, int argument, int width, int line);
unsigned emulator_active_mask();
[[noreturn]] void emulator_fail(const char* message);
}

namespace emulator {

template <typename T>
inline T shuffle(int operation, int line, unsigned mask, T value, int argument, int width = 32) {
    static_assert(sizeof(T) <= 8, "shuffles carry values of at most 8 bytes");
    unsigned long long word = 0;
    __builtin_memcpy(&word, &value, sizeof(T));
    word = emulator_shuffle(operation, mask, word, argument, width, line);
    __builtin_memcpy(static_cast<void*>(&value), &word, sizeof(T));
    return value;
}
struct WarpBarrier {
    int line;
    void operator()(unsigned mask = 0xffffffffu) const { emulator_warp_barrier(mask, line); }
};

}  // namespace emulator

#define __syncthreads() ((void)emulator_block_barrier(0, 0, __LINE__))
#define __syncthreads_count(p) (emulator_block_barrier(1, (p) ? 1 : 0, __LINE__))
#define __syncthreads_and(p) (emulator_block_barrier(2, (p) ? 1 : 0, __LINE__))
#define __syncthreads_or(p) (emulator_block_barrier(3, (p) ? 1 : 0, __LINE__))
#define __syncwarp emulator::WarpBarrier{__LINE__}
#define __shfl_sync(...) (emulator::shuffle(0, __LINE__, __VA_ARGS__))
#define __shfl_up_sync(...) (emulator::shuffle(1, __LINE__, __VA_ARGS__))
#define __shfl_down_sync(...) (emulator::shuffle(2, __LINE__, __VA_ARGS__))
#define __shfl_xor_sync(...) (emulator::shuffle(3, __LINE__, __VA_ARGS__))
#define __ballot_sync(mask, p) (emulator_warp_vote(0, mask, (p) ? 1 : 0, __LINE__))
#define __any_sync(mask, p) ((int)emulator_warp_vote(1, mask, (p) ? 1 : 0, __LINE__))
#define __all_sync(mask, p) ((int)emulator_warp_vote(2, mask, (p) ? 1 : 0, __LINE__))
#define __activemask() (emulator_active_mask())

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __trap() { emulator_fail("__trap() was reached"); }
inline void __nanosleep(unsigned) {}

// -------------------------------------------------------------------------------------------------------- atomics

// Threads take turns, and a turn ends at barriers alone, so plain reads and writes are atomic.
#define EMULATOR_ATOMIC(name, T, expression)  \
    inline T name(T* address, T value) {      \
        T old = *address;                     \
        *address = (expression);              \
        return old;                           \
    }
#define EMULATOR_ATOMICS(T)                                         \
    EMULATOR_ATOMIC(atomicExch, T, value)                           \
    EMULATOR_ATOMIC(atomicMin, T, value < old ? value : old)        \
    EMULATOR_ATOMIC(atomicMax, T, value > old ? value : old)        \
    EMULATOR_ATOMIC(atomicAnd, T, old & value)                      \
    EMULATOR_ATOMIC(atomicOr, T, old | value)                       \
    EMULATOR_ATOMIC(atomicXor, T, old ^ value)                      \
    inline T atomicCAS(T* address, T compare, T value) {            \
        T old = *address;                                           \
        if (old == compare) *address = value;                       \
        return old;                                                 \
    }
EMULATOR_ATOMICS(int)
EMULATOR_ATOMICS(unsigned)
EMULATOR_ATOMICS(unsigned long long)
EMULATOR_ATOMIC(atomicMin, long long, value < old ? value : old)
EMULATOR_ATOMIC(atomicMax, long long, value > old ? value : old)
EMULATOR_ATOMIC(atomicAdd, int, (int)((unsigned)old + (unsigned)value))
EMULATOR_ATOMIC(atomicAdd, unsigned, old + value)
EMULATOR_ATOMIC(atomicAdd, unsigned long long, old + value)
EMULATOR_ATOMIC(atomicAdd, float, old + value)
EMULATOR_ATOMIC(atomicAdd, double, old + value)
EMULATOR_ATOMIC(atomicSub, int, (int)((unsigned)old - (unsigned)value))
EMULATOR_ATOMIC(atomicSub, unsigned, old - value)
EMULATOR_ATOMIC(atomicExch, float, value)
EMULATOR_ATOMIC(atomicInc, unsigned, old >= value ? 0u : old + 1u)
EMULATOR_ATOMIC(atomicDec, unsigned, (old == 0u || old > value) ? value : old - 1u)

// -------------------------------------------------------------------------------------------------- bits, integers

#define EMULATOR_CAST(name, From, To)                \
    inline To name(From value) {                     \
        To result;                                   \
        __builtin_memcpy(&result, &value, sizeof(To)); \
        return result;                               \
    }
EMULATOR_CAST(__float_as_int, float, int)
EMULATOR_CAST(__float_as_uint, float, unsigned)
EMULATOR_CAST(__int_as_float, int, float)
EMULATOR_CAST(__uint_as_float, unsigned, float)
EMULATOR_CAST(__double_as_longlong, double, long long)
EMULATOR_CAST(__longlong_as_double, long long, double)

inline int __double2hiint(double x) { return (int)(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return (int)__double_as_longlong(x); }
inline double __hiloint2double(int hi, int lo) {
    return __longlong_as_double((long long)(((unsigned long long)(unsigned)hi << 32) | (unsigned)lo));
}

inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
inline int __mulhi(int a, int b) { return (int)(((long long)a * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
inline long long __mul64hi(long long a, long long b) { return (long long)(((__int128)a * b) >> 64); }
inline int __mul24(int a, int b) { return ((a << 8) >> 8) * ((b << 8) >> 8); }
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffffu) * (b & 0xffffffu); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= ((x >> i) & 1u) << (31 - i);
    return r;
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned shift) {
    return (unsigned)((((unsigned long long)hi << 32 | lo) << (shift & 31)) >> 32);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned shift) {
    return (unsigned)(((unsigned long long)hi << 32 | lo) >> (shift & 31));
}

template <typename T> inline T __ldg(const T* p) { return *p; }
template <typename T> inline T __ldcs(const T* p) { return *p; }
template <typename T> inline T __ldca(const T* p) { return *p; }
template <typename T> inline T __ldcg(const T* p) { return *p; }
template <typename T> inline void __stcs(T* p, T value) { *p = value; }
template <typename T> inline void __stcg(T* p, T value) { *p = value; }

// CUDA's own overloads, so that a call that is ambiguous there is ambiguous here.
#define EMULATOR_MIN_MAX(R, A, B)                                              \
    inline R min(A a, B b) { return (R)a < (R)b ? (R)a : (R)b; }               \
    inline R max(A a, B b) { return (R)a > (R)b ? (R)a : (R)b; }
#define EMULATOR_MIN_MAX_SIGNS(S, U) \
    EMULATOR_MIN_MAX(S, S, S) EMULATOR_MIN_MAX(U, U, U) EMULATOR_MIN_MAX(U, S, U) EMULATOR_MIN_MAX(U, U, S)
EMULATOR_MIN_MAX_SIGNS(int, unsigned)
EMULATOR_MIN_MAX_SIGNS(long, unsigned long)
EMULATOR_MIN_MAX_SIGNS(long long, unsigned long long)
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(float a, double b) { return fmin(a, b); }
inline double max(float a, double b) { return fmax(a, b); }
inline double min(double a, float b) { return fmin(a, b); }
inline double max(double a, float b) { return fmax(a, b); }
inline long long llmin(long long a, long long b) { return a < b ? a : b; }
inline long long llmax(long long a, long long b) { return a > b ? a : b; }
inline unsigned umin(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned umax(unsigned a, unsigned b) { return a > b ? a : b; }

// ----------------------------------------------------------------------------------------------------- mathematics

extern "C" double emulator_erfinv(double x);

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
inline double rcbrt(double x) { return 1.0 / cbrt(x); }
inline double erfinv(double x) { return emulator_erfinv(x); }
inline float erfinvf(float x) { return (float)emulator_erfinv(x); }
inline float erfinv(float x) { return erfinvf(x); }
inline double erfcinv(double x) { return emulator_erfinv(1.0 - x); }
inline float erfcinvf(float x) { return (float)emulator_erfinv(1.0 - (double)x); }
inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
inline float normcdff(float x) { return (float)normcdf((double)x); }
inline double normcdfinv(double x) { return 1.41421356237309504880 * emulator_erfinv(2.0 * x - 1.0); }
inline float normcdfinvf(float x) { return (float)normcdfinv((double)x); }
inline double sinpi(double x) {
    double r = x - 2.0 * floor(x * 0.5);  // in [0, 2), exact, so that whole and half arguments give exact results
    if (r > 1.5) return -sin((2.0 - r) * 3.14159265358979323846);
    if (r > 0.5) return sin((1.0 - r) * 3.14159265358979323846);
    return sin(r * 3.14159265358979323846);
}
inline double cospi(double x) {
    double r = fabs(x) - 2.0 * floor(fabs(x) * 0.5);
    if (r > 1.0) r = 2.0 - r;
    return r < 0.25 ? cos(r * 3.14159265358979323846) : sin((0.5 - r) * 3.14159265358979323846);
}
inline float sinpif(float x) { return (float)sinpi((double)x); }
inline float cospif(float x) { return (float)cospi((double)x); }
inline void sincospi(double x, double* s, double* c) { *s = sinpi(x), *c = cospi(x); }
inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
inline float sinpi(float x) { return sinpif(x); }
inline float cospi(float x) { return cospif(x); }
inline void sincospi(float x, float* s, float* c) { sincospif(x, s, c); }
inline void sincos(float x, float* s, float* c) { *s = sinf(x), *c = cosf(x); }
inline float exp10(float x) { return exp10f(x); }

inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return exp10f(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline void __sincosf(float x, float* s, float* c) { *s = sinf(x), *c = cosf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x != x ? 0.0f : fminf(fmaxf(x, 0.0f), 1.0f); }

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return (float)(1.0 / sqrt((double)a)); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline double __dsqrt_rn(double a) { return sqrt(a); }

// Conversions saturate and NaN becomes 0 (the largest negative for 64 bits), as the device's instructions do.
#define EMULATOR_TO_INTEGER(name, From, To, low, high, none, rounding)  \
    inline To name(From value) {                                        \
        if (value != value) return none;                                \
        double r = rounding((double)value);                             \
        if (r <= (double)(low)) return low;                             \
        return r >= (double)(high) ? high : (To)r;                      \
    }
#define EMULATOR_TO_INTEGERS(F, From)                                                                            \
    EMULATOR_TO_INTEGER(__##F##2int_rn, From, int, INT32_MIN, INT32_MAX, 0, rint)                                \
    EMULATOR_TO_INTEGER(__##F##2int_rz, From, int, INT32_MIN, INT32_MAX, 0, trunc)                               \
    EMULATOR_TO_INTEGER(__##F##2int_rd, From, int, INT32_MIN, INT32_MAX, 0, floor)                               \
    EMULATOR_TO_INTEGER(__##F##2int_ru, From, int, INT32_MIN, INT32_MAX, 0, ceil)                                \
    EMULATOR_TO_INTEGER(__##F##2uint_rn, From, unsigned, 0u, UINT32_MAX, 0u, rint)                               \
    EMULATOR_TO_INTEGER(__##F##2uint_rz, From, unsigned, 0u, UINT32_MAX, 0u, trunc)                              \
    EMULATOR_TO_INTEGER(__##F##2ll_rn, From, long long, INT64_MIN, INT64_MAX, INT64_MIN, rint)                   \
    EMULATOR_TO_INTEGER(__##F##2ll_rz, From, long long, INT64_MIN, INT64_MAX, INT64_MIN, trunc)                  \
    EMULATOR_TO_INTEGER(__##F##2ll_rd, From, long long, INT64_MIN, INT64_MAX, INT64_MIN, floor)                  \
    EMULATOR_TO_INTEGER(__##F##2ull_rz, From, unsigned long long, 0ull, UINT64_MAX, 1ull << 63, trunc)
EMULATOR_TO_INTEGERS(float, float)
EMULATOR_TO_INTEGERS(double, double)
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }
inline float __ll2float_rn(long long x) { return (float)x; }
inline float __ull2float_rn(unsigned long long x) { return (float)x; }
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
inline double __ll2double_rn(long long x) { return (double)x; }
inline double __ull2double_rn(unsigned long long x) { return (double)x; }
inline float __double2float_rn(double x) { return (float)x; }

// --------------------------------------------------------------------------------------------------------- entries

namespace emulator {

struct Entry {  // what the host knows of a kernel
    void (*invoke)(void** arguments);
    int count;
    const int* sizes;
    const char* kinds;  // p pointer, i integer, f floating point, s anything else
};

template <typename P> constexpr char kind_of() {
    return std::is_pointer<P>::value                                     ? 'p'
           : std::is_integral<P>::value || std::is_enum<P>::value ? 'i'
           : std::is_floating_point<P>::value                            ? 'f'
                                                                         : 's';
}

template <auto kernel, typename F> struct EntryOf;
template <auto kernel, typename... P> struct EntryOf<kernel, void (*)(P...)> {
    static constexpr int sizes[] = {(int)sizeof(P)..., 0};
    static constexpr char kinds[] = {kind_of<P>()..., 0};
    template <size_t... I> static void call(void** a, std::integer_sequence<size_t, I...>) {
        kernel(*static_cast<P*>(a[I])...);
    }
    static void invoke(void** a) { call(a, std::make_integer_sequence<size_t, sizeof...(P)>()); }
    static constexpr Entry value = {invoke, (int)sizeof...(P), sizes, kinds};
};

}  // namespace emulator

#define EMULATOR_ENTRY(...) emulator::EntryOf<&__VA_ARGS__, decltype(&__VA_ARGS__)>::value
