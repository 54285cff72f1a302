// The kernels for processors with AVX2.
#include "library.h"

#if defined(__x86_64__)
#define LEVEL avx2
#define VECTOR_BYTES 32
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#include "kernels.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
