// The kernels for processors with AVX-512.
#include "library.h"

#if defined(__x86_64__)
#define LEVEL avx512
#define VECTOR_BYTES 64
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#endif
#include "kernels.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
