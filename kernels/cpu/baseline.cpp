// The kernels for every processor: vectors of 16 bytes, which x86-64 (SSE2) and 64-bit ARM (NEON) have.
#include "library.h"

#define LEVEL baseline
#define VECTOR_BYTES 16
#include "kernels.inc"
